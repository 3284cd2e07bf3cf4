#include "tables.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <stdexcept>
#include <vector>

namespace zarrmal {

namespace {

double sigmoid(double t) { return 1 / (1 + std::exp(-t)); }

// No value lies within 1e-6 of a tie (FORMAT 6.2), so that any sound libm gives these integers.
std::int32_t rounded(double value) { return static_cast<std::int32_t>(std::floor(value + 0.5)); }

std::uint8_t byte(int value, int k) { return static_cast<std::uint8_t>(value >> (8 * k)); }

Tables make_tables() {
    Tables t{};
    std::int32_t knot[65];
    const double low = sigmoid(-8);
    for (int i = 0; i <= 64; ++i)
        knot[i] = rounded(32768 * (sigmoid(-8 + i / 4.0) - low) / (1 - 2 * low));
    for (int i = 0; i < 64; ++i) {
        const int step = knot[i + 1] - knot[i];
        t.knot[i ^ 32] = static_cast<std::uint16_t>(knot[i]);
        t.step[i ^ 32] = static_cast<std::uint16_t>(step);
        for (int k = 0; k < 2; ++k) {
            t.knot_bytes[k][i ^ 32] = byte(knot[i], k);
            t.step_bytes[k][i ^ 32] = byte(step, k);
            if (i < 32) {
                t.half_knot[k][i] = byte(knot[i], k);
                t.half_step[k][i] = byte(step, k);
            }
        }
    }
    for (int i = 0; i < 128; ++i) {
        t.slope[i] = rounded(std::pow(2.0, 17 - i / 12.0));
        t.deep_slope[i] = rounded(std::pow(2.0, 17 - i / 8.0));
        for (int k = 0; k < 2; ++k)
            t.slope_words[k][i] = static_cast<std::uint16_t>(t.slope[i] >> (16 * k));
    }
    std::int32_t octave[12];
    for (int r = 0; r < 12; ++r) {
        octave[r] = rounded(std::pow(2.0, 29 - r / 12.0));
        for (int k = 0; k < 4; ++k) t.octave[k][r] = byte(octave[r], k);
    }
    for (int i = 0; i < 128; ++i)
        if (t.slope[i] != ((octave[i % 12] >> (11 + i / 12)) + 1) >> 1)
            throw std::logic_error("SLOPE is not that of its octave");
    for (int i = 0; i <= 510; ++i) {
        t.exponential[i] = static_cast<std::uint16_t>(rounded(4096 * std::exp(-i / 16.0)));
        const std::int32_t blank = rounded(65536 * sigmoid((i - 255) / 16.0));
        t.blank[i] = static_cast<std::uint16_t>(std::clamp(blank, 1, 65536 - 256));
    }
    for (int d = -255; d <= 255; ++d) {
        const int size = std::abs(d);
        const int bent = 2 * std::min(size, 8) + (std::min(size, 32) >> 1) + (size >> 3);
        t.squashed[d + 255] = byte(d < 0 ? 64 - bent : 64 + bent, 0);
    }
    for (int c = LEAST_COVERAGE; c < 256; ++c)
        t.reciprocal[c] = static_cast<std::uint16_t>((65280 + c - 1) / c);
    for (int i = 0; i < 32; ++i) t.count[i] = static_cast<std::uint16_t>(i);
    return t;
}

std::vector<Offset> make_offsets(bool causal) {
    std::vector<Offset> offsets;
    for (int y = -REACH; y <= (causal ? 0 : REACH); ++y)
        for (int x = -REACH; x <= REACH; ++x)
            if (causal ? y < 0 || x < 0 : y != 0 || x != 0) offsets.push_back({y, x});
    std::sort(offsets.begin(), offsets.end(), [](const Offset& a, const Offset& b) {
        const int keys_a[4] = {a.y * a.y + a.x * a.x, -a.y, std::abs(a.x), a.x};
        const int keys_b[4] = {b.y * b.y + b.x * b.x, -b.y, std::abs(b.x), b.x};
        return std::lexicographical_compare(keys_a, keys_a + 4, keys_b, keys_b + 4);
    });
    return offsets;
}

}  // namespace

const Tables& tables() {
    static const Tables made = make_tables();
    return made;
}

const Offset* causal_offsets() {
    static const std::vector<Offset> made = make_offsets(true);
    return made.data();
}

const Offset* full_offsets() {
    static const std::vector<Offset> made = make_offsets(false);
    return made.data();
}

}  // namespace zarrmal
