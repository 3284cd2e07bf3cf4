#include "plan.h"

#include <stdexcept>
#include <string>

#include "chains.h"

namespace zarrmal {

namespace {

void require(bool holds, int s, const std::string& what) {
    if (!holds) throw std::invalid_argument("step " + std::to_string(s) + ": " + what);
}

int n_inputs(const Step& step, bool has_prediction) {
    return step.n_causal + step.n_flags + step.n_earlier * (N_EARLIER + step.n_full) + 1 +
           N_POSITION + (has_prediction ? N_PREDICTION : 0) + step.n_coverage;
}

std::size_t padded_rows(std::size_t outputs) {
    return (outputs + ROW_BLOCK - 1) / ROW_BLOCK * ROW_BLOCK;
}

}  // namespace

Plan::Plan(const std::vector<RawStep>& steps, long long n_planes, bool has_prediction, int depth)
    : has_prediction_(has_prediction), depth_(depth) {
    if (depth != 8 && depth != 16)
        throw std::invalid_argument("a plan's depth is 8 or 16, not " + std::to_string(depth));
    if (n_planes < 1 || n_planes > MAX_PLANES || steps.size() != static_cast<std::size_t>(n_planes))
        throw std::invalid_argument("a plan has as many steps as planes, 1 to 64, not " +
                                    std::to_string(steps.size()) + " steps and " +
                                    std::to_string(n_planes) + " planes");
    for (int s = 0; s < static_cast<int>(steps.size()); ++s) {
        const RawStep& raw = steps[static_cast<std::size_t>(s)];
        require(raw.n_context == 7, s, "context must have 7 values");
        Step step{};
        step.plane = raw.context[0];
        step.n_causal = raw.context[1];
        step.n_flags = raw.context[2];
        step.n_full = raw.context[3];
        step.n_components = raw.context[4];
        step.n_coverage = raw.context[5];
        step.follows = raw.context[6] != 0;
        sees_coverage_ |= step.n_coverage > 0;
        require(step.plane < n_planes, s, "it codes plane " + std::to_string(step.plane));
        require(step.n_causal >= MIN_CAUSAL && step.n_causal <= MAX_CAUSAL &&
                    step.n_flags <= step.n_causal && step.n_full <= MAX_FULL &&
                    step.n_components >= 1 && step.n_components <= MAX_COMPONENTS &&
                    step.n_coverage <= MAX_COVERAGE_INPUTS,
                s, "context is beyond its bounds");
        for (int t = 0; t < s; ++t)
            require(steps_[static_cast<std::size_t>(t)].plane != step.plane, s,
                    "an earlier step codes the same plane");
        require(raw.n_earlier <= MAX_EARLIER, s, "it sees more than 3 earlier steps");
        step.n_earlier = static_cast<int>(raw.n_earlier);
        require(step.n_earlier || !step.follows, s, "it follows an earlier step, but sees none");
        for (int t = 0; t < step.n_earlier; ++t) {
            require(raw.earlier[t] < s, s, "it sees a step that is not earlier");
            step.earlier[t] = steps_[raw.earlier[t]].plane;
        }
        step.n_inputs = n_inputs(step, has_prediction);
        require(step.n_inputs <= MAX_CONTEXT_INPUTS, s,
                std::to_string(step.n_inputs) + " inputs, 255 are allowed");
        std::size_t inputs = static_cast<std::size_t>(step.n_inputs);
        for (int k = 0; k < 3; ++k) {
            const RawLayer& layer = raw.layers[k];
            const std::string name = "layer " + std::to_string(k + 1);
            require(layer.inputs == inputs, s,
                    name + " takes " + std::to_string(layer.inputs) + " inputs, not " +
                        std::to_string(inputs));
            require(layer.outputs >= 1 && layer.outputs <= MAX_CONTEXT_WIDTH, s,
                    name + " has " + std::to_string(layer.outputs) + " outputs, 1 to 256 are allowed");
            require(layer.n_bias == layer.outputs && layer.n_shift == layer.outputs, s,
                    name + " needs a bias and a shift for each output");
            inputs = layer.outputs;
            step.layers[k] = pack(layer, s, k);
        }
        require(inputs == static_cast<std::size_t>(1 + 3 * step.n_components), s,
                "layer 3 needs " + std::to_string(1 + 3 * step.n_components) + " outputs");
        first_outputs_.push_back(raw.layers[0].outputs);
        steps_.push_back(step);
    }
}

const Plan::Weights& Plan::weights(const RawLayer& raw) {
    const auto [known, is_new] = weights_.try_emplace({raw.weight, raw.outputs, raw.inputs});
    Weights& made = known->second;
    if (!is_new) return made;
    const std::size_t groups = (raw.inputs + 3) / 4, rows = (raw.outputs + 3) / 4 * 4;
    made.weight.assign(rows * groups * 4, 0);
    made.offset.assign(rows, 0);
    const std::size_t padded = padded_rows(raw.outputs);
    made.across.assign(groups * padded * 4, 0);
    for (std::size_t o = 0; o < raw.outputs; ++o)
        for (std::size_t i = 0; i < raw.inputs; ++i) {
            const std::int8_t weight = raw.weight[o * raw.inputs + i];
            made.weight[o * groups * 4 + i] = weight;
            made.across[(i / 4 * padded + o) * 4 + i % 4] = weight;
            made.offset[o] += 128 * weight;
        }
    made.chains = chain_ends(made.weight, rows, groups);
    return made;
}

const Plan::Sums& Plan::sums(const RawLayer& raw, int s) {
    const auto [known, is_new] = sums_.try_emplace({raw.bias, raw.shift, raw.outputs});
    Sums& made = known->second;
    if (!is_new) return made;
    const std::size_t rows = padded_rows(raw.outputs);
    made.start.assign(rows, 1);
    made.shift.assign(rows, 1);
    for (std::size_t o = 0; o < raw.outputs; ++o) {
        const int shift = raw.shift[o];
        require(shift >= 1 && shift <= MAX_CONTEXT_SHIFT, s,
                "a shift of " + std::to_string(shift) + ", 1 to 24 are allowed");
        made.shift[o] = shift;
        // Unsigned, because sums of an unchecked model may wrap.
        made.start[o] = static_cast<std::int32_t>(static_cast<std::uint32_t>(raw.bias[o]) +
                                                  (1u << (shift - 1)));
    }
    return made;
}

Layer Plan::pack(const RawLayer& raw, int s, int k) {
    const Weights& weight = weights(raw);
    const Sums& sum = sums(raw, s);
    Layer layer{};
    layer.weight = weight.weight.data();
    layer.across = weight.across.data();
    layer.rows = static_cast<int>(padded_rows(raw.outputs));
    layer.start = sum.start.data();
    layer.shift = sum.shift.data();
    layer.offset = weight.offset.data();
    layer.chains = weight.chains.data();
    layer.outputs = static_cast<int>(k < 2 ? (raw.outputs + 3) / 4 * 4 : raw.outputs);
    layer.groups = static_cast<int>((raw.inputs + 3) / 4);
    return layer;
}

}  // namespace zarrmal
