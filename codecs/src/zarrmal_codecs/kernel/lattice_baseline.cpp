#include "lattice_picture.h"

namespace zarrmal {
LatticeLevel lattice_baseline() { return make_lattice_level("baseline"); }
}  // namespace zarrmal
