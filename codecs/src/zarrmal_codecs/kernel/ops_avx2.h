// Operations on 32 lanes with AVX2.
#pragma once

#include <immintrin.h>

#include "lanes.h"
#include "lookups.h"

namespace zarrmal {
namespace {

struct Avx2 : Lookups<Avx2> {
    using R = __m256i;
    using M8 = R;
    using M16 = R;
    using M32 = R;
    using Inputs = R;
    using Weights = R;
    static constexpr int LANES = 32;
    static constexpr bool SIGNED = false;
    static constexpr int TILE_VECTORS = 2;
    static constexpr int TILE_SUMS = 8;
    static constexpr bool CHAINS = true;
    static constexpr bool ACROSS = true;
    static constexpr bool WIDE_OUTPUT = false;

    ZM_INLINE R load(const void* from) { return _mm256_loadu_si256(static_cast<const R*>(from)); }
    ZM_INLINE void store(void* to, R v) { _mm256_storeu_si256(static_cast<R*>(to), v); }
    ZM_INLINE R zero() { return _mm256_setzero_si256(); }
    ZM_INLINE R set8(int v) { return _mm256_set1_epi8(static_cast<char>(v)); }
    ZM_INLINE R set16(int v) { return _mm256_set1_epi16(static_cast<short>(v)); }
    ZM_INLINE R set32(std::int32_t v) { return _mm256_set1_epi32(v); }

    ZM_INLINE R or8(R a, R b) { return _mm256_or_si256(a, b); }
    ZM_INLINE R add8(R a, R b) { return _mm256_add_epi8(a, b); }
    ZM_INLINE R sub8(R a, R b) { return _mm256_sub_epi8(a, b); }
    ZM_INLINE R adds8(R a, R b) { return _mm256_adds_epu8(a, b); }
    ZM_INLINE R subs8(R a, R b) { return _mm256_subs_epu8(a, b); }
    ZM_INLINE R min8(R a, R b) { return _mm256_min_epu8(a, b); }
    ZM_INLINE R max8(R a, R b) { return _mm256_max_epu8(a, b); }
    ZM_INLINE R avg8(R a, R b) { return _mm256_avg_epu8(a, b); }
    template <int N>
    ZM_INLINE R srl8(R a) {
        return _mm256_and_si256(_mm256_srli_epi16(a, N), set8(255 >> N));
    }
    ZM_INLINE M8 zero8(R a) { return _mm256_cmpeq_epi8(a, zero()); }
    ZM_INLINE M8 either8(M8 a, M8 b) { return or8(a, b); }
    ZM_INLINE R pick8(M8 m, R a, R b) { return _mm256_blendv_epi8(b, a, m); }

    ZM_INLINE R add16(R a, R b) { return _mm256_add_epi16(a, b); }
    ZM_INLINE R sub16(R a, R b) { return _mm256_sub_epi16(a, b); }
    ZM_INLINE R min16(R a, R b) { return _mm256_min_epi16(a, b); }
    ZM_INLINE R max16(R a, R b) { return _mm256_max_epi16(a, b); }
    ZM_INLINE R mullo16(R a, R b) { return _mm256_mullo_epi16(a, b); }
    ZM_INLINE R mulhi16(R a, R b) { return _mm256_mulhi_epu16(a, b); }
    ZM_INLINE R madd16(R a, R b) { return _mm256_madd_epi16(a, b); }
    template <int N>
    ZM_INLINE R sll16(R a) {
        return _mm256_slli_epi16(a, N);
    }
    template <int N>
    ZM_INLINE R srl16(R a) {
        return _mm256_srli_epi16(a, N);
    }
    template <int N>
    ZM_INLINE R sra16(R a) {
        return _mm256_srai_epi16(a, N);
    }
    ZM_INLINE M16 zero16(R a) { return _mm256_cmpeq_epi16(a, zero()); }
    ZM_INLINE M16 upto16(R a, R b) { return _mm256_cmpeq_epi16(_mm256_min_epu16(a, b), a); }
    ZM_INLINE M16 below16(R a, R b) { return _mm256_xor_si256(upto16(b, a), set8(-1)); }
    ZM_INLINE R pick16(M16 m, R a, R b) { return pick8(m, a, b); }
    ZM_INLINE R increment16(R a, M16 m) { return sub16(a, m); }
    ZM_INLINE std::uint32_t bits16(M16 m) {
        const __m128i low = _mm256_castsi256_si128(m), high = _mm256_extracti128_si256(m, 1);
        return static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(low, high)));
    }

    ZM_INLINE R add32(R a, R b) { return _mm256_add_epi32(a, b); }
    ZM_INLINE R sub32(R a, R b) { return _mm256_sub_epi32(a, b); }
    ZM_INLINE R mullo32(R a, R b) { return _mm256_mullo_epi32(a, b); }
    template <int N>
    ZM_INLINE R sll32(R a) {
        return _mm256_slli_epi32(a, N);
    }
    template <int N>
    ZM_INLINE R srl32(R a) {
        return _mm256_srli_epi32(a, N);
    }
    template <int N>
    ZM_INLINE R sra32(R a) {
        return _mm256_srai_epi32(a, N);
    }
    ZM_INLINE R sra32(R a, int n) { return _mm256_sra_epi32(a, _mm_cvtsi32_si128(n)); }
    // Masks of a half for its two word vectors.
    ZM_INLINE M32 low32(M16 m) { return unpacklo16(m, m); }
    ZM_INLINE M32 high32(M16 m) { return unpackhi16(m, m); }
    ZM_INLINE M32 above32(R a, R b) { return _mm256_cmpgt_epi32(a, b); }
    ZM_INLINE R pick32(M32 m, R a, R b) { return pick8(m, a, b); }
    ZM_INLINE std::uint32_t bits32(M32 m) {
        return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(m)));
    }

    ZM_INLINE R unpacklo8(R a, R b) { return _mm256_unpacklo_epi8(a, b); }
    ZM_INLINE R unpackhi8(R a, R b) { return _mm256_unpackhi_epi8(a, b); }
    ZM_INLINE R unpacklo16(R a, R b) { return _mm256_unpacklo_epi16(a, b); }
    ZM_INLINE R unpackhi16(R a, R b) { return _mm256_unpackhi_epi16(a, b); }
    ZM_INLINE R packus16(R a, R b) { return _mm256_packus_epi16(a, b); }
    ZM_INLINE R packs32(R a, R b) { return _mm256_packs_epi32(a, b); }
    ZM_INLINE R packus32(R a, R b) { return _mm256_packus_epi32(a, b); }

    ZM_INLINE Inputs inputs(const std::uint8_t* from) { return load(from); }
    ZM_INLINE Weights weights(const std::int8_t* from) {
        std::int32_t four;
        std::memcpy(&four, from, 4);
        return set32(four);
    }
    // Exact: one pair is at least -2 * 128 * 128, and chains satisfy the bounds of chains.h.
#if defined(_MSC_VER) && !defined(__clang__)
    struct Chain {
        R sum;
        Chain operator+(Chain other) const { return {add16(sum, other.sum)}; }
    };
    ZM_INLINE Chain pairs(Inputs a, Weights w) { return {_mm256_maddubs_epi16(a, w)}; }
    ZM_INLINE R join(R sum, Chain chain) { return add32(sum, madd16(chain.sum, set16(1))); }
#else
    // GCC would copy sums whose type changes from one register to another.
    using Chain = __v16hi;
    ZM_INLINE Chain pairs(Inputs a, Weights w) { return (Chain)_mm256_maddubs_epi16(a, w); }
    ZM_INLINE R join(R sum, Chain chain) { return add32(sum, madd16((R)chain, set16(1))); }
#endif
    // Sums of four inputs of one cell, and as many weights of each output; exact as above.
    ZM_INLINE R four(const std::uint8_t* from) {
        std::int32_t inputs;
        std::memcpy(&inputs, from, 4);
        return set32(inputs);
    }
    ZM_INLINE R dot_across(R sum, R four, R weights) {
        return add32(sum, madd16(_mm256_maddubs_epi16(four, weights), set16(1)));
    }
    ZM_INLINE R sra32_each(R a, R n) { return _mm256_srav_epi32(a, n); }
    ZM_INLINE R activations(R a, R b, R c, R d) {
        const R all = min8(packus16(packs32(a, b), packs32(c, d)), set8(127));
        const __m128i turn = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        return _mm256_shuffle_epi8(all, _mm256_broadcastsi128_si256(turn));
    }

    // Exact: see Avx512.
    ZM_INLINE R divide(R a, R b) {
        return _mm256_cvttps_epi32(_mm256_div_ps(_mm256_cvtepi32_ps(a), _mm256_cvtepi32_ps(b)));
    }
    ZM_INLINE R quotient(R a, R b) {
        // Unsigned to binary64: subtract 2**31 before, add it after.
        const auto wide = [](__m128i v) {
            const __m128i moved = _mm_xor_si128(v, _mm_set1_epi32(INT32_MIN));
            return _mm256_add_pd(_mm256_cvtepi32_pd(moved), _mm256_set1_pd(2147483648.0));
        };
        const auto half = [&](__m128i x, __m128i y) {
            return _mm256_cvttpd_epi32(_mm256_div_pd(wide(x), _mm256_cvtepi32_pd(y)));
        };
        const __m128i low = half(_mm256_castsi256_si128(a), _mm256_castsi256_si128(b));
        const __m128i high =
            half(_mm256_extracti128_si256(a, 1), _mm256_extracti128_si256(b, 1));
        return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
    }

    // Lookups by gathers; through memory each would wait until all lanes are stored.
    ZM_INLINE R gather16(const std::uint16_t* table, R index) {
        return _mm256_and_si256(
            _mm256_i32gather_epi32(reinterpret_cast<const int*>(table), index, 2), set32(0xFFFF));
    }
    ZM_INLINE R look_up16(const std::uint16_t* table, R index) {
        return packus32(gather16(table, unpacklo16(index, zero())),
                        gather16(table, unpackhi16(index, zero())));
    }
    ZM_INLINE void exponentials(const Tables& t, R a, R b, R (&to)[2]) {
        to[0] = look_up16(t.exponential, a);
        to[1] = look_up16(t.exponential, b);
    }
    ZM_INLINE void blanks(const Tables& t, R a, R b, R (&to)[2]) {
        to[0] = look_up16(t.blank, add16(a, set16(255)));
        to[1] = look_up16(t.blank, add16(b, set16(255)));
    }
    ZM_INLINE void slopes(const Tables& t, R a, R b, R (&to)[4]) {
        const R index[4] = {unpacklo16(a, zero()), unpackhi16(a, zero()), unpacklo16(b, zero()),
                            unpackhi16(b, zero())};
        for (int c = 0; c < 4; ++c) to[c] = _mm256_i32gather_epi32(t.slope, index[c], 4);
    }

    using Curve = const Tables*;
    ZM_INLINE Curve curve(const Tables& t) { return &t; }
    // A table of 32 by two shuffles: an index with its highest bit set gives 0.
    ZM_INLINE R look_up(const std::uint8_t (&table)[32], R low, R high) {
        const auto part = [](const std::uint8_t* from) {
            return _mm256_broadcastsi128_si256(
                _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
        };
        return or8(_mm256_shuffle_epi8(part(table), low), _mm256_shuffle_epi8(part(table + 16), high));
    }
    // Two halves at once. The lower half of KNOT suffices: j is i or 63 - i, and above the middle
    // KNOT[i] = 32768 - KNOT[j] - (KNOT[j + 1] - KNOT[j]).
    ZM_INLINE void logistic(const Tables& t, R a, R b, R& to_a, R& to_b) {
        const R index = packus16(_mm256_srli_epi16(a, 10), _mm256_srli_epi16(b, 10));
        const R upper = _mm256_cmpgt_epi8(set8(32), index);
        const R folded = _mm256_and_si256(_mm256_xor_si256(index, upper), set8(31));
        const R low = add8(folded, set8(0x70)), high = sub8(folded, set8(16));
        R knot[2], step[2];
        for (int k = 0; k < 2; ++k) {
            knot[k] = look_up(t.half_knot[k], low, high);
            step[k] = look_up(t.half_step[k], low, high);
        }
        const auto finish = [](R u, R base, R slope) {
            const R turned = sub16(sub16(set16(-32768), base), slope);
            const R from = pick16(_mm256_srai_epi16(u, 15), base, turned);
            return add16(from, mulhi16(slope, sll16<6>(u)));
        };
        to_a = finish(a, unpacklo8(knot[0], knot[1]), unpacklo8(step[0], step[1]));
        to_b = finish(b, unpackhi8(knot[0], knot[1]), unpackhi8(step[0], step[1]));
    }
    template <int M>
    ZM_INLINE void logistic(Curve c, const R (&u)[M], R (&to)[M]) {
        R spare;
        for (int m = 0; m + 1 < M; m += 2) logistic(*c, u[m], u[m + 1], to[m], to[m + 1]);
        if (M % 2) logistic(*c, u[M - 1], u[M - 1], to[M - 1], spare);
    }
};

}  // namespace
}  // namespace zarrmal
