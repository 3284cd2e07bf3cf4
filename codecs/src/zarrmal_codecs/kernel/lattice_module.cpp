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

// [pair of inputs][64][2] of (64, inputs).
std::vector<std::int16_t> columns_in_pairs(const nb::dict& from, const char* name,
                                           std::size_t n_inputs) {
    const auto weight = array<std::int16_t, 2>(from, name, {64, n_inputs});
    const std::size_t n_pairs = (n_inputs + 1) / 2;
    std::vector<std::int16_t> result(n_pairs * 128);
    for (std::size_t j = 0; j < 64; ++j)
        for (std::size_t i = 0; i < n_inputs; ++i)
            result[(i / 2) * 128 + 2 * j + i % 2] = weight.data()[j * n_inputs + i];
    return result;
}

// `zones` sets of `units` units of 32 inputs, for `biases` sets of biases; zone_of names their zone.
template <class ZoneOf>
LatticeLayer packed(const nb::dict& from, const std::string& name, std::size_t zones,
                    std::size_t units, std::size_t padded, std::size_t biases, ZoneOf zone_of,
                    std::size_t n = LATTICE_INPUTS) {
    const std::string names[3] = {name + "_weight", name + "_shift", name + "_bias"};
    In<std::int8_t, 1> weight;
    In<std::uint8_t, 1> shift;
    In<std::int32_t, 1> bias;
    if (!nb::try_cast(nb::object(from[names[0].c_str()]), weight, false) ||
        !nb::try_cast(nb::object(from[names[1].c_str()]), shift, false) ||
        !nb::try_cast(nb::object(from[names[2].c_str()]), bias, false))
        throw nb::type_error((name + " has another dtype, rank or order").c_str());
    if (weight.size() != zones * units * n || shift.size() != zones * units ||
        bias.size() != biases * units)
        refuse(name + " has another size");
    LatticeLayer layer;
    layer.weight.resize(zones * n * padded);
    layer.shift.assign(zones * padded, 1);
    layer.bias.assign(biases * padded, 0);
    for (std::size_t z = 0; z < zones; ++z)
        for (std::size_t u = 0; u < units; ++u) {
            const int by = shift.data()[z * units + u];
            if (by < 1 || by > 24) refuse(name + " has a shift beyond 1..24");
            layer.shift[z * padded + u] = by;
            for (std::size_t i = 0; i < n; ++i)
                layer.weight[z * n * padded + (i / 2) * padded * 2 + 2 * u + i % 2] =
                    weight.data()[(z * units + u) * n + i];
        }
    for (std::size_t b = 0; b < biases; ++b)
        for (std::size_t u = 0; u < units; ++u) {
            const std::int32_t value = bias.data()[b * units + u];
            if (value < -(1 << 30) || value > 1 << 30) refuse(name + " has a bias beyond 2**30");
            layer.bias[b * padded + u] =
                value + (1 << (layer.shift[zone_of(b) * padded + u] - 1));
        }
    return layer;
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
    t.earlier = table<std::uint8_t>(tables, "earlier", 64 * 7);
    t.matrix = table<std::int32_t>(tables, "matrix", 64);
    t.near = table<std::int8_t>(tables, "near", 2 * LATTICE_NEAR);
    for (std::size_t k = 0; k < t.near.size(); k += 2)
        if ((!t.near[k] && !t.near[k + 1]) || std::abs(t.near[k]) > 3 || std::abs(t.near[k + 1]) > 3)
            refuse("near has an offset beyond 3, or none");
    for (const std::uint8_t j : t.scan)
        if (j > 63) refuse("scan has an index beyond 63");
    for (const std::uint8_t j : t.earlier)
        if (j > 64) refuse("earlier has an index beyond 64");
    for (std::size_t k = 0; k < LATTICE_KINDS; ++k) {
        const auto from = nb::cast<nb::dict>(kinds[k]);
        LatticeKind& kind = plan->kinds[k];
        kind.border = columns_in_pairs(from, "from_border", LATTICE_BORDER);
        kind.luma = columns_in_pairs(from, "from_luma", 64);
        kind.other = columns_in_pairs(from, "from_other", 64);
        const auto earlier = array<std::int16_t, 2>(from, "from_earlier", {64, 64});
        kind.earlier.resize(64 * 64);
        for (std::size_t j = 0; j < 64; ++j)
            for (std::size_t i = 0; i < 64; ++i)
                kind.earlier[64 * i + j] = earlier.data()[64 * j + i];
        const auto zone = [](std::size_t j) {
            return std::min<std::size_t>(j / 8 + j % 8, LATTICE_ZONES - 1);
        };
        const auto first = [](std::size_t) { return std::size_t{0}; };
        kind.hidden = packed(from, "hidden", LATTICE_ZONES, LATTICE_HIDDEN, LATTICE_HIDDEN, 64, zone);
        kind.output =
            packed(from, "output", LATTICE_ZONES, LATTICE_OUTPUTS, LATTICE_OUTPUTS_PADDED, 64, zone);
        kind.diagonal_hidden =
            packed(from, "diagonal_hidden", 1, LATTICE_HIDDEN, LATTICE_HIDDEN, 1, first);
        kind.diagonal_output =
            packed(from, "diagonal_output", 1, LATTICE_DIAGONALS, LATTICE_DIAGONALS_PADDED, 1, first);
        kind.spatial_hidden = packed(from, "spatial_hidden", 1, LATTICE_HIDDEN, LATTICE_HIDDEN, 1,
                                     first, LATTICE_RIM_INPUTS);
        kind.spatial_output =
            packed(from, "spatial_output", 1, LATTICE_OUTPUTS, LATTICE_OUTPUTS_PADDED, 1, first);
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
        for (std::size_t k = 0; k < laid.n; ++k) {
            const std::size_t before = symbols.size();
            level.measure(plan, laid.cell(k, copy.data()), symbols);
            lengths.push_back(static_cast<std::int64_t>((symbols.size() - before) / 2));
        }
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
    if (streams.size() != laid.n || states.shape(0) != laid.n || positions.shape(0) != laid.n)
        refuse("there must be a stream, a state and a position for each cell");
    std::vector<LatticeTape> tapes;
    for (std::size_t k = 0; k < laid.n; ++k) {
        const auto stream = nb::cast<nb::bytes>(streams[k]);
        const std::int64_t position = positions.data()[k];
        if (position < 0 || static_cast<std::size_t>(position) > stream.size())
            refuse("a position lies beyond its stream");
        tapes.push_back({reinterpret_cast<const std::uint8_t*>(stream.c_str()),
                         static_cast<std::size_t>(position), stream.size(), states.data()[k],
                         false});
    }
    std::vector<std::int16_t> coefficients(laid.starts.back() * 64);
    std::vector<std::uint32_t> new_states;
    std::vector<std::int64_t> new_positions;
    std::vector<std::uint8_t> dry;
    {
        nb::gil_scoped_release release;
        for (std::size_t k = 0; k < laid.n; ++k) {
            level.decode(plan, laid.cell(k, coefficients.data()), tapes[k]);
            new_states.push_back(tapes[k].state);
            new_positions.push_back(static_cast<std::int64_t>(tapes[k].position));
            dry.push_back(tapes[k].dry);
        }
    }
    return nb::make_tuple(owned(std::move(coefficients), 64), owned(std::move(new_states), 1),
                          owned(std::move(new_positions), 1), owned(std::move(dry), 1));
}

// Reads rim pixels of one plane of all cells into its values, from where the streams have been read to.
nb::tuple decode_rims(const LatticePlan& plan, const nb::list& planes,
                      const In<std::int64_t, 1>& order, const In<std::int64_t, 1>& turns,
                      const In<std::int64_t, 1>& lengths, const In<std::int64_t, 1>& strides,
                      const In<std::uint16_t, 2>& steps, const nb::list& streams,
                      const In<std::uint32_t, 1>& states, const In<std::int64_t, 1>& positions,
                      const std::string& level_name) {
    const LatticeLevel level = level_named(level_name);
    const std::size_t n = lengths.shape(0), n_planes = planes.size(), size = order.shape(0);
    if (n_planes < 1 || n_planes > LATTICE_KINDS) refuse("there must be one to three planes");
    if (strides.shape(0) != n || steps.shape(0) != n || steps.shape(1) != 64 ||
        streams.size() != n || states.shape(0) != n || positions.shape(0) != n)
        refuse("lengths, strides, steps and streams are not of the same cells");
    std::vector<std::vector<std::uint8_t>> values;
    for (std::size_t p = 0; p < n_planes; ++p) {
        In<std::uint8_t, 1> from;
        if (!nb::try_cast(nb::object(planes[p]), from, false) || from.shape(0) != size)
            refuse("planes must be uint8, of the size of order");
        values.emplace_back(from.data(), from.data() + size);
    }
    const std::vector<std::int64_t> when(order.data(), order.data() + size);
    const std::vector<std::int64_t> where(turns.data(), turns.data() + turns.shape(0));
    const std::vector<std::uint16_t> quantiser(steps.data(), steps.data() + steps.size());
    std::vector<LatticeRim> rims;
    std::vector<LatticeTape> tapes;
    std::size_t first = 0;
    for (std::size_t k = 0; k < n; ++k) {
        const std::int64_t length = lengths.data()[k], stride = strides.data()[k];
        if (length < 0 || static_cast<std::size_t>(length) > where.size() - first || stride < 7 ||
            stride > 1 << 17)
            refuse("lengths or strides are not those of turns");
        LatticeRim rim{{}, when.data(), where.data() + first, static_cast<std::size_t>(length), stride,
                       quantiser.data() + 64 * k};
        for (std::size_t p = 0; p < n_planes; ++p) rim.values[p] = values[p].data();
        for (std::size_t i = 0; i < rim.n; ++i)
            if (rim.turns[i] < 3 * stride + 3 ||
                rim.turns[i] >= static_cast<std::int64_t>(size) - 3 * stride - 3)
                refuse("a pixel lies too near the border");
        first += rim.n;
        rims.push_back(rim);
        const auto stream = nb::cast<nb::bytes>(streams[k]);
        const std::int64_t position = positions.data()[k];
        if (position < 0 || static_cast<std::size_t>(position) > stream.size())
            refuse("a position lies beyond its stream");
        tapes.push_back({reinterpret_cast<const std::uint8_t*>(stream.c_str()),
                         static_cast<std::size_t>(position), stream.size(), states.data()[k], false});
    }
    for (const std::uint16_t step : quantiser)
        if (!step) refuse("steps must be at least 1");
    std::vector<std::uint32_t> new_states;
    std::vector<std::int64_t> new_positions;
    std::vector<std::uint8_t> dry;
    {
        nb::gil_scoped_release release;
        for (std::size_t k = 0; k < n; ++k) {
            level.read_rim(plan, n_planes - 1, rims[k], tapes[k]);
            new_states.push_back(tapes[k].state);
            new_positions.push_back(static_cast<std::int64_t>(tapes[k].position));
            dry.push_back(tapes[k].dry);
        }
    }
    return nb::make_tuple(owned(std::move(values.back()), 1), owned(std::move(new_states), 1),
                          owned(std::move(new_positions), 1), owned(std::move(dry), 1));
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
    m.def("decode_rims", &decode_rims, nb::arg("plan"), nb::arg("planes"),
          nb::arg("order").noconvert(), nb::arg("turns").noconvert(), nb::arg("lengths").noconvert(),
          nb::arg("strides").noconvert(), nb::arg("steps").noconvert(), nb::arg("streams"),
          nb::arg("states").noconvert(), nb::arg("positions").noconvert(), nb::arg("level"));
}
