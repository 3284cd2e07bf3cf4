// The check of a chunk's items (FORMAT 4.1).
#pragma once

#include <cstddef>
#include <cstdint>

namespace zarrmal {

// Whether this machine has what crc32 takes: products without carries.
bool has_crc32();

// CRC-32 as zlib has it, several times as fast.
std::uint32_t crc32(const std::uint8_t* bytes, std::size_t n);

}  // namespace zarrmal
