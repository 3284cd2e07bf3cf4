// Logarithms of magnitudes, one or a block's at a time (LOG of FORMAT-lattice 4).
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "lattice_ops.h"

namespace zarrmal {
namespace {

constexpr int LARGEST_SUM = 4095;  // LARGEST_MAGNITUDE and LARGEST_VALUE

#if defined(__AVX2__)
// LOG of 16 magnitudes of 16 bits. 1 + 2 * magnitude is a power of two times 1 + fraction: twelve for
// each doubling, and the thresholds 2**((k + 0.5) / 12) that the rest reaches. Each sixteenth of the
// fraction holds one of them at most. From 745 on LOG is 127, so that ten bits tell the fraction.
inline __m256i logs_of(__m256i magnitudes) {
    const auto below = [](char a, char b, char c, char d, char e, char f, char g, char h, char i,
                          char j, char k, char l, char m, char n, char o, char p) {
        return _mm256_setr_epi8(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p,
                                a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);
    };
    const __m256i zero = _mm256_setzero_si256();
    const __m256i bounded = _mm256_min_epu16(magnitudes, _mm256_set1_epi16(1023));
    const __m256i odd = _mm256_or_si256(_mm256_slli_epi16(bounded, 1), _mm256_set1_epi16(1));
    // The exponent, and ten bits of the fraction.
    const auto parts = [](__m256i values) {
        const __m256i bits = _mm256_castps_si256(_mm256_cvtepi32_ps(values));
        return _mm256_sub_epi32(_mm256_srli_epi32(bits, 13), _mm256_set1_epi32(127 << 10));
    };
    const __m256i both = _mm256_packus_epi32(parts(_mm256_unpacklo_epi16(odd, zero)),
                                             parts(_mm256_unpackhi_epi16(odd, zero)));
    // Upper bytes of 128 and more choose 0.
    const __m256i sixteenth = _mm256_or_si256(
        _mm256_and_si256(_mm256_srli_epi16(both, 6), _mm256_set1_epi16(15)),
        _mm256_set1_epi16(static_cast<short>(0x8000)));
    // Thresholds below each sixteenth, and what a 1024th within it lacks of 64 to reach the next.
    const __m256i n_below =
        _mm256_shuffle_epi8(below(0, 1, 2, 3, 4, 5, 6, 6, 7, 8, 8, 9, 10, 10, 11, 11), sixteenth);
    const __m256i lacks = _mm256_shuffle_epi8(
        below(33, 35, 32, 26, 16, 1, 0, 45, 20, 0, 54, 19, 0, 41, 0, 58), sixteenth);
    const __m256i reached = _mm256_srli_epi16(
        _mm256_add_epi16(_mm256_and_si256(both, _mm256_set1_epi16(63)), lacks), 6);
    const __m256i doublings =
        _mm256_mullo_epi16(_mm256_srli_epi16(both, 10), _mm256_set1_epi16(12));
    return _mm256_min_epi16(_mm256_add_epi16(doublings, _mm256_add_epi16(n_below, reached)),
                            _mm256_set1_epi16(127));
}
#endif

class Logarithms {
public:
    // table: LOG; scan: the order of frequencies.
    Logarithms(const std::uint8_t* table, const std::uint8_t* scan) : table_(table), scan_(scan) {
#if defined(__AVX2__)
        std::memset(places_, 0x80, sizeof places_);
        for (int k = 0; k < 64; ++k) places_[scan[k] / 16][k] = scan[k] % 16;
#endif
    }

    std::uint8_t of(std::int32_t value) const { return table_[std::min(value, LARGEST_SUM)]; }
    // Of a value below LATTICE_LOGS.
    std::uint8_t of_one(std::int32_t value) const { return table_[value]; }

    // Of magnitudes by frequency, in SCAN order, and less than that by `less` but at least 0.
    void in_scan(const std::uint16_t* magnitudes, const std::uint8_t* less, std::uint8_t* to) const {
#if defined(__AVX2__)
        __m256i sixteen[4];  // each twice
        for (int k = 0; k < 4; k += 2) {
            const __m256i logs = _mm256_permute4x64_epi64(
                _mm256_packus_epi16(logs_of(load(magnitudes + 16 * k)),
                                    logs_of(load(magnitudes + 16 * k + 16))), 0xD8);
            sixteen[k] = _mm256_permute2x128_si256(logs, logs, 0x00);
            sixteen[k + 1] = _mm256_permute2x128_si256(logs, logs, 0x11);
        }
        for (int k = 0; k < 64; k += 32) {
            __m256i logs = _mm256_setzero_si256();
            for (int i = 0; i < 4; ++i)
                logs = _mm256_or_si256(logs, _mm256_shuffle_epi8(sixteen[i], load(places_[i] + k)));
            store(to + k, _mm256_subs_epu8(logs, load(less + k)));
        }
#else
        for (int k = 0; k < 64; ++k)
            to[k] = static_cast<std::uint8_t>(std::max(0, of(magnitudes[scan_[k]]) - less[k]));
#endif
    }

    // pairs[k]: of a[k] + b[k], and `level` - less[k], for n places or some more.
    void of_sums(const std::uint16_t* a, const std::uint16_t* b, std::int32_t level,
                 const std::uint8_t* less, std::uint32_t* pairs, int n) const {
#if defined(__AVX2__)
        const __m256i most = _mm256_set1_epi16(static_cast<short>(level));
        for (int k = 0; k < n; k += 16) {
            const __m256i rest = _mm256_sub_epi16(most, _mm256_cvtepu8_epi16(load_half(less + k)));
            store_pairs(logs_of(_mm256_adds_epu16(load(a + k), load(b + k))),
                        _mm256_max_epi16(rest, _mm256_set1_epi16(-128)), pairs + k);
        }
#else
        for (int k = 0; k < n; ++k)
            pairs[k] = pair_of(of(a[k] + b[k]), clamp(level - less[k], -128, 127));
#endif
    }

private:
    const std::uint8_t *table_, *scan_;
#if defined(__AVX2__)
    alignas(32) std::uint8_t places_[4][64];  // within each sixteen frequencies, or beyond them
#endif
};

}  // namespace
}  // namespace zarrmal
