// The instruction sets of this build; levels() has those of this machine.
#pragma once

#include "kernel.h"

namespace zarrmal {

Level level_baseline();
Level level_avx2();
Level level_avxvnni();
Level level_avx512();
Level level_avx512vnni();
Level level_neon();

struct LatticeLevel;

struct Levels {
    int count;
    Level level[5];                // slowest first
    LatticeLevel (*lattice[5])();  // what codes coefficients at each
};

const Levels& levels();

}  // namespace zarrmal
