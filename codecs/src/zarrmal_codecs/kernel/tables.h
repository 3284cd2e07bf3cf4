// The fixed tables of FORMAT 6.2 and 6.6, in the layouts that the lanes' lookups need.
#pragma once

#include <cstdint>

#include "kernel.h"

namespace zarrmal {

struct Tables {
    // KNOT and its steps at index i ^ 32, because the lanes compute u ^ 0x8000, a saturated difference.
    alignas(64) std::uint16_t knot[64];
    alignas(64) std::uint16_t step[64];
    // The same as bytes, low then high.
    alignas(64) std::uint8_t knot_bytes[2][64];
    alignas(64) std::uint8_t step_bytes[2][64];
    // The lower half of KNOT, unrotated; KNOT[64 - i] = 32768 - KNOT[i].
    alignas(64) std::uint8_t half_knot[2][32];
    alignas(64) std::uint8_t half_step[2][32];
    alignas(64) std::int32_t slope[128];
    alignas(64) std::uint16_t slope_words[2][128];  // the lower 16 bits and the upper ones
    alignas(64) std::uint8_t octave[4][16];  // bytes of 4096 * SLOPE from 0 to 11, the lowest first
    std::int32_t deep_slope[128];
    alignas(64) std::uint16_t exponential[512];        // EXP, then a zero
    alignas(64) std::uint16_t blank[512];              // BLANK at index i + 255
    std::uint8_t squashed[511];                        // 64 + S(d) at index d + 255
    std::uint16_t reciprocal[256];                     // of a coverage: -(-65280 div a), 0 below 16
    alignas(64) std::uint16_t count[32];               // 0, 1, 2, ...
};

const Tables& tables();

struct Offset {
    int y, x;
};

// The nearest neighbours, nearest first (FORMAT 6.6).
const Offset* causal_offsets();
const Offset* full_offsets();

}  // namespace zarrmal
