#include "check.h"

namespace zarrmal {

namespace {

constexpr std::uint32_t POLYNOMIAL = 0x1021, INITIAL = 0xFFFF;
constexpr int AT_ONCE = 16;  // bytes

// after[k][byte]: CRC-16 of a byte and k zero bytes after it.
struct Table {
    std::uint16_t after[AT_ONCE][256];

    Table() {
        for (std::uint32_t byte = 0; byte < 256; ++byte) {
            std::uint32_t crc = byte << 8;
            for (int k = 0; k < AT_ONCE; ++k) {
                for (int bit = 0; bit < 8; ++bit)
                    crc = (crc << 1 & 0xFFFF) ^ (crc >> 15 ? POLYNOMIAL : 0);
                after[k][byte] = static_cast<std::uint16_t>(crc);
            }
        }
    }
};

}  // namespace

namespace {

const Table& table_of_bytes() {
    static const Table table;
    return table;
}

}  // namespace

std::uint16_t crc16(const std::uint16_t* values, std::size_t n_planes, std::size_t n) {
    const Table& table = table_of_bytes();
    std::uint32_t crc = INITIAL;
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t p = 0; p < n_planes; ++p)
            for (int k = 0; k < 16; k += 8)
                crc = (crc << 8 & 0xFFFF) ^
                      table.after[0][(values[p * n + i] >> k & 0xFF) ^ crc >> 8];
    return static_cast<std::uint16_t>(crc);
}

std::uint16_t crc16(const std::uint8_t* values, std::size_t n_planes, std::size_t n) {
    const Table& table = table_of_bytes();
    std::uint32_t crc = INITIAL;
    std::size_t i = 0;
    if (n_planes == 1)
        for (; i + AT_ONCE <= n; i += AT_ONCE) {
            const std::uint8_t* const v = values + i;
            // What does not depend on the bytes before is ready by then.
            std::uint32_t rest = 0;
            for (int k = 2; k < AT_ONCE; ++k) rest ^= table.after[AT_ONCE - 1 - k][v[k]];
            crc = table.after[AT_ONCE - 1][v[0] ^ crc >> 8] ^ table.after[AT_ONCE - 2][v[1] ^ (crc & 0xFF)] ^ rest;
        }
    for (; i < n; ++i)
        for (std::size_t p = 0; p < n_planes; ++p)
            crc = (crc << 8 & 0xFFFF) ^ table.after[0][values[p * n + i] ^ crc >> 8];
    return static_cast<std::uint16_t>(crc);
}

}  // namespace zarrmal
