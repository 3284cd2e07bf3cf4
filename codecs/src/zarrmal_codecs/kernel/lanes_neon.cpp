#include "levels.h"
#include "ops_neon.h"
#include "walk.h"

namespace zarrmal {
Level level_neon() { return make_level<Neon>("neon"); }
}  // namespace zarrmal
