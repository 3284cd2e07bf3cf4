#include "lattice_picture.h"

namespace zarrmal {
LatticeLevel lattice_avx512() { return make_lattice_level("avx512"); }
}  // namespace zarrmal
