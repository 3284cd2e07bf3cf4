#include "lattice_picture.h"

namespace zarrmal {
LatticeLevel lattice_avx2() { return make_lattice_level("avx2"); }
}  // namespace zarrmal
