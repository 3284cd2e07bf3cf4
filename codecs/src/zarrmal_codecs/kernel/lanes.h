// What the templates of the lanes need of each other. They take their operations from a structure
// Ops (ops_*.h): a vector R has LANES bytes; its 8-, 16- and 32-bit operations are those of SSE2,
// unpacking and packing within 128 bits; masks M8, M16, M32 are what the instruction set has.
#pragma once

#include <cstring>

#include "kernel.h"
#include "tables.h"

#if defined(_MSC_VER)
#include <intrin.h>
#define ZM_INLINE static __forceinline
#define ZM_UNROLL
#elif defined(__SANITIZE_ADDRESS__)
// All in one function, with a check at each operation, takes minutes to compile.
#define ZM_INLINE static inline
#define ZM_UNROLL
#else
#define ZM_INLINE static inline __attribute__((always_inline))
#define ZM_UNROLL _Pragma("GCC unroll 16")
#endif
