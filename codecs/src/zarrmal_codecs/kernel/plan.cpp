#include "plan.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "chains.h"
#include "tables.h"

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

// A neighbour, and the input that its value is.
struct Seen {
    Offset offset;
    int input;
};

int whole_groups(std::size_t n) { return static_cast<int>((n + 3) / 4 * 4); }

// Neighbours row by row: their slots from the end of `inputs` on, which names the input of each slot.
SingleRuns runs_of(std::vector<Seen> seen, std::vector<int>& inputs) {
    std::sort(seen.begin(), seen.end(), [](const Seen& a, const Seen& b) {
        return a.offset.y != b.offset.y ? a.offset.y < b.offset.y : a.offset.x < b.offset.x;
    });
    SingleRuns runs{};
    const std::size_t begin = inputs.size();
    Offset next{0, 0};
    for (const Seen& each : seen) {
        if (!runs.n || each.offset.y != next.y || each.offset.x != next.x) {
            if (runs.n == SINGLE_RUNS) throw std::logic_error("neighbours in too many runs");
            runs.run[runs.n++] = {each.offset.y, each.offset.x, static_cast<int>(inputs.size())};
        }
        next = {each.offset.y, each.offset.x + 1};
        inputs.push_back(each.input);
    }
    runs.count = whole_groups(seen.size());
    inputs.resize(begin + static_cast<std::size_t>(runs.count), -1);
    return runs;
}

void fill_group(std::vector<int>& inputs) {
    inputs.resize(static_cast<std::size_t>(whole_groups(inputs.size())), -1);
}

}  // namespace

Plan::Plan(const std::vector<RawStep>& steps, long long n_planes, bool has_prediction, int depth)
    : has_prediction_(has_prediction), depth_(depth), no_shift_(MAX_CONTEXT_WIDTH, 0) {
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
        if (depth == 8) order_single(step, raw.layers[0]);
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
    const std::size_t pairs = (raw.inputs + 1) / 2;
    made.paired.assign(rows * pairs * 4, 0);
    for (std::size_t o = 0; o < raw.outputs; ++o)
        for (std::size_t i = 0; i < 2 * pairs; ++i) {
            const std::size_t to = ((o / 4 * pairs + i / 2) * 4 + o % 4) * 4 + i % 2;
            made.paired[to] = made.paired[to + 2] = made.weight[o * groups * 4 + i];
        }
    return made;
}

const std::vector<std::uint8_t>& Plan::chains(const RawLayer& raw, const Sums& sums, int k) {
    const auto [known, is_new] =
        chains_.try_emplace({raw.weight, raw.bias, raw.shift, k, raw.outputs, raw.inputs});
    if (!is_new) return known->second;
    const std::size_t pairs = (raw.inputs + 1) / 2, n_rows = (raw.outputs + 3) / 4 * 4;
    std::vector<std::int8_t> weight(n_rows * pairs * 2, 0);
    std::vector<ChainRow> rows(n_rows, {0, 1, 0, MAX_ACTIVATION});
    for (std::size_t o = 0; o < raw.outputs; ++o) {
        std::copy_n(raw.weight + o * raw.inputs, raw.inputs, weight.data() + o * pairs * 2);
        rows[o].start = sums.start[o];
        rows[o].shift = sums.shift[o];
        if (k < 2) continue;
        // The blank, then a location, a slope and a weight of each logistic (FORMAT 6.3).
        const bool is_location = o % 3 == 1, is_slope = o && o % 3 == 2, is_deep = depth_ == 16;
        rows[o].low = is_location ? is_deep ? MIN_DEEP_LOCATION : MIN_LOCATION : is_slope ? 0 : -MAX_LOGIT;
        rows[o].high = is_location ? is_deep ? MAX_DEEP_LOCATION : MAX_LOCATION
                       : is_slope  ? MAX_SLOPE
                                   : MAX_LOGIT;
    }
    return known->second = chain_ends(weight.data(), pairs, rows);
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

// The order of single.h; the numbers of inputs are those of FORMAT 6.8.
void Plan::order_single(Step& step, const RawLayer& raw) {
    SingleOrder& order = step.single;
    const int flags = step.n_causal, earlier = flags + step.n_flags;
    const int of_earlier = N_EARLIER + step.n_full;
    const int base = earlier + step.n_earlier * of_earlier, predicted = base + 1 + N_POSITION;
    const int coverage = predicted + (has_prediction_ ? N_PREDICTION : 0);

    std::vector<int> late, west_flags;
    std::vector<Seen> above, above_flags;
    for (int k = 0; k < step.n_causal; ++k) {
        const Offset& offset = causal_offsets()[k];
        const int flag = k < step.n_flags ? flags + k : -1;
        if (offset.y == 0) {
            late.push_back(k);
            if (flag >= 0) west_flags.push_back(flag);
        } else {
            above.push_back({offset, k});
            above_flags.push_back({offset, flag});
        }
    }
    order.n_west = static_cast<int>(late.size());
    order.n_west_flags = static_cast<int>(west_flags.size());
    late.insert(late.end(), west_flags.begin(), west_flags.end());
    late.push_back(base);
    for (int t = 0; t < step.n_earlier; ++t) late.push_back(earlier + t * of_earlier + 1);
    fill_group(late);
    order.n_scalar_groups = static_cast<int>(late.size() / 4);
    std::vector<int> seen;
    order.above = runs_of(above, seen);
    for (int k = 0; has_prediction_ && k < N_PREDICTION; ++k) {
        order.never_blank[seen.size()] = 255;
        seen.push_back(predicted + k);
    }
    fill_group(seen);
    order.n_seen = static_cast<int>(seen.size());
    late.insert(late.end(), seen.begin(), seen.end());

    std::vector<int> early;
    runs_of(above_flags, early);
    std::vector<Seen> covered, full;
    for (int k = 0; k < step.n_coverage; ++k)
        covered.push_back({k ? full_offsets()[k - 1] : Offset{0, 0}, coverage + k});
    order.covered = runs_of(covered, early);
    for (int t = 0; t < step.n_earlier; ++t) {
        full.clear();
        for (int k = 0; k < step.n_full; ++k)
            full.push_back({full_offsets()[k], earlier + t * of_earlier + N_EARLIER + k});
        order.full_slot[t] = static_cast<int>(early.size());
        std::vector<int> slots;
        order.full = runs_of(full, slots);
        early.insert(early.end(), slots.begin(), slots.end());
    }
    order.rest_slot = static_cast<int>(early.size());
    for (int k = 0; k < N_POSITION; ++k) early.push_back(base + 1 + k);
    for (int t = 0; t < step.n_earlier; ++t)
        for (int k : {0, 2}) early.push_back(earlier + t * of_earlier + k);
    fill_group(early);

    const std::size_t rows = padded_rows(raw.outputs);
    const auto packed = [&](const std::vector<int>& inputs) {
        Layer layer = step.layers[0];
        layer.groups = static_cast<int>(inputs.size() / 4);
        std::vector<std::int8_t> weight(inputs.size() * rows, 0);
        for (std::size_t i = 0; i < inputs.size(); ++i)
            for (std::size_t o = 0; inputs[i] >= 0 && o < raw.outputs; ++o)
                weight[(i / 4 * rows + o) * 4 + i % 4] =
                    raw.weight[o * raw.inputs + static_cast<std::size_t>(inputs[i])];
        single_weights_.push_back(std::move(weight));
        layer.across = single_weights_.back().data();
        return layer;
    };
    order.late = packed(late);
    order.early = packed(early);
    order.early.shift = no_shift_.data();
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
    layer.paired = weight.paired.data();
    layer.chains = chains(raw, sum, k).data();
    layer.outputs = static_cast<int>(k < 2 ? (raw.outputs + 3) / 4 * 4 : raw.outputs);
    layer.groups = static_cast<int>((raw.inputs + 3) / 4);
    layer.pairs = static_cast<int>((raw.inputs + 1) / 2);
    return layer;
}

}  // namespace zarrmal
