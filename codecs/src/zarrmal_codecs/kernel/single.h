// The decoder of one cell: a vector holds inputs, outputs or values of one pixel, where walk.h has one of
// many cells. What does not depend on the pixel before is computed for some columns ahead, while the
// processor would wait for that pixel: most inputs, and their part of the first layer's sums.
#pragma once

#include "few.h"
#include "inputs.h"
#include "mixture.h"
#include "rans.h"

namespace zarrmal {
namespace {

// Copies neighbours to their slots. Each run copies as much as the longest has; the next one, or what
// follows, overwrites the rest.
ZM_INLINE void copy_runs(const SingleRuns& runs, const std::uint8_t* pixel, std::ptrdiff_t row,
                         std::uint8_t* to) {
    for (int k = 0; k < runs.n; ++k)
        std::memcpy(to + runs.run[k].slot, pixel + runs.run[k].y * row + runs.run[k].x, SINGLE_RUN);
}

// A pixel of this brightness beside one whose coverage is `part` 256ths (FORMAT 6.6).
ZM_INLINE int beside(int brightness, int part) { return (brightness * part + 128) >> 8; }

template <class V>
ZM_INLINE void beside_all(std::uint8_t* seen, int n, int part) {
    const typename V::R parts[2] = {V::set16(part), V::set16(part)};
    for (int i = 0; i < n; i += V::LANES)
        V::store(seen + i, at_coverage<V>(V::load(seen + i), parts));
}

// own(p) of FORMAT 6.7, of neighbours as they count.
ZM_INLINE int own_of(int w, int n, int ne, int nw, int middle) {
    if (w && n) {
        if (!ne || !nw) return (w + n + 1) >> 1;
        return clipped((2 * (w + n) + ne - nw + 2) >> 2, 1, 255);
    }
    return w ? w : n ? n : ne ? ne : nw ? nw : middle;
}

// What can be known of the pixel at (y, x) before its western neighbour is.
template <class V>
ZM_INLINE void look_ahead(const Single& cell, const Step& step, int y, int x, SingleColumn& ahead,
                          std::int32_t* sums) {
    using R = typename V::R;
    const SingleOrder& order = step.single;
    const std::ptrdiff_t here = (y + REACH) * cell.row + x + REACH;
    const std::uint8_t* const pixel = cell.image + step.plane * cell.plane + here;
    const int coverage = cell.coverage[here];
    const int part = ahead.part = coverage + (coverage >> 7);
    const bool partial = part != 256;

    copy_runs(order.above, pixel, cell.row, ahead.seen);
    if (partial) beside_all<V>(ahead.seen, order.above.count, part);
    const auto near = [&](const std::uint8_t* from) { return partial ? beside(*from, part) : *from; };
    ahead.north = near(pixel - cell.row);
    ahead.northeast = near(pixel - cell.row + 1);
    ahead.northwest = near(pixel - cell.row - 1);
    ahead.middle = partial ? beside(128, part) : 128;
    std::uint8_t* to = ahead.seen + order.above.count;
    if (cell.has_prediction) {
        constexpr int offsets[N_PREDICTION][2] = {{0, 0}, {0, 1}, {1, 0}, {0, 2}, {2, 0}};
        for (const auto& offset : offsets) {
            const int py = y + offset[0] < cell.height ? y + offset[0] : cell.height - 1;
            const int px = x + offset[1] < cell.width ? x + offset[1] : cell.width - 1;
            *to++ = cell.predicted[step.plane * cell.predicted_plane + py * cell.predicted_row + px];
        }
    }

    std::uint8_t* const in = cell.inputs;
    const R zero = V::set8(64);
    for (int i = 0; i < order.above.count; i += V::LANES)
        V::store(in + i, V::pick8(V::zero8(V::load(ahead.seen + i)), zero, V::zero()));
    copy_runs(order.covered, cell.halved + here, cell.row, in);
    for (int t = 0; t < step.n_earlier; ++t) {
        const std::uint8_t* const earlier = cell.image + step.earlier[t] * cell.plane + here;
        const int known = cell.values[step.earlier[t] * cell.plane + here];
        const int own = own_of(near(earlier - 1), near(earlier - cell.row), near(earlier - cell.row + 1),
                               near(earlier - cell.row - 1), ahead.middle);
        ahead.known[t] = known;
        ahead.own[t] = own;
        std::uint8_t* const full = in + order.full_slot[t];
        copy_runs(order.full, earlier, cell.row, full);
        if (partial) beside_all<V>(full, order.full.count, part);
        for (int i = 0; i < order.full.count; i += V::LANES) {
            const R seen = V::load(full + i);
            const R bent = known ? squash<V>(seen, V::set8(known)) : zero;
            V::store(full + i, V::pick8(V::zero8(seen), zero, bent));
        }
    }
    to = in + order.rest_slot;
    const int fx = cell.across[x], fy = cell.down[y];
    *to++ = static_cast<std::uint8_t>(fx);
    *to++ = static_cast<std::uint8_t>(fy);
    *to++ = static_cast<std::uint8_t>(((fx - 64) * (fx - 64) + (fy - 64) * (fy - 64)) >> 6);
    for (int t = 0; t < step.n_earlier; ++t) {
        *to++ = ahead.known[t] ? 0 : 64;
        *to++ = ahead.known[t] ? cell.tables->squashed[255 + ahead.known[t] - ahead.own[t]] : 64;
    }
    few_outputs<V>(order.early, cell.first[&step - cell.steps], in, sums);
}

// The mixture of a pixel in all lanes, from the outputs of the network.
template <class V, int M>
ZM_INLINE void single_mixture(const Tables& t, const std::int32_t* out, int base, Mixture<V, M>& to) {
    const int blank = t.blank[255 + clipped(out[0], -MAX_LOGIT, MAX_LOGIT)];
    to.blank = V::set16(blank);
    to.rest = V::set16(65536 - 255 - blank);
    std::int32_t weight[M] = {};
    int logit[M], most = -255;
    for (int m = 0; m < M; ++m) {
        logit[m] = clipped(out[3 + 3 * m], -MAX_LOGIT, MAX_LOGIT);
        most = logit[m] > most ? logit[m] : most;
    }
    std::int32_t part[M], sum = 0;
    for (int m = 0; m < M; ++m) sum += part[m] = t.exponential[most - logit[m]];
    weight[0] = 1024;
    for (int m = 1; m < M; ++m) {
        weight[m] = static_cast<std::int32_t>((static_cast<std::uint32_t>(part[m]) << 10) /
                                              static_cast<std::uint32_t>(sum));
        weight[0] -= weight[m];
    }
    for (int m = 0; m < M; ++m) {
        const std::int32_t slope = t.slope[clipped(out[2 + 3 * m], 0, MAX_SLOPE)];
        const int location = clipped(out[1 + 3 * m], MIN_LOCATION, MAX_LOCATION);
        to.start[m][0] = to.start[m][1] = V::set32(-(16 * base + 8 + location) * slope);
        to.slope[m][0] = to.slope[m][1] = V::set32(16 * slope);
    }
    for (int m = 0; m < M; m += 2) {
        const std::int32_t second = m + 1 < M ? weight[m + 1 < M ? m + 1 : m] : 0;
        to.weight[m / 2][0] = to.weight[m / 2][1] = V::set32(weight[m] | second << 16);
    }
}

// C(v) of as many values as there are lanes of 16 bits.
template <class V, int M>
ZM_INLINE typename V::R edges(const Mixture<V, M>& mixture, const typename V::Curve& curve,
                              typename V::R value) {
    using R = typename V::R;
    const R wide[2] = {V::unpacklo16(value, V::zero()), V::unpackhi16(value, V::zero())};
    R product[1][M][2], edge[1];
    for (int m = 0; m < M; ++m)
        for (int k = 0; k < 2; ++k)
            product[0][m][k] = V::add32(mixture.start[m][k], V::mullo32(wide[k], mixture.slope[m][k]));
    const Mixture<V, M>* const both[1] = {&mixture};
    cumulative<V, M, 1>(both, curve, product, {value}, edge);
    return edge[0];
}

// Finds the value whose interval covers the slot: first among every S-th value, then among those between.
template <class V, int M>
ZM_INLINE int single_find(const Mixture<V, M>& mixture, const typename V::Curve& curve,
                          const std::uint16_t* count, int blank, std::uint32_t slot, std::uint32_t& start,
                          std::uint32_t& frequency) {
    using R = typename V::R;
    constexpr int N = V::LANES / 2, S = 256 / N;
    static_assert(S <= N, "the second step must cover the first");
    const auto upto = [&](R edge) { return V::bits16(V::upto16(edge, V::set16(static_cast<int>(slot)))); };
    alignas(64) std::uint16_t coarse[2 * N], fine[N];
    const R lane = V::load(count);  // 0, 1, …
    const R unit = V::set16(1);
    const R far = edges<V, M>(mixture, curve, V::mullo16(V::add16(lane, unit), V::set16(S)));
    V::store(coarse + 1, far);
    coarse[0] = coarse[N] = 0;  // C(256) = 2**16 is 0 here
    const int c = lowest_bit(~(upto(far) & ((1u << (N - 1)) - 1)));
    const R value = V::add16(lane, V::set16(S * c));
    R near = edges<V, M>(mixture, curve, value);
    near = V::pick16(V::zero16(V::sub16(value, unit)), V::set16(blank), near);  // C(1)
    V::store(fine, near);
    const int f = lowest_bit(~(upto(near) >> 1 & ((1u << (S - 1)) - 1)));
    start = f ? fine[f] : coarse[c];
    const std::uint32_t stop = f + 1 < S ? fine[f + 1] : coarse[c + 1];
    frequency = (stop - start) & 0xFFFF;
    return S * c + f;
}

template <class V, int M>
ZM_INLINE int single_pixel(Single& cell, const Step& step, const std::uint8_t* pixel,
                           const SingleColumn& ahead, const std::int32_t* sums,
                           const typename V::Curve& curve) {
    using R = typename V::R;
    const SingleOrder& order = step.single;
    const bool partial = ahead.part != 256;
    const auto near = [&](int brightness) { return partial ? beside(brightness, ahead.part) : brightness; };
    int base = own_of(near(pixel[-1]), ahead.north, ahead.northeast, ahead.northwest, ahead.middle);
    if (step.follows) {
        const int last = step.n_earlier - 1;
        if (ahead.known[last]) base = clipped(base + ahead.known[last] - ahead.own[last], 1, 255);
    }

    // Words, so that none is read before all of it is written.
    alignas(64) std::uint32_t in[SINGLE_INPUTS / 4];
    std::uint32_t each[SINGLE_SCALARS] = {};
    std::uint32_t* to = each;
    const std::uint8_t* const squashed = cell.tables->squashed + 255 - base;
    for (int k = 0; k < order.n_west; ++k) {
        const int seen = near(pixel[-1 - k]);
        if (k < order.n_west_flags) each[order.n_west + k] = seen ? 0 : 64;
        *to++ = seen ? squashed[seen] : 64;
    }
    to += order.n_west_flags;
    *to++ = static_cast<std::uint32_t>(base) >> 1;
    for (int t = 0; t < step.n_earlier; ++t) *to++ = ahead.known[t] ? squashed[ahead.known[t]] : 64;
    for (int g = 0; g < order.n_scalar_groups; ++g)
        in[g] = each[4 * g] | each[4 * g + 1] << 8 | each[4 * g + 2] << 16 | each[4 * g + 3] << 24;
    auto* const bytes = reinterpret_cast<std::uint8_t*>(in + order.n_scalar_groups);
    const R bases = V::set8(base);
    for (int i = 0; i < order.n_seen; i += V::LANES) {
        const R seen = V::load(ahead.seen + i);
        const R never = V::load(order.never_blank + i);
        const auto blank = V::zero8(V::or8(seen, never));
        V::store(bytes + i, V::pick8(blank, V::set8(64), squash<V>(seen, bases)));
    }

    alignas(64) std::uint8_t hidden[MAX_CONTEXT_WIDTH];
    alignas(64) std::int32_t sum[MAX_CONTEXT_WIDTH];
    const auto activate = [&](const Layer& layer) {
        for (int o = 0; o < layer.rows; ++o)
            hidden[o] = static_cast<std::uint8_t>(clipped(sum[o], 0, MAX_ACTIVATION));
    };
    few_outputs<V>(order.late, sums, reinterpret_cast<const std::uint8_t*>(in), sum);
    activate(order.late);
    few_outputs<V>(step.layers[1], step.layers[1].start, hidden, sum);
    activate(step.layers[1]);
    few_outputs<V>(step.layers[2], step.layers[2].start, hidden, sum);

    Mixture<V, M> mixture;
    single_mixture<V, M>(*cell.tables, sum, base, mixture);
    std::uint32_t start, frequency;
    const int blank = cell.tables->blank[255 + clipped(sum[0], -MAX_LOGIT, MAX_LOGIT)];
    const int value = single_find<V, M>(mixture, curve, cell.tables->count, blank, cell.state & 0xFFFF, start, frequency);
    cell.state = frequency * (cell.state >> 16) + (cell.state & 0xFFFF) - start;
    if (cell.state >> 16) return value;
    std::uint32_t word = 0;
    if (cell.stop - cell.position < 2) {
        cell.is_dry = true;
    } else {
        word = cell.data[cell.position] | static_cast<std::uint32_t>(cell.data[cell.position + 1]) << 8;
        cell.position += 2;
    }
    cell.state = cell.state << 16 | word;
    return value;
}

template <class V, int M>
void single_step(Single& cell, const Step& step) {
    const auto curve = V::curve(*cell.tables);
    const int rows = step.single.late.rows;
    for (int y = 0; y < cell.height; ++y)
        for (int from = 0; from < cell.width; from += SINGLE_COLUMNS) {
            const int to = from + SINGLE_COLUMNS < cell.width ? from + SINGLE_COLUMNS : cell.width;
            const std::ptrdiff_t line = (y + REACH) * cell.row + REACH;
            for (int x = from; x < to; ++x)
                if (cell.coverage[line + x])
                    look_ahead<V>(cell, step, y, x, cell.ahead[x - from], cell.sums + (x - from) * rows);
            std::uint8_t* const pixel = cell.image + step.plane * cell.plane + line;
            std::uint8_t* const values = cell.values + step.plane * cell.plane + line;
            for (int x = from; x < to; ++x) {
                if (!cell.coverage[line + x]) continue;
                const int value = single_pixel<V, M>(cell, step, pixel + x, cell.ahead[x - from],
                                                     cell.sums + (x - from) * rows, curve);
                const unsigned seen = static_cast<unsigned>(value) * cell.tables->reciprocal[cell.coverage[line + x]] >> 8;
                values[x] = static_cast<std::uint8_t>(value);
                pixel[x] = static_cast<std::uint8_t>(seen < 255 ? seen : 255);
            }
        }
}

template <class V>
void decode_single(Single& cell) {
    for (int s = 0; s < cell.n_steps; ++s) {
        const Step& step = cell.steps[s];
        switch (step.n_components) {
            case 1: single_step<V, 1>(cell, step); break;
            case 2: single_step<V, 2>(cell, step); break;
            case 3: single_step<V, 3>(cell, step); break;
            default: single_step<V, 4>(cell, step); break;
        }
    }
}

}  // namespace
}  // namespace zarrmal
