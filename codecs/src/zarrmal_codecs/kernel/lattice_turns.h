// Cells that take turns.
#pragma once

#include <cstddef>
#include <type_traits>

namespace zarrmal {
namespace {

// What one cell waits for, the processor does for the other.
constexpr std::size_t TURNS = 2;

// Calls code(the number n, at most TURNS) for each of the steps.
template <class Code>
inline void in_turns(std::size_t n, int steps, Code code) {
    using std::integral_constant;
    for (; n == 2 && steps; --steps) code(integral_constant<std::size_t, 2>());
    for (; n == 1 && steps; --steps) code(integral_constant<std::size_t, 1>());
}

}  // namespace
}  // namespace zarrmal
