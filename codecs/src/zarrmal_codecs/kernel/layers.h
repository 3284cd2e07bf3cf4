// The three layers of a context network (FORMAT 6.9).
#pragma once

#include "lanes.h"

namespace zarrmal {
namespace {

// Sums of N outputs for K vectors of lanes, as many as the registers hold.
template <class V, int N, int K>
ZM_INLINE void sums(const Layer& layer, int output, const std::int32_t* first,
                    const std::uint8_t* in, int vector, typename V::R (&sum)[N][K]) {
    using R = typename V::R;
    constexpr int WORDS = V::LANES / 4;
    ZM_UNROLL
    for (int n = 0; n < N; ++n) {
        ZM_UNROLL
        for (int k = 0; k < K; ++k) {
            R start = first ? V::load(first + (output + n) * V::LANES + (vector + k) * WORDS)
                            : V::set32(layer.start[output + n]);
            if constexpr (V::SIGNED) start = V::add32(start, V::set32(layer.offset[output + n]));
            sum[n][k] = start;
        }
    }
    in += vector * V::LANES;
    const std::int8_t* weight = layer.weight + output * layer.groups * 4;
    for (int g = 0; g < layer.groups; ++g) {
        typename V::Inputs value[K];
        ZM_UNROLL
        for (int k = 0; k < K; ++k) value[k] = V::inputs(in + (g * 4 + k) * V::LANES);
        ZM_UNROLL
        for (int n = 0; n < N; ++n) {
            const auto w = V::weights(weight + (n * layer.groups + g) * 4);
            ZM_UNROLL
            for (int k = 0; k < K; ++k) sum[n][k] = V::dot(sum[n][k], value[k], w);
        }
    }
    ZM_UNROLL
    for (int n = 0; n < N; ++n) {
        ZM_UNROLL
        for (int k = 0; k < K; ++k) sum[n][k] = V::sra32(sum[n][k], layer.shift[output + n]);
    }
}

template <class V, int N, int K>
ZM_INLINE void hidden_block(const Layer& layer, int output, const std::int32_t* first,
                            const std::uint8_t* in, int vector, std::uint8_t* out) {
    typename V::R sum[N][K];
    sums<V, N, K>(layer, output, first, in, vector, sum);
    ZM_UNROLL
    for (int n = 0; n < N; n += 4) {
        ZM_UNROLL
        for (int k = 0; k < K; ++k)
            V::store(out + ((output + n) + vector + k) * V::LANES,
                     V::activations(sum[n][k], sum[n + 1][k], sum[n + 2][k], sum[n + 3][k]));
    }
}

// A hidden layer; in and out are [group of four][word vector][lane][4].
template <class V, int C>
ZM_INLINE void hidden(const Layer& layer, const std::int32_t* first, const std::uint8_t* in,
                      std::uint8_t* out) {
    constexpr int K = C < V::TILE_VECTORS ? C : V::TILE_VECTORS;
    constexpr int PREFERRED = V::TILE_SUMS / K / 4 * 4;
    constexpr int N = PREFERRED > 4 ? PREFERRED : 4;
    int output = 0;
    for (; output + N <= layer.outputs; output += N)
        for (int vector = 0; vector < C; vector += K)
            hidden_block<V, N, K>(layer, output, first, in, vector, out);
    for (; output < layer.outputs; output += 4)
        for (int vector = 0; vector < C; vector += K)
            hidden_block<V, 4, K>(layer, output, first, in, vector, out);
}

template <class V, int N, int C>
ZM_INLINE void output_block(const Layer& layer, int output, const std::uint8_t* in,
                            std::int16_t* out) {
    constexpr int K = C < 2 ? 1 : 2;
    for (int vector = 0; vector < C; vector += 2) {
        typename V::R sum[N][K];
        sums<V, N, K>(layer, output, nullptr, in, vector, sum);
        ZM_UNROLL
        for (int n = 0; n < N; ++n)
            V::store(out + (output + n) * V::LANES + vector * (V::LANES / 4),
                     V::packs32(sum[n][0], sum[n][K - 1]));
    }
}

// The last layer: saturated 16-bit values, which the mixture clips further (FORMAT 6.3).
template <class V, int C>
ZM_INLINE void output(const Layer& layer, const std::uint8_t* in, std::int16_t* out) {
    int k = 0;
    if constexpr (V::WIDE_OUTPUT)
        for (; k + 5 <= layer.outputs; k += 5) output_block<V, 5, C>(layer, k, in, out);
    for (; k + 3 <= layer.outputs; k += 3) output_block<V, 3, C>(layer, k, in, out);
    for (; k < layer.outputs; ++k) output_block<V, 1, C>(layer, k, in, out);
}

}  // namespace
}  // namespace zarrmal
