// Products with VPDPBUSD in place of chains: AVX-512 VNNI, and AVX-VNNI of processors without AVX-512.
#pragma once

#include "ops_x86.h"

namespace zarrmal {
namespace {

template <class V>
struct Vnni : V {
    using R = typename V::R;
    static constexpr int TILE_VECTORS = V::LANES / 16;
    static constexpr int TILE_SUMS = V::LANES / 4;
    static constexpr bool PAIRED = false;
    static constexpr bool WIDE_OUTPUT = V::LANES == 64;

    ZM_INLINE R dot(R sum, R inputs, R weights) {
#if defined(__AVXVNNI__) && !defined(__AVX512VNNI__)
        return _mm256_dpbusd_avx_epi32(sum, inputs, weights);
#else
        return ZM_OP(dpbusd_epi32)(sum, inputs, weights);
#endif
    }
    ZM_INLINE R dot_across(R sum, R four, R weights) { return dot(sum, four, weights); }
};

}  // namespace
}  // namespace zarrmal
