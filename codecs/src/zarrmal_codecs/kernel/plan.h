// The networks of a class in the layout of the lanes; checked, then constant (FORMAT 6.4, 6.5).
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <tuple>
#include <vector>

#include "kernel.h"

namespace zarrmal {

// Arrays as Python passes them; the sizes are those of the arrays.
struct RawLayer {
    const std::int8_t* weight;
    std::size_t outputs, inputs;
    const std::int32_t* bias;
    std::size_t n_bias;
    const std::uint8_t* shift;
    std::size_t n_shift;
};

struct RawStep {
    const std::uint8_t* context;
    std::size_t n_context;
    const std::uint8_t* earlier;
    std::size_t n_earlier;
    RawLayer layers[3];
};

class Plan {
public:
    // Throws std::invalid_argument, with the value and the bound, if the lanes could not run this
    // safely. Overflow of sums is not checked: they wrap.
    Plan(const std::vector<RawStep>& steps, long long n_planes, bool has_prediction, int depth);
    Plan(const Plan&) = delete;
    Plan& operator=(const Plan&) = delete;

    int n_planes() const { return static_cast<int>(steps_.size()); }
    bool has_prediction() const { return has_prediction_; }
    bool is_deep() const { return depth_ == 16; }
    bool sees_coverage() const { return sees_coverage_; }
    const Step* steps() const { return steps_.data(); }
    // Outputs of the first layer, before padding.
    std::size_t first_outputs(int s) const { return first_outputs_[static_cast<std::size_t>(s)]; }

private:
    struct Weights {
        std::vector<std::int8_t> weight, across, paired;
        std::vector<std::int32_t> offset;
    };

    struct Sums {
        std::vector<std::int32_t> start, shift;
    };

    // What steps share is packed once: networks, or only their weights.
    const Weights& weights(const RawLayer& raw);
    const Sums& sums(const RawLayer& raw, int s);
    const std::vector<std::uint8_t>& chains(const RawLayer& raw, const Sums& sums, int k);
    Layer pack(const RawLayer& raw, int s, int k);
    void order_single(Step& step, const RawLayer& raw);

    bool has_prediction_, sees_coverage_ = false;
    int depth_;
    std::vector<Step> steps_;
    std::vector<std::size_t> first_outputs_;
    // By where Python has the arrays, and their sizes.
    std::map<std::tuple<const void*, std::size_t, std::size_t>, Weights> weights_;
    std::map<std::tuple<const void*, const void*, std::size_t>, Sums> sums_;
    std::map<std::tuple<const void*, const void*, const void*, int, std::size_t, std::size_t>,
             std::vector<std::uint8_t>>
        chains_;
    std::list<std::vector<std::int8_t>> single_weights_;
    std::vector<std::int32_t> no_shift_;
};

}  // namespace zarrmal
