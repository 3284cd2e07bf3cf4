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
    // below(first + k * step) for k of 0..7, into `edges`; how many of them are at most `slot`. The
    // symbols must lie in 1 .. SYMBOLS - 1; what is told of others means nothing.
    ZM_ALWAYS int edges_from(int first, int step, std::uint32_t slot, std::uint32_t* edges) const {
        const __m128i by = _mm_cvtsi32_si128(width + 5);
        // Places of even edges, and of odd ones, from the middle one, REACH_BINS + 1.
        const __m256i steps = _mm256_set1_epi32(step), start = _mm256_set1_epi32(first);
        const __m256i symbols = _mm256_add_epi32(
            start, _mm256_mullo_epi32(steps, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)));
        const __m256i places = _mm256_sll_epi32(
            _mm256_sub_epi32(symbols, _mm256_set1_epi32(REACH_BINS + 1)), by);
        const std::int32_t centre = 32 * (lowest + (REACH_BINS << width)) - 16;
        __m256i mixed = _mm256_add_epi32(
            _mm256_mullo_epi32(curve_at(0, centre, places), _mm256_set1_epi32(share)),
            _mm256_mullo_epi32(curve_at(1, centre, places), _mm256_set1_epi32(1024 - share)));
        mixed = _mm256_srli_epi32(mixed, 10);
        // mixed * (2**16 - SYMBOLS) >> 16
        const __m256i less = _mm256_srli_epi32(
            _mm256_add_epi32(_mm256_mullo_epi32(mixed, _mm256_set1_epi32(SYMBOLS)),
                             _mm256_set1_epi32((1 << 16) - 1)), 16);
        const __m256i result = _mm256_add_epi32(_mm256_sub_epi32(mixed, less), symbols);
        store(edges, result);
        const __m256i above = _mm256_cmpgt_epi32(result, _mm256_set1_epi32(static_cast<int>(slot)));
        const int mask = _mm256_movemask_ps(_mm256_castsi256_ps(above));
        return 8 - _mm_popcnt_u32(static_cast<unsigned>(mask));
    }

private:
    // One curve at places, from the centre of the middle bin.
    ZM_ALWAYS __m256i curve_at(int k, std::int32_t centre, __m256i places) const {
        const __m256i from = _mm256_add_epi32(places, _mm256_set1_epi32(centre - middle[k]));
        const __m256i factor = _mm256_set1_epi32(slope[k]);
        // Products of 64 bits of which those from 22 on are wanted; they fit in 32.
        const __m256i even = _mm256_mul_epi32(from, factor);
        const __m256i odd = _mm256_mul_epi32(_mm256_srli_epi64(from, 32), factor);
        __m256i place = _mm256_blend_epi32(_mm256_srli_epi64(even, 22),
                                           _mm256_slli_epi64(odd, 10), 0xAA);
        place = _mm256_add_epi32(place, _mm256_set1_epi32(CURVE_HALF));
        place = _mm256_max_epi32(place, _mm256_setzero_si256());
        place = _mm256_min_epi32(place, _mm256_set1_epi32(2 * CURVE_HALF - 1));
        return look_up(curve, place);
    }
#endif
};

// Of a network's outputs and the prediction.
ZM_ALWAYS Mix mix_of(const LatticeTables& tables, const Five& five, std::int32_t predicted) {
    Mix mix;
    for (int k = 0; k < 2; ++k) {
        mix.middle[k] = predicted + five.location[k];
        mix.slope[k] = tables.slope[static_cast<std::size_t>(five.scale[k])];
    }
    mix.share = tables.share[static_cast<std::size_t>(five.share)];
    mix.width = std::max(0, (std::min(five.scale[0], five.scale[1]) >> 3) - 5 - 1);
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
    ZM_ALWAYS void advance(std::uint32_t start, std::uint32_t frequency) {
        const std::uint32_t state = frequency * (tape->state >> 16) + slot() - start;
        const bool needs = state < 1u << 16;
        std::uint32_t word = 0;
        if (tape->stop - tape->position >= 2) {
            // Whether a word is needed cannot be foreseen: it is loaded anyhow.
            const std::uint8_t* const from = tape->data + tape->position;
            word = from[0] | static_cast<std::uint32_t>(from[1]) << 8;
            tape->position += needs ? 2 : 0;
        } else if (needs) {
            tape->dry = true;
        }
        tape->state = needs ? state << 16 | word : state;
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
    // The edges about the middle and how many of them lie at most at the slot.
    struct Prepared {
#if defined(__AVX2__)
        alignas(32) std::uint32_t edges[NEAR_EDGES];
        int n;
#endif
    };
    ZM_ALWAYS void prepare([[maybe_unused]] const Mix& mix, [[maybe_unused]] Prepared& to) const {
#if defined(__AVX2__)
        to.n = mix.edges_from(NEAR_FIRST, 1, slot(), to.edges);
#endif
    }
    // One of the 15 bins about a middle one, of which the edges are given; false if it is another.
    ZM_ALWAYS bool near(const std::uint16_t* edges, std::int32_t middle, std::int32_t& value) {
        const std::uint32_t wanted = slot();
#if defined(__AVX2__)
        const __m256i all = load(edges), x = _mm256_set1_epi16(static_cast<short>(wanted));
        const __m256i most = _mm256_cmpeq_epi16(_mm256_max_epu16(all, x), x);
        const int n = _mm_popcnt_u32(static_cast<unsigned>(_mm256_movemask_epi8(most))) / 2;
#else
        int n = 0;
        for (int k = 0; k < LATTICE_EDGES; ++k) n += edges[k] <= wanted;
#endif
        if (n == 0 || n == LATTICE_EDGES) return false;
        const std::uint32_t start = edges[n - 1];
        advance(start, edges[n] - start);
        value = middle + n - LATTICE_EDGES / 2;
        return true;
    }
#if defined(__AVX2__)
    int symbol(const Mix& mix, const Prepared& prepared) {
        const int n = prepared.n;
        if (!n || n == NEAR_EDGES) return far_symbol(mix, n != 0);
        advance(prepared.edges[n - 1], prepared.edges[n] - prepared.edges[n - 1]);
        return NEAR_FIRST + n - 1;
    }
    // Of those below or above the near ones: every fourth edge, then those between two of them.
    ZM_SELDOM int far_symbol(const Mix& mix, bool above) {
        constexpr int STEP = 4;
        alignas(32) std::uint32_t edges[NEAR_EDGES];
        const int first = above ? NEAR_FIRST + NEAR_EDGES : NEAR_FIRST - 7 * STEP;
        int n = mix.edges_from(first, STEP, slot(), edges);
        // The last of those above is beyond all symbols; the last of those below is above the slot.
        n = std::min(n, NEAR_EDGES - 1);
        const int low = n ? first + STEP * (n - 1) : above ? first - 1 : 0;
        n = mix.edges_from(low, 1, slot(), edges);
        n = clamp(n, 1, std::min(NEAR_EDGES - 1, SYMBOLS - low));
        const std::uint32_t start = low + n == 1 ? 0 : edges[n - 1];
        const std::uint32_t stop = low + n == SYMBOLS ? 1u << 16 : edges[n];
        advance(start, stop - start);
        return low + n - 1;
    }
#else
    int symbol(const Mix& mix, const Prepared&) {
        const std::uint32_t wanted = slot();
        int low = REACH_BINS + 1, high = low, step = 1;
        std::uint32_t start = mix.below(low), stop = start;
        // Outwards in growing steps, then inwards by halves.
        if (start <= wanted) {
            for (;; step *= 2) {
                high = std::min(low + step, SYMBOLS);
                stop = mix.below(high);
                if (wanted < stop) break;
                low = high;
                start = stop;
            }
        } else {
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
#endif
    std::int32_t coefficient(std::int32_t, const Mix& mix, const Prepared& prepared) {
        const int low = symbol(mix, prepared);
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
    std::int32_t pixel(std::int32_t, const Mix& mix, const Prepared& prepared) {
        const int low = symbol(mix, prepared);
        const bool beyond = low == 0 || low == SYMBOLS - 1;
        const std::int32_t rest = uniform(0, beyond ? 8 : mix.width);
        return clamp(beyond ? rest : mix.lowest + ((low - 1) << mix.width) + rest, 0, 255);
    }
};

// Writes down the symbols of known coefficients.
struct Measuring {
    std::vector<std::uint32_t>* symbols;

    bool near(const std::uint16_t*, std::int32_t, std::int32_t&) const { return false; }
    struct Prepared {};
    void prepare(const Mix&, Prepared&) const {}
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
    std::int32_t coefficient(std::int32_t value, const Mix& mix, const Prepared&) {
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
    std::int32_t pixel(std::int32_t value, const Mix& mix, const Prepared&) {
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
