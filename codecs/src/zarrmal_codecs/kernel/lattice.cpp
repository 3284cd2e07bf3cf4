#include "lattice.h"

#include <algorithm>

#include "levels.h"

namespace zarrmal {

LatticeLevel lattice_level(int k) { return levels().lattice[k](); }

std::vector<std::uint8_t> lattice_stream(const std::uint32_t* symbols, std::size_t n,
                                         std::uint32_t last) {
    std::vector<std::uint8_t> reversed;
    reversed.reserve(n / 2 + 4);
    std::uint32_t state = last;
    for (std::size_t k = n; k > 0; k -= 2) {
        const std::uint32_t start = symbols[k - 2], frequency = symbols[k - 1];
        if (state >> 16 >= frequency) {
            reversed.push_back(static_cast<std::uint8_t>(state >> 8));
            reversed.push_back(static_cast<std::uint8_t>(state));
            state >>= 16;
        }
        state = (state / frequency << 16) + state % frequency + start;
    }
    for (int b = 3; b >= 0; --b) reversed.push_back(static_cast<std::uint8_t>(state >> (8 * b)));
    std::reverse(reversed.begin(), reversed.end());
    return reversed;
}

}  // namespace zarrmal
