// Masks of cells <-> symbols, and the coverage of their pixels (FORMAT 4.7).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <tuple>
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

    // The next word; 0 where none is left.
    std::uint32_t word() {
        if (stop - position < 2) {
            dry = true;
            return 0;
        }
        const std::uint8_t* const from = data + position;
        position += 2;
        return from[0] | static_cast<std::uint32_t>(from[1]) << 8;
    }
};

// A mask whose points are to be read from a stream.
struct UnreadMask {
    Tape* tape;
    std::size_t rows, columns;
    std::uint8_t* points;
};

// In any order, and masks of like shapes together.
void read_masks(std::vector<UnreadMask> masks, const std::uint16_t* frequencies);

// How pixels were resampled; the numbers are those of the format.
enum class Resampling { same, triangle, box, area, linear, nearest };

// Coverage of the pixels of cells; keeps the weights of the sizes that it has met.
class Coverer {
public:
    explicit Coverer(Resampling how) : how_(how) {}

    // For lattice points of a mask; the cell of height x width lies in rows of `row` bytes, all 0.
    void cover(const std::uint8_t* points, std::size_t rows, std::size_t columns,
               std::size_t spacing, std::size_t height, std::size_t width, std::uint8_t* to,
               std::size_t row);

private:
    // Whole numbers by which rows (or columns) of a mask, as it is kept, weigh in each row of pixels.
    struct Axis {
        std::vector<std::size_t> first;    // of each row of pixels: the first row of the mask
        std::vector<std::size_t> start;    // and its weight; one more than rows
        std::vector<std::int32_t> weight;
        std::vector<std::int64_t> sum;     // below 2**26
        std::vector<double> whole, inverse;  // the same, and 1 / it
        // Whether each has few weights, of 16 bits, and these, padded.
        bool is_narrow;
        std::vector<std::int16_t> narrow;
    };

    const Axis& axis(std::size_t to, std::size_t points, std::size_t spacing);

    // Weigh the mask, as it is kept in rows of `stride` bytes.
    void weigh_narrow(const Axis& down, const Axis& across, std::size_t stride, std::uint8_t* to,
                      std::size_t row);
    void weigh_wide(const Axis& down, const Axis& across, std::size_t stride, std::uint8_t* to,
                    std::size_t row);

    Resampling how_;
    std::map<std::tuple<std::size_t, std::size_t, std::size_t>, Axis> axes_;
    std::vector<std::uint8_t> mask_;
    std::vector<std::int16_t> narrow_mask_, narrow_sums_;
    std::vector<std::int32_t> totals_, wide_sums_;
};

}  // namespace zarrmal
