// A mixture of logistics and a blank, as cumulative frequencies (FORMAT 4.6.5).
#pragma once

#include "lanes.h"

namespace zarrmal {
namespace {

// The mixtures of half of the lanes: one vector of 16-bit values, two of 32-bit values.
template <class V, int M>
struct Mixture {
    using R = typename V::R;
    R blank;  // f0
    R rest;   // 65536 - f0 - 255
    R slope[M][2];               // 16 * SLOPE
    R start[M][2];               // d * SLOPE at v = 0
    R weight[(M + 1) / 2][2];    // pairs of 16-bit weights
};

template <class V>
ZM_INLINE typename V::R clip16(typename V::R value, int low, int high) {
    return V::max16(V::min16(value, V::set16(high)), V::set16(low));
}

// Unpacked from a half to two word vectors, with the sign.
template <class V>
ZM_INLINE void widen(typename V::R value, typename V::R (&to)[2]) {
    to[0] = V::template sra32<16>(V::unpacklo16(value, value));
    to[1] = V::template sra32<16>(V::unpackhi16(value, value));
}

// The mixtures of H halves from a network's outputs, [output][lane, half order].
template <class V, int M, int H>
ZM_INLINE void mixtures(const Tables& tables, const std::int16_t* outputs, typename V::R base,
                        Mixture<V, M> (&to)[H]) {
    using R = typename V::R;
    const auto role = [&](int k, int h, int low, int high) {
        return clip16<V>(V::load(outputs + k * V::LANES + h * (V::LANES / 2)), low, high);
    };
    // Lookups take both halves; with few lanes the second one is the first again.
    constexpr int LAST = H - 1;
    R blank[2];
    V::blanks(tables, role(0, 0, -255, 255), role(0, LAST, -255, 255), blank);

    R share[M][2];
    if constexpr (M > 1) {
        R logit[M][H], most[H];
        for (int h = 0; h < H; ++h) {
            for (int m = 0; m < M; ++m) {
                logit[m][h] = role(3 + 3 * m, h, -255, 255);
                most[h] = m ? V::max16(most[h], logit[m][h]) : logit[m][h];
            }
        }
        for (int m = 0; m < M; ++m)
            V::exponentials(tables, V::sub16(most[0], logit[m][0]),
                            V::sub16(most[LAST], logit[m][LAST]), share[m]);
    }
    R slope[M][4];
    for (int m = 0; m < M; ++m)
        V::slopes(tables, role(2 + 3 * m, 0, 0, 127), role(2 + 3 * m, LAST, 0, 127), slope[m]);

    const R none = V::zero();
    for (int h = 0; h < H; ++h) {
        Mixture<V, M>& mixture = to[h];
        mixture.blank = blank[h];
        mixture.rest = V::sub16(V::set16(65536 - 255 - 65536), blank[h]);  // modulo 2**16
        const R wide = h ? V::unpackhi8(base, none) : V::unpacklo8(base, none);
        const R middle = V::add16(V::template sll16<4>(wide), V::set16(8));
        for (int m = 0; m < M; ++m) {
            R distance[2];
            widen<V>(V::sub16(none, V::add16(middle, role(1 + 3 * m, h, -4096, 4095))), distance);
            for (int k = 0; k < 2; ++k) {
                mixture.start[m][k] = V::mullo32(distance[k], slope[m][2 * h + k]);
                mixture.slope[m][k] = V::template sll32<4>(slope[m][2 * h + k]);
            }
        }
        for (int k = 0; k < 2; ++k) {
            if constexpr (M == 1) {
                mixture.weight[0][k] = V::set32(1024);
            } else {
                const auto part = [&](int m) {
                    return k ? V::unpackhi16(share[m][h], none) : V::unpacklo16(share[m][h], none);
                };
                R each[M], sum = part(0), left = V::set32(1024);
                for (int m = 1; m < M; ++m) sum = V::add32(sum, part(m));
                for (int m = 1; m < M; ++m) {
                    // At most 2**22 over at most 2**14.
                    each[m] = V::divide(V::template sll32<10>(part(m)), sum);
                    left = V::sub32(left, each[m]);
                }
                each[0] = left;
                for (int m = 0; m < M; m += 2)
                    mixture.weight[m / 2][k] =
                        m + 1 < M ? V::or8(each[m], V::template sll32<16>(each[m + 1 < M ? m + 1 : m]))
                                  : each[m];
            }
        }
    }
}

// C(v) of 2 <= v <= 255 from d * SLOPE at v. It is below 2**16, as is X >> 9: F is at most 32767.
template <class V, int M>
ZM_INLINE typename V::R cumulative(const Mixture<V, M>& mixture, const typename V::Curve& curve,
                                   const typename V::R (&at)[M][2], typename V::R value) {
    using R = typename V::R;
    // The saturation of packs32 is the clip of u, less 32768.
    R distance[M], each[M];
    for (int m = 0; m < M; ++m)
        distance[m] =
            V::packs32(V::template sra32<6>(at[m][0]), V::template sra32<6>(at[m][1]));
    V::template logistic<M>(curve, distance, each);
    R mixed[2];
    for (int m = 0; m < M; m += 2) {
        const R second = m + 1 < M ? each[m + 1 < M ? m + 1 : m] : V::zero();
        const R low = V::madd16(V::unpacklo16(each[m], second), mixture.weight[m / 2][0]);
        const R high = V::madd16(V::unpackhi16(each[m], second), mixture.weight[m / 2][1]);
        mixed[0] = m ? V::add32(mixed[0], low) : low;
        mixed[1] = m ? V::add32(mixed[1], high) : high;
    }
    const R shrunk = V::packus32(V::template srl32<9>(mixed[0]), V::template srl32<9>(mixed[1]));
    const R logistics = V::mulhi16(mixture.rest, shrunk);
    return V::add16(V::add16(mixture.blank, logistics), V::sub16(value, V::set16(1)));
}

// Start and frequency of a value; C(256) = 2**16 is 0 here.
template <class V, int M>
ZM_INLINE void interval(const Mixture<V, M>& mixture, const typename V::Curve& curve,
                        typename V::R value, typename V::R& start, typename V::R& frequency) {
    using R = typename V::R;
    const R none = V::zero(), one = V::set16(1);
    const R wide[2] = {V::unpacklo16(value, none), V::unpackhi16(value, none)};
    R at[M][2], after[M][2];
    for (int m = 0; m < M; ++m)
        for (int k = 0; k < 2; ++k) {
            at[m][k] = V::add32(mixture.start[m][k], V::mullo32(wide[k], mixture.slope[m][k]));
            after[m][k] = V::add32(at[m][k], mixture.slope[m][k]);
        }
    const R next = V::add16(value, one);
    const auto blank = V::zero16(value);
    const R from = cumulative<V, M>(mixture, curve, at, value);
    R to = cumulative<V, M>(mixture, curve, after, next);
    start = V::pick16(V::zero16(V::sub16(value, one)), mixture.blank, from);
    start = V::pick16(blank, none, start);
    to = V::pick16(V::zero16(V::sub16(value, V::set16(255))), none, to);
    to = V::pick16(blank, mixture.blank, to);
    frequency = V::sub16(to, start);
}

// The value whose interval covers the slot: its bits from the highest, since C grows. All H halves
// advance together: one alone would wait for its own results.
template <class V, int M, int H>
ZM_INLINE void find(const Mixture<V, M> (&mixture)[H], const typename V::Curve& curve,
                    const typename V::R (&slot)[H], typename V::R (&value)[H],
                    typename V::R (&start)[H], typename V::R (&frequency)[H]) {
    using R = typename V::R;
    R stop[H];
    for (int h = 0; h < H; ++h) value[h] = start[h] = stop[h] = V::zero();
    for (int bit = 128; bit; bit >>= 1) {
        for (int h = 0; h < H; ++h) {
            const R tried = V::add16(value[h], V::set16(bit));
            const R wide[2] = {V::unpacklo16(tried, V::zero()), V::unpackhi16(tried, V::zero())};
            R at[M][2];
            for (int m = 0; m < M; ++m)
                for (int k = 0; k < 2; ++k)
                    at[m][k] = V::add32(mixture[h].start[m][k],
                                        V::mullo32(wide[k], mixture[h].slope[m][k]));
            R found = cumulative<V, M>(mixture[h], curve, at, tried);
            // C(1) has its own rule; only the last bit tries 1.
            if (bit == 1) found = V::pick16(V::zero16(value[h]), mixture[h].blank, found);
            const auto covers = V::upto16(found, slot[h]);
            value[h] = V::pick16(covers, tried, value[h]);
            start[h] = V::pick16(covers, found, start[h]);
            stop[h] = V::pick16(covers, stop[h], found);
        }
    }
    for (int h = 0; h < H; ++h) frequency[h] = V::sub16(stop[h], start[h]);
}

}  // namespace
}  // namespace zarrmal
