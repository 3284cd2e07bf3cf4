// Operations on 16 lanes with SSE2, which every x86-64 has.
#pragma once

#define ZM_PREFIX _mm_
#define ZM_SUFFIX si128

#include "lookups.h"
#include "ops_x86.h"
#include "vector_masks.h"

namespace zarrmal {
namespace {

struct Sse2 : X86, VectorMasks<Sse2, X86>, Lookups<Sse2> {
    using R = X86::R;
    // The even and the odd ones of every four bytes, as 16-bit values.
    struct Inputs {
        R even, odd;
    };
    using Weights = Inputs;
    static constexpr int TILE_VECTORS = 2;
    static constexpr int TILE_SUMS = 8;
    static constexpr bool PAIRED = false;
    static constexpr bool ACROSS = false;
    static constexpr bool WIDE_OUTPUT = false;

    ZM_INLINE R flip(R a) { return _mm_xor_si128(a, set8(-1)); }
    ZM_INLINE M8 zero8(R a) { return _mm_cmpeq_epi8(a, zero()); }
    ZM_INLINE R pick8(M8 m, R a, R b) { return or8(_mm_and_si128(m, a), _mm_andnot_si128(m, b)); }

    ZM_INLINE M16 zero16(R a) { return _mm_cmpeq_epi16(a, zero()); }
    // a <= b where the saturated difference a - b is 0.
    ZM_INLINE M16 upto16(R a, R b) { return zero16(_mm_subs_epu16(a, b)); }
    ZM_INLINE M16 below16(R a, R b) { return flip(upto16(b, a)); }
    ZM_INLINE std::uint32_t bits16(M16 m) {
        return static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(m, zero())));
    }

    ZM_INLINE R mullo32(R a, R b) {
        const R even = _mm_mul_epu32(a, b);
        const R odd = _mm_mul_epu32(_mm_srli_epi64(a, 32), _mm_srli_epi64(b, 32));
        const R left = _mm_shuffle_epi32(even, _MM_SHUFFLE(0, 0, 2, 0));
        const R right = _mm_shuffle_epi32(odd, _MM_SHUFFLE(0, 0, 2, 0));
        return _mm_unpacklo_epi32(left, right);
    }
    ZM_INLINE M32 above32(R a, R b) { return _mm_cmpgt_epi32(a, b); }
    ZM_INLINE std::uint32_t bits32(M32 m) {
        return static_cast<std::uint32_t>(_mm_movemask_ps(_mm_castsi128_ps(m)));
    }

    // Values up to 65535: subtract 32768, pack as signed, and add it again.
    ZM_INLINE R packus32(R a, R b) {
        const R middle = set32(32768);
        return _mm_xor_si128(packs32(sub32(a, middle), sub32(b, middle)), set16(-32768));
    }

    ZM_INLINE Inputs inputs(const std::uint8_t* from) {
        const R v = load(from);
        return {_mm_and_si128(v, set16(255)), _mm_srli_epi16(v, 8)};
    }
    ZM_INLINE Weights weights(const std::int8_t* from) {
        const R v = set32(four_bytes(from));
        return {_mm_srai_epi16(_mm_slli_epi16(v, 8), 8), _mm_srai_epi16(v, 8)};
    }
    ZM_INLINE R dot(R sum, Inputs a, Weights w) {
        return add32(add32(sum, madd16(a.even, w.even)), madd16(a.odd, w.odd));
    }
    ZM_INLINE R activations(R a, R b, R c, R d) {
        const R all = min8(packus16(packs32(a, b), packs32(c, d)), set8(127));
        const R half = unpacklo8(all, _mm_srli_si128(all, 8));
        return unpacklo8(half, _mm_srli_si128(half, 8));
    }

    // Exact: see divide().
    ZM_INLINE R quotient(R a, R b) {
        const R moved = _mm_xor_si128(a, set32(INT32_MIN));
        const auto half = [](R x, R y) {
            const __m128d wide = _mm_add_pd(_mm_cvtepi32_pd(x), _mm_set1_pd(2147483648.0));
            return _mm_cvttpd_epi32(_mm_div_pd(wide, _mm_cvtepi32_pd(y)));
        };
        const R high = half(_mm_srli_si128(moved, 8), _mm_srli_si128(b, 8));
        return _mm_unpacklo_epi64(half(moved, b), high);
    }

    using Curve = const Tables*;
    ZM_INLINE Curve curve(const Tables& t) { return &t; }
    template <int M>
    ZM_INLINE void logistic(Curve c, const R (&u)[M], R (&to)[M]) {
        for (int m = 0; m < M; ++m) to[m] = Lookups<Sse2>::logistic(*c, u[m]);
    }
};

}  // namespace
}  // namespace zarrmal
