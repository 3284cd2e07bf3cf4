// Chains: how many products of a row may be added in 16 bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace zarrmal {

// Pairs of products, as `maddubs` computes them, are added in 16 bits and moved to 32 bits only at
// the end of a chain. An input is 0..128, so no partial sum of a chain leaves 16 bits if
//     128 * sum of its positive weights <= 32767,  128 * sum of its negative ones >= -32768
// for either pair of every row. Four rows share their chains, and each chain is as long as these
// bounds allow; a single group of inputs satisfies them whatever its weights.
//
// Takes weight [row][group][4], whose number of rows is a multiple of four. Returns for every four
// rows `groups` entries: the group after the end of each chain, then `groups` to fill up.
std::vector<std::uint8_t> chain_ends(const std::vector<std::int8_t>& weight, std::size_t rows,
                                     std::size_t groups);

}  // namespace zarrmal
