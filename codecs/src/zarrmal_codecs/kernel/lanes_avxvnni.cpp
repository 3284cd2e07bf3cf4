#include "levels.h"
#include "ops_avx2.h"
#include "ops_vnni.h"
#include "walk.h"

namespace zarrmal {
Level level_avxvnni() { return make_level<Vnni<Avx2>>("avxvnni"); }
}  // namespace zarrmal
