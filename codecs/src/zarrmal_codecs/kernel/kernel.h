// The data structures that the parts of the kernel share, without code.
//
// The sources lanes_*.cpp are compiled once for each instruction set. An inline function or a
// template with external linkage in one of them could be merged with its twin from another and run
// on a machine without those instructions. So this header has plain structures only.
#pragma once

#include <cstddef>
#include <cstdint>

namespace zarrmal {

// FORMAT 6; the names are those of constants.py.
constexpr int MAX_PLANES = 64;
constexpr int MAX_EARLIER = 3;
constexpr int REACH = 6;
constexpr int MIN_CAUSAL = 4;
constexpr int MAX_CAUSAL = 40;
constexpr int MAX_FULL = 24;
constexpr int MAX_COMPONENTS = 4;
constexpr int MAX_CONTEXT_INPUTS = 255;
constexpr int MAX_CONTEXT_WIDTH = 256;
constexpr int MAX_CONTEXT_SHIFT = 24;
constexpr int N_POSITION = 3;
constexpr int N_EARLIER = 3;
constexpr int N_PREDICTION = 5;
constexpr int MAX_COVERAGE_INPUTS = 25;
// To what outputs are clipped (FORMAT 6.3, 6.3.2, 6.9).
constexpr int MAX_ACTIVATION = 127;
constexpr int MAX_LOGIT = 255;
constexpr int MAX_SLOPE = 127;
constexpr int MIN_LOCATION = -4096, MAX_LOCATION = 4095;
constexpr int MIN_DEEP_LOCATION = -32768, MAX_DEEP_LOCATION = 32767;
constexpr int LEAST_COVERAGE = 16;
constexpr int LEVEL_BIN = 256;
constexpr int MAX_LEVEL = 65535;
constexpr int SYMBOLS_OF_DEEP = 3;  // at most, of a pixel

constexpr int MAX_LANES = 64;
constexpr int ROW_BLOCK = 16;
constexpr std::size_t FEW_CELLS = 4;
constexpr std::size_t SINGLE_CELLS = 8;  // so many are decoded one by one
constexpr int MAX_OUTPUTS = 1 + 3 * MAX_COMPONENTS;

constexpr std::uint8_t WHOLE = 1, PARTIAL = 2;

struct Tables;

// Weights are stored [output][group][4], inputs padded to whole groups of four with zeros. The
// outputs of hidden layers are padded to whole groups too: a row of zeros gives the activation 0.
struct Layer {
    const std::int8_t* weight;
    const std::int32_t* start;   // bias + 2**(shift - 1), the rounding
    const std::int32_t* shift;
    const std::int32_t* offset;  // 128 * sum of the weights: see Ops::SIGNED
    const std::int8_t* paired;   // [four outputs][pair][output][4]: two weights, twice, see paired.h
    const std::uint8_t* chains;  // [four outputs][1 + pairs], see chains.h
    const std::int8_t* across;   // [group][row][4]: the same for a few cells, see few.h
    int outputs;
    int groups, pairs;  // of inputs
    int rows;  // outputs, padded to ROW_BLOCK; start and shift are, too
};

// How single.h lays out the inputs of a step. Neighbours whose values lie side by side in a row of pixels
// are a run, which is copied at once.
constexpr int SINGLE_RUN = 16;  // bytes
constexpr int SINGLE_RUNS = 8;
constexpr int SINGLE_COLUMNS = 32;
constexpr int SINGLE_SCALARS = 16;
constexpr int SINGLE_SEEN = 128;
constexpr int SINGLE_INPUTS = 512;

struct SingleRun {
    int y, x;  // of the first pixel, from the pixel that is coded
    int slot;
};

struct SingleRuns {
    int n;
    SingleRun run[SINGLE_RUNS];
    int count;  // slots in all, whole groups of four
};

struct SingleOrder {
    // What depends on the pixel to the west: groups of numbers that are computed one by one, the western
    // neighbours, their flags, the base, a number of each earlier plane; then those that are computed in
    // a vector, the neighbours above and the prediction.
    int n_west, n_west_flags, n_scalar_groups;
    SingleRuns above;
    int n_seen;
    std::uint8_t never_blank[64];  // 255 where a value of 0 is no blank pixel
    // What does not: flags of the neighbours above, coverage, the neighbours in each earlier plane, the rest.
    SingleRuns covered, full;
    int full_slot[MAX_EARLIER], rest_slot;
    Layer late, early;  // the first layer's weights for either
};

struct Step {
    int plane;
    int n_causal;
    int n_flags;
    int n_full;
    int n_components;
    int n_coverage;
    int n_earlier;
    int earlier[MAX_EARLIER];  // planes
    bool follows;
    int n_inputs;
    Layer layers[3];
    SingleOrder single;
};

// How the values of a plane are seen by networks of depth 16 (FORMAT 4.3.1).
struct Scale {
    int n_raw;
    int n_bins;
};

// Cells coded together, one per lane. Lanes have three orders. Unpacking and packing within 128 bits,
// which every instruction set has, leads from one order to the next:
//   byte   the order of pixels in memory;
//   half   two vectors of 16-bit values, from unpacking bytes;
//   word   four vectors of 32-bit values, from unpacking halves.
// Cells are numbered in word order, so that few cells need only the first vectors.
struct Group {
    const Step* steps;
    int n_steps;
    bool has_prediction;
    bool is_deep;  // of depth 16
    const Tables* tables;
    std::size_t height, width;  // of the largest cell
    // [y][x]: 0 where no lane has a pixel, else WHOLE, and PARTIAL where one is covered in part.
    const std::uint8_t* has_pixel;
    int n_vectors;  // word vectors in use: 1, 2 or 4

    // Coverage [y + REACH][x + REACH][lane, byte order], with a border of zeros; null where it is 255
    // everywhere and no network looks at it.
    const std::uint8_t* coverage;
    // Brightness of the pixels [plane][y + REACH][x + REACH][lane, byte order], with a border of zeros,
    // and the pixels themselves, which are the same unless some are covered in part.
    std::uint8_t* image;
    std::uint8_t* values;
    // The same of depth 16, where brightness is that of levels.
    std::uint16_t* deep_image;
    std::uint16_t* deep_values;
    const Scale* scales;  // of each plane
    int n_cells;
    int byte_of[MAX_LANES], half_of[MAX_LANES];  // of each cell its lane, in byte and in half order
    bool partial;
    std::ptrdiff_t row, plane;  // lanes from one row or plane to the next
    // Predicted cells [plane][y][x][lane, byte order], where there is a prediction. Beyond a cell its
    // last row and column are repeated.
    const std::uint8_t* predicted;
    // For each column and each row fx or fy, [lane, byte order], and its square (f - 64)**2,
    // [lane, half order].
    const std::uint8_t *across, *down;
    const std::uint16_t *across_square, *down_square;
    std::ptrdiff_t causal[MAX_CAUSAL];  // lanes from a pixel to its neighbours
    std::ptrdiff_t full[MAX_FULL];
    std::ptrdiff_t covered[MAX_COVERAGE_INPUTS];
    // For each step the first sums, rounding included, [output][lane, word order]; null where they are those of
    // the layer in all lanes.
    const std::int32_t* first[MAX_PLANES];
    const std::int32_t* first_across[MAX_PLANES];  // the same, [cell][row]

    // Scratch.
    std::uint8_t* inputs;          // [input][lane, byte order]
    std::uint8_t* activations[2];  // [group of four][lane, word order][4]
    std::int16_t* outputs;         // [output][lane, half order]

    // Encoding: the symbols in the order of the decoder, [symbol][lane, half order]; a frequency of
    // 0 where the lane has none.
    std::uint16_t* starts;
    std::uint16_t* frequencies;
    std::size_t n_prefix, n_symbols;
    std::uint32_t states[MAX_LANES];  // with which the encoder starts, [lane, word order]
    std::uint8_t* streams;  // [lane, word order][capacity]: each stream ends where its part ends
    std::size_t capacity;
    std::size_t length[MAX_LANES];  // [lane, word order]

    // Measuring, [lane, half order].
    double bits[MAX_LANES];

    // Decoding, [lane, half order].
    const std::uint8_t* data;
    std::size_t position[MAX_LANES], stop[MAX_LANES];
    std::uint16_t high[MAX_LANES], low[MAX_LANES];
    std::uint8_t dry[MAX_LANES];
};

// What is known of a pixel before its western neighbour is.
struct SingleColumn {
    alignas(64) std::uint8_t seen[SINGLE_SEEN];
    int part;  // its coverage in 256ths
    int north, northeast, northwest, middle;
    int known[MAX_EARLIER], own[MAX_EARLIER];
};

// A cell that is decoded by itself.
struct Single {
    const Step* steps;
    int n_steps;
    bool has_prediction;
    const Tables* tables;
    int height, width;
    std::ptrdiff_t row, plane;  // bytes from one row or plane to the next
    // [y + REACH][x + REACH], with a border of zeros: coverage, and half of it.
    const std::uint8_t *coverage, *halved;
    std::uint8_t *image, *values;  // [plane] of the same, as in Group
    const std::uint8_t* predicted;  // [plane][y][x], where there is a prediction
    std::ptrdiff_t predicted_row, predicted_plane;
    const std::uint8_t *across, *down;  // fx and fy of each column and each row
    const std::int32_t* first[MAX_PLANES];  // of each step the first sums, rounding included

    // Scratch.
    std::uint8_t* inputs;
    SingleColumn* ahead;
    std::int32_t* sums;  // [column][row]

    const std::uint8_t* data;
    std::size_t position, stop;
    std::uint32_t state;
    bool is_dry;
};

// An instruction set.
struct Level {
    const char* name;
    int lanes;
    void (*encode)(Group&);
    void (*bits)(Group&);
    void (*decode)(Group&);
    void (*decode_single)(Single&);  // null where cells by themselves are not faster
};

}  // namespace zarrmal
