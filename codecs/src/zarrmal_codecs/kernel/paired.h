// The three layers of a context network where products of bytes are added in pairs to 16 bits, one pair for each
// lane (FORMAT 6.9). Sums stay in chains of 16 bits, for as long as chains.h says.
#pragma once

#include "lanes.h"

namespace zarrmal {
namespace {

// Interleaves rows of bytes to pairs of inputs, [pair][half][lane][2]. A row beyond the inputs is multiplied with
// weights of zero.
template <class V, int H>
ZM_INLINE void interleave_pairs(const std::uint8_t* rows, int pairs, std::uint8_t* to) {
    for (int p = 0; p < pairs; ++p, rows += 2 * V::LANES, to += 2 * V::LANES) {
        const auto a = V::load(rows), b = V::load(rows + V::LANES);
        V::store(to, V::unpacklo8(a, b));
        if (H == 2) V::store(to + V::LANES, V::unpackhi8(a, b));
    }
}

// A chain of N outputs, from `weight` to `stop`.
template <class V, int N, int H>
ZM_INLINE void chain(const std::int8_t*& weight, const std::int8_t* stop, const std::uint8_t*& in,
                     typename V::Chain (&sum)[N][H]) {
    for (; weight != stop; weight += 16, in += 2 * V::LANES) {
        ZM_UNROLL
        for (int n = 0; n < N; ++n) {
            const auto w = V::weights(weight + 4 * n);
            ZM_UNROLL
            for (int h = 0; h < H; ++h)
                sum[n][h] = sum[n][h] + V::pairs(V::inputs(in + h * V::LANES), w);
        }
    }
}

template <class V, int N, int H>
ZM_INLINE void chains_from(typename V::R start, typename V::Chain (&sum)[N][H]) {
    ZM_UNROLL
    for (int n = 0; n < N; ++n) {
        ZM_UNROLL
        for (int h = 0; h < H; ++h) sum[n][h] = V::chain(start);
    }
}

// N outputs, shifted, saturated to 16 bits. `first` are the first sums of each lane, null where they are those of
// the layer.
template <class V, int N, int H>
ZM_INLINE void paired_outputs(const Layer& layer, int output, const std::int32_t* first,
                              const std::uint8_t* in, typename V::R (&to)[N][H]) {
    using R = typename V::R;
    const std::int8_t* const begin = layer.paired + output * 4 * layer.pairs;
    const std::int8_t *weight = begin, *const stop = begin + 16 * layer.pairs;
    const std::uint8_t* end = layer.chains + output / 4 * (layer.pairs + 1);
    const bool is_narrow = *end++ && !first;
    typename V::Chain sum[N][H];
    if (is_narrow) {
        ZM_UNROLL
        for (int n = 0; n < N; ++n) {
            ZM_UNROLL
            for (int h = 0; h < H; ++h) sum[n][h] = V::chain(V::set16(layer.start[output + n]));
        }
        chain<V, N, H>(weight, begin + 16 * *end++, in, sum);
        ZM_UNROLL
        for (int n = 0; n < N; ++n) {
            ZM_UNROLL
            for (int h = 0; h < H; ++h) to[n][h] = V::whole(sum[n][h]);
        }
        while (weight != stop) {
            chains_from<V, N, H>(V::zero(), sum);
            chain<V, N, H>(weight, begin + 16 * *end++, in, sum);
            ZM_UNROLL
            for (int n = 0; n < N; ++n) {
                ZM_UNROLL
                for (int h = 0; h < H; ++h) to[n][h] = V::adds16(to[n][h], V::whole(sum[n][h]));
            }
        }
        ZM_UNROLL
        for (int n = 0; n < N; ++n) {
            ZM_UNROLL
            for (int h = 0; h < H; ++h) to[n][h] = V::sra16(to[n][h], layer.shift[output + n]);
        }
        return;
    }
    R wide[N][2 * H];
    ZM_UNROLL
    for (int n = 0; n < N; ++n) {
        ZM_UNROLL
        for (int k = 0; k < 2 * H; ++k)
            wide[n][k] = first ? V::load(first + (output + n) * V::LANES + k * (V::LANES / 4))
                               : V::set32(layer.start[output + n]);
    }
    while (weight != stop) {
        typename V::Chain other[N][H];
        chains_from<V, N, H>(V::zero(), sum);
        chains_from<V, N, H>(V::zero(), other);
        chain<V, N, H>(weight, begin + 16 * *end++, in, sum);
        if (weight != stop) chain<V, N, H>(weight, begin + 16 * *end++, in, other);
        ZM_UNROLL
        for (int n = 0; n < N; ++n) {
            ZM_UNROLL
            for (int h = 0; h < H; ++h) {
                const R a = V::whole(sum[n][h]), b = V::whole(other[n][h]), one = V::set16(1);
                wide[n][2 * h] = V::add32(wide[n][2 * h], V::madd16(V::unpacklo16(a, b), one));
                wide[n][2 * h + 1] = V::add32(wide[n][2 * h + 1], V::madd16(V::unpackhi16(a, b), one));
            }
        }
    }
    ZM_UNROLL
    for (int n = 0; n < N; ++n) {
        ZM_UNROLL
        for (int h = 0; h < H; ++h)
            to[n][h] = V::packs32(V::sra32(wide[n][2 * h], layer.shift[output + n]),
                                  V::sra32(wide[n][2 * h + 1], layer.shift[output + n]));
    }
}

// A hidden layer; in and out are [pair][half][lane][2].
template <class V, int H>
ZM_INLINE void paired_hidden(const Layer& layer, const std::int32_t* first, const std::uint8_t* in,
                             std::uint8_t* out) {
    for (int output = 0; output < layer.outputs; output += 4) {
        typename V::R sum[4][H], row[4];
        paired_outputs<V, 4, H>(layer, output, first, in, sum);
        ZM_UNROLL
        for (int n = 0; n < 4; ++n) row[n] = V::min8(V::packus16(sum[n][0], sum[n][H - 1]), V::set8(MAX_ACTIVATION));
        for (int n = 0; n < 4; n += 2, out += 2 * V::LANES) {
            V::store(out, V::unpacklo8(row[n], row[n + 1]));
            if (H == 2) V::store(out + V::LANES, V::unpackhi8(row[n], row[n + 1]));
        }
    }
}

template <class V, int N, int H>
ZM_INLINE void paired_output_block(const Layer& layer, int output, const std::uint8_t* in,
                                   std::int16_t* out) {
    typename V::R sum[N][H];
    paired_outputs<V, N, H>(layer, output, nullptr, in, sum);
    ZM_UNROLL
    for (int n = 0; n < N; ++n) {
        ZM_UNROLL
        for (int h = 0; h < H; ++h) V::store(out + (output + n) * V::LANES + h * (V::LANES / 2), sum[n][h]);
    }
}

// The first `n` outputs of the last layer, [output][lane, half order].
template <class V, int H>
ZM_INLINE void paired_output(const Layer& layer, int n, const std::uint8_t* in, std::int16_t* out) {
    int k = 0;
    for (; k + 4 <= n; k += 4) paired_output_block<V, 4, H>(layer, k, in, out);
    if (n - k == 3) paired_output_block<V, 3, H>(layer, k, in, out);
    if (n - k == 2) paired_output_block<V, 2, H>(layer, k, in, out);
    if (n - k == 1) paired_output_block<V, 1, H>(layer, k, in, out);
}

}  // namespace
}  // namespace zarrmal
