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
    // BLANK is 1 up to -171, and 65536 - 256 from 171 on, where most pixels are.
    ZM_INLINE void blanks(const Tables& t, R a, R b, R (&to)[2]) {
        const R nearest = min16(_mm256_abs_epi16(a), _mm256_abs_epi16(b)), zeros = zero();
        if (_mm256_movemask_epi8(_mm256_cmpgt_epi16(set16(171), nearest))) {
            to[0] = look_up16(t.blank, add16(a, set16(255)));
            to[1] = look_up16(t.blank, add16(b, set16(255)));
            return;
        }
        to[0] = pick16(_mm256_cmpgt_epi16(a, zeros), set16(65536 - 256 - 65536), set16(1));
        to[1] = pick16(_mm256_cmpgt_epi16(b, zeros), set16(65536 - 256 - 65536), set16(1));
    }
    // SLOPE at 12 * q + r is that at r, which is kept with twelve more bits, shifted by q.
    ZM_INLINE void slopes(const Tables& t, R a, R b, R (&to)[4]) {
        const R octave[2] = {mulhi16(a, set16(5462)), mulhi16(b, set16(5462))};
        const R rest = packus16(sub16(a, mullo16(octave[0], set16(12))), sub16(b, mullo16(octave[1], set16(12))));
        R part[4];
        for (int k = 0; k < 4; ++k) part[k] = _mm256_shuffle_epi8(table16(t.octave[k]), rest);
        for (int c = 0; c < 4; ++c) {
            const R low = c < 2 ? unpacklo8(part[0], part[1]) : unpackhi8(part[0], part[1]);
            const R high = c < 2 ? unpacklo8(part[2], part[3]) : unpackhi8(part[2], part[3]);
            const R by = add16(octave[c / 2], set16(11));
            const R kept = c % 2 ? unpackhi16(low, high) : unpacklo16(low, high);
            const R wide = _mm256_srlv_epi32(kept, c % 2 ? unpackhi16(by, zero()) : unpacklo16(by, zero()));
            to[c] = srl32<1>(add32(wide, set32(1)));
        }
    }

    using Curve = const Tables*;
    ZM_INLINE Curve curve(const Tables& t) { return &t; }
    ZM_INLINE R table16(const std::uint8_t* from) {
        return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
    }
    // A table of 32 by two shuffles: an index with its highest bit set gives 0.
    ZM_INLINE R look_up(const std::uint8_t (&table)[32], R low, R high) {
        return or8(_mm256_shuffle_epi8(table16(table), low), _mm256_shuffle_epi8(table16(table + 16), high));
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
