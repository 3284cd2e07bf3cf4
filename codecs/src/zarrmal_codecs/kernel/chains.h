// Chains: how many products of a row may be added in 16 bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace zarrmal {

// Pairs of products, as `maddubs` computes them, are added in 16 bits. An input is 0..128, so no partial sum of a
// chain leaves 16 bits if
//     128 * sum of its positive weights <= 32767,  128 * sum of its negative ones >= -32768
// for every row. Four rows share their chains, and each chain is as long as these bounds allow; a single pair of
// inputs satisfies them whatever its weights.
//
// Rows are narrow if their chains may be added in 16 bits as well, with saturation: what becomes of the sum
// is the same. The first chain then begins with the row's start, and satisfies the bounds with and without it.
// The sum of the first two is exact, or too near to 0 where it saturates, which matters only if it is then within
// what the output is clipped to after its shift:
//     32767 + the least sum of all later chains >= high << shift,
//     -32768 + the greatest sum of all later chains < (low + 1) << shift,
// unless no sum is as large.
struct ChainRow {
    std::int32_t start;
    int shift;
    int low, high;  // to which the shifted sum is clipped
};

// Takes weight [row][pair][2] and as many rows, a multiple of four. Returns for every four rows 1 + `pairs`
// entries: whether they are narrow; the pair after the end of each chain, then `pairs` to fill up.
std::vector<std::uint8_t> chain_ends(const std::int8_t* weight, std::size_t pairs,
                                     const std::vector<ChainRow>& rows);

}  // namespace zarrmal
