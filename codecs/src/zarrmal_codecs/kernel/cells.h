// Cells <-> groups of lanes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernel.h"
#include "memory.h"
#include "plan.h"

namespace zarrmal {

// Cells as Python passes them.
struct Cells {
    std::size_t n, n_planes, height, width;
    const std::uint16_t* sizes;               // checked: [cell][height, width], or null
    const std::uint8_t* coverage;             // [cell][y][x] or null
    const std::uint8_t* predicted;            // [cell][plane][y][x]; null without a prediction
    std::vector<const std::int32_t*> first;   // for each step [cell][output]
    std::vector<Scale> scales;                // of each plane, checked
};

struct Prefix {
    const std::uint16_t* pairs;  // [cell][symbol][start, frequency]
    std::size_t n_symbols;
};

struct Encoded {
    std::vector<std::uint8_t> data;
    std::vector<std::int64_t> lengths;
};

// Pixels are std::uint8_t, or std::uint16_t of a plan of depth 16.
template <class T>
Encoded encode(const Level& level, const Plan& plan, const Cells& cells, const T* pixels,
               const Prefix& prefix);

template <class T>
void measure(const Level& level, const Plan& plan, const Cells& cells, const T* pixels,
             double* bits);

struct Streams {
    const std::uint8_t* data;
    const std::int64_t* starts;  // checked: 0 <= start <= stop <= size of data
    const std::int64_t* stops;
    const std::uint32_t* states;
};

template <class T>
void decode(const Level& level, const Plan& plan, const Cells& cells, const Streams& streams,
            T* pixels, std::uint8_t* status);

}  // namespace zarrmal
