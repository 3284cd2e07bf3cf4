// Blocks <-> samples (FORMAT-lattice 2, 5.2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "lattice_ops.h"

namespace zarrmal {
namespace {

constexpr int MIDDLE_SAMPLE = 128;

// Magnitudes of coefficients.
inline void sizes_of(const std::int16_t* from, std::uint16_t* to) {
#if defined(__AVX2__)
    for (int k = 0; k < 64; k += 16) store(to + k, _mm256_abs_epi16(load(from + k)));
#else
    for (int k = 0; k < 64; ++k) to[k] = static_cast<std::uint16_t>(std::abs(from[k]));
#endif
}

// Sums over each coefficient and the eight around it; larger ones than 65535 count as that.
inline void near_sums(const std::uint16_t* from, std::uint16_t* to) {
#if defined(__AVX2__)
    __m128i line[10];
    line[0] = line[9] = _mm_setzero_si128();
    for (int y = 0; y < 8; ++y) {
        const __m128i own = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 8 * y));
        line[y + 1] = _mm_adds_epu16(
            own, _mm_adds_epu16(_mm_slli_si128(own, 2), _mm_srli_si128(own, 2)));
    }
    for (int y = 0; y < 8; ++y)
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 8 * y),
                         _mm_adds_epu16(line[y], _mm_adds_epu16(line[y + 1], line[y + 2])));
#else
    std::int32_t rows[10 * 8] = {}, line[10] = {};
    for (int y = 0; y < 8; ++y) {
        for (int x = 0; x < 8; ++x) line[x + 1] = from[8 * y + x];
        for (int x = 0; x < 8; ++x) rows[8 * y + 8 + x] = line[x] + line[x + 1] + line[x + 2];
    }
    for (int k = 0; k < 64; ++k)
        to[k] = static_cast<std::uint16_t>(std::min(rows[k] + rows[k + 8] + rows[k + 16], 65535));
#endif
}

// 16 * means of 8 x 8 rectangles of 1, 2 or 4 samples (down x across), less those of the middle
// sample; rows of samples are `row` apart.
inline void means_of_eights(const std::uint8_t* from, std::size_t row, std::size_t down,
                            std::size_t across, std::int16_t* to) {
    const int shift = down == 2 ? 2 : across == 2 ? 3 : 4;
    for (std::size_t y = 0; y < 8; ++y, from += down * row) {
#if defined(__AVX2__)
        __m128i sums;
        if (across == 2) {
            const __m128i ones = _mm_set1_epi8(1);
            sums = _mm_maddubs_epi16(load_half(from), ones);
            if (down == 2) sums = _mm_add_epi16(sums, _mm_maddubs_epi16(load_half(from + row), ones));
        } else {
            sums = _mm_cvtepu8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
        }
        sums = _mm_sub_epi16(_mm_sll_epi16(sums, _mm_cvtsi32_si128(shift)),
                             _mm_set1_epi16(16 * MIDDLE_SAMPLE));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 8 * y), sums);
#else
        for (std::size_t x = 0; x < 8; ++x) {
            std::int32_t sum = 0;
            for (std::size_t a = 0; a < down; ++a)
                for (std::size_t b = 0; b < across; ++b) sum += from[a * row + across * x + b];
            to[8 * y + x] = static_cast<std::int16_t>((sum << shift) - 16 * MIDDLE_SAMPLE);
        }
#endif
    }
}

// libjpeg's accurate inverse transform, as a product with its matrix (FORMAT-lattice 2).
class Transform {
public:
    // matrix: [sample][frequency], of 16 bits.
    explicit Transform(const std::int32_t* matrix) {
        for (int s = 0; s < 8; ++s)
            for (int f = 0; f < 8; ++f) {
                const auto value = static_cast<std::int16_t>(matrix[8 * s + f]);
                by_sample_[8 * s + f] = value;
                by_frequency_[8 * f + s] = value;
                pairs_[f / 2][2 * s + f % 2] = value;
                forward_[s / 2][2 * f + s % 2] = value;
            }
    }

    // samples[y][x] at `to`, rows `row` apart, of values [frequency down][across] of which those
    // from `used` on, in either direction, are 0.
    void inverse(const std::int16_t* values, int used, std::uint8_t* to, std::size_t row) const {
#if defined(__AVX2__)
        alignas(32) std::int16_t between[64];
        const int n = (used + 1) / 2;
        two_rows(values, n, by_sample_, 8, _mm256_set1_epi32(1 << 10), 11, between);
        for (int y = 0; y < 8; y += 2) {
            const __m256i a = along(between + 8 * y, n), b = along(between + 8 * y + 8, n);
            __m256i both = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xD8);
            both = _mm256_adds_epi16(both, _mm256_set1_epi16(MIDDLE_SAMPLE));
            const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(both),
                                                   _mm256_extracti128_si256(both, 1));
            _mm_storel_epi64(reinterpret_cast<__m128i*>(to + y * row), bytes);
            _mm_storel_epi64(reinterpret_cast<__m128i*>(to + (y + 1) * row),
                             _mm_srli_si128(bytes, 8));
        }
#else
        std::int32_t between[64] = {}, sums[64];
        for (int f = 0; f < used; ++f)
            for (int s = 0; s < 8; ++s)
                for (int x = 0; x < 8; ++x)
                    between[8 * s + x] += by_frequency_[8 * f + s] * values[8 * f + x];
        for (int k = 0; k < 64; ++k)
            between[k] = clamp((between[k] + (1 << 10)) >> 11, -32768, 32767);
        for (int y = 0; y < 8; ++y) {
            std::int32_t* const line = sums + 8 * y;
            for (int s = 0; s < 8; ++s) line[s] = 1 << 17;
            for (int f = 0; f < used; ++f)
                for (int s = 0; s < 8; ++s)
                    line[s] += between[8 * y + f] * by_frequency_[8 * f + s];
        }
        for (int y = 0; y < 8; ++y)
            for (int x = 0; x < 8; ++x)
                to[y * row + x] = static_cast<std::uint8_t>(
                    clamp((sums[8 * y + x] >> 18) + MIDDLE_SAMPLE, 0, 255));
#endif
    }

    // Coefficients of samples of 4 bits of fraction, -2048..2047, kept within -most..most; the first
    // as it is.
    std::int32_t forward(const std::int16_t* samples, std::int32_t most, std::int16_t* to) const {
#if defined(__AVX2__)
        alignas(32) std::int16_t between[64];
        two_rows(samples, 4, by_frequency_, 8, _mm256_set1_epi32(1 << 11), 12, between);
        const auto line = [&](int y) {
            __m256i sum = _mm256_set1_epi32(1 << 20);
            for (int p = 0; p < 4; ++p)
                sum = add_products(sum, load(forward_[p]), pair(between + 8 * y + 2 * p));
            return _mm256_srai_epi32(sum, 21);
        };
        const __m256i bound = _mm256_set1_epi16(static_cast<std::int16_t>(most));
        const __m256i least = _mm256_set1_epi16(static_cast<std::int16_t>(-most));
        std::int32_t first = 0;
        for (int y = 0; y < 8; y += 2) {
            const __m256i own = line(y);
            if (!y) first = _mm_cvtsi128_si32(_mm256_castsi256_si128(own));
            const __m256i both = _mm256_permute4x64_epi64(_mm256_packs_epi32(own, line(y + 1)), 0xD8);
            store(to + 8 * y, _mm256_max_epi16(_mm256_min_epi16(both, bound), least));
        }
        return first;
#else
        std::int32_t between[64], first = 0;
        for (int f = 0; f < 8; ++f) {
            std::int32_t* const line = between + 8 * f;
            for (int x = 0; x < 8; ++x) line[x] = 1 << 11;
            for (int s = 0; s < 8; ++s)
                for (int x = 0; x < 8; ++x) line[x] += by_frequency_[8 * f + s] * samples[8 * s + x];
            for (int x = 0; x < 8; ++x) line[x] >>= 12;
        }
        for (int y = 0; y < 8; ++y) {
            std::int32_t line[8];
            for (int f = 0; f < 8; ++f) line[f] = 1 << 20;
            for (int s = 0; s < 8; ++s)
                for (int f = 0; f < 8; ++f) line[f] += between[8 * y + s] * by_sample_[8 * s + f];
            for (int f = 0; f < 8; ++f) line[f] >>= 21;
            if (!y) first = line[0];
            for (int f = 0; f < 8; ++f)
                to[8 * y + f] = static_cast<std::int16_t>(clamp(line[f], -most, most));
        }
        return first;
#endif
    }

private:
#if defined(__AVX2__)
    static __m256i pair(const std::int16_t* from) {
        std::int32_t both;
        std::memcpy(&both, from, 4);
        return _mm256_set1_epi32(both);
    }
    // to[i][x] = (sum over k of factor[i][k] * from[k][x] + half) >> shift, kept within 16 bits, for
    // k below 2 * n; 8 rows.
    static void two_rows(const std::int16_t* from, int n, const std::int16_t* factor, int row,
                         __m256i half, int shift, std::int16_t* to) {
        __m256i lines[4];
        for (int p = 0; p < n; ++p) {
            const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 16 * p));
            const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 16 * p + 8));
            lines[p] = _mm256_set_m128i(_mm_unpackhi_epi16(a, b), _mm_unpacklo_epi16(a, b));
        }
        for (int i = 0; i < 8; i += 2) {
            __m256i a = half, b = half;
            for (int p = 0; p < n; ++p) {
                a = add_products(a, lines[p], pair(factor + row * i + 2 * p));
                b = add_products(b, lines[p], pair(factor + row * (i + 1) + 2 * p));
            }
            const __m128i by = _mm_cvtsi32_si128(shift);
            const __m256i both = _mm256_packs_epi32(_mm256_sra_epi32(a, by), _mm256_sra_epi32(b, by));
            store(to + 8 * i, _mm256_permute4x64_epi64(both, 0xD8));
        }
    }
    __m256i along(const std::int16_t* line, int n) const {
        __m256i sum = _mm256_set1_epi32(1 << 17);
        for (int p = 0; p < n; ++p) sum = add_products(sum, load(pairs_[p]), pair(line + 2 * p));
        return _mm256_srai_epi32(sum, 18);
    }
#endif

    std::int16_t by_sample_[64], by_frequency_[64];
    std::int16_t pairs_[4][16], forward_[4][16];  // pairs of frequencies, of samples
};

}  // namespace
}  // namespace zarrmal
