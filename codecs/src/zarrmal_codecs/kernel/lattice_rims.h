// Rim pixels (FORMAT-lattice 8).
#pragma once

#include "lattice_ops.h"
#include "lattice_symbols.h"

namespace zarrmal {
namespace {

// Weighted mean, in 32nds, of the known values around (FORMAT-lattice 8).
inline std::int32_t mean_around(const std::uint8_t* values, const std::int64_t* near,
                                const bool* known, const std::int32_t* weight) {
    std::int32_t total = 0, sum = 0;
    for (int k = 0; k < LATTICE_NEAR; ++k)
        if (known[k]) {
            total += weight[k];
            sum += weight[k] * values[near[k]];
        }
    return total ? (32 * sum + (total >> 1)) / total : 32 * MIDDLE_SAMPLE;
}

inline void read_rim_pixels(const LatticePlan& plan, std::size_t kind, const LatticeRim& rim,
                            LatticeTape& tape) {
    Reading coder{tape};
    const LatticeLayer &one = plan.kinds[kind].spatial_hidden, &two = plan.kinds[kind].spatial_output;
    std::uint8_t* const values = rim.values[kind];
    std::int64_t offset[LATTICE_NEAR];
    for (int k = 0; k < LATTICE_NEAR; ++k)
        offset[k] = plan.tables.near[static_cast<std::size_t>(2 * k)] * rim.stride +
                    plan.tables.near[static_cast<std::size_t>(2 * k + 1)];
    std::int32_t weight[LATTICE_NEAR];
    for (int k = 0; k < LATTICE_NEAR; ++k) {
        const std::int32_t y = plan.tables.near[static_cast<std::size_t>(2 * k)];
        const std::int32_t x = plan.tables.near[static_cast<std::size_t>(2 * k + 1)];
        weight[k] = 64 / (y * y + x * x);
    }
    const auto small = [](std::int32_t value) {
        return static_cast<std::int16_t>(clamp(value, -128, 127));
    };
    for (std::size_t turn = 0; turn < rim.n; ++turn) {
        const std::int64_t index = rim.turns[turn];
        std::int64_t near[LATTICE_NEAR];
        bool known[LATTICE_NEAR];
        std::int16_t inputs[LATTICE_RIM_INPUTS] = {};
        int n_known = 0;
        for (int k = 0; k < LATTICE_NEAR; ++k) {
            near[k] = index + offset[k];
            known[k] = rim.order[near[k]] < rim.order[index];
            n_known += known[k];
        }
        const std::int32_t base = mean_around(values, near, known, weight);
        for (int k = 0; k < LATTICE_NEAR; ++k)
            if (known[k]) inputs[k] = small((32 * values[near[k]] - base) >> 3);
        for (int k = 0; k < 12; ++k) inputs[36 + k] = known[k] ? 64 : 0;
        inputs[48] = small(3 * n_known);
        inputs[49] = small(((base >> 5) - MIDDLE_SAMPLE) >> 1);
        inputs[50] = small(plan.tables.log_step[rim.steps[0]]);
        inputs[51] = small(plan.tables.log_step[rim.steps[9]]);
        if (kind) {
            const std::uint8_t* const first = rim.values[0];
            for (int k = 0; k < 8; ++k)
                if (known[k]) inputs[52 + k] = small(4 * (first[index] - first[near[k]]));
            for (std::size_t p = 0; p < kind && n_known; ++p)
                inputs[60 + p] = small(
                    (32 * rim.values[p][index] - mean_around(rim.values[p], near, known, weight)) >> 3);
        }
        std::int32_t sums[LATTICE_HIDDEN], outputs[LATTICE_OUTPUTS_PADDED];
        std::int16_t hidden[LATTICE_HIDDEN];
        layer<LATTICE_HIDDEN, LATTICE_RIM_INPUTS / 2>(sums, one.weight.data(), one.bias.data(),
                                                      one.shift.data(), inputs);
        for (int k = 0; k < LATTICE_HIDDEN; ++k)
            hidden[k] = static_cast<std::int16_t>(clamp(sums[k], 0, 127));
        layer<LATTICE_OUTPUTS_PADDED, LATTICE_HIDDEN / 2>(outputs, two.weight.data(), two.bias.data(),
                                                          two.shift.data(), hidden);
        const Mix mix = mix_of(plan.tables, outputs, base);
        const int symbol = coder.symbol(mix);
        const bool beyond = symbol == 0 || symbol == SYMBOLS - 1;
        const std::int32_t rest = coder.uniform(0, beyond ? 8 : mix.width);
        const std::int32_t value = beyond ? rest : mix.lowest + ((symbol - 1) << mix.width) + rest;
        values[index] = static_cast<std::uint8_t>(clamp(value, 0, 255));
    }
}

}  // namespace
}  // namespace zarrmal
