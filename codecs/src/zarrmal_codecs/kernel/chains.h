// Chains: how many products of a row may be added in 16 bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace zarrmal {

// Pairs of products, as `maddubs` gives them, are added in 16 bits and moved to 32 bits only at the
// end of a chain. An input is 0..128, so that no partial sum of a chain can leave 16 bits where
//     128 * sum of its positive weights <= 32767,  128 * sum of its negative ones >= -32768
// for either pair of every row. Four rows share their chains, each of which is as long as it may be;
// a group alone keeps the bounds whatever its weights.
//
// weight [row][group][4], rows in fours; gives [four rows][chain]: the group after it, `groups`
// places for each, the rest `groups` too.
std::vector<std::uint8_t> chain_ends(const std::vector<std::int8_t>& weight, std::size_t rows,
                                     std::size_t groups);

}  // namespace zarrmal
