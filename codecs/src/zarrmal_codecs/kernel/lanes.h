// Included by all templates of the lanes. A template takes its operations from a structure V
// (ops_*.h). A vector R has LANES bytes; its 8-, 16- and 32-bit operations are those of SSE2, with
// unpacking and packing within 128 bits. Masks M8, M16 and M32 are the instruction set's own.
//
// Operations and what is built of them are ZM_INLINE, so that values stay in registers. What is called once
// a pixel is ZM_CALLED: a copy of it in each of dozens of instances would take most of the time to compile.
#pragma once

#include <cstring>

#include "kernel.h"
#include "tables.h"

#if defined(_MSC_VER)
#include <intrin.h>
#define ZM_INLINE static __forceinline
#define ZM_CALLED static __declspec(noinline)
#define ZM_UNROLL
#elif defined(__SANITIZE_ADDRESS__)
// Everything in one function, with a check at each operation, takes minutes to compile.
#define ZM_INLINE static inline
#define ZM_CALLED static
#define ZM_UNROLL
#else
#define ZM_INLINE static inline __attribute__((always_inline))
#define ZM_CALLED static __attribute__((noinline))
#define ZM_UNROLL _Pragma("GCC unroll 16")
#endif

namespace zarrmal {
constexpr float HALF_LOG2 = 0.34657359f;  // of the natural logarithm of 2
}  // namespace zarrmal
