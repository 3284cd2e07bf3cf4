// Products of the lattice's walk, for the instruction set of this source.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "lattice.h"

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#endif

namespace zarrmal {
namespace {

inline std::int32_t clamp(std::int32_t value, std::int32_t low, std::int32_t high) {
    return std::min(std::max(value, low), high);
}

// Two inputs of a layer, as the products take them.
inline std::uint32_t pair_of(std::int32_t a, std::int32_t b) {
    return static_cast<std::uint32_t>(a & 0xFFFF) | static_cast<std::uint32_t>(b) << 16;
}

#if defined(__AVX2__)
inline __m256i load(const void* from) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}
inline void store(void* to, __m256i value) {
    _mm256_storeu_si256(static_cast<__m256i*>(to), value);
}
// sums + products of pairs of 16 bits.
inline __m256i add_products(__m256i sums, __m256i a, __m256i b) {
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
    return _mm256_dpwssd_epi32(sums, a, b);
#else
    return _mm256_add_epi32(sums, _mm256_madd_epi16(a, b));
#endif
}
#endif

// The hidden units of a layer, as bytes 0..127 in the order LATTICE_PACKED.
struct Packed {
#if defined(__AVX2__)
    __m256i bytes;
#else
    std::uint8_t bytes[LATTICE_HIDDEN];
#endif
};

// Sums of the hidden units.
struct Units {
#if defined(__AVX2__)
    __m256i sum[4];

    void set(const std::int32_t* from) {
        for (int k = 0; k < 4; ++k) sum[k] = load(from + 8 * k);
    }
    void add(const std::int32_t* from) {
        for (int k = 0; k < 4; ++k) sum[k] = _mm256_add_epi32(sum[k], load(from + 8 * k));
    }
    void clear() {
        for (int k = 0; k < 4; ++k) sum[k] = _mm256_setzero_si256();
    }
    void add(const Units& other) {
        for (int k = 0; k < 4; ++k) sum[k] = _mm256_add_epi32(sum[k], other.sum[k]);
    }
    void add_pair(const std::int16_t* weight, std::uint32_t inputs) {
        const __m256i x = _mm256_set1_epi32(static_cast<int>(inputs));
        for (int k = 0; k < 4; ++k) sum[k] = add_products(sum[k], load(weight + 16 * k), x);
    }
    void save(std::int32_t* to) const {
        for (int k = 0; k < 4; ++k) store(to + 8 * k, sum[k]);
    }
    Packed packed(const std::int32_t* shift) const {
        __m256i by[4];
        for (int k = 0; k < 4; ++k) by[k] = _mm256_srav_epi32(sum[k], load(shift + 8 * k));
        const __m256i both = _mm256_packus_epi16(_mm256_packs_epi32(by[0], by[1]),
                                                 _mm256_packs_epi32(by[2], by[3]));
        return {_mm256_min_epu8(both, _mm256_set1_epi8(127))};
    }
#else
    std::int32_t sum[LATTICE_HIDDEN];

    void set(const std::int32_t* from) { std::memcpy(sum, from, sizeof sum); }
    void add(const std::int32_t* from) {
        for (int k = 0; k < LATTICE_HIDDEN; ++k) sum[k] += from[k];
    }
    void clear() { std::memset(sum, 0, sizeof sum); }
    void add(const Units& other) { add(other.sum); }
    void add_pair(const std::int16_t* weight, std::uint32_t inputs) {
#if defined(__SSE2__) || defined(_M_X64)
        const __m128i x = _mm_set1_epi32(static_cast<int>(inputs));
        for (int k = 0; k < LATTICE_HIDDEN; k += 4) {
            __m128i* to = reinterpret_cast<__m128i*>(sum + k);
            const __m128i w = _mm_loadu_si128(reinterpret_cast<const __m128i*>(weight + 2 * k));
            _mm_storeu_si128(to, _mm_add_epi32(_mm_loadu_si128(to), _mm_madd_epi16(w, x)));
        }
#else
        const auto a = static_cast<std::int16_t>(inputs), b = static_cast<std::int16_t>(inputs >> 16);
        for (int k = 0; k < LATTICE_HIDDEN; ++k) sum[k] += weight[2 * k] * a + weight[2 * k + 1] * b;
#endif
    }
    void save(std::int32_t* to) const { std::memcpy(to, sum, sizeof sum); }
    Packed packed(const std::int32_t* shift) const {
        Packed result;
        for (int k = 0; k < LATTICE_HIDDEN; ++k) {
            const int unit = lattice_packed(k);
            result.bytes[k] = static_cast<std::uint8_t>(clamp(sum[unit] >> shift[unit], 0, 127));
        }
        return result;
    }
#endif
};

// to[k] = (bias[k] + products of hidden units) >> shift[k] for n outputs, a multiple of 4.
// weight: [output][hidden in the order LATTICE_PACKED]. Hidden units are at most 127, so that the
// sums of two products fit in 16 bits.
template <int N>
inline void outputs_of(const Packed& hidden, const std::int8_t* weight, const std::int32_t* bias,
                       const std::int32_t* shift, std::int32_t* to) {
#if defined(__AVX2__)
    for (int k = 0; k < N; k += 4) {
        __m256i product[4];
        for (int i = 0; i < 4; ++i) {
            const __m256i w = load(weight + LATTICE_HIDDEN * (k + i));
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
            product[i] = _mm256_dpbusd_epi32(_mm256_setzero_si256(), hidden.bytes, w);
#else
            product[i] = _mm256_madd_epi16(_mm256_maddubs_epi16(hidden.bytes, w),
                                           _mm256_set1_epi16(1));
#endif
        }
        const __m256i halves = _mm256_hadd_epi32(_mm256_hadd_epi32(product[0], product[1]),
                                                 _mm256_hadd_epi32(product[2], product[3]));
        __m128i sums = _mm_add_epi32(_mm256_castsi256_si128(halves),
                                     _mm256_extracti128_si256(halves, 1));
        sums = _mm_add_epi32(sums, _mm_loadu_si128(reinterpret_cast<const __m128i*>(bias + k)));
        sums = _mm_srav_epi32(sums, _mm_loadu_si128(reinterpret_cast<const __m128i*>(shift + k)));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to + k), sums);
    }
#else
    for (int k = 0; k < N; ++k) {
        std::int32_t sum = bias[k];
        for (int i = 0; i < LATTICE_HIDDEN; ++i)
            sum += weight[LATTICE_HIDDEN * k + i] * hidden.bytes[i];
        to[k] = sum >> shift[k];
    }
#endif
}

#if defined(__AVX2__)
template <int GROUPS>
inline void add_groups(std::int32_t* sums, const std::int16_t* weight, const std::int16_t* inputs,
                       int n_pairs) {
    __m256i total[GROUPS];
    for (int k = 0; k < GROUPS; ++k) total[k] = load(sums + 8 * k);
    for (int p = 0; p < n_pairs; ++p) {
        std::int32_t both;
        std::memcpy(&both, inputs + 2 * p, 4);
        const __m256i x = _mm256_set1_epi32(both);
        for (int k = 0; k < GROUPS; ++k)
            total[k] = add_products(total[k], load(weight + 128 * p + 16 * k), x);
    }
    for (int k = 0; k < GROUPS; ++k) store(sums + 8 * k, total[k]);
}
#endif

// sums[k] += products of all pairs of `inputs` with weights [pair][64][2], for n sums or some more.
inline void add_pairs(std::int32_t* sums, const std::int16_t* weight, const std::int16_t* inputs,
                      int n_pairs, int n) {
#if defined(__AVX2__)
    int groups = (n + 7) / 8;
    for (; groups >= 4; groups -= 4, sums += 32, weight += 64)
        add_groups<4>(sums, weight, inputs, n_pairs);
    if (groups == 3) add_groups<3>(sums, weight, inputs, n_pairs);
    if (groups == 2) add_groups<2>(sums, weight, inputs, n_pairs);
    if (groups == 1) add_groups<1>(sums, weight, inputs, n_pairs);
#else
    const int most = (n + 7) / 8 * 8;
    for (int p = 0; p < n_pairs; ++p) {
        const std::int16_t a = inputs[2 * p], b = inputs[2 * p + 1];
        if (!a && !b) continue;
        const std::int16_t* const w = weight + 128 * p;
        for (int k = 0; k < most; ++k) sums[k] += w[2 * k] * a + w[2 * k + 1] * b;
    }
#endif
}

// sums[k] += weight[k] * value for first <= k < stop, or some more; value is -4095..4095.
inline void add_column(std::int32_t* sums, const std::int16_t* weight, std::int32_t value, int first,
                       int stop) {
#if defined(__AVX2__)
    const __m256i x = _mm256_set1_epi32(value & 0xFFFF);
    for (int k = first & ~7; k < stop; k += 8) {
        const __m256i w = _mm256_cvtepu16_epi32(
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(weight + k)));
        store(sums + k, add_products(load(sums + k), w, x));
    }
#else
    for (int k = first & ~7; k < stop; ++k) sums[k] += weight[k] * value;
#endif
}

}  // namespace
}  // namespace zarrmal
