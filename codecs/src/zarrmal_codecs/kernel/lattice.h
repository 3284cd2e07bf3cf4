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

// The fixed tables of lattice/numbers.py, and orders that follow from SCAN.
struct LatticeTables {
    std::vector<std::uint8_t> log;         // 4096
    std::vector<std::uint8_t> log_step;    // 65536
    std::vector<std::int32_t> curve;       // 3072
    std::vector<std::int32_t> slope;       // 128
    std::vector<std::int32_t> share;       // 256
    std::vector<std::int32_t> exp;         // 512
    std::vector<std::uint8_t> scan;        // 64
    std::vector<std::uint8_t> earlier;     // 64 x 7
    std::vector<std::int32_t> matrix;      // 8 x 8, sample by frequency
    std::vector<std::int8_t> near;         // 36 x (y, x)
};

// A layer, its weights in pairs of inputs: [pair][unit][2]. The bias holds the rounding of the shift.
struct LatticeLayer {
    std::vector<std::int16_t> weight;
    std::vector<std::int32_t> bias, shift;
};

// Weights of a kind of plane, laid out for the walk.
struct LatticeKind {
    std::vector<std::int16_t> border, luma, other;  // [pair][64][2]
    std::vector<std::int16_t> earlier;              // [coefficient coded][coefficient predicted]
    LatticeLayer hidden, output;                    // all zones; biases of each coefficient
    LatticeLayer diagonal_hidden, diagonal_output;
    LatticeLayer spatial_hidden, spatial_output;
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

// Reads a cell's coefficients; those of blocks that are not coded are left as they are.
using LatticeDecode = void (*)(const LatticePlan&, const LatticeCell&, LatticeTape&);
// Appends (start, frequency) of each symbol, in the decoder's order.
using LatticeMeasure = void (*)(const LatticePlan&, const LatticeCell&,
                                std::vector<std::uint32_t>&);


// Rim pixels of a plane of a cell; `values` of this plane and those before. All indices, and those of
// the pixels around, lie inside the arrays.
struct LatticeRim {
    std::uint8_t* values[LATTICE_KINDS];
    const std::int64_t* order;
    const std::int64_t* turns;
    std::size_t n;
    std::int64_t stride;
    const std::uint16_t* steps;
};
using LatticeReadRim = void (*)(const LatticePlan&, std::size_t kind, const LatticeRim&,
                                LatticeTape&);

struct LatticeLevel {
    const char* name;
    LatticeDecode decode;
    LatticeMeasure measure;
    LatticeReadRim read_rim;
};

LatticeLevel lattice_baseline();
LatticeLevel lattice_avx2();

// For the machine's level k of levels().
LatticeLevel lattice_level(int k);

// The stream of n / 2 symbols (start, frequency), of which the last leaves the state `last`.
std::vector<std::uint8_t> lattice_stream(const std::uint32_t* symbols, std::size_t n,
                                         std::uint32_t last);

}  // namespace zarrmal
