#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <string>

#include "lattice.h"

namespace nb = nanobind;

template <class T, int N>
using In = nb::ndarray<const T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;

[[noreturn]] inline void refuse(const std::string& what) { throw nb::value_error(what.c_str()); }

// Adds what lattice/engine.py uses to the module.
void bind_lattice(nb::module_& m);
// Makes a plan of arrays of weights, one set for each kind of plane, and of fixed tables.
void make_lattice_plan(zarrmal::LatticePlan* to, const nb::list& kinds, const nb::dict& tables);
