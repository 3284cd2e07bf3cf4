// Distributions of coefficients, and their symbols in streams (FORMAT-lattice 6).
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "lattice.h"
#include "lattice_transform.h"

namespace zarrmal {
namespace {

constexpr int REACH_BINS = 32, SYMBOLS = 2 * REACH_BINS + 2, CURVE_HALF = 12 << 7;

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
};

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

// Takes symbols out of a stream.
struct Reading {
    LatticeTape& tape;

    std::uint32_t slot() const { return tape.state & 0xFFFF; }
    void advance(std::uint32_t start, std::uint32_t frequency) {
        std::uint32_t state = frequency * (tape.state >> 16) + (tape.state & 0xFFFF) - start;
        if (state < 1u << 16) {
            std::uint32_t word = 0;
            if (tape.stop - tape.position < 2) {
                tape.dry = true;
            } else {
                word = tape.data[tape.position] | tape.data[tape.position + 1] << 8;
                tape.position += 2;
            }
            state = state << 16 | word;
        }
        tape.state = state;
    }
    std::int32_t uniform(std::int32_t, int bits) {
        if (!bits) return 0;
        const std::uint32_t value = slot() >> (16 - bits);
        advance(value << (16 - bits), 1u << (16 - bits));
        return static_cast<std::int32_t>(value);
    }
    int diagonal(int, const std::uint32_t* edges) {
        int k = 0;
        while (edges[k + 1] <= slot()) ++k;
        advance(edges[k], edges[k + 1] - edges[k]);
        return k;
    }
    int symbol(const Mix& mix) {
        const std::uint32_t wanted = slot();
        int low = REACH_BINS + 1, high;
        std::uint32_t start = mix.below(low), stop;
        // Outwards from the middle in growing steps, then inwards by halves.
        if (start <= wanted) {
            int step = 1;
            for (;; step *= 2) {
                high = std::min(low + step, SYMBOLS);
                stop = mix.below(high);
                if (wanted < stop) break;
                low = high;
                start = stop;
            }
        } else {
            int step = 1;
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
};

// Writes down the symbols of known coefficients.
struct Measuring {
    std::vector<std::uint32_t>& symbols;

    void add(std::uint32_t start, std::uint32_t stop) {
        symbols.push_back(start);
        symbols.push_back(stop - start);
    }
    void uniform(std::int32_t value, int bits) {
        if (bits) {
            const auto v = static_cast<std::uint32_t>(value);
            add(v << (16 - bits), (v + 1) << (16 - bits));
        }
    }
    int diagonal(int last, const std::uint32_t* edges) {
        add(edges[last], edges[last + 1]);
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
};

}  // namespace
}  // namespace zarrmal
