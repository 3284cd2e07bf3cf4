// Coefficients of cells <-> streams (FORMAT-lattice 3-7): the native twin of lattice/cells.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace zarrmal {

constexpr int LATTICE_KINDS = 3, LATTICE_ZONES = 8, LATTICE_INPUTS = 32, LATTICE_HIDDEN = 32;
constexpr int LATTICE_OUTPUTS = 5, LATTICE_DIAGONALS = 15, LATTICE_BORDER = 37;
constexpr int LATTICE_NEAR = 36, LATTICE_RIM_INPUTS = 64;
constexpr int LATTICE_OUTPUTS_PADDED = 8, LATTICE_DIAGONALS_PADDED = 16;

// The unit at place k of packed hidden units: the order in which AVX2 narrows 32 sums to bytes.
constexpr int lattice_packed(int k) { return 8 * (k % 16 / 4) + 4 * (k / 16) + k % 4; }

// Inputs of a coefficient's network in pairs: those that the block's own coefficients change, those
// of each coefficient (of later planes too), those of each diagonal, those of each plane.
constexpr int LATTICE_OWN_PAIRS = 6, LATTICE_NEAR_PAIRS = 3, LATTICE_LATER_PAIRS = 2;
constexpr int LATTICE_BLOCK_PAIRS = 4, LATTICE_PAIRS = 16;
constexpr std::uint8_t LATTICE_ORDER[LATTICE_INPUTS] = {
    6,  7,  8,  10, 11, 9, 12, 13, 14, 15, 16, 25,  // own
    0,  1,  2,  3,  4,  17, 28, 29, 30, 31,         // coefficient
    5,  18, 21, 22, 26, 27, 23, 24,                 // block and diagonal
    19, 20,                                         // plane
};

// Without a network: pairs of inputs that tell scales, those of each coefficient (of later planes
// too) and of each plane. Distributions of which the scale is below LATTICE_NARROW are tabulated for
// each eighth of a step: edges of 15 bins about the middle.
constexpr int LATTICE_AROUND_PAIRS = 6, LATTICE_SCALES = 128, LATTICE_SHAPES = 32;
constexpr int LATTICE_NARROW = 56, LATTICE_FRACTIONS = 8, LATTICE_EDGES = 16;
constexpr int LATTICE_FIRST_EDGE = 26;  // of symbol 33, the middle one, less 7

// Inputs of the network of rim pixels, as a window of 7 rows of 8 about the pixel: differences, whether
// they are known, differences of luma; then single ones. The first of each pair that a product takes.
constexpr int RIM_KNOWN_AT = 64, RIM_LUMA_AT = 128, RIM_SINGLE_AT = 192, RIM_SIZE = 198;
constexpr int RIM_WINDOW_PAIRS = 31, RIM_FIRST_PAIRS = 32, RIM_LATER_PAIRS = 39;
constexpr int RIM_PAIRS = 40;  // the last: the steps
constexpr std::uint8_t RIM_PAIR[RIM_PAIRS] = {
    2,   4,                                                            // three rows above
    8,   10,  12,  16,  18,  20,  22,  24,  26,  28,  30,  32,  34,  36,  38, 40, 42, 44,
    50,  52,                                                           // three rows below
    74,  82,  84,  88,  90,  92,  98,  100, 106,                       // known
    192,                                                               // inputs 48, 49
    194, 146, 148, 154, 156, 162, 164,                                 // 60, 61; luma
    196,                                                               // 50, 51
};

// Of logarithms, so many that each magnitude and surprise of a coefficient has one.
constexpr std::size_t LATTICE_LOGS = 36864;

// The fixed tables of lattice/numbers.py, and orders that follow from SCAN.
struct LatticeTables {
    std::vector<std::uint8_t> log;         // LATTICE_LOGS, the last ones equal
    std::vector<std::uint8_t> log_step;    // 65536
    std::vector<std::int32_t> curve;       // 3072
    std::vector<std::int32_t> slope;       // 128
    std::vector<std::int32_t> share;       // 256
    std::vector<std::int32_t> exp;         // 512
    std::vector<std::uint8_t> scan;        // 64
    std::vector<std::int32_t> matrix;      // 8 x 8, sample by frequency
    std::vector<std::int8_t> near;         // 36 x (y, x)
};

// Biases hold the rounding of the shift.
// Hidden units: weight [zone][pair][32][2], in the pairs' order.
struct LatticeHidden {
    std::vector<std::int16_t> weight;
    std::vector<std::int32_t> bias, shift;
};
// Outputs: weight [zone][output, padded][32], in the order of lattice_packed.
struct LatticeOutputs {
    std::vector<std::int8_t> weight;
    std::vector<std::int32_t> bias, shift;
};

// Weights of a kind of plane, laid out for the walk. Coefficients predicted are in SCAN order.
struct LatticeKind {
    std::vector<std::int16_t> border, luma, other;  // [pair][64][2]
    std::vector<std::int16_t> earlier;  // [pair of coefficients coded][64][2], in SCAN order
    std::vector<std::int16_t> beside;   // [coefficient coded][the eight places it is among][2], 2nd 0
    LatticeHidden hidden;                           // biases of each coefficient, in SCAN order
    LatticeOutputs output;                          // the same
    LatticeHidden diagonal_hidden;
    LatticeOutputs diagonal_output;
    int networks;                                         // diagonals that have them
    std::vector<std::int16_t> scale_around, scale_block;  // [pair][64][2], in SCAN order
    std::vector<std::int16_t> scale_earlier;              // [coefficient coded][64][2], the same
    std::vector<std::int32_t> scale_bias;   // [last diagonal][64], with scale_alone on that diagonal
    std::vector<std::int32_t> scale_alone;  // [64], the same
    std::int32_t scale_more[LATTICE_SHAPES], scale_share[LATTICE_SHAPES], scale_kept[LATTICE_SHAPES];
    std::vector<std::uint16_t> narrow;  // [scale][fraction][edge]
    LatticeHidden spatial_hidden;
    LatticeOutputs spatial_output;
};

struct LatticePlan {
    LatticeTables tables;
    LatticeKind kinds[LATTICE_KINDS];
};

// A plane of a cell. `coded` and `visible` may be null: all blocks, all pixels.
struct LatticePlane {
    std::size_t rows, columns;
    std::size_t down, across;       // pixels of a sample
    const std::uint16_t* steps;     // 64, at least 1
    const std::uint8_t* coded;      // rows x columns
    const std::uint8_t* visible;    // rows x columns, in 64ths
    std::int16_t* coefficients;     // rows x columns x 64; read when encoding
};

struct LatticeCell {
    std::size_t n_planes;  // at most LATTICE_KINDS
    LatticePlane plane[LATTICE_KINDS];
};

// A stream while it is read; `dry` once words were missing.
struct LatticeTape {
    const std::uint8_t* data;
    std::size_t position, stop;
    std::uint32_t state;
    bool dry;
};

// A cell of which the pixels are wanted, and what is known of it before its stream. Planes have `coded`
// and `visible` to be filled in.
struct LatticePicture {
    std::size_t n_planes;
    LatticePlane plane[LATTICE_KINDS];
    std::uint8_t *coded[LATTICE_KINDS], *shares[LATTICE_KINDS];  // rows x columns, those of planes
    std::size_t height, width;
    std::size_t down, across;              // the phase
    bool ycbcr, fancy;
    const std::uint8_t* seen;              // height x width, 0 or 1; null: all
    int least[2];                          // of the first plane, of the others, in 64ths
    std::uint8_t* pixels;                  // height x width x planes
};

// A plane of a cell with a border of three pixels, and one more on the right of each row.
struct LatticeCanvas {
    std::uint8_t* values;
    std::uint8_t* states;  // RIM_UNKNOWN, RIM_TO_CODE, RIM_KNOWN
};
constexpr std::uint8_t RIM_UNKNOWN = 0, RIM_TO_CODE = 1, RIM_KNOWN = 255;
constexpr std::size_t RIM_BORDER = 3, RIM_MORE = 8;  // columns more than the cell has

// How a cell ended. A dry tape is told by itself.
enum class LatticeEnd : std::uint8_t { whole, too_many, beyond };

struct LatticeLevel {
    const char* name;
    // Reads n cells' coefficients; those of blocks that are not coded are left as they are.
    void (*decode)(const LatticePlan&, const LatticeCell*, LatticeTape*, std::size_t n);
    // Appends (start, frequency) of each symbol, in the decoder's order, and how many each cell has.
    void (*measure)(const LatticePlan&, const LatticeCell*, std::size_t n,
                    std::vector<std::uint32_t>&, std::vector<std::int64_t>& lengths);
    // Reads n cells' pixels, and tells how each ended and the check of its pixels.
    void (*read)(const LatticePlan&, const LatticePicture*, LatticeTape*, std::size_t n,
                 LatticeEnd*, std::uint16_t* checks);
    // Appends the symbols of the pixels to be coded of the last of a cell's canvases.
    void (*measure_rim)(const LatticePlan&, const LatticeCanvas*, std::size_t n_planes,
                        std::size_t height, std::size_t width, const std::uint16_t* steps,
                        std::vector<std::uint32_t>&);
};

LatticeLevel lattice_baseline();
LatticeLevel lattice_avx2();
LatticeLevel lattice_avx512();

// For the machine's level k of levels().
LatticeLevel lattice_level(int k);

// The stream of n / 2 symbols (start, frequency), of which the last leaves the state `last`.
std::vector<std::uint8_t> lattice_stream(const std::uint32_t* symbols, std::size_t n,
                                         std::uint32_t last);

}  // namespace zarrmal
