// Blocks <-> samples (FORMAT-lattice 2, 5.2).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace zarrmal {
namespace {

constexpr int MIDDLE_SAMPLE = 128;

inline std::int32_t clamp(std::int32_t value, std::int32_t low, std::int32_t high) {
    return std::min(std::max(value, low), high);
}

// Sums over each coefficient and the eight around it.
inline void near_sums(const std::int32_t* from, std::int32_t* to) {
    std::int32_t rows[10 * 8] = {}, line[10] = {};
    for (int y = 0; y < 8; ++y) {
        for (int x = 0; x < 8; ++x) line[x + 1] = from[8 * y + x];
        for (int x = 0; x < 8; ++x) rows[8 * y + 8 + x] = line[x] + line[x + 1] + line[x + 2];
    }
    for (int k = 0; k < 64; ++k) to[k] = rows[k] + rows[k + 8] + rows[k + 16];
}

// libjpeg's accurate inverse transform, as a product with its matrix (FORMAT-lattice 2).
struct Transform {
    std::int32_t down[64], across[64];  // [frequency][sample], the same
    const std::int32_t* matrix;         // [sample][frequency]

    explicit Transform(const std::int32_t* from) : matrix(from) {
        for (int s = 0; s < 8; ++s)
            for (int f = 0; f < 8; ++f) down[8 * f + s] = across[8 * f + s] = matrix[8 * s + f];
    }

    // samples[y][x] at `to`, rows `row` apart.
    void inverse(const std::int32_t* values, std::uint8_t* to, std::size_t row) const {
        std::int32_t between[64] = {}, sums[64];
        std::uint32_t used = 0;
        for (int f = 0; f < 8; ++f) {
            std::int32_t any = 0;
            for (int x = 0; x < 8; ++x) any |= values[8 * f + x];
            if (any) used |= 1u << f;
        }
        for (int f = 0; f < 8; ++f) {
            if (!(used >> f & 1)) continue;
            for (int s = 0; s < 8; ++s)
                for (int x = 0; x < 8; ++x)
                    between[8 * s + x] += down[8 * f + s] * values[8 * f + x];
        }
        for (int k = 0; k < 64; ++k)
            between[k] = clamp((between[k] + (1 << 10)) >> 11, -32768, 32767);
        for (int y = 0; y < 8; ++y) {
            std::int32_t* const line = sums + 8 * y;
            for (int s = 0; s < 8; ++s) line[s] = 1 << 17;
            for (int f = 0; f < 8; ++f)
                for (int s = 0; s < 8; ++s) line[s] += between[8 * y + f] * across[8 * f + s];
        }
        for (int y = 0; y < 8; ++y)
            for (int x = 0; x < 8; ++x)
                to[y * row + x] = static_cast<std::uint8_t>(
                    clamp((sums[8 * y + x] >> 18) + MIDDLE_SAMPLE, 0, 255));
    }

    // Coefficients of samples with 4 bits of fraction.
    void forward(const std::int32_t* samples, std::int32_t* to) const {
        std::int32_t between[64];
        for (int f = 0; f < 8; ++f) {
            std::int32_t* const line = between + 8 * f;
            for (int x = 0; x < 8; ++x) line[x] = 1 << 11;
            for (int s = 0; s < 8; ++s)
                for (int x = 0; x < 8; ++x) line[x] += down[8 * f + s] * samples[8 * s + x];
            for (int x = 0; x < 8; ++x) line[x] >>= 12;
        }
        for (int y = 0; y < 8; ++y) {
            std::int32_t* const line = to + 8 * y;
            for (int f = 0; f < 8; ++f) line[f] = 1 << 20;
            for (int s = 0; s < 8; ++s)
                for (int f = 0; f < 8; ++f) line[f] += between[8 * y + s] * matrix[8 * s + f];
            for (int f = 0; f < 8; ++f) line[f] >>= 21;
        }
    }
};

}  // namespace
}  // namespace zarrmal
