// Lookups through memory, for instruction sets without large permutations.
#pragma once

#include "lanes.h"

namespace zarrmal {
namespace {

template <class V>
struct Lookups {
    static constexpr int HALF = V::LANES / 2;

    template <class R>
    ZM_INLINE void exponentials(const Tables& t, R a, R b, R (&to)[2]) {
        look_up(t.exponential, a, b, to);
    }
    template <class R>
    ZM_INLINE void blanks(const Tables& t, R a, R b, R (&to)[2]) {
        look_up(t.blank + 255, a, b, to);
    }
    template <class R>
    ZM_INLINE void slopes(const Tables& t, R a, R b, R (&to)[4]) {
        alignas(64) std::int16_t index[V::LANES];
        alignas(64) std::int32_t slope[V::LANES];
        V::store(index, a);
        V::store(index + HALF, b);
        // The first four values in each 128 bits of a half belong to its first word vector.
        for (int lane = 0; lane < V::LANES; ++lane) {
            const int half = lane / HALF, k = lane % HALF;
            slope[half * HALF + k / 4 % 2 * (HALF / 2) + k / 8 * 4 + k % 4] = t.slope[index[lane]];
        }
        for (int c = 0; c < 4; ++c) to[c] = V::load(slope + c * (HALF / 2));
    }
    template <class R>
    ZM_INLINE void look_up(const std::uint16_t* table, R a, R b, R (&to)[2]) {
        alignas(64) std::int16_t index[V::LANES];
        alignas(64) std::uint16_t value[V::LANES];
        V::store(index, a);
        V::store(index + HALF, b);
        for (int lane = 0; lane < V::LANES; ++lane) value[lane] = table[index[lane]];
        to[0] = V::load(value);
        to[1] = V::load(value + HALF);
    }
    // F of one half; see Avx512::logistic.
    template <class R>
    ZM_INLINE R logistic(const Tables& t, R u) {
        alignas(64) std::uint16_t index[HALF], knot[HALF], step[HALF];
        V::store(index, u);
        for (int lane = 0; lane < HALF; ++lane) {
            knot[lane] = t.knot[index[lane] >> 10];
            step[lane] = t.step[index[lane] >> 10];
        }
        return V::add16(V::load(knot), V::mulhi16(V::load(step), V::template sll16<6>(u)));
    }
};

}  // namespace
}  // namespace zarrmal
