// Operations whose intrinsics differ between SSE2, AVX2 and AVX-512 in the width of their vectors alone. The
// header of an instruction set defines ZM_PREFIX and ZM_SUFFIX, such as _mm256_ and si256, and includes this.
#pragma once

#include <immintrin.h>

#include "lanes.h"

#define ZM_JOIN_TOKENS(a, b) a##b
#define ZM_JOIN(a, b) ZM_JOIN_TOKENS(a, b)
#define ZM_OP(name) ZM_JOIN(ZM_PREFIX, name)            // _mm256_add_epi8
#define ZM_BITS(name) ZM_JOIN(ZM_OP(name), ZM_SUFFIX)   // _mm256_or_si256

namespace zarrmal {
namespace {

ZM_INLINE std::int32_t four_bytes(const void* from) {
    std::int32_t four;
    std::memcpy(&four, from, 4);
    return four;
}

struct X86 {
    using R = decltype(ZM_BITS(setzero_)());
    static constexpr int LANES = sizeof(R);
    static constexpr bool SIGNED = false;

    ZM_INLINE R load(const void* from) { return ZM_BITS(loadu_)(static_cast<const R*>(from)); }
    ZM_INLINE void store(void* to, R v) { ZM_BITS(storeu_)(static_cast<R*>(to), v); }
    ZM_INLINE R zero() { return ZM_BITS(setzero_)(); }
    ZM_INLINE R set8(int v) { return ZM_OP(set1_epi8)(static_cast<char>(v)); }
    ZM_INLINE R set16(int v) { return ZM_OP(set1_epi16)(static_cast<short>(v)); }
    ZM_INLINE R set32(std::int32_t v) { return ZM_OP(set1_epi32)(v); }

    ZM_INLINE R or8(R a, R b) { return ZM_BITS(or_)(a, b); }
    ZM_INLINE R add8(R a, R b) { return ZM_OP(add_epi8)(a, b); }
    ZM_INLINE R sub8(R a, R b) { return ZM_OP(sub_epi8)(a, b); }
    ZM_INLINE R adds8(R a, R b) { return ZM_OP(adds_epu8)(a, b); }
    ZM_INLINE R subs8(R a, R b) { return ZM_OP(subs_epu8)(a, b); }
    ZM_INLINE R min8(R a, R b) { return ZM_OP(min_epu8)(a, b); }
    ZM_INLINE R max8(R a, R b) { return ZM_OP(max_epu8)(a, b); }
    ZM_INLINE R avg8(R a, R b) { return ZM_OP(avg_epu8)(a, b); }
    template <int N>
    ZM_INLINE R srl8(R a) {
        return ZM_BITS(and_)(ZM_OP(srli_epi16)(a, N), set8(255 >> N));
    }

    ZM_INLINE R add16(R a, R b) { return ZM_OP(add_epi16)(a, b); }
    ZM_INLINE R sub16(R a, R b) { return ZM_OP(sub_epi16)(a, b); }
    ZM_INLINE R adds16(R a, R b) { return ZM_OP(adds_epi16)(a, b); }
    ZM_INLINE R min16(R a, R b) { return ZM_OP(min_epi16)(a, b); }
    ZM_INLINE R max16(R a, R b) { return ZM_OP(max_epi16)(a, b); }
    ZM_INLINE R mullo16(R a, R b) { return ZM_OP(mullo_epi16)(a, b); }
    ZM_INLINE R mulhi16(R a, R b) { return ZM_OP(mulhi_epu16)(a, b); }
    ZM_INLINE R madd16(R a, R b) { return ZM_OP(madd_epi16)(a, b); }
    template <int N>
    ZM_INLINE R sll16(R a) {
        return ZM_OP(slli_epi16)(a, N);
    }
    template <int N>
    ZM_INLINE R srl16(R a) {
        return ZM_OP(srli_epi16)(a, N);
    }
    template <int N>
    ZM_INLINE R sra16(R a) {
        return ZM_OP(srai_epi16)(a, N);
    }

    ZM_INLINE R sra16(R a, int n) { return ZM_OP(sra_epi16)(a, _mm_cvtsi32_si128(n)); }

    ZM_INLINE R add32(R a, R b) { return ZM_OP(add_epi32)(a, b); }
    ZM_INLINE R sub32(R a, R b) { return ZM_OP(sub_epi32)(a, b); }
    template <int N>
    ZM_INLINE R sll32(R a) {
        return ZM_OP(slli_epi32)(a, N);
    }
    template <int N>
    ZM_INLINE R srl32(R a) {
        return ZM_OP(srli_epi32)(a, N);
    }
    template <int N>
    ZM_INLINE R sra32(R a) {
        return ZM_OP(srai_epi32)(a, N);
    }
    ZM_INLINE R sra32(R a, int n) { return ZM_OP(sra_epi32)(a, _mm_cvtsi32_si128(n)); }

    ZM_INLINE R unpacklo8(R a, R b) { return ZM_OP(unpacklo_epi8)(a, b); }
    ZM_INLINE R unpackhi8(R a, R b) { return ZM_OP(unpackhi_epi8)(a, b); }
    ZM_INLINE R unpacklo16(R a, R b) { return ZM_OP(unpacklo_epi16)(a, b); }
    ZM_INLINE R unpackhi16(R a, R b) { return ZM_OP(unpackhi_epi16)(a, b); }
    ZM_INLINE R packus16(R a, R b) { return ZM_OP(packus_epi16)(a, b); }
    ZM_INLINE R packs32(R a, R b) { return ZM_OP(packs_epi32)(a, b); }

    // Exact: a quotient that is no integer lies further below the next one than half a unit in
    // the last place, 2**-14 below 2**10 in binary32, 2**-16 below 2**16 in binary64.
    ZM_INLINE R divide(R a, R b) {
        return ZM_OP(cvttps_epi32)(ZM_OP(div_ps)(ZM_OP(cvtepi32_ps)(a), ZM_OP(cvtepi32_ps)(b)));
    }
    // About 2**22 * log(a / b) / slope: the bits of a number in binary32 are 2**23 times its logarithm to base
    // 2, to within 0.09 and a constant.
    ZM_INLINE R logit(R a, R b, R slope) {
        const auto bits = [](R v) { return ZM_BITS(castps_)(ZM_OP(cvtepi32_ps)(v)); };
        const auto log = ZM_OP(mul_ps)(ZM_OP(cvtepi32_ps)(sub32(bits(a), bits(b))), ZM_OP(set1_ps)(HALF_LOG2));
        return ZM_OP(cvttps_epi32)(ZM_OP(div_ps)(log, ZM_OP(cvtepi32_ps)(slope)));
    }
};

#if defined(__AVX2__)
// What SSE2 lacks.
struct Avx : X86 {
    using Inputs = R;
    using Weights = R;
    static constexpr int TILE_VECTORS = 2;
    static constexpr int TILE_SUMS = 8;
    static constexpr bool PAIRED = true;
    static constexpr bool ACROSS = true;
    static constexpr bool WIDE_OUTPUT = false;

    ZM_INLINE R mullo32(R a, R b) { return ZM_OP(mullo_epi32)(a, b); }
    ZM_INLINE R sra32_each(R a, R n) { return ZM_OP(srav_epi32)(a, n); }
    ZM_INLINE R packus32(R a, R b) { return ZM_OP(packus_epi32)(a, b); }

    ZM_INLINE Inputs inputs(const std::uint8_t* from) { return load(from); }
    ZM_INLINE Weights weights(const std::int8_t* from) { return set32(four_bytes(from)); }
    // Exact: one pair is at least -2 * 128 * 128, and chains satisfy the bounds of chains.h.
#if defined(_MSC_VER) && !defined(__clang__)
    struct Chain {
        R sum;
        Chain operator+(Chain other) const { return {add16(sum, other.sum)}; }
    };
    ZM_INLINE Chain chain(R v) { return {v}; }
    ZM_INLINE R whole(Chain chain) { return chain.sum; }
    ZM_INLINE Chain pairs(Inputs a, Weights w) { return {ZM_OP(maddubs_epi16)(a, w)}; }
#else
    // GCC would copy sums whose type changes from one register to another.
    typedef short Chain __attribute__((vector_size(sizeof(R))));
    ZM_INLINE Chain pairs(Inputs a, Weights w) { return (Chain)ZM_OP(maddubs_epi16)(a, w); }
    ZM_INLINE Chain chain(R v) { return (Chain)v; }
    ZM_INLINE R whole(Chain chain) { return (R)chain; }
#endif
    // Sums of four inputs of one cell, and as many weights of each output; exact as above.
    ZM_INLINE R four(const std::uint8_t* from) { return set32(four_bytes(from)); }
    ZM_INLINE R dot_across(R sum, R four, R weights) { return add32(sum, madd16(whole(pairs(four, weights)), set16(1))); }
    // Clips four outputs to 0..127 and makes those of a lane adjacent.
    ZM_INLINE R activations(R a, R b, R c, R d) {
        const R all = min8(packus16(packs32(a, b), packs32(c, d)), set8(127));
        return ZM_OP(shuffle_epi8)(all, load(TURN));
    }
    alignas(64) static constexpr std::int32_t TURN[16] = {
        0x0C080400, 0x0D090501, 0x0E0A0602, 0x0F0B0703, 0x0C080400, 0x0D090501, 0x0E0A0602, 0x0F0B0703,
        0x0C080400, 0x0D090501, 0x0E0A0602, 0x0F0B0703, 0x0C080400, 0x0D090501, 0x0E0A0602, 0x0F0B0703};
};
#endif

}  // namespace
}  // namespace zarrmal
