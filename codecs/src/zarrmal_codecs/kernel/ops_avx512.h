// Operations on 64 lanes with AVX-512 F, BW, VL and DQ.
#pragma once

#define ZM_PREFIX _mm512_
#define ZM_SUFFIX si512

#include "ops_x86.h"

namespace zarrmal {
namespace {

struct Avx512 : Avx {
    using M8 = __mmask64;
    using M16 = __mmask32;
    using M32 = __mmask16;

    ZM_INLINE M8 zero8(R a) { return _mm512_testn_epi8_mask(a, a); }
    ZM_INLINE M8 either8(M8 a, M8 b) { return a | b; }
    ZM_INLINE R pick8(M8 m, R a, R b) { return _mm512_mask_mov_epi8(b, m, a); }

    ZM_INLINE M16 zero16(R a) { return _mm512_testn_epi16_mask(a, a); }
    ZM_INLINE M16 upto16(R a, R b) { return _mm512_cmple_epu16_mask(a, b); }
    ZM_INLINE M16 below16(R a, R b) { return _mm512_cmplt_epu16_mask(a, b); }
    ZM_INLINE R pick16(M16 m, R a, R b) { return _mm512_mask_mov_epi16(b, m, a); }
    ZM_INLINE R increment16(R a, M16 m) { return _mm512_mask_add_epi16(a, m, a, set16(1)); }
    ZM_INLINE std::uint32_t bits16(M16 m) { return m; }

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

    // Exact: see divide().
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

    // Looks up in a table of 128 or 192 values.
    ZM_INLINE R look_up128(const std::uint16_t* table, R index) {
        const auto part = [&](int k) {
            return _mm512_permutex2var_epi16(load(table + k), index, load(table + k + 32));
        };
        return pick16(_mm512_test_epi16_mask(index, set16(64)), part(64), part(0));
    }
    ZM_INLINE R look_up192(const std::uint16_t* table, R index) {
        const R upper = _mm512_permutex2var_epi16(load(table + 128), index, load(table + 160));
        return pick16(_mm512_test_epi16_mask(index, set16(128)), upper, look_up128(table, index));
    }
    // EXP is 0 from 145 on.
    ZM_INLINE void exponentials(const Tables& t, R a, R b, R (&to)[2]) {
        const R last = set16(191);
        to[0] = look_up192(t.exponential, min16(a, last));
        to[1] = look_up192(t.exponential, min16(b, last));
    }
    // BLANK[-i] is 65536 - BLANK[i] before clipping; it is 1 from i = 171 on.
    ZM_INLINE void blanks(const Tables& t, R a, R b, R (&to)[2]) {
        const R of[2] = {a, b};
        for (int h = 0; h < 2; ++h) {
            const R size = min16(_mm512_abs_epi16(of[h]), set16(191));
            const R least = look_up192(t.blank + 64, sub16(set16(191), size));
            const R most = _mm512_min_epu16(sub16(zero(), least), set16(65536 - 256 - 65536));
            to[h] = pick16(_mm512_cmpgt_epi16_mask(of[h], zero()), most, least);
        }
    }
    ZM_INLINE void slopes(const Tables& t, R a, R b, R (&to)[4]) {
        const R of[2] = {a, b};
        for (int h = 0; h < 2; ++h) {
            const R low = look_up128(t.slope_words[0], of[h]);
            const R high = look_up128(t.slope_words[1], of[h]);
            to[2 * h] = unpacklo16(low, high);
            to[2 * h + 1] = unpackhi16(low, high);
        }
    }
};

}  // namespace
}  // namespace zarrmal
