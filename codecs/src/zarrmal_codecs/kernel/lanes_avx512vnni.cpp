#include "levels.h"
#include "ops_avx512.h"
#include "ops_vnni.h"
#include "walk.h"

namespace zarrmal {
Level level_avx512vnni() { return make_level<Vnni<Avx512>>("avx512vnni"); }
}  // namespace zarrmal
