// The network's inputs at a pixel, for all lanes at once, in bytes (FORMAT 6.8).
#pragma once

#include "lanes.h"

namespace zarrmal {
namespace {

// 64 + S(a - b)
template <class V>
ZM_INLINE typename V::R squash(typename V::R a, typename V::R b) {
    using R = typename V::R;
    const R below = V::subs8(b, a);
    const R size = V::or8(V::subs8(a, b), below);
    const auto near = V::min8(size, V::set8(8));
    const auto middle = V::template srl8<1>(V::min8(size, V::set8(32)));
    const auto bent = V::add8(V::add8(near, near), V::add8(middle, V::template srl8<3>(size)));
    const auto zero = V::set8(64);
    return V::pick8(V::zero8(below), V::add8(zero, bent), V::sub8(zero, bent));
}

// own(p) of FORMAT 6.7: what the pixel's neighbours in its plane predict, as they count beside it.
// `middle` is the prediction without any.
template <class V>
ZM_INLINE typename V::R own(typename V::R w, typename V::R n, typename V::R ne, typename V::R nw,
                            typename V::R middle) {
    using R = typename V::R;
    const auto no_w = V::zero8(w), no_n = V::zero8(n), no_ne = V::zero8(ne), no_nw = V::zero8(nw);
    const R none = V::zero(), two = V::set16(2);
    R half[2];
    for (int h = 0; h < 2; ++h) {
        const auto wide = [&](R v) { return h ? V::unpackhi8(v, none) : V::unpacklo8(v, none); };
        const R sum = V::add16(wide(w), wide(n));
        const R turn = V::add16(V::sub16(wide(ne), wide(nw)), two);
        half[h] = V::template sra16<2>(V::add16(V::add16(sum, sum), turn));
    }
    const R slope = V::max8(V::packus16(half[0], half[1]), V::set8(1));
    const R with_both = V::pick8(V::either8(no_ne, no_nw), V::avg8(w, n), slope);
    R nearest = V::pick8(no_nw, middle, nw);
    nearest = V::pick8(no_ne, nearest, ne);
    nearest = V::pick8(no_n, nearest, n);
    nearest = V::pick8(no_w, nearest, w);
    return V::pick8(V::either8(no_w, no_n), nearest, with_both);
}

// Bytes from the beginning of a plane with a border to its pixel at (y, x).
template <class V>
ZM_INLINE std::ptrdiff_t border(const Group& group, std::size_t y, std::size_t x) {
    return static_cast<std::ptrdiff_t>(y + REACH) * group.row +
           static_cast<std::ptrdiff_t>(x + REACH) * V::LANES;
}

// For each half the lanes that have no pixel at a position.
template <class V, int H>
ZM_INLINE void idle(const Group& group, std::size_t y, std::size_t x, typename V::M16 (&to)[H]) {
    const auto has = group.coverage ? V::load(group.coverage + border<V>(group, y, x)) : V::set8(1);
    for (int h = 0; h < H; ++h)
        to[h] = V::zero16(h ? V::unpackhi8(has, has) : V::unpacklo8(has, has));
}

// Pixels of this brightness at a coverage, FORMAT 6.6; `part` is it in 256ths.
template <class V>
ZM_INLINE typename V::R at_coverage(typename V::R brightness, const typename V::R (&part)[2]) {
    typename V::R half[2];
    for (int h = 0; h < 2; ++h) {
        const auto wide = h ? V::unpackhi8(brightness, V::zero()) : V::unpacklo8(brightness, V::zero());
        half[h] = V::template srl16<8>(V::add16(V::mullo16(wide, part[h]), V::set16(128)));
    }
    return V::packus16(half[0], half[1]);
}

// The brightness of pixels, both halves of it, where the coverage is this (FORMAT 6.6).
template <class V, int H>
ZM_INLINE typename V::R brightness(const typename V::R (&value)[H], typename V::R coverage) {
    using R = typename V::R;
    const R none = V::zero();
    R half[H];
    for (int h = 0; h < H; ++h) {
        R c = h ? V::unpackhi8(coverage, none) : V::unpacklo8(coverage, none);
        const auto too_little = V::below16(c, V::set16(LEAST_COVERAGE));
        c = V::pick16(too_little, V::set16(LEAST_COVERAGE), c);
        const auto quotient = [](R divisor) {  // 65280 over it, rounded up
            return V::divide(V::add32(divisor, V::set32(65279)), divisor);
        };
        const R reciprocal =
            V::packus32(quotient(V::unpacklo16(c, none)), quotient(V::unpackhi16(c, none)));
        half[h] = V::pick16(too_little, none,
                            V::mulhi16(V::template sll16<8>(value[h]), reciprocal));
    }
    return V::packus16(half[0], half[H - 1]);
}

// Writes the rows of group.inputs and returns the base.
template <class V>
ZM_CALLED typename V::R features(const Group& group, const Step& step, std::size_t y,
                                 std::size_t x) {
    using R = typename V::R;
    const std::ptrdiff_t here = border<V>(group, y, x);
    const auto address = [&](int plane) { return group.image + plane * group.plane + here; };
    const auto known_at = [&](int plane) {
        return V::load(group.values + plane * group.plane + here);
    };
    // Beside pixels that are covered wholly, brightness counts as it is.
    const bool partial = group.has_pixel[y * group.width + x] & PARTIAL;
    R part[2] = {V::zero(), V::zero()};
    if (partial) {
        const R coverage = V::load(group.coverage + here);
        for (int h = 0; h < 2; ++h) {
            const R wide = h ? V::unpackhi8(coverage, V::zero()) : V::unpacklo8(coverage, V::zero());
            part[h] = V::add16(wide, V::template sra16<7>(wide));
        }
    }
    const auto near_at = [&](const std::uint8_t* from) {
        const R seen = V::load(from);
        return partial ? at_coverage<V>(seen, part) : seen;
    };
    const R middle = partial ? at_coverage<V>(V::set8(128), part) : V::set8(128);
    const std::uint8_t* pixel = address(step.plane);
    const R zero = V::set8(64);
    std::uint8_t* to = group.inputs;
    const auto put = [&](R value) {
        V::store(to, value);
        to += V::LANES;
    };

    // The first four are west, north, northwest and northeast.
    R seen[MAX_CAUSAL];
    for (int k = 0; k < step.n_causal; ++k) seen[k] = near_at(pixel + group.causal[k]);
    R base = own<V>(seen[0], seen[1], seen[3], seen[2], middle);
    R owns[MAX_EARLIER];
    for (int t = 0; t < step.n_earlier; ++t) {
        const std::uint8_t* const earlier = address(step.earlier[t]);
        owns[t] = own<V>(near_at(earlier + group.causal[0]), near_at(earlier + group.causal[1]),
                         near_at(earlier + group.causal[3]), near_at(earlier + group.causal[2]), middle);
    }
    if (step.follows) {
        // One of the two differences is 0, so saturation clips as FORMAT 6.7 does.
        const R before = owns[step.n_earlier - 1];
        const R known = known_at(step.earlier[step.n_earlier - 1]);
        const R moved = V::subs8(V::adds8(base, V::subs8(known, before)), V::subs8(before, known));
        base = V::pick8(V::zero8(known), base, V::max8(moved, V::set8(1)));
    }

    for (int k = 0; k < step.n_causal; ++k)
        put(V::pick8(V::zero8(seen[k]), zero, squash<V>(seen[k], base)));
    for (int k = 0; k < step.n_flags; ++k) put(V::pick8(V::zero8(seen[k]), zero, V::zero()));
    for (int t = 0; t < step.n_earlier; ++t) {
        const std::uint8_t* earlier = address(step.earlier[t]);
        const R known = known_at(step.earlier[t]);
        const auto blank = V::zero8(known);
        put(V::pick8(blank, zero, V::zero()));
        put(V::pick8(blank, zero, squash<V>(known, base)));
        put(V::pick8(blank, zero, squash<V>(known, owns[t])));
        for (int k = 0; k < step.n_full; ++k) {
            const R near = near_at(earlier + group.full[k]);
            put(V::pick8(V::either8(blank, V::zero8(near)), zero, squash<V>(near, known)));
        }
    }
    put(V::template srl8<1>(base));
    put(V::load(group.across + x * V::LANES));
    put(V::load(group.down + y * V::LANES));
    R square[2];
    for (int h = 0; h < 2; ++h)
        square[h] = V::template sra16<6>(
            V::add16(V::load(group.across_square + x * V::LANES + h * (V::LANES / 2)),
                     V::load(group.down_square + y * V::LANES + h * (V::LANES / 2))));
    put(V::packus16(square[0], square[1]));  // 0..128
    if (group.has_prediction) {
        constexpr std::size_t offsets[N_PREDICTION][2] = {{0, 0}, {0, 1}, {1, 0}, {0, 2}, {2, 0}};
        for (const auto& offset : offsets) {
            const std::size_t py = y + offset[0] < group.height ? y + offset[0] : group.height - 1;
            const std::size_t px = x + offset[1] < group.width ? x + offset[1] : group.width - 1;
            const std::size_t pixel = (step.plane * group.height + py) * group.width + px;
            put(squash<V>(V::load(group.predicted + pixel * V::LANES), base));
        }
    }
    for (int k = 0; k < step.n_coverage; ++k)
        put(V::avg8(V::load(group.coverage + here + group.covered[k]), V::zero()));
    return base;
}

// Interleaves rows of bytes to groups of four inputs, lanes in word order. Rows beyond the inputs
// are multiplied with weights of zero.
template <class V>
ZM_INLINE void interleave(const std::uint8_t* rows, int groups, std::uint8_t* to) {
    for (int g = 0; g < groups; ++g) {
        const auto a = V::load(rows), b = V::load(rows + V::LANES);
        const auto c = V::load(rows + 2 * V::LANES), d = V::load(rows + 3 * V::LANES);
        const auto ab = V::unpacklo8(a, b), cd = V::unpacklo8(c, d);
        const auto AB = V::unpackhi8(a, b), CD = V::unpackhi8(c, d);
        V::store(to, V::unpacklo16(ab, cd));
        V::store(to + V::LANES, V::unpackhi16(ab, cd));
        V::store(to + 2 * V::LANES, V::unpacklo16(AB, CD));
        V::store(to + 3 * V::LANES, V::unpackhi16(AB, CD));
        rows += 4 * V::LANES;
        to += 4 * V::LANES;
    }
}

}  // namespace
}  // namespace zarrmal
