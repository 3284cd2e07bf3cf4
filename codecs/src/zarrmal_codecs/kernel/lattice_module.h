#pragma once

#include <nanobind/nanobind.h>

#include "arrays.h"
#include "lattice.h"

// Adds what lattice/engine.py uses to the module.
void bind_lattice(nb::module_& m);
// Makes a plan of arrays of weights, one set for each kind of plane, and of fixed tables.
void make_lattice_plan(zarrmal::LatticePlan* to, const nb::list& kinds, const nb::dict& tables);
