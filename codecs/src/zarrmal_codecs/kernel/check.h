// The check of a cell's pixels (FORMAT 4.4, 4.6).
#pragma once

#include <cstddef>
#include <cstdint>

namespace zarrmal {

// CRC-16/IBM-3740 of n_planes * n values [plane][n], read in the order [n][plane].
std::uint16_t crc16(const std::uint8_t* values, std::size_t n_planes, std::size_t n);
// The same of values of two bytes, the lower one first.
std::uint16_t crc16(const std::uint16_t* values, std::size_t n_planes, std::size_t n);

}  // namespace zarrmal
