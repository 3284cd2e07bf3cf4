// Masks of cells <-> symbols, and the coverage of their pixels (FORMAT 4.7).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace zarrmal {

constexpr std::size_t WINDOWS = 1 << 16;
constexpr std::size_t MAX_SIDE = 4096;  // of a mask, and of a cell that has one

// The widest spacing of a lattice, at most `most`, whose points give back the mask (FORMAT 4.7.1).
std::size_t widest_spacing(const std::uint8_t* mask, std::size_t height, std::size_t width,
                           std::size_t most);

// Start and frequency of each point, [point][2].
void mask_intervals(const std::uint8_t* points, std::size_t rows, std::size_t columns,
                    const std::uint16_t* frequencies, std::uint16_t* to);

// A stream while it is read; `dry` once words were missing.
struct Tape {
    const std::uint8_t* data;
    std::int64_t position, stop;
    std::uint32_t state;
    bool dry;
};

void read_mask(Tape& tape, std::size_t rows, std::size_t columns,
               const std::uint16_t* frequencies, std::uint8_t* points);

// How pixels were resampled; the numbers are those of the format.
enum class Resampling { same, triangle, box, area, linear, nearest };

// Coverage of the pixels of a cell of height x width in rows of `row` bytes, for lattice points of a
// mask.
void cover_cell(const std::uint8_t* points, std::size_t rows, std::size_t columns,
                std::size_t spacing, Resampling how, std::size_t height, std::size_t width,
                std::uint8_t* to, std::size_t row);

}  // namespace zarrmal
