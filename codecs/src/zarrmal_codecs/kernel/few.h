// The context network of a few cells: a vector holds outputs of one cell, where layers.h has one output
// of many cells. With fewer than FEW_CELLS + 1 cells most lanes there would be idle.
#pragma once

#include "inputs.h"
#include "layers.h"
#include "paired.h"

namespace zarrmal {
namespace {

// Sums of K vectors of outputs. Two chains of sums hide the latency of a product.
template <class V, int K>
ZM_INLINE void few_sums(const Layer& layer, const std::int32_t* start, int output,
                        const std::uint8_t* in, std::int32_t* out) {
    constexpr int WORDS = V::LANES / 4;
    typename V::R sum[K], odd[K];
    ZM_UNROLL
    for (int k = 0; k < K; ++k) {
        sum[k] = V::load(start + output + k * WORDS);
        odd[k] = V::zero();
    }
    const std::ptrdiff_t row = layer.rows * 4;
    const std::int8_t* weight = layer.across + output * 4;
    const auto add = [&](typename V::R(&to)[K]) {
        const auto four = V::four(in);
        ZM_UNROLL
        for (int k = 0; k < K; ++k)
            to[k] = V::dot_across(to[k], four, V::load(weight + k * V::LANES));
        weight += row;
        in += 4;
    };
    int g = 0;
    for (; g + 2 <= layer.groups; g += 2) {
        add(sum);
        add(odd);
    }
    if (g < layer.groups) add(sum);
    ZM_UNROLL
    for (int k = 0; k < K; ++k)
        V::store(out + output + k * WORDS, V::sra32_each(V::add32(sum[k], odd[k]),
                                                         V::load(layer.shift + output + k * WORDS)));
}

// All outputs of a layer before their activation, padded to layer.rows.
template <class V>
ZM_INLINE void few_outputs(const Layer& layer, const std::int32_t* start, const std::uint8_t* in,
                           std::int32_t* out) {
    constexpr int WORDS = V::LANES / 4;
    int output = 0;
    for (; output + 4 * WORDS <= layer.rows; output += 4 * WORDS)
        few_sums<V, 4>(layer, start, output, in, out);
    for (; output + 2 * WORDS <= layer.rows; output += 2 * WORDS)
        few_sums<V, 2>(layer, start, output, in, out);
    for (; output < layer.rows; output += WORDS) few_sums<V, 1>(layer, start, output, in, out);
}

ZM_INLINE std::int32_t clipped(std::int32_t value, std::int32_t low, std::int32_t high) {
    return value < low ? low : value > high ? high : value;
}

// The three layers, from group.inputs to group.outputs.
template <class V>
ZM_INLINE void few_network(const Group& group, int s) {
    const Step& step = group.steps[s];
    alignas(64) std::uint8_t in[MAX_CONTEXT_WIDTH];
    alignas(64) std::int32_t sum[MAX_CONTEXT_WIDTH];
    const auto activate = [&](const Layer& layer) {
        for (int o = 0; o < layer.rows; ++o)
            in[o] = static_cast<std::uint8_t>(clipped(sum[o], 0, MAX_ACTIVATION));
    };
    for (int k = 0; k < group.n_cells; ++k) {
        const std::uint8_t* from = group.inputs + group.byte_of[k];
        for (int i = 0; i < 4 * step.layers[0].groups; ++i) in[i] = from[i * V::LANES];
        few_outputs<V>(step.layers[0], group.first_across[s] + k * step.layers[0].rows, in, sum);
        activate(step.layers[0]);
        few_outputs<V>(step.layers[1], step.layers[1].start, in, sum);
        activate(step.layers[1]);
        few_outputs<V>(step.layers[2], step.layers[2].start, in, sum);
        std::int16_t* to = group.outputs + group.half_of[k];
        for (int o = 0; o < step.layers[2].outputs; ++o)
            to[o * V::LANES] = static_cast<std::int16_t>(clipped(sum[o], -32768, 32767));
    }
}

// The network of step s at a pixel: group.inputs -> group.outputs.
template <class V, int C>
ZM_CALLED void network(const Group& group, int s) {
    const Step& step = group.steps[s];
    if constexpr (V::ACROSS && C == 1)
        if (group.n_cells <= static_cast<int>(FEW_CELLS)) return few_network<V>(group, s);
    if constexpr (V::PAIRED) {
        constexpr int H = C < 2 ? 1 : C / 2;
        interleave_pairs<V, H>(group.inputs, step.layers[0].pairs, group.activations[0]);
        paired_hidden<V, H>(step.layers[0], group.first[s], group.activations[0], group.activations[1]);
        paired_hidden<V, H>(step.layers[1], nullptr, group.activations[1], group.activations[0]);
        // Of a single logistic the weight, which is the last output, does not count.
        const int n = step.n_components == 1 ? 3 : step.layers[2].outputs;
        paired_output<V, H>(step.layers[2], n, group.activations[0], group.outputs);
    } else {
        interleave<V>(group.inputs, step.layers[0].groups, group.activations[0]);
        hidden<V, C>(step.layers[0], group.first[s], group.activations[0], group.activations[1]);
        hidden<V, C>(step.layers[1], nullptr, group.activations[1], group.activations[0]);
        output<V, C>(step.layers[2], group.activations[0], group.outputs);
    }
}

}  // namespace
}  // namespace zarrmal
