// Products of the lattice's walk with vectors of pairs, for the instruction set of this source.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#endif

namespace zarrmal {
namespace {

// sums[k] += weight[k][0] * x0 + weight[k][1] * x1, for n sums, a multiple of 8.
template <int N>
inline void add_pair(std::int32_t* sums, const std::int16_t* weight, std::int16_t x0,
                     std::int16_t x1) {
#if defined(__AVX2__)
    const std::uint32_t both = static_cast<std::uint16_t>(x0) |
                               static_cast<std::uint32_t>(static_cast<std::uint16_t>(x1)) << 16;
    const __m256i x = _mm256_set1_epi32(static_cast<int>(both));
    for (int k = 0; k < N; k += 8) {
        __m256i* to = reinterpret_cast<__m256i*>(sums + k);
        const __m256i w = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(weight + 2 * k));
        _mm256_storeu_si256(to, _mm256_add_epi32(_mm256_loadu_si256(to), _mm256_madd_epi16(w, x)));
    }
#elif defined(__SSE2__) || defined(_M_X64)
    const std::uint32_t both = static_cast<std::uint16_t>(x0) |
                               static_cast<std::uint32_t>(static_cast<std::uint16_t>(x1)) << 16;
    const __m128i x = _mm_set1_epi32(static_cast<int>(both));
    for (int k = 0; k < N; k += 4) {
        __m128i* to = reinterpret_cast<__m128i*>(sums + k);
        const __m128i w = _mm_loadu_si128(reinterpret_cast<const __m128i*>(weight + 2 * k));
        _mm_storeu_si128(to, _mm_add_epi32(_mm_loadu_si128(to), _mm_madd_epi16(w, x)));
    }
#else
    for (int k = 0; k < N; ++k) sums[k] += weight[2 * k] * x0 + weight[2 * k + 1] * x1;
#endif
}

// sums[k] = bias[k] + products of all pairs of `inputs`; then shifted.
template <int N, int PAIRS>
inline void layer(std::int32_t* sums, const std::int16_t* weight, const std::int32_t* bias,
                  const std::int32_t* shift, const std::int16_t* inputs) {
#if defined(__AVX2__)
    __m256i total[N / 8];
    for (int k = 0; k < N / 8; ++k)
        total[k] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bias + 8 * k));
    for (int p = 0; p < PAIRS; ++p) {
        std::int32_t both;
        std::memcpy(&both, inputs + 2 * p, 4);
        const __m256i x = _mm256_set1_epi32(both);
        for (int k = 0; k < N / 8; ++k) {
            const __m256i w = _mm256_loadu_si256(
                reinterpret_cast<const __m256i*>(weight + (p * N + 8 * k) * 2));
            total[k] = _mm256_add_epi32(total[k], _mm256_madd_epi16(w, x));
        }
    }
    for (int k = 0; k < N / 8; ++k) {
        const __m256i by = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(shift + 8 * k));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + 8 * k),
                            _mm256_srav_epi32(total[k], by));
    }
#else
    for (int k = 0; k < N; ++k) sums[k] = bias[k];
    for (int p = 0; p < PAIRS; ++p)
        add_pair<N>(sums, weight + p * N * 2, inputs[2 * p], inputs[2 * p + 1]);
    for (int k = 0; k < N; ++k) sums[k] >>= shift[k];
#endif
}

// sums[k] += products of all pairs of `inputs` with weights [pair][64][2], for 64 sums.
inline void add_pairs(std::int32_t* sums, const std::int16_t* weight, const std::int16_t* inputs,
                      int n_pairs) {
#if defined(__AVX2__)
    __m256i total[8];
    for (int k = 0; k < 8; ++k)
        total[k] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums + 8 * k));
    for (int p = 0; p < n_pairs; ++p) {
        std::int32_t both;
        std::memcpy(&both, inputs + 2 * p, 4);
        if (!both) continue;
        const __m256i x = _mm256_set1_epi32(both);
        for (int k = 0; k < 8; ++k) {
            const __m256i w = _mm256_loadu_si256(
                reinterpret_cast<const __m256i*>(weight + 128 * p + 16 * k));
            total[k] = _mm256_add_epi32(total[k], _mm256_madd_epi16(w, x));
        }
    }
    for (int k = 0; k < 8; ++k)
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + 8 * k), total[k]);
#else
    for (int p = 0; p < n_pairs; ++p)
        if (inputs[2 * p] || inputs[2 * p + 1])
            add_pair<64>(sums, weight + 128 * p, inputs[2 * p], inputs[2 * p + 1]);
#endif
}

// sums[k] += weight[k] * value, for 64 sums.
inline void add_column(std::int32_t* sums, const std::int16_t* weight, std::int32_t value) {
    for (int k = 0; k < 64; ++k) sums[k] += weight[k] * value;
}

}  // namespace
}  // namespace zarrmal
