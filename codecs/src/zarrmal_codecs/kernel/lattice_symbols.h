// Distributions of coefficients, and their symbols in streams (FORMAT-lattice 6).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "lattice_ops.h"

namespace zarrmal {
namespace {

constexpr int REACH_BINS = 32, SYMBOLS = 2 * REACH_BINS + 2, CURVE_HALF = 12 << 7;
constexpr int NEAR_FIRST = REACH_BINS - 2, NEAR_EDGES = 8;  // symbols about the middle one

// Two logistics over coefficients.
struct Mix {
    std::int32_t middle[2], slope[2], share, lowest, width;
    const std::int32_t* curve;

    std::uint32_t below(int symbol) const {
        if (symbol <= 0) return 0;
        if (symbol >= SYMBOLS) return 1 << 16;
        const std::int32_t edge = lowest + ((symbol - 1) << width);
        std::int32_t each[2];
        for (int k = 0; k < 2; ++k) {
            const std::int64_t distance = std::int64_t{edge} * 32 - 16 - middle[k];
            const std::int64_t place = (distance * slope[k] >> 22) + CURVE_HALF;
            each[k] = curve[std::min<std::int64_t>(std::max<std::int64_t>(place, 0),
                                                   2 * CURVE_HALF - 1)];
        }
        const std::uint32_t mixed =
            static_cast<std::uint32_t>(share * each[0] + (1024 - share) * each[1]) >> 10;
        return static_cast<std::uint32_t>(symbol) +
               static_cast<std::uint32_t>((std::uint64_t{mixed} * ((1 << 16) - SYMBOLS)) >> 16);
    }

#if defined(__AVX2__)
    // below(NEAR_FIRST + k) for k of 0..7, into `edges`; how many of them are at most `slot`.
    int near_edges(std::uint32_t slot, std::uint32_t* edges) const {
        const __m128i by = _mm_cvtsi32_si128(width);
        // Places of even edges, and of odd ones, from the middle one, REACH_BINS + 1.
        const __m256i even = _mm256_sll_epi32(_mm256_setr_epi32(-96, 0, -32, 0, 32, 0, 96, 0), by);
        const __m256i odd = _mm256_sll_epi32(_mm256_setr_epi32(-64, 0, 0, 0, 64, 0, 128, 0), by);
        const std::int32_t centre = 32 * (lowest + (REACH_BINS << width)) - 16;
        __m256i each[2];
        for (int k = 0; k < 2; ++k) {
            const __m256i from = _mm256_set1_epi32(centre - middle[k]);
            const __m256i factor = _mm256_set1_epi32(slope[k]);
            // Products of 64 bits of which those from 22 on are wanted; they fit in 32.
            const __m256i a = _mm256_mul_epi32(_mm256_add_epi32(from, even), factor);
            const __m256i b = _mm256_mul_epi32(_mm256_add_epi32(from, odd), factor);
            __m256i place = _mm256_blend_epi32(_mm256_srli_epi64(a, 22), _mm256_slli_epi64(b, 10),
                                               0xAA);
            place = _mm256_add_epi32(place, _mm256_set1_epi32(CURVE_HALF));
            place = _mm256_max_epi32(place, _mm256_setzero_si256());
            place = _mm256_min_epi32(place, _mm256_set1_epi32(2 * CURVE_HALF - 1));
            each[k] = _mm256_i32gather_epi32(curve, place, 4);
        }
        __m256i mixed = _mm256_add_epi32(
            _mm256_mullo_epi32(each[0], _mm256_set1_epi32(share)),
            _mm256_mullo_epi32(each[1], _mm256_set1_epi32(1024 - share)));
        mixed = _mm256_mullo_epi32(_mm256_srli_epi32(mixed, 10),
                                   _mm256_set1_epi32((1 << 16) - SYMBOLS));
        const __m256i result = _mm256_add_epi32(
            _mm256_srli_epi32(mixed, 16),
            _mm256_setr_epi32(NEAR_FIRST, NEAR_FIRST + 1, NEAR_FIRST + 2, NEAR_FIRST + 3,
                              NEAR_FIRST + 4, NEAR_FIRST + 5, NEAR_FIRST + 6, NEAR_FIRST + 7));
        store(edges, result);
        const __m256i above = _mm256_cmpgt_epi32(result, _mm256_set1_epi32(static_cast<int>(slot)));
        const int mask = _mm256_movemask_ps(_mm256_castsi256_ps(above));
        int n = 8;
        for (int k = 0; k < 8; ++k) n -= mask >> k & 1;
        return n;
    }
#endif
};

// Of outputs (two locations, two scales, the share) and the prediction.
inline Mix mix_of(const LatticeTables& tables, const std::int32_t* outputs,
                  std::int32_t predicted) {
    Mix mix;
    int narrow = 127;
    for (int k = 0; k < 2; ++k) {
        mix.middle[k] = predicted + clamp(outputs[k], -2047, 2047);
        const int scale = clamp(outputs[2 + k], 0, 127);
        narrow = std::min(narrow, scale);
        mix.slope[k] = tables.slope[static_cast<std::size_t>(scale)];
    }
    mix.share = tables.share[static_cast<std::size_t>(clamp(outputs[4], -128, 127) + 128)];
    mix.width = std::max(0, (narrow >> 3) - 5 - 1);
    mix.lowest = ((mix.middle[0] + 16) >> 5) - (REACH_BINS << mix.width);
    mix.curve = tables.curve.data();
    return mix;
}

// Last diagonals: `before` are sums of weights, 16 of them.
inline std::uint32_t diagonal_edge(const std::uint32_t* before, int k) {
    return before[k] * ((1u << 16) - LATTICE_DIAGONALS) / before[LATTICE_DIAGONALS] +
           static_cast<std::uint32_t>(k);
}

// Takes symbols out of a stream.
struct Reading {
    LatticeTape* tape;

    bool stopped() const { return tape->dry; }
    std::uint32_t slot() const { return tape->state & 0xFFFF; }
    void advance(std::uint32_t start, std::uint32_t frequency) {
        std::uint32_t state = frequency * (tape->state >> 16) + (tape->state & 0xFFFF) - start;
        if (state < 1u << 16) {
            std::uint32_t word = 0;
            if (tape->stop - tape->position < 2) {
                tape->dry = true;
            } else {
                word = tape->data[tape->position] |
                       static_cast<std::uint32_t>(tape->data[tape->position + 1]) << 8;
                tape->position += 2;
            }
            state = state << 16 | word;
        }
        tape->state = state;
    }
    std::int32_t uniform(std::int32_t, int bits) {
        if (!bits) return 0;
        const std::uint32_t value = slot() >> (16 - bits);
        advance(value << (16 - bits), 1u << (16 - bits));
        return static_cast<std::int32_t>(value);
    }
    // 0 .. 2**32 - 2 (FORMAT-lattice 3).
    std::uint64_t number() {
        const int size = uniform(0, 5);
        const auto high = static_cast<std::uint64_t>(uniform(0, std::max(size - 16, 0)));
        const auto low = static_cast<std::uint64_t>(uniform(0, std::min(size, 16)));
        return (std::uint64_t{1} << size) + (high << 16) + low - 1;
    }
    int diagonal(int, const std::uint32_t* before) {
        const std::uint64_t total = before[LATTICE_DIAGONALS];
        int k = 0;
        // diagonal_edge(before, k + 1) <= slot, without the division.
        while (k + 1 < LATTICE_DIAGONALS && slot() > static_cast<std::uint32_t>(k) &&
               std::uint64_t{before[k + 1]} * ((1u << 16) - LATTICE_DIAGONALS) <
                   (slot() - static_cast<std::uint32_t>(k)) * total)
            ++k;
        const std::uint32_t start = diagonal_edge(before, k);
        advance(start, diagonal_edge(before, k + 1) - start);
        return k;
    }
    int symbol(const Mix& mix) {
        const std::uint32_t wanted = slot();
        int low, high;
        std::uint32_t start, stop;
#if defined(__AVX2__)
        alignas(32) std::uint32_t edges[NEAR_EDGES];
        const int n = mix.near_edges(wanted, edges);
        if (n && n < NEAR_EDGES) {
            advance(edges[n - 1], edges[n] - edges[n - 1]);
            return NEAR_FIRST + n - 1;
        }
        const bool above = n != 0;
        low = NEAR_FIRST + NEAR_EDGES - 1;
        start = edges[NEAR_EDGES - 1];
        if (!above) {
            low = NEAR_FIRST;
            start = edges[0];
        }
#else
        low = REACH_BINS + 1;
        start = mix.below(low);
        const bool above = start <= wanted;
#endif
        // Outwards in growing steps, then inwards by halves.
        int step = 1;
        if (above) {
            for (;; step *= 2) {
                high = std::min(low + step, SYMBOLS);
                stop = mix.below(high);
                if (wanted < stop) break;
                low = high;
                start = stop;
            }
        } else {
            high = low;
            stop = start;
            for (;; step *= 2) {
                low = std::max(high - step, 0);
                start = mix.below(low);
                if (start <= wanted) break;
                high = low;
                stop = start;
            }
        }
        while (high - low > 1) {
            const int middle = (low + high) / 2;
            const std::uint32_t edge = mix.below(middle);
            if (edge <= wanted) {
                low = middle;
                start = edge;
            } else {
                high = middle;
                stop = edge;
            }
        }
        advance(start, stop - start);
        return low;
    }
    std::int32_t coefficient(std::int32_t, const Mix& mix) {
        const int low = symbol(mix);
        std::int32_t value;
        if (low == 0 || low == SYMBOLS - 1) {
            const int size = uniform(0, 4);
            const std::int32_t distance = (1 << size) + uniform(0, size);
            value = low == 0 ? mix.lowest - distance
                             : mix.lowest + (2 * REACH_BINS << mix.width) + distance - 1;
        } else {
            value = mix.lowest + ((low - 1) << mix.width) + uniform(0, mix.width);
        }
        return clamp(value, -32768, 32767);
    }
    // A value of a rim pixel (FORMAT-lattice 8).
    std::int32_t pixel(std::int32_t, const Mix& mix) {
        const int low = symbol(mix);
        const bool beyond = low == 0 || low == SYMBOLS - 1;
        const std::int32_t rest = uniform(0, beyond ? 8 : mix.width);
        return clamp(beyond ? rest : mix.lowest + ((low - 1) << mix.width) + rest, 0, 255);
    }
};

// Writes down the symbols of known coefficients.
struct Measuring {
    std::vector<std::uint32_t>* symbols;

    bool stopped() const { return false; }
    void add(std::uint32_t start, std::uint32_t stop) {
        symbols->push_back(start);
        symbols->push_back(stop - start);
    }
    void uniform(std::int32_t value, int bits) {
        if (bits) {
            const auto v = static_cast<std::uint32_t>(value);
            add(v << (16 - bits), (v + 1) << (16 - bits));
        }
    }
    int diagonal(int last, const std::uint32_t* before) {
        add(diagonal_edge(before, last), diagonal_edge(before, last + 1));
        return last;
    }
    std::int32_t coefficient(std::int32_t value, const Mix& mix) {
        const int symbol = clamp(((value - mix.lowest) >> mix.width) + 1, 0, SYMBOLS - 1);
        add(mix.below(symbol), mix.below(symbol + 1));
        if (symbol == 0 || symbol == SYMBOLS - 1) {
            const std::int32_t top = mix.lowest + (2 * REACH_BINS << mix.width);
            const std::int32_t distance = symbol ? value - top + 1 : mix.lowest - value;
            int size = 0;
            while (distance >> (size + 1)) ++size;
            uniform(size, 4);
            uniform(distance - (1 << size), size);
        } else {
            uniform(value - mix.lowest - ((symbol - 1) << mix.width), mix.width);
        }
        return value;
    }
    std::int32_t pixel(std::int32_t value, const Mix& mix) {
        const int symbol = clamp(((value - mix.lowest) >> mix.width) + 1, 0, SYMBOLS - 1);
        add(mix.below(symbol), mix.below(symbol + 1));
        if (symbol == 0 || symbol == SYMBOLS - 1)
            uniform(value, 8);
        else
            uniform(value - mix.lowest - ((symbol - 1) << mix.width), mix.width);
        return value;
    }
};

}  // namespace
}  // namespace zarrmal
