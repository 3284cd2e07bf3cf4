// A mixture of logistics and a blank, as cumulative frequencies (FORMAT 6.3).
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
    R centre;                    // 16 times the mean of the only logistic, or else the base
};

constexpr int LIKELY = 32;  // of a mixture of several, the values among which find() looks first

template <class V>
ZM_INLINE typename V::R clip16(typename V::R value, int low, int high) {
    return V::max16(V::min16(value, V::set16(high)), V::set16(low));
}

// Unpacks a half to two word vectors, sign-extended.
template <class V>
ZM_INLINE void widen(typename V::R value, typename V::R (&to)[2]) {
    to[0] = V::template sra32<16>(V::unpacklo16(value, value));
    to[1] = V::template sra32<16>(V::unpackhi16(value, value));
}

// The mixtures of H halves from a network's outputs, [output][lane, half order].
template <class V, int M, int H>
ZM_CALLED void mixtures(const Tables& tables, const std::int16_t* outputs, typename V::R base,
                        Mixture<V, M> (&to)[H]) {
    using R = typename V::R;
    const auto role = [&](int k, int h, int low, int high) {
        return clip16<V>(V::load(outputs + k * V::LANES + h * (V::LANES / 2)), low, high);
    };
    // Lookups take both halves; where H is 1, the second one repeats the first.
    constexpr int LAST = H - 1;
    R blank[2];
    V::blanks(tables, role(0, 0, -MAX_LOGIT, MAX_LOGIT), role(0, LAST, -MAX_LOGIT, MAX_LOGIT), blank);

    R share[M][2];
    if constexpr (M > 1) {
        R logit[M][H], most[H];
        for (int h = 0; h < H; ++h) {
            for (int m = 0; m < M; ++m) {
                logit[m][h] = role(3 + 3 * m, h, -MAX_LOGIT, MAX_LOGIT);
                most[h] = m ? V::max16(most[h], logit[m][h]) : logit[m][h];
            }
        }
        for (int m = 0; m < M; ++m)
            V::exponentials(tables, V::sub16(most[0], logit[m][0]),
                            V::sub16(most[LAST], logit[m][LAST]), share[m]);
    }
    R slope[M][4];
    for (int m = 0; m < M; ++m)
        V::slopes(tables, role(2 + 3 * m, 0, 0, MAX_SLOPE), role(2 + 3 * m, LAST, 0, MAX_SLOPE), slope[m]);

    const R none = V::zero();
    for (int h = 0; h < H; ++h) {
        Mixture<V, M>& mixture = to[h];
        mixture.blank = blank[h];
        mixture.rest = V::sub16(V::set16(65536 - 255 - 65536), blank[h]);  // modulo 2**16
        const R wide = h ? V::unpackhi8(base, none) : V::unpacklo8(base, none);
        const R middle = V::add16(V::template sll16<4>(wide), V::set16(8));
        mixture.centre = M == 1 ? V::add16(middle, role(1, h, MIN_LOCATION, MAX_LOCATION)) : middle;
        for (int m = 0; m < M; ++m) {
            R distance[2];
            widen<V>(V::sub16(none, V::add16(middle, role(1 + 3 * m, h, MIN_LOCATION, MAX_LOCATION))), distance);
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

// C(v), 2 <= v <= 255, of H mixtures at once, because lookups take vectors in pairs; `product` is
// d * SLOPE at v. C(v) and X >> 9 are below 2**16, since a logistic is at most 32767.
template <class V, int M, int H>
ZM_INLINE void cumulative(const Mixture<V, M>* const (&mixture)[H], const typename V::Curve& curve,
                          const typename V::R (&product)[H][M][2], const typename V::R (&value)[H],
                          typename V::R (&to)[H]) {
    using R = typename V::R;
    // packs32 saturates as FORMAT 6.3 clips u, shifted by 32768.
    R distance[M * H], each[M * H];
    for (int m = 0; m < M; ++m)
        for (int h = 0; h < H; ++h)
            distance[m * H + h] = V::packs32(V::template sra32<6>(product[h][m][0]),
                                             V::template sra32<6>(product[h][m][1]));
    V::template logistic<M * H>(curve, distance, each);
    for (int h = 0; h < H; ++h) {
        if constexpr (M == 1) {  // of weight 1024: X >> 9 is twice the logistic
            const R logistics = V::mulhi16(mixture[h]->rest, V::add16(each[h], each[h]));
            to[h] = V::add16(V::add16(mixture[h]->blank, logistics), V::sub16(value[h], V::set16(1)));
            continue;
        }
        R mixed[2];
        for (int m = 0; m < M; m += 2) {
            const R first = each[m * H + h];
            const R second = m + 1 < M ? each[(m + 1 < M ? m + 1 : m) * H + h] : V::zero();
            const auto& weight = mixture[h]->weight[m / 2];
            const R low = V::madd16(V::unpacklo16(first, second), weight[0]);
            const R high = V::madd16(V::unpackhi16(first, second), weight[1]);
            mixed[0] = m ? V::add32(mixed[0], low) : low;
            mixed[1] = m ? V::add32(mixed[1], high) : high;
        }
        const R shrunk =
            V::packus32(V::template srl32<9>(mixed[0]), V::template srl32<9>(mixed[1]));
        const R logistics = V::mulhi16(mixture[h]->rest, shrunk);
        to[h] = V::add16(V::add16(mixture[h]->blank, logistics), V::sub16(value[h], V::set16(1)));
    }
}

// Start and frequency of a value; C(256) = 2**16 is 0 here.
template <class V, int M>
ZM_INLINE void interval(const Mixture<V, M>& mixture, const typename V::Curve& curve,
                        typename V::R value, typename V::R& start, typename V::R& frequency) {
    using R = typename V::R;
    const R none = V::zero(), unit = V::set16(1);
    const R wide[2] = {V::unpacklo16(value, none), V::unpackhi16(value, none)};
    R product[2][M][2], edge[2];
    for (int m = 0; m < M; ++m)
        for (int k = 0; k < 2; ++k) {
            product[0][m][k] =
                V::add32(mixture.start[m][k], V::mullo32(wide[k], mixture.slope[m][k]));
            product[1][m][k] = V::add32(product[0][m][k], mixture.slope[m][k]);
        }
    const Mixture<V, M>* const both[2] = {&mixture, &mixture};
    cumulative<V, M, 2>(both, curve, product, {value, V::add16(value, unit)}, edge);
    const auto blank = V::zero16(value);
    start = V::pick16(V::zero16(V::sub16(value, unit)), mixture.blank, edge[0]);
    start = V::pick16(blank, none, start);
    R stop = V::pick16(V::zero16(V::sub16(value, V::set16(255))), none, edge[1]);
    stop = V::pick16(blank, mixture.blank, stop);
    frequency = V::sub16(stop, start);
}

// Finds the value whose interval covers the slot among N, a power of two, from `value` on: bit by bit from
// the highest, since C grows. All H halves advance together: a single one would wait for its own results.
// Where it is the first or the last of the N, its interval's start or stop is not found, but 0.
template <class V, int N, int M, int H>
ZM_INLINE void find_among(const Mixture<V, M> (&mixture)[H], const typename V::Curve& curve,
                          const typename V::R (&slot)[H], typename V::R (&value)[H],
                          typename V::R (&start)[H], typename V::R (&stop)[H]) {
    using R = typename V::R;
    constexpr int HIGHEST = N == 256 ? 7 : 4;
    static_assert(N == 2 << HIGHEST);
    R bits = V::set16(N / 2);
    R product[H][M][2], step[H][M][2];  // d * SLOPE at the value, and what the bit adds to it
    const Mixture<V, M>* each[H];
    for (int h = 0; h < H; ++h) {
        each[h] = &mixture[h];
        start[h] = stop[h] = V::zero();
        const R wide[2] = {V::unpacklo16(value[h], V::zero()), V::unpackhi16(value[h], V::zero())};
        for (int m = 0; m < M; ++m)
            for (int k = 0; k < 2; ++k) {
                product[h][m][k] = mixture[h].start[m][k];
                if (N != 256)
                    product[h][m][k] =
                        V::add32(product[h][m][k], V::mullo32(wide[k], mixture[h].slope[m][k]));
                step[h][m][k] = V::template sll32<HIGHEST>(mixture[h].slope[m][k]);
            }
    }
    for (int bit = N / 2; bit; bit >>= 1) {
        R tried[H], next[H][M][2], edge[H];
        for (int h = 0; h < H; ++h) {
            tried[h] = V::add16(value[h], bits);
            for (int m = 0; m < M; ++m)
                for (int k = 0; k < 2; ++k)
                    next[h][m][k] = V::add32(product[h][m][k], step[h][m][k]);
        }
        cumulative<V, M, H>(each, curve, next, tried, edge);
        for (int h = 0; h < H; ++h) {
            // C(1) has a rule of its own; only the last bit tries 1.
            if (bit == 1) edge[h] = V::pick16(V::zero16(value[h]), mixture[h].blank, edge[h]);
            const auto covers = V::upto16(edge[h], slot[h]);
            value[h] = V::add16(value[h], V::pick16(covers, bits, V::zero()));
            start[h] = V::pick16(covers, edge[h], start[h]);
            stop[h] = V::pick16(covers, stop[h], edge[h]);
            const auto low = V::low32(covers), high = V::high32(covers);
            for (int m = 0; m < M; ++m) {
                // Not what was tried, which would have to be kept.
                product[h][m][0] = V::add32(product[h][m][0], V::pick32(low, step[h][m][0], V::zero()));
                product[h][m][1] = V::add32(product[h][m][1], V::pick32(high, step[h][m][1], V::zero()));
                for (int k = 0; k < 2; ++k) step[h][m][k] = V::template srl32<1>(step[h][m][k]);
            }
        }
        bits = V::template sra16<1>(bits);
    }
}

template <class V, int M, int H>
ZM_CALLED void find_among_all(const Mixture<V, M> (&mixture)[H], const typename V::Curve& curve,
                              const typename V::R (&slot)[H], typename V::R (&value)[H],
                              typename V::R (&start)[H], typename V::R (&stop)[H]) {
    for (int h = 0; h < H; ++h) value[h] = V::zero();
    find_among<V, 256>(mixture, curve, slot, value, start, stop);
}

// Finds the value near where the logistic's inverse puts the slot, and says for which lanes it did: a slot in F
// is at log(F / (1 - F)), and logarithms need be no better than within half a value.
template <class V, int H>
ZM_INLINE void find_by_inverse(const Mixture<V, 1> (&mixture)[H], const typename V::Curve& curve,
                               const typename V::R (&slot)[H], typename V::R (&value)[H],
                               typename V::R (&start)[H], typename V::R (&stop)[H]) {
    using R = typename V::R;
    const R none = V::zero(), unit = V::set16(1);
    // Of each half the edges of three values: C(value - 1), C(value), C(value + 1).
    R product[3 * H][1][2], tried[3 * H], edge[3 * H];
    const Mixture<V, 1>* each[3 * H];
    for (int h = 0; h < H; ++h) {
        const Mixture<V, 1>& own = mixture[h];
        // Halves, so that they have a sign. F ends at sigmoid(-8), not 0; each value below has 1 by itself.
        const R end = V::mulhi16(own.rest, V::set16(11));
        const R inside = V::min16(V::template srl16<1>(V::sub16(slot[h], own.blank)), V::set16(32767 - 11));
        const R values = clip16<V>(V::template sra16<5>(own.centre), 0, 127);
        const R below = V::max16(V::sub16(V::add16(inside, end), values), unit);
        const R whole = V::add16(V::template srl16<1>(own.rest), V::add16(end, end));
        const R above = V::max16(V::sub16(whole, below), unit);
        const R distance = V::packs32(
            V::logit(V::unpacklo16(below, none), V::unpacklo16(above, none), own.slope[0][0]),
            V::logit(V::unpackhi16(below, none), V::unpackhi16(above, none), own.slope[0][1]));
        const R place = V::add16(V::add16(own.centre, V::set16(8)), clip16<V>(distance, -16384, 16383));
        value[h] = clip16<V>(V::template sra16<4>(place), 2, 255);
        const R wide[2] = {V::unpacklo16(value[h], none), V::unpackhi16(value[h], none)};
        for (int k = 0; k < 2; ++k) {
            const R here = V::add32(own.start[0][k], V::mullo32(wide[k], own.slope[0][k]));
            product[3 * h][0][k] = V::sub32(here, own.slope[0][k]);
            product[3 * h + 1][0][k] = here;
            product[3 * h + 2][0][k] = V::add32(here, own.slope[0][k]);
        }
        tried[3 * h] = V::sub16(value[h], unit);
        tried[3 * h + 1] = value[h];
        tried[3 * h + 2] = V::add16(value[h], unit);
        each[3 * h] = each[3 * h + 1] = each[3 * h + 2] = &own;
    }
    cumulative<V, 1, 3 * H>(each, curve, product, tried, edge);
    for (int h = 0; h < H; ++h) {
        const R *const from = edge + 3 * h, lower = tried[3 * h];
        const R first = V::pick16(V::zero16(V::sub16(lower, unit)), mixture[h].blank, from[0]);  // C(1)
        const R last = V::pick16(V::zero16(V::sub16(value[h], V::set16(255))), none, from[2]);
        const auto covers = V::upto16(from[1], slot[h]);
        value[h] = V::pick16(covers, value[h], lower);
        start[h] = V::pick16(covers, from[1], first);
        stop[h] = V::pick16(covers, last, from[1]);
    }
}

// Finds the value whose interval covers the slot, of idle lanes any. Few values are not among the likely
// ones, so all are searched only where a lane has one of those.
template <class V, int M, int H>
ZM_INLINE void find(const Mixture<V, M> (&mixture)[H], const typename V::Curve& curve,
                    const typename V::R (&slot)[H], const typename V::M16 (&idle)[H],
                    typename V::R (&value)[H], typename V::R (&start)[H], typename V::R (&frequency)[H]) {
    using R = typename V::R;
    const R none = V::zero(), unit = V::set16(1);
    R stop[H], likely[H];
    if constexpr (M == 1) {
        find_by_inverse<V, H>(mixture, curve, slot, value, start, stop);
    } else {
        for (int h = 0; h < H; ++h)
            value[h] = likely[h] = clip16<V>(
                V::sub16(V::template sra16<4>(mixture[h].centre), V::set16(LIKELY / 2)), 0, 256 - LIKELY);
        find_among<V, LIKELY>(mixture, curve, slot, value, start, stop);
    }
    std::uint32_t others = 0;
    for (int h = 0; h < H; ++h) {
        R beyond, most;  // by how much a place is beyond the first that is right, and by how much it may be
        if constexpr (M == 1) {
            beyond = V::sub16(slot[h], start[h]);
            most = V::sub16(V::sub16(stop[h], start[h]), unit);
        } else {
            // Neither the first nor the last of them, whose intervals are not known; but 255 ends where all do.
            beyond = V::sub16(value[h], V::add16(likely[h], unit));
            most = V::add16(V::set16(LIKELY - 3),
                            V::template srl16<8>(V::add16(likely[h], V::set16(LIKELY))));
        }
        const auto is_blank = V::below16(slot[h], mixture[h].blank);
        value[h] = V::pick16(is_blank, none, value[h]);
        start[h] = V::pick16(is_blank, none, start[h]);
        stop[h] = V::pick16(is_blank, mixture[h].blank, stop[h]);
        const R sure = V::pick16(is_blank, none, V::pick16(idle[h], none, beyond));
        others |= V::bits16(V::below16(most, sure));
    }
    if (others) find_among_all<V, M, H>(mixture, curve, slot, value, start, stop);
    for (int h = 0; h < H; ++h) frequency[h] = V::sub16(stop[h], start[h]);
}

}  // namespace
}  // namespace zarrmal
