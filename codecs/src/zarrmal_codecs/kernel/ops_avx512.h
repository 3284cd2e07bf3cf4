// Operations on 64 lanes with AVX-512 F, BW, VL, DQ, VNNI and VBMI.
#pragma once

#include <immintrin.h>

#include "lanes.h"

namespace zarrmal {
namespace {

struct Avx512 {
    using R = __m512i;
    using M8 = __mmask64;
    using M16 = __mmask32;
    using M32 = __mmask16;
    using Inputs = R;
    using Weights = R;
    static constexpr int LANES = 64;
    static constexpr bool SIGNED = false;
    static constexpr int TILE_VECTORS = 4;
    static constexpr int TILE_SUMS = 16;
    static constexpr bool CHAINS = false;
    static constexpr bool ACROSS = true;
    static constexpr bool WIDE_OUTPUT = true;

    ZM_INLINE R load(const void* from) { return _mm512_loadu_si512(from); }
    ZM_INLINE void store(void* to, R v) { _mm512_storeu_si512(to, v); }
    ZM_INLINE R zero() { return _mm512_setzero_si512(); }
    ZM_INLINE R set8(int v) { return _mm512_set1_epi8(static_cast<char>(v)); }
    ZM_INLINE R set16(int v) { return _mm512_set1_epi16(static_cast<short>(v)); }
    ZM_INLINE R set32(std::int32_t v) { return _mm512_set1_epi32(v); }

    ZM_INLINE R or8(R a, R b) { return _mm512_or_si512(a, b); }
    ZM_INLINE R add8(R a, R b) { return _mm512_add_epi8(a, b); }
    ZM_INLINE R sub8(R a, R b) { return _mm512_sub_epi8(a, b); }
    ZM_INLINE R adds8(R a, R b) { return _mm512_adds_epu8(a, b); }
    ZM_INLINE R subs8(R a, R b) { return _mm512_subs_epu8(a, b); }
    ZM_INLINE R min8(R a, R b) { return _mm512_min_epu8(a, b); }
    ZM_INLINE R max8(R a, R b) { return _mm512_max_epu8(a, b); }
    ZM_INLINE R avg8(R a, R b) { return _mm512_avg_epu8(a, b); }
    template <int N>
    ZM_INLINE R srl8(R a) {
        return _mm512_and_si512(_mm512_srli_epi16(a, N), set8(255 >> N));
    }
    ZM_INLINE M8 zero8(R a) { return _mm512_testn_epi8_mask(a, a); }
    ZM_INLINE M8 either8(M8 a, M8 b) { return a | b; }
    ZM_INLINE R pick8(M8 m, R a, R b) { return _mm512_mask_mov_epi8(b, m, a); }

    ZM_INLINE R add16(R a, R b) { return _mm512_add_epi16(a, b); }
    ZM_INLINE R sub16(R a, R b) { return _mm512_sub_epi16(a, b); }
    ZM_INLINE R min16(R a, R b) { return _mm512_min_epi16(a, b); }
    ZM_INLINE R max16(R a, R b) { return _mm512_max_epi16(a, b); }
    ZM_INLINE R mullo16(R a, R b) { return _mm512_mullo_epi16(a, b); }
    ZM_INLINE R mulhi16(R a, R b) { return _mm512_mulhi_epu16(a, b); }
    ZM_INLINE R madd16(R a, R b) { return _mm512_madd_epi16(a, b); }
    template <int N>
    ZM_INLINE R sll16(R a) {
        return _mm512_slli_epi16(a, N);
    }
    template <int N>
    ZM_INLINE R srl16(R a) {
        return _mm512_srli_epi16(a, N);
    }
    template <int N>
    ZM_INLINE R sra16(R a) {
        return _mm512_srai_epi16(a, N);
    }
    ZM_INLINE M16 zero16(R a) { return _mm512_testn_epi16_mask(a, a); }
    ZM_INLINE M16 upto16(R a, R b) { return _mm512_cmple_epu16_mask(a, b); }
    ZM_INLINE M16 below16(R a, R b) { return _mm512_cmplt_epu16_mask(a, b); }
    ZM_INLINE R pick16(M16 m, R a, R b) { return _mm512_mask_mov_epi16(b, m, a); }
    ZM_INLINE R increment16(R a, M16 m) { return _mm512_mask_add_epi16(a, m, a, set16(1)); }
    ZM_INLINE std::uint32_t bits16(M16 m) { return m; }

    ZM_INLINE R add32(R a, R b) { return _mm512_add_epi32(a, b); }
    ZM_INLINE R sub32(R a, R b) { return _mm512_sub_epi32(a, b); }
    ZM_INLINE R mullo32(R a, R b) { return _mm512_mullo_epi32(a, b); }
    template <int N>
    ZM_INLINE R sll32(R a) {
        return _mm512_slli_epi32(a, N);
    }
    template <int N>
    ZM_INLINE R srl32(R a) {
        return _mm512_srli_epi32(a, N);
    }
    template <int N>
    ZM_INLINE R sra32(R a) {
        return _mm512_srai_epi32(a, N);
    }
    ZM_INLINE R sra32(R a, int n) { return _mm512_sra_epi32(a, _mm_cvtsi32_si128(n)); }
    ZM_INLINE M32 above32(R a, R b) { return _mm512_cmpgt_epi32_mask(a, b); }
    ZM_INLINE R pick32(M32 m, R a, R b) { return _mm512_mask_mov_epi32(b, m, a); }
    ZM_INLINE std::uint32_t bits32(M32 m) { return m; }
    // Masks of a half for its two word vectors.
    ZM_INLINE M32 low32(M16 m) {
        const R wide = _mm512_movm_epi16(m);
        return _mm512_movepi32_mask(unpacklo16(wide, wide));
    }
    ZM_INLINE M32 high32(M16 m) {
        const R wide = _mm512_movm_epi16(m);
        return _mm512_movepi32_mask(unpackhi16(wide, wide));
    }

    ZM_INLINE R unpacklo8(R a, R b) { return _mm512_unpacklo_epi8(a, b); }
    ZM_INLINE R unpackhi8(R a, R b) { return _mm512_unpackhi_epi8(a, b); }
    ZM_INLINE R unpacklo16(R a, R b) { return _mm512_unpacklo_epi16(a, b); }
    ZM_INLINE R unpackhi16(R a, R b) { return _mm512_unpackhi_epi16(a, b); }
    ZM_INLINE R packus16(R a, R b) { return _mm512_packus_epi16(a, b); }
    ZM_INLINE R packs32(R a, R b) { return _mm512_packs_epi32(a, b); }
    ZM_INLINE R packus32(R a, R b) { return _mm512_packus_epi32(a, b); }

    ZM_INLINE Inputs inputs(const std::uint8_t* from) { return load(from); }
    ZM_INLINE Weights weights(const std::int8_t* from) {
        std::int32_t four;
        std::memcpy(&four, from, 4);
        return set32(four);
    }
    ZM_INLINE R dot(R sum, Inputs a, Weights w) { return _mm512_dpbusd_epi32(sum, a, w); }
    // Sums of four inputs of one cell, and as many weights of each output.
    ZM_INLINE R four(const std::uint8_t* from) {
        std::int32_t inputs;
        std::memcpy(&inputs, from, 4);
        return set32(inputs);
    }
    ZM_INLINE R dot_across(R sum, R four, R weights) {
        return _mm512_dpbusd_epi32(sum, four, weights);
    }
    ZM_INLINE R sra32_each(R a, R n) { return _mm512_srav_epi32(a, n); }
    // Clips four outputs to 0..127 and makes those of a lane adjacent.
    ZM_INLINE R activations(R a, R b, R c, R d) {
        const R all = min8(packus16(packs32(a, b), packs32(c, d)), set8(127));
        const __m128i turn = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        return _mm512_shuffle_epi8(all, _mm512_broadcast_i32x4(turn));
    }

    // Exact: a quotient that is no integer lies further below the next one than half a unit in
    // the last place, 2**-14 below 2**10 in binary32, 2**-16 below 2**16 in binary64.
    ZM_INLINE R divide(R a, R b) {
        return _mm512_cvttps_epi32(_mm512_div_ps(_mm512_cvtepi32_ps(a), _mm512_cvtepi32_ps(b)));
    }
    ZM_INLINE R quotient(R a, R b) {
        const auto half = [](__m256i x, __m256i y) {
            return _mm512_cvttpd_epi32(_mm512_div_pd(_mm512_cvtepu32_pd(x), _mm512_cvtepu32_pd(y)));
        };
        const __m256i low = half(_mm512_castsi512_si256(a), _mm512_castsi512_si256(b));
        const __m256i high =
            half(_mm512_extracti64x4_epi64(a, 1), _mm512_extracti64x4_epi64(b, 1));
        return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
    }

    struct Curve {
        R knot[2], step[2];
    };
    ZM_INLINE Curve curve(const Tables& t) {
        return {{load(t.knot), load(t.knot + 32)}, {load(t.step), load(t.step + 32)}};
    }
    // F from u - 32768: (step * (u & 1023)) >> 10 is the upper half of step * (u << 6).
    template <int M>
    ZM_INLINE void logistic(const Curve& c, const R (&u)[M], R (&to)[M]) {
        for (int m = 0; m < M; ++m) {
            const R index = _mm512_srli_epi16(u[m], 10);
            const R knot = _mm512_permutex2var_epi16(c.knot[0], index, c.knot[1]);
            const R step = _mm512_permutex2var_epi16(c.step[0], index, c.step[1]);
            to[m] = add16(knot, mulhi16(step, sll16<6>(u[m])));
        }
    }

    // Looks up bytes in a table of 192; indices are at most 191.
    ZM_INLINE R look_up(const std::uint8_t (&table)[192], R index) {
        const R low = _mm512_permutex2var_epi8(load(table), index, load(table + 64));
        const M8 upper = _mm512_movepi8_mask(index);
        return _mm512_mask_permutexvar_epi8(low, upper, index, load(table + 128));
    }
    ZM_INLINE void look_up(const std::uint8_t (&table)[2][192], R a, R b, R (&to)[2]) {
        const R index = min8(packus16(a, b), set8(191));
        const R low = look_up(table[0], index), high = look_up(table[1], index);
        to[0] = unpacklo8(low, high);
        to[1] = unpackhi8(low, high);
    }
    ZM_INLINE void exponentials(const Tables& t, R a, R b, R (&to)[2]) {
        look_up(t.exponential_bytes, a, b, to);
    }
    // BLANK[-i] is 65536 - BLANK[i] before clipping; 65536 - 0 and 65536 - 1 both clip to 65280.
    ZM_INLINE void blanks(const Tables& t, R a, R b, R (&to)[2]) {
        R tail[2];
        look_up(t.tail_bytes, _mm512_abs_epi16(a), _mm512_abs_epi16(b), tail);
        const R of[2] = {a, b};
        for (int h = 0; h < 2; ++h) {
            const R least = _mm512_max_epu16(tail[h], set16(1));
            const R most = _mm512_min_epu16(sub16(zero(), least), set16(65536 - 256 - 65536));
            to[h] = pick16(_mm512_cmpgt_epi16_mask(of[h], zero()), most, least);
        }
    }
    ZM_INLINE void slopes(const Tables& t, R a, R b, R (&to)[4]) {
        const R index = packus16(a, b);
        R byte[3];
        for (int k = 0; k < 3; ++k)
            byte[k] = _mm512_permutex2var_epi8(load(t.slope_bytes[k]), index,
                                               load(t.slope_bytes[k] + 64));
        const R low[2] = {unpacklo8(byte[0], byte[1]), unpackhi8(byte[0], byte[1])};
        const R high[2] = {unpacklo8(byte[2], zero()), unpackhi8(byte[2], zero())};
        for (int h = 0; h < 2; ++h) {
            to[2 * h] = unpacklo16(low[h], high[h]);
            to[2 * h + 1] = unpackhi16(low[h], high[h]);
        }
    }
};

}  // namespace
}  // namespace zarrmal
