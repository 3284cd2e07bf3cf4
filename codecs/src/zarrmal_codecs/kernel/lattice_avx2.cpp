#include "lattice_walk.h"

namespace zarrmal {
LatticeLevel lattice_avx2() { return make_lattice_level("avx2"); }
}  // namespace zarrmal
