#include "levels.h"
#include "ops_avx512.h"
#include "walk.h"

namespace zarrmal {
Level level_avx512() { return make_level<Avx512>("avx512"); }
}  // namespace zarrmal
