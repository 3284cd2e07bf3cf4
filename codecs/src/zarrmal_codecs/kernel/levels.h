// The instruction sets of this build; levels() has those of this machine.
#pragma once

#include "kernel.h"

namespace zarrmal {

Level level_baseline();
Level level_avx2();
Level level_avx512();
Level level_neon();

struct Levels {
    int count;
    Level level[3];  // slowest first
};

const Levels& levels();

}  // namespace zarrmal
