// Samples -> pixels (FORMAT-lattice 2).
#pragma once

#include <cstring>

#include "lattice_ops.h"
#include "lattice_transform.h"

namespace zarrmal {
namespace {

// A row of one sample a pixel, 2 * n of them: each sample weighed 3 to 1 against its neighbours. The
// samples before the first and after the last are those themselves.
inline void upsample_across(const std::uint8_t* from, std::size_t n, std::uint8_t* to) {
    const auto one = [from, n, to](std::size_t i) {
        const std::int32_t own = 3 * from[i];
        to[2 * i] = static_cast<std::uint8_t>((own + from[i ? i - 1 : 0] + 1) >> 2);
        to[2 * i + 1] = static_cast<std::uint8_t>((own + from[i + 1 < n ? i + 1 : i] + 2) >> 2);
    };
    one(0);
    for (std::size_t i = 1; i + 1 < n; ++i) {
        const std::int32_t own = 3 * from[i];
        to[2 * i] = static_cast<std::uint8_t>((own + from[i - 1] + 1) >> 2);
        to[2 * i + 1] = static_cast<std::uint8_t>((own + from[i + 1] + 2) >> 2);
    }
    one(n - 1);
}

// A row of pixels of both directions, of the nearest row of samples and the next nearest; `sums` has
// room for n values.
inline void upsample_both(const std::uint8_t* nearest, const std::uint8_t* next, std::size_t n,
                          std::uint16_t* sums, std::uint8_t* to) {
    for (std::size_t i = 0; i < n; ++i)
        sums[i] = static_cast<std::uint16_t>(3 * nearest[i] + next[i]);
    const auto one = [sums, n, to](std::size_t i) {
        const std::int32_t own = 3 * sums[i];
        to[2 * i] = static_cast<std::uint8_t>((own + sums[i ? i - 1 : 0] + 8) >> 4);
        to[2 * i + 1] = static_cast<std::uint8_t>((own + sums[i + 1 < n ? i + 1 : i] + 7) >> 4);
    };
    one(0);
    for (std::size_t i = 1; i + 1 < n; ++i) {
        const std::int32_t own = 3 * sums[i];
        to[2 * i] = static_cast<std::uint8_t>((own + sums[i - 1] + 8) >> 4);
        to[2 * i + 1] = static_cast<std::uint8_t>((own + sums[i + 1] + 7) >> 4);
    }
    one(n - 1);
}

// A pixel of luma and chroma.
inline void mix_pixel(std::int32_t y, std::int32_t cb, std::int32_t cr, std::uint8_t* to) {
    const std::int32_t blue = cb - 128, red = cr - 128;
    constexpr std::int32_t HALF = 1 << 15;
    to[0] = static_cast<std::uint8_t>(clamp(y + ((91881 * red + HALF) >> 16), 0, 255));
    to[1] = static_cast<std::uint8_t>(
        clamp(y + ((-22554 * blue - 46802 * red + HALF) >> 16), 0, 255));
    to[2] = static_cast<std::uint8_t>(clamp(y + ((116130 * blue + HALF) >> 16), 0, 255));
}

#if defined(__AVX2__)
// Byte b of part p of 16 pixels is channel k's byte FROM[p][k][b], or not of channel k.
struct Interleaved {
    alignas(16) std::int8_t from[3][3][16] = {};

    constexpr Interleaved() {
        for (int part = 0; part < 3; ++part)
            for (int k = 0; k < 3; ++k)
                for (int b = 0; b < 16; ++b) {
                    const int at = 16 * part + b;
                    from[part][k][b] = static_cast<std::int8_t>(at % 3 == k ? at / 3 : -1);
                }
    }
};
constexpr Interleaved INTERLEAVED;

// (factor * x + 2**15) >> 16 for 16 values.
inline __m256i scaled(__m256i x, std::int16_t factor) {
    const __m256i by = _mm256_set1_epi16(factor);
    return _mm256_add_epi16(_mm256_mulhi_epi16(x, by),
                            _mm256_srli_epi16(_mm256_mullo_epi16(x, by), 15));
}

// 16 pixels; bytes of `seen` are 0 or 1.
inline void mix_pixels(const std::uint8_t* const* planes, const std::uint8_t* seen, bool ycbcr,
                       std::uint8_t* to) {
    __m128i channel[3];
    for (int k = 0; k < 3; ++k)
        channel[k] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(planes[k]));
    if (ycbcr) {
        const __m256i middle = _mm256_set1_epi16(128), y = _mm256_cvtepu8_epi16(channel[0]);
        const __m256i blue = _mm256_sub_epi16(_mm256_cvtepu8_epi16(channel[1]), middle);
        const __m256i red = _mm256_sub_epi16(_mm256_cvtepu8_epi16(channel[2]), middle);
        // 91881 = 65536 + 26345, -46802 = -65536 + 18734, 116130 = 131072 - 14942.
        const __m256i factors = _mm256_set1_epi32(18734 * 65536 + (-22554 & 0xFFFF));
        const __m256i half = _mm256_set1_epi32(1 << 15);
        const __m256i low = _mm256_madd_epi16(_mm256_unpacklo_epi16(blue, red), factors);
        const __m256i high = _mm256_madd_epi16(_mm256_unpackhi_epi16(blue, red), factors);
        const __m256i less =
            _mm256_packs_epi32(_mm256_srai_epi32(_mm256_add_epi32(low, half), 16),
                               _mm256_srai_epi32(_mm256_add_epi32(high, half), 16));
        const __m256i mixed[3] = {
            _mm256_add_epi16(_mm256_add_epi16(y, red), scaled(red, 26345)),
            _mm256_add_epi16(_mm256_sub_epi16(y, red), less),
            _mm256_add_epi16(_mm256_add_epi16(y, _mm256_add_epi16(blue, blue)),
                             scaled(blue, -14942))};
        for (int k = 0; k < 3; ++k)
            channel[k] = _mm_packus_epi16(_mm256_castsi256_si128(mixed[k]),
                                          _mm256_extracti128_si256(mixed[k], 1));
    }
    if (seen) {
        const __m128i none = _mm_cmpeq_epi8(
            _mm_loadu_si128(reinterpret_cast<const __m128i*>(seen)), _mm_setzero_si128());
        for (int k = 0; k < 3; ++k) channel[k] = _mm_andnot_si128(none, channel[k]);
    }
    const auto part = [&channel](int p, int k) {
        return _mm_shuffle_epi8(channel[k], _mm_load_si128(reinterpret_cast<const __m128i*>(
                                                INTERLEAVED.from[p][k])));
    };
    for (int p = 0; p < 3; ++p)
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 16 * p),
                         _mm_or_si128(_mm_or_si128(part(p, 0), part(p, 1)), part(p, 2)));
}
#endif

// A row of n pixels of one or three planes; those not seen are 0. seen may be null.
inline void mix_row(const std::uint8_t* const* planes, std::size_t n_planes,
                    const std::uint8_t* seen, bool ycbcr, std::size_t n, std::uint8_t* to) {
    std::size_t x = 0;
    if (n_planes == 1) {
        std::memcpy(to, planes[0], n);
        for (; seen && x < n; ++x) to[x] = seen[x] ? to[x] : 0;
        return;
    }
#if defined(__AVX2__)
    for (; x + 16 <= n; x += 16) {
        const std::uint8_t* const at[3] = {planes[0] + x, planes[1] + x, planes[2] + x};
        mix_pixels(at, seen ? seen + x : nullptr, ycbcr, to + 3 * x);
    }
#endif
    for (; x < n; ++x) {
        std::uint8_t* const pixel = to + 3 * x;
        if (seen && !seen[x]) {
            pixel[0] = pixel[1] = pixel[2] = 0;
        } else if (ycbcr) {
            mix_pixel(planes[0][x], planes[1][x], planes[2][x], pixel);
        } else {
            for (int k = 0; k < 3; ++k) pixel[k] = planes[k][x];
        }
    }
}

}  // namespace
}  // namespace zarrmal
