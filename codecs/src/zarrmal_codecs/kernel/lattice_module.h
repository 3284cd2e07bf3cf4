#pragma once

#include <nanobind/nanobind.h>

// Adds what lattice/engine.py uses to the module.
void bind_lattice(nanobind::module_& m);
