// Operations on 32 lanes with AVX2.
#pragma once

#define ZM_PREFIX _mm256_
#define ZM_SUFFIX si256

#include "ops_x86.h"
#include "vector_masks.h"

namespace zarrmal {
namespace {

struct Avx2 : Avx, VectorMasks<Avx2, X86> {
    using R = X86::R;

    ZM_INLINE M8 zero8(R a) { return _mm256_cmpeq_epi8(a, zero()); }
    ZM_INLINE R pick8(M8 m, R a, R b) { return _mm256_blendv_epi8(b, a, m); }

    ZM_INLINE M16 zero16(R a) { return _mm256_cmpeq_epi16(a, zero()); }
    ZM_INLINE M16 upto16(R a, R b) { return _mm256_cmpeq_epi16(_mm256_min_epu16(a, b), a); }
    ZM_INLINE M16 below16(R a, R b) { return _mm256_xor_si256(upto16(b, a), set8(-1)); }
    ZM_INLINE std::uint32_t bits16(M16 m) {
        const __m128i low = _mm256_castsi256_si128(m), high = _mm256_extracti128_si256(m, 1);
        return static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(low, high)));
    }

    ZM_INLINE M32 above32(R a, R b) { return _mm256_cmpgt_epi32(a, b); }
    ZM_INLINE std::uint32_t bits32(M32 m) {
        return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(m)));
    }

    // Exact: see divide().
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
