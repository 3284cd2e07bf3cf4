// Weights and tables of lattice/, laid out for the walk.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "lattice_module.h"
#include "lattice_symbols.h"

using namespace zarrmal;

namespace {

// Without conversion: the caller must pass the right dtype, order and shape.
template <class T, int N>
In<T, N> array(const nb::dict& from, const char* name, std::vector<std::size_t> shape) {
    In<T, N> result;
    if (!from.contains(name) || !nb::try_cast<In<T, N>>(from[name], result, false))
        throw nb::type_error((std::string(name) + " has another dtype, rank or order").c_str());
    for (std::size_t k = 0; k < shape.size(); ++k)
        if (result.shape(k) != shape[k]) refuse(std::string(name) + " has another shape");
    return result;
}

template <class T>
std::vector<T> table(const nb::dict& from, const char* name, std::size_t size) {
    const auto values = array<std::int64_t, 1>(from, name, {size});
    std::vector<T> result(size);
    for (std::size_t k = 0; k < size; ++k) result[k] = static_cast<T>(values.data()[k]);
    return result;
}

// [pair of inputs][64 in SCAN order][2] of (64, inputs).
std::vector<std::int16_t> columns_in_pairs(const nb::dict& from, const char* name,
                                           std::size_t n_inputs,
                                           const std::vector<std::uint8_t>& scan) {
    const auto weight = array<std::int16_t, 2>(from, name, {64, n_inputs});
    const std::size_t n_pairs = (n_inputs + 1) / 2;
    std::vector<std::int16_t> result(n_pairs * 128);
    for (std::size_t k = 0; k < 64; ++k)
        for (std::size_t i = 0; i < n_inputs; ++i)
            result[(i / 2) * 128 + 2 * k + i % 2] = weight.data()[scan[k] * n_inputs + i];
    return result;
}

// A layer as it is given: weight [zone][unit][input], shift [zone][unit], bias [set][unit], where zones
// and sets may be one. Biases are given the rounding of the shift of their zone.
struct Layer {
    In<std::int8_t, 1> weight;
    In<std::uint8_t, 1> shift;
    std::vector<std::int32_t> bias;
    std::size_t zones, units, inputs;

    template <class ZoneOf>
    Layer(const nb::dict& from, const std::string& name, std::size_t zones, std::size_t units,
          std::size_t inputs, std::size_t sets, ZoneOf zone_of)
        : zones(zones), units(units), inputs(inputs) {
        In<std::int32_t, 1> biases;
        if (!nb::try_cast(nb::object(from[(name + "_weight").c_str()]), weight, false) ||
            !nb::try_cast(nb::object(from[(name + "_shift").c_str()]), shift, false) ||
            !nb::try_cast(nb::object(from[(name + "_bias").c_str()]), biases, false))
            throw nb::type_error((name + " has another dtype, rank or order").c_str());
        if (weight.size() != zones * units * inputs || shift.size() != zones * units ||
            biases.size() != sets * units)
            refuse(name + " has another size");
        for (std::size_t k = 0; k < shift.size(); ++k)
            if (shift.data()[k] < 1 || shift.data()[k] > 24) refuse(name + " has a shift beyond 1..24");
        for (std::size_t s = 0; s < sets; ++s)
            for (std::size_t u = 0; u < units; ++u) {
                const std::int32_t value = biases.data()[s * units + u];
                if (value < -(1 << 30) || value > 1 << 30) refuse(name + " has a bias beyond 2**30");
                bias.push_back(value + (1 << (shift.data()[zone_of(s) * units + u] - 1)));
            }
    }
    std::int8_t at(std::size_t zone, std::size_t unit, std::size_t input) const {
        return weight.data()[(zone * units + unit) * inputs + input];
    }
    // Biases or shifts of `n` sets, of as many units as `padded`, the sets in an order.
    template <class T>
    static std::vector<std::int32_t> ordered(const T* values, std::size_t n, std::size_t units,
                                             std::size_t padded, std::int32_t rest,
                                             const std::uint8_t* order) {
        std::vector<std::int32_t> result(n * padded, rest);
        for (std::size_t k = 0; k < n; ++k)
            for (std::size_t u = 0; u < units; ++u)
                result[k * padded + u] = values[(order ? order[k] : k) * units + u];
        return result;
    }
};

// `slots` names the input of each place, or -1. `order` is that of sets of biases.
LatticeHidden hidden_of(const Layer& layer, const std::vector<int>& slots,
                        const std::uint8_t* order) {
    LatticeHidden to;
    to.weight.resize(layer.zones * slots.size() * LATTICE_HIDDEN);
    for (std::size_t z = 0; z < layer.zones; ++z)
        for (std::size_t i = 0; i < slots.size(); ++i)
            for (std::size_t u = 0; u < LATTICE_HIDDEN && slots[i] >= 0; ++u)
                to.weight[((z * slots.size() + i / 2 * 2) * LATTICE_HIDDEN) + 2 * u + i % 2] =
                    layer.at(z, u, static_cast<std::size_t>(slots[i]));
    to.bias = Layer::ordered(layer.bias.data(), layer.bias.size() / LATTICE_HIDDEN, LATTICE_HIDDEN,
                             LATTICE_HIDDEN, 0, order);
    to.shift = Layer::ordered(layer.shift.data(), layer.zones, LATTICE_HIDDEN, LATTICE_HIDDEN, 1,
                              nullptr);
    return to;
}

LatticeOutputs outputs_of(const Layer& layer, std::size_t padded, const std::uint8_t* order) {
    LatticeOutputs to;
    to.weight.resize(layer.zones * padded * LATTICE_HIDDEN);
    for (std::size_t z = 0; z < layer.zones; ++z)
        for (std::size_t u = 0; u < layer.units; ++u)
            for (int k = 0; k < LATTICE_HIDDEN; ++k)
                to.weight[(z * padded + u) * LATTICE_HIDDEN + static_cast<std::size_t>(k)] =
                    layer.at(z, u, static_cast<std::size_t>(lattice_packed(k)));
    to.bias = Layer::ordered(layer.bias.data(), layer.bias.size() / layer.units, layer.units, padded,
                             0, order);
    to.shift = Layer::ordered(layer.shift.data(), layer.zones, layer.units, padded, 1, nullptr);
    return to;
}

// [pair of inputs][64 in SCAN order][2] of (64, inputs), the inputs in an order.
template <class PlaceOf>
std::vector<std::int16_t> scales_in_pairs(const nb::dict& from, const char* name, std::size_t n,
                                          const std::vector<std::uint8_t>& scan, PlaceOf input_of) {
    const auto weight = array<std::int16_t, 2>(from, name, {64, n});
    std::vector<std::int16_t> result(n * 64);
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t k = 0; k < 64; ++k)
            result[i / 2 * 128 + 2 * k + i % 2] = weight.data()[scan[k] * n + input_of(i)];
    return result;
}

// What tells the distributions of coefficients without a network.
void take_scales(LatticeKind& kind, const nb::dict& from, const LatticeTables& tables) {
    const std::vector<std::uint8_t>& scan = tables.scan;
    kind.networks = array<std::uint8_t, 1>(from, "networks", {1}).data()[0];
    if (kind.networks > LATTICE_DIAGONALS) refuse("there are networks of more than 15 diagonals");
    kind.scale_around = scales_in_pairs(from, "scale_from_around", 2 * LATTICE_AROUND_PAIRS, scan,
                                        [](std::size_t i) { return i; });
    kind.scale_block = scales_in_pairs(from, "scale_from_block", LATTICE_HIDDEN, scan,
                                       [](std::size_t i) {
                                           return static_cast<std::size_t>(
                                               lattice_packed(static_cast<int>(i)));
                                       });
    const auto earlier = array<std::int16_t, 3>(from, "scale_from_earlier", {64, 64, 2});
    kind.scale_earlier.resize(64 * 128);
    for (std::size_t i = 0; i < 64; ++i)
        for (std::size_t j = 0; j < 64; ++j)
            for (std::size_t k = 0; k < 2; ++k)
                kind.scale_earlier[128 * i + 2 * j + k] =
                    earlier.data()[(64 * scan[j] + scan[i]) * 2 + k];
    const auto bias = array<std::int16_t, 2>(from, "scale_bias", {LATTICE_DIAGONALS, 64});
    const auto alone = array<std::int16_t, 1>(from, "scale_alone", {64});
    for (std::size_t last = 0; last < LATTICE_DIAGONALS; ++last)
        for (const std::uint8_t j : scan)
            kind.scale_bias.push_back(bias.data()[64 * last + j] +
                                      (j / 8u + j % 8u == last ? alone.data()[j] : 0));
    for (const std::uint8_t j : scan) kind.scale_alone.push_back(alone.data()[j]);
    const auto shape = array<std::int8_t, 2>(from, "scale_shape", {LATTICE_SHAPES, 3});
    for (std::size_t k = 0; k < LATTICE_SHAPES; ++k) {
        kind.scale_more[k] = shape.data()[3 * k];
        kind.scale_share[k] = shape.data()[3 * k + 1];
        kind.scale_kept[k] = 64 - shape.data()[3 * k + 2];
    }
    for (int scale = 0; scale < LATTICE_NARROW; ++scale)
        for (int fraction = 0; fraction < LATTICE_FRACTIONS; ++fraction) {
            const int more = clamp(scale + kind.scale_more[scale >> 2], 0, LATTICE_SCALES - 1);
            const Five five = {{0, 0}, {scale, more}, kind.scale_share[scale >> 2] + 128};
            const Mix mix = mix_of(tables, five, 4 * fraction - 16);
            for (int k = 0; k < LATTICE_EDGES; ++k)
                kind.narrow.push_back(static_cast<std::uint16_t>(mix.below(LATTICE_FIRST_EDGE + k)));
        }
}

// The inputs of the network of rim pixels, by their place among the pairs of products.
std::vector<int> rim_slots(const std::vector<std::int8_t>& near) {
    constexpr int SINGLE[] = {48, 49, 60, 61, 50, 51};
    std::vector<int> result;
    const auto place = [&near](int y, int x, int most) {
        for (int k = 0; k < most; ++k)
            if (near[static_cast<std::size_t>(2 * k)] == y &&
                near[static_cast<std::size_t>(2 * k + 1)] == x)
                return k;
        return -1;
    };
    for (const int first : RIM_PAIR)
        for (int at = first; at < first + 2; ++at) {
            const int y = at % 64 / 8 - 3, x = at % 8 - 3;
            int input;
            if (at < RIM_KNOWN_AT)
                input = place(y, x, LATTICE_NEAR);
            else if (at < RIM_LUMA_AT)
                input = place(y, x, 12) < 0 ? -1 : 36 + place(y, x, 12);
            else if (at < RIM_SINGLE_AT)
                input = place(y, x, 8) < 0 ? -1 : 52 + place(y, x, 8);
            else
                input = SINGLE[at - RIM_SINGLE_AT];
            result.push_back(input);
        }
    return result;
}

}  // namespace

void make_lattice_plan(LatticePlan* to, const nb::list& kinds, const nb::dict& tables) {
    if (kinds.size() != LATTICE_KINDS) refuse("there must be three kinds of planes");
    auto plan = std::make_unique<LatticePlan>();
    LatticeTables& t = plan->tables;
    t.log = table<std::uint8_t>(tables, "log", 4096);
    t.log.resize(LATTICE_LOGS, t.log.back());
    t.log_step = table<std::uint8_t>(tables, "log_step", 65536);
    t.curve = table<std::int32_t>(tables, "curve", 3072);
    t.slope = table<std::int32_t>(tables, "slope", 128);
    t.share = table<std::int32_t>(tables, "share", 256);
    t.exp = table<std::int32_t>(tables, "exp", 512);
    t.scan = table<std::uint8_t>(tables, "scan", 64);
    t.matrix = table<std::int32_t>(tables, "matrix", 64);
    t.near = table<std::int8_t>(tables, "near", 2 * LATTICE_NEAR);
    std::vector<bool> used(64);
    for (std::size_t k = 0, before = 0; k < 64; ++k) {
        const std::size_t j = t.scan[k];
        if (j > 63 || used[j] || j / 8 + j % 8 < before) refuse("scan is no order by diagonals");
        used[j] = true;
        before = j / 8 + j % 8;
    }
    std::vector<int> slots(LATTICE_ORDER, LATTICE_ORDER + LATTICE_INPUTS), plain, rims;
    for (int k = 0; k < LATTICE_INPUTS; ++k) plain.push_back(k);
    rims = rim_slots(t.near);
    const auto zone = [](std::size_t j) {
        return std::min<std::size_t>(j / 8 + j % 8, LATTICE_ZONES - 1);
    };
    const auto first = [](std::size_t) { return std::size_t{0}; };
    constexpr std::size_t HIDDEN = LATTICE_HIDDEN;
    for (std::size_t k = 0; k < LATTICE_KINDS; ++k) {
        const auto from = nb::cast<nb::dict>(kinds[k]);
        LatticeKind& kind = plan->kinds[k];
        kind.border = columns_in_pairs(from, "from_border", LATTICE_BORDER, t.scan);
        kind.luma = columns_in_pairs(from, "from_luma", 64, t.scan);
        kind.other = columns_in_pairs(from, "from_other", 64, t.scan);
        const auto earlier = array<std::int16_t, 2>(from, "from_earlier", {64, 64});
        kind.earlier.resize(64 * 64);
        kind.beside.resize(64 * 8 * 2);
        for (std::size_t i = 0; i < 64; ++i)
            for (std::size_t j = 0; j < 64; ++j)
                kind.earlier[i / 2 * 128 + 2 * j + i % 2] =
                    earlier.data()[64 * t.scan[j] + t.scan[i]];
        for (std::size_t i = 0; i < 64; ++i)
            for (std::size_t k = 0; k < 8; ++k)
                kind.beside[16 * i + 2 * k] = earlier.data()[64 * t.scan[i / 8 * 8 + k] + t.scan[i]];
        kind.hidden = hidden_of(
            Layer(from, "hidden", LATTICE_ZONES, HIDDEN, LATTICE_INPUTS, 64, zone), slots,
            t.scan.data());
        kind.output = outputs_of(
            Layer(from, "output", LATTICE_ZONES, LATTICE_OUTPUTS, HIDDEN, 64, zone),
            LATTICE_OUTPUTS_PADDED, t.scan.data());
        kind.diagonal_hidden = hidden_of(
            Layer(from, "diagonal_hidden", 1, HIDDEN, LATTICE_INPUTS, 1, first), plain, nullptr);
        kind.diagonal_output =
            outputs_of(Layer(from, "diagonal_output", 1, LATTICE_DIAGONALS, HIDDEN, 1, first),
                       LATTICE_DIAGONALS_PADDED, nullptr);
        take_scales(kind, from, t);
        kind.spatial_hidden = hidden_of(
            Layer(from, "spatial_hidden", 1, HIDDEN, LATTICE_RIM_INPUTS, 1, first), rims, nullptr);
        kind.spatial_output =
            outputs_of(Layer(from, "spatial_output", 1, LATTICE_OUTPUTS, HIDDEN, 1, first),
                       LATTICE_OUTPUTS_PADDED, nullptr);
    }
    new (to) LatticePlan(std::move(*plan));
}
