#include "chains.h"

namespace zarrmal {

namespace {

constexpr int MOST_INPUT = 128;

// Whether `length` groups of four rows, `stride` apart, fit in 16 bits.
bool fits(const std::int8_t* weight, std::size_t stride, std::size_t length) {
    for (std::size_t row = 0; row < 4; ++row)
        for (std::size_t pair = 0; pair < 4; pair += 2) {
            int positive = 0, negative = 0;
            for (std::size_t k = 0; k < 2 * length; ++k) {
                const int value = weight[row * stride + k / 2 * 4 + pair + k % 2];
                (value > 0 ? positive : negative) += MOST_INPUT * value;
            }
            if (positive > 32767 || negative < -32768) return false;
        }
    return true;
}

}  // namespace

std::vector<std::uint8_t> chain_ends(const std::vector<std::int8_t>& weight, std::size_t rows,
                                     std::size_t groups) {
    std::vector<std::uint8_t> ends(rows / 4 * groups, static_cast<std::uint8_t>(groups));
    for (std::size_t row = 0; row < rows; row += 4) {
        std::uint8_t* to = ends.data() + row / 4 * groups;
        const std::int8_t* from = weight.data() + row * groups * 4;
        std::size_t start = 0;
        for (std::size_t g = 1; g < groups; ++g)
            if (!fits(from + start * 4, groups * 4, g + 1 - start)) {
                *to++ = static_cast<std::uint8_t>(g);
                start = g;
            }
    }
    return ends;
}

}  // namespace zarrmal
