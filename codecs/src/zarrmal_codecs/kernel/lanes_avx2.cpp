#include "levels.h"
#include "ops_avx2.h"
#include "walk.h"

namespace zarrmal {
Level level_avx2() { return make_level<Avx2>("avx2"); }
}  // namespace zarrmal
