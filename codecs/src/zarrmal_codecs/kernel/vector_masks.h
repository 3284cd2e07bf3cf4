// Masks that are vectors of 0 and -1, as all instruction sets have them but AVX-512.
#pragma once

#include "lanes.h"

namespace zarrmal {
namespace {

// Of operations V on vectors Of::R.
template <class V, class Of>
struct VectorMasks {
    using R = typename Of::R;
    using M8 = R;
    using M16 = R;
    using M32 = R;

    ZM_INLINE M8 either8(M8 a, M8 b) { return V::or8(a, b); }
    ZM_INLINE R pick16(M16 m, R a, R b) { return V::pick8(m, a, b); }
    ZM_INLINE R pick32(M32 m, R a, R b) { return V::pick8(m, a, b); }
    ZM_INLINE R increment16(R a, M16 m) { return V::sub16(a, m); }
    // Masks of a half for its two word vectors.
    ZM_INLINE M32 low32(M16 m) { return V::unpacklo16(m, m); }
    ZM_INLINE M32 high32(M16 m) { return V::unpackhi16(m, m); }
};

}  // namespace
}  // namespace zarrmal
