// The part of zarrmal_codecs._kernel for lattice/; its types and documentation are in _kernel.pyi.
#include "lattice_module.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "lattice.h"
#include "levels.h"

namespace nb = nanobind;
using namespace zarrmal;

namespace {

template <class T, int N>
using In = nb::ndarray<const T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;

[[noreturn]] void refuse(const std::string& what) { throw nb::value_error(what.c_str()); }

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

// The inputs of the network of rim pixels, by their place among the pairs of products.
std::vector<int> rim_slots(const std::vector<std::int8_t>& near) {
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
                input = std::vector<int>{48, 49, 60, 61, 50, 51}[static_cast<std::size_t>(at - RIM_SINGLE_AT)];
            result.push_back(input);
        }
    return result;
}

void make_plan(LatticePlan* to, const nb::list& kinds, const nb::dict& tables) {
    if (kinds.size() != LATTICE_KINDS) refuse("there must be three kinds of planes");
    auto plan = std::make_unique<LatticePlan>();
    LatticeTables& t = plan->tables;
    t.log = table<std::uint8_t>(tables, "log", 4096);
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
        for (std::size_t i = 0; i < 64; ++i)
            for (std::size_t j = 0; j < 64; ++j)
                kind.earlier[64 * i + j] = earlier.data()[64 * t.scan[j] + t.scan[i]];
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
        kind.spatial_hidden = hidden_of(
            Layer(from, "spatial_hidden", 1, HIDDEN, LATTICE_RIM_INPUTS, 1, first), rims, nullptr);
        kind.spatial_output =
            outputs_of(Layer(from, "spatial_output", 1, LATTICE_OUTPUTS, HIDDEN, 1, first),
                       LATTICE_OUTPUTS_PADDED, nullptr);
    }
    new (to) LatticePlan(std::move(*plan));
}

LatticeLevel level_named(const std::string& name) {
    for (int k = 0; k < levels().count; ++k)
        if (name == levels().level[k].name) return lattice_level(k);
    refuse("level '" + name + "' is not one of levels()");
}

// The planes of cells: arrays of what each block, plane and cell has, one after the other.
struct Laid {
    std::vector<std::int64_t> sizes;   // (cell, plane, 2): rows, columns of blocks
    std::vector<std::uint8_t> ratios;  // (cell, plane, 2)
    std::vector<std::uint16_t> steps;  // (cell, plane, 64)
    std::vector<std::uint8_t> coded, visible;
    std::vector<std::size_t> starts{0};  // of each plane's blocks
    std::size_t n = 0, n_planes = 0;

    Laid(const In<std::int64_t, 3>& s, const In<std::uint8_t, 3>& r, const In<std::uint16_t, 3>& t,
         const In<std::uint8_t, 1>& c, const In<std::uint8_t, 1>& v)
        : sizes(s.data(), s.data() + s.size()), ratios(r.data(), r.data() + r.size()),
          steps(t.data(), t.data() + t.size()), coded(c.data(), c.data() + c.size()),
          visible(v.data(), v.data() + v.size()), n(s.shape(0)), n_planes(s.shape(1)) {
        if (n_planes < 1 || n_planes > LATTICE_KINDS) refuse("cells have one to three planes");
        if (s.shape(2) != 2 || r.shape(0) != n || r.shape(1) != n_planes || r.shape(2) != 2 ||
            t.shape(0) != n || t.shape(1) != n_planes || t.shape(2) != 64)
            refuse("sizes, ratios and steps are not of the same cells and planes");
        for (const std::uint8_t ratio : ratios)
            if (ratio < 1 || ratio > 4) refuse("ratios must be 1 to 4");
        for (const std::uint16_t step : steps)
            if (!step) refuse("steps must be at least 1");
        for (std::size_t k = 0; k < n * n_planes; ++k) {
            const std::int64_t rows = sizes[2 * k], columns = sizes[2 * k + 1];
            if (rows < 1 || columns < 1 || rows > 1 << 13 || columns > 1 << 13)
                refuse("a plane must have 1 to 8192 rows and columns of blocks");
            starts.push_back(starts.back() + static_cast<std::size_t>(rows * columns));
        }
        if (coded.size() != starts.back() || visible.size() != starts.back())
            refuse("coded and visible must be as many as the sizes tell");
    }

    LatticeCell cell(std::size_t k, std::int16_t* coefficients) const {
        LatticeCell result{};
        result.n_planes = n_planes;
        for (std::size_t p = 0; p < n_planes; ++p) {
            const std::size_t i = k * n_planes + p, start = starts[i];
            result.plane[p] = {static_cast<std::size_t>(sizes[2 * i]),
                               static_cast<std::size_t>(sizes[2 * i + 1]), ratios[2 * i],
                               ratios[2 * i + 1], steps.data() + 64 * i, coded.data() + start,
                               visible.data() + start, coefficients + 64 * start};
        }
        return result;
    }
};

template <class T>
nb::ndarray<nb::numpy, T, nb::ndim<2>, nb::c_contig> owned(std::vector<T> values,
                                                           std::size_t columns) {
    auto* const kept = new std::vector<T>(std::move(values));
    nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
    return {kept->data(), {kept->size() / columns, columns}, owner};
}

// Streams while they are read. The bytes stay where they are as long as `kept`.
struct Tapes {
    std::vector<LatticeTape> of;
    std::vector<nb::bytes> kept;

    Tapes(const nb::list& streams, const In<std::uint32_t, 1>& states,
          const In<std::int64_t, 1>& positions) {
        if (states.shape(0) != streams.size() || positions.shape(0) != streams.size())
            refuse("there must be a stream, a state and a position for each cell");
        for (std::size_t k = 0; k < streams.size(); ++k) {
            const auto stream = nb::cast<nb::bytes>(streams[k]);
            const std::int64_t position = positions.data()[k];
            if (position < 0 || static_cast<std::size_t>(position) > stream.size())
                refuse("a position lies beyond its stream");
            of.push_back({reinterpret_cast<const std::uint8_t*>(stream.c_str()),
                          static_cast<std::size_t>(position), stream.size(), states.data()[k], false});
            kept.push_back(stream);
        }
    }
    // Where each was left: state, position, whether words were missing.
    nb::tuple ends() const {
        std::vector<std::uint32_t> states;
        std::vector<std::int64_t> positions;
        std::vector<std::uint8_t> dry;
        for (const LatticeTape& tape : of) {
            states.push_back(tape.state);
            positions.push_back(static_cast<std::int64_t>(tape.position));
            dry.push_back(tape.dry);
        }
        return nb::make_tuple(owned(std::move(states), 1), owned(std::move(positions), 1),
                              owned(std::move(dry), 1));
    }
};

// (start, frequency) of all cells' symbols, and how many each cell has.
nb::tuple measure_lattice(const LatticePlan& plan, const In<std::int64_t, 3>& sizes,
                          const In<std::uint8_t, 3>& ratios, const In<std::uint16_t, 3>& steps,
                          const In<std::uint8_t, 1>& coded, const In<std::uint8_t, 1>& visible,
                          const In<std::int16_t, 2>& coefficients, const std::string& level_name) {
    const LatticeLevel level = level_named(level_name);
    const Laid laid(sizes, ratios, steps, coded, visible);
    if (coefficients.shape(0) != laid.starts.back() || coefficients.shape(1) != 64)
        refuse("coefficients are not as many as the sizes tell");
    std::vector<std::int16_t> copy(coefficients.data(), coefficients.data() + coefficients.size());
    std::vector<std::uint32_t> symbols;
    std::vector<std::int64_t> lengths;
    {
        nb::gil_scoped_release release;
        std::vector<LatticeCell> cells;
        for (std::size_t k = 0; k < laid.n; ++k) cells.push_back(laid.cell(k, copy.data()));
        level.measure(plan, cells.data(), laid.n, symbols, lengths);
    }
    return nb::make_tuple(owned(std::move(symbols), 2), owned(std::move(lengths), 1));
}

// Streams of symbols (symbol, 2), one after the other, of which each cell has `lengths`.
nb::list lattice_streams(const In<std::uint32_t, 2>& symbols, const In<std::int64_t, 1>& lengths,
                         const In<std::uint32_t, 1>& last) {
    const std::size_t n = lengths.shape(0);
    if (symbols.shape(1) != 2 || last.shape(0) != n) refuse("arrays of symbols do not fit");
    const std::vector<std::uint32_t> copy(symbols.data(), symbols.data() + symbols.size());
    std::vector<std::vector<std::uint8_t>> streams(n);
    std::vector<std::uint32_t> ends(last.data(), last.data() + n);
    std::vector<std::size_t> bounds{0};
    for (std::size_t k = 0; k < n; ++k) {
        const std::int64_t length = lengths.data()[k];
        if (length < 0 || static_cast<std::size_t>(length) > symbols.shape(0) - bounds.back())
            refuse("there are fewer symbols than lengths tell");
        bounds.push_back(bounds.back() + static_cast<std::size_t>(length));
        if (ends[k] >> 16 != 1) refuse("last states must be 2**16 to 2**17 - 1");
    }
    for (std::size_t k = 0; k < copy.size(); k += 2)
        if (!copy[k + 1] || copy[k] + std::uint64_t{copy[k + 1]} > 1u << 16)
            refuse("a symbol's frequency is 0, or it ends beyond 2**16");
    {
        nb::gil_scoped_release release;
        for (std::size_t k = 0; k < n; ++k)
            streams[k] = lattice_stream(copy.data() + 2 * bounds[k],
                                        2 * (bounds[k + 1] - bounds[k]), ends[k]);
    }
    nb::list result;
    for (const auto& stream : streams)
        result.append(nb::bytes(reinterpret_cast<const char*>(stream.data()), stream.size()));
    return result;
}

// Reads coefficients from where the streams have been read to, and tells where it ended.
nb::tuple decode_lattice(const LatticePlan& plan, const In<std::int64_t, 3>& sizes,
                         const In<std::uint8_t, 3>& ratios, const In<std::uint16_t, 3>& steps,
                         const In<std::uint8_t, 1>& coded, const In<std::uint8_t, 1>& visible,
                         const nb::list& streams, const In<std::uint32_t, 1>& states,
                         const In<std::int64_t, 1>& positions, const std::string& level_name) {
    const LatticeLevel level = level_named(level_name);
    const Laid laid(sizes, ratios, steps, coded, visible);
    if (streams.size() != laid.n) refuse("there must be a stream for each cell");
    Tapes tapes(streams, states, positions);
    std::vector<std::int16_t> coefficients(laid.starts.back() * 64);
    {
        nb::gil_scoped_release release;
        std::vector<LatticeCell> cells;
        for (std::size_t k = 0; k < laid.n; ++k) cells.push_back(laid.cell(k, coefficients.data()));
        level.decode(plan, cells.data(), tapes.of.data(), laid.n);
    }
    return nb::make_tuple(owned(std::move(coefficients), 64), tapes.ends());
}

// The pixels, coefficients and blocks of cells, from where the streams have been read to.
nb::tuple decode_pictures(const LatticePlan& plan, const In<std::int64_t, 2>& shapes,
                          const In<std::uint8_t, 3>& ratios, const In<std::uint16_t, 3>& steps,
                          const In<std::uint8_t, 2>& kinds, const nb::list& seen,
                          const nb::list& streams, const In<std::uint32_t, 1>& states,
                          const In<std::int64_t, 1>& positions, const std::string& level_name) {
    const LatticeLevel level = level_named(level_name);
    const std::size_t n = shapes.shape(0), n_planes = ratios.shape(1);
    if (n_planes < 1 || n_planes > LATTICE_KINDS) refuse("cells have one to three planes");
    if (shapes.shape(1) != 4 || ratios.shape(0) != n || ratios.shape(2) != 2 || steps.shape(0) != n ||
        steps.shape(1) != n_planes || steps.shape(2) != 64 || kinds.shape(0) != n ||
        kinds.shape(1) != 4 || seen.size() != n || streams.size() != n || states.shape(0) != n ||
        positions.shape(0) != n)
        refuse("shapes, ratios, steps, kinds, seen and streams are not of the same cells");
    for (std::size_t k = 0; k < ratios.size(); ++k)
        if (ratios.data()[k] < 1 || ratios.data()[k] > 4) refuse("ratios must be 1 to 4");
    for (std::size_t k = 0; k < steps.size(); ++k)
        if (!steps.data()[k]) refuse("steps must be at least 1");
    const std::vector<std::uint16_t> quantisers(steps.data(), steps.data() + steps.size());
    Tapes tapes(streams, states, positions);
    std::vector<LatticePicture> pictures(n);
    std::vector<std::size_t> blocks, pixels;  // where each plane's, each cell's begin
    std::vector<In<std::uint8_t, 2>> masks;
    std::size_t n_blocks = 0, n_pixels = 0;
    for (std::size_t k = 0; k < n; ++k) {
        LatticePicture& picture = pictures[k];
        const std::int64_t* const shape = shapes.data() + 4 * k;
        for (int i = 0; i < 4; ++i)
            if (shape[i] < (i < 2) || shape[i] > (i < 2 ? 1 << 16 : 31))
                refuse("cells must have sides of 1 to 65536, and phases of 0 to 31");
        picture.n_planes = n_planes;
        picture.height = static_cast<std::size_t>(shape[0]);
        picture.width = static_cast<std::size_t>(shape[1]);
        picture.down = static_cast<std::size_t>(shape[2]);
        picture.across = static_cast<std::size_t>(shape[3]);
        const std::uint8_t* const kind = kinds.data() + 4 * k;
        picture.ycbcr = kind[0] && n_planes == 3;
        picture.fancy = kind[1];
        picture.least[0] = kind[2];
        picture.least[1] = kind[3];
        if (!seen[k].is_none()) {
            In<std::uint8_t, 2> mask;
            if (!nb::try_cast(nb::object(seen[k]), mask, false) || mask.shape(0) != picture.height ||
                mask.shape(1) != picture.width)
                refuse("what is seen must be uint8 of the cell's shape");
            picture.seen = mask.data();
            const std::uint8_t* const own = mask.data();
            std::uint8_t most = 0;
            for (std::size_t i = 0, size = mask.size(); i < size; ++i) most = std::max(most, own[i]);
            if (most > 1) refuse("what is seen must be 0 or 1");
            masks.push_back(mask);
        }
        for (std::size_t p = 0; p < n_planes; ++p) {
            const std::uint8_t* const ratio = ratios.data() + 2 * (k * n_planes + p);
            const auto count = [](std::size_t side, std::size_t by) { return (side + by - 1) / by; };
            LatticePlane& plane = picture.plane[p];
            plane.down = ratio[0];
            plane.across = ratio[1];
            plane.rows = count(count(picture.height + picture.down, ratio[0]), 8);
            plane.columns = count(count(picture.width + picture.across, ratio[1]), 8);
            plane.steps = quantisers.data() + 64 * (k * n_planes + p);
            blocks.push_back(n_blocks);
            n_blocks += plane.rows * plane.columns;
        }
        pixels.push_back(n_pixels);
        n_pixels += picture.height * picture.width * n_planes;
    }
    std::vector<std::int16_t> coefficients(n_blocks * 64);
    std::vector<std::uint8_t> coded(n_blocks), shares(n_blocks), values(n_pixels);
    std::vector<LatticeEnd> ends(n);
    std::vector<std::uint16_t> checks(n);
    for (std::size_t k = 0; k < n; ++k) {
        LatticePicture& picture = pictures[k];
        picture.pixels = values.data() + pixels[k];
        for (std::size_t p = 0; p < n_planes; ++p) {
            const std::size_t at = blocks[k * n_planes + p];
            picture.coded[p] = coded.data() + at;
            picture.shares[p] = shares.data() + at;
            picture.plane[p].coded = picture.coded[p];
            picture.plane[p].visible = picture.seen ? picture.shares[p] : nullptr;
            picture.plane[p].coefficients = coefficients.data() + 64 * at;
        }
    }
    {
        nb::gil_scoped_release release;
        level.read(plan, pictures.data(), tapes.of.data(), n, ends.data(), checks.data());
    }
    std::vector<std::uint8_t> how;
    for (const LatticeEnd end : ends) how.push_back(static_cast<std::uint8_t>(end));
    return nb::make_tuple(owned(std::move(values), 1), owned(std::move(coefficients), 64),
                          owned(std::move(coded), 1), owned(std::move(how), 1),
                          owned(std::move(checks), 1), tapes.ends());
}

// (start, frequency) of the pixels to be coded of the last of a cell's planes, whose values are all
// given.
nb::ndarray<nb::numpy, std::uint32_t, nb::ndim<2>, nb::c_contig> measure_rim(
    const LatticePlan& plan, const nb::list& planes, const In<std::uint8_t, 2>& states,
    const In<std::uint16_t, 1>& steps, const std::string& level_name) {
    const LatticeLevel level = level_named(level_name);
    const std::size_t n_planes = planes.size();
    if (n_planes < 1 || n_planes > LATTICE_KINDS) refuse("there must be one to three planes");
    if (steps.shape(0) != 64 || !*std::min_element(steps.data(), steps.data() + 64))
        refuse("steps must be 64, at least 1");
    if (states.shape(0) < 2 * RIM_BORDER || states.shape(1) < RIM_MORE)
        refuse("states must have a border");
    const std::size_t height = states.shape(0) - 2 * RIM_BORDER, width = states.shape(1) - RIM_MORE;
    std::vector<std::vector<std::uint8_t>> values;
    for (std::size_t p = 0; p < n_planes; ++p) {
        In<std::uint8_t, 2> from;
        if (!nb::try_cast(nb::object(planes[p]), from, false) || from.shape(0) != states.shape(0) ||
            from.shape(1) != states.shape(1))
            refuse("planes must be uint8, of the shape of states");
        values.emplace_back(from.data(), from.data() + from.size());
    }
    std::vector<std::uint8_t> when(states.data(), states.data() + states.size());
    LatticeCanvas canvases[LATTICE_KINDS] = {};
    for (std::size_t p = 0; p < n_planes; ++p) canvases[p] = {values[p].data(), when.data()};
    std::vector<std::uint32_t> symbols;
    const std::vector<std::uint16_t> quantiser(steps.data(), steps.data() + 64);
    {
        nb::gil_scoped_release release;
        level.measure_rim(plan, canvases, n_planes, height, width, quantiser.data(), symbols);
    }
    return owned(std::move(symbols), 2);
}

}  // namespace

void bind_lattice(nb::module_& m) {
    nb::class_<LatticePlan>(m, "LatticePlan")
        .def("__init__", &make_plan, nb::arg("kinds"), nb::arg("tables"));
    m.def("measure_lattice", &measure_lattice, nb::arg("plan"), nb::arg("sizes").noconvert(),
          nb::arg("ratios").noconvert(), nb::arg("steps").noconvert(), nb::arg("coded").noconvert(),
          nb::arg("visible").noconvert(), nb::arg("coefficients").noconvert(), nb::arg("level"));
    m.def("lattice_streams", &lattice_streams, nb::arg("symbols").noconvert(),
          nb::arg("lengths").noconvert(), nb::arg("last").noconvert());
    m.def("decode_lattice", &decode_lattice, nb::arg("plan"), nb::arg("sizes").noconvert(),
          nb::arg("ratios").noconvert(), nb::arg("steps").noconvert(), nb::arg("coded").noconvert(),
          nb::arg("visible").noconvert(), nb::arg("streams"), nb::arg("states").noconvert(),
          nb::arg("positions").noconvert(), nb::arg("level"));
    m.def("decode_pictures", &decode_pictures, nb::arg("plan"), nb::arg("shapes").noconvert(),
          nb::arg("ratios").noconvert(), nb::arg("steps").noconvert(), nb::arg("kinds").noconvert(),
          nb::arg("seen"), nb::arg("streams"), nb::arg("states").noconvert(),
          nb::arg("positions").noconvert(), nb::arg("level"));
    m.def("measure_rim", &measure_rim, nb::arg("plan"), nb::arg("planes"),
          nb::arg("states").noconvert(), nb::arg("steps").noconvert(), nb::arg("level"));
}
