#pragma once

#include <nanobind/nanobind.h>

// Adds what silhouette/ uses to the module.
void bind_masks(nanobind::module_& m);
