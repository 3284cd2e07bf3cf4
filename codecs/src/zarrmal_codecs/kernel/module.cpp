// The Python module zarrmal_codecs._kernel; its types and documentation are in _kernel.pyi.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "arrays.h"
#include "cells.h"
#include "chains.h"
#include "check.h"
#include "crc32.h"
#include "lattice_module.h"
#include "levels.h"
#include "mask_module.h"
#include "plan.h"
#include "tables.h"

namespace nb = nanobind;
using namespace zarrmal;

namespace {

using First = std::vector<In<std::int32_t, 2>>;

const Level& level_named(const std::string& name) {
    for (int k = 0; k < levels().count; ++k)
        if (name == levels().level[k].name) return levels().level[k];
    refuse("level '" + name + "' is not one of levels()");
}

std::vector<std::string> level_names() {
    std::vector<std::string> names;
    for (int k = 0; k < levels().count; ++k) names.emplace_back(levels().level[k].name);
    return names;
}

// The arrays of a step; keeps them alive until they are packed.
struct StepArrays {
    In<std::uint8_t, 1> context, earlier;
    In<std::int8_t, 2> weight[3];
    In<std::int32_t, 1> bias[3];
    In<std::uint8_t, 1> shift[3];

    explicit StepArrays(const nb::tuple& from) {
        if (from.size() != 11) refuse("a step must have 11 arrays, not " + std::to_string(from.size()));
        context = array<std::uint8_t, 1>(from[0], "context");
        earlier = array<std::uint8_t, 1>(from[1], "earlier");
        for (std::size_t k = 0; k < 3; ++k) {
            weight[k] = array<std::int8_t, 2>(from[2 + 3 * k], "weight");
            bias[k] = array<std::int32_t, 1>(from[3 + 3 * k], "bias");
            shift[k] = array<std::uint8_t, 1>(from[4 + 3 * k], "shift");
        }
    }

    RawStep raw() const {
        RawStep step{context.data(), context.shape(0), earlier.data(), earlier.shape(0), {}};
        for (std::size_t k = 0; k < 3; ++k)
            step.layers[k] = {weight[k].data(), weight[k].shape(0), weight[k].shape(1),
                              bias[k].data(),   bias[k].shape(0),   shift[k].data(),
                              shift[k].shape(0)};
        return step;
    }
};

void make_plan(Plan* memory, const nb::list& from, long long n_planes, bool has_prediction,
               int depth) {
    std::vector<StepArrays> arrays;
    std::vector<RawStep> steps;
    for (nb::handle each : from) {
        nb::tuple step;
        if (!nb::try_cast<nb::tuple>(each, step)) throw nb::type_error("a step must be a tuple of arrays");
        arrays.emplace_back(step);
        steps.push_back(arrays.back().raw());
    }
    new (memory) Plan(steps, n_planes, has_prediction, depth);
}

Cells make_cells(const Plan& plan, std::size_t n, std::size_t n_planes, std::size_t height,
                 std::size_t width, const std::optional<In<std::uint16_t, 2>>& sizes,
                 const std::optional<In<std::uint8_t, 3>>& coverage,
                 const std::optional<In<std::uint8_t, 4>>& predicted,
                 const In<std::uint16_t, 2>& scales, const First& first) {
    if (n < 1 || height < 1 || width < 1) refuse("cells, rows and columns must be 1 or more");
    if (n_planes != static_cast<std::size_t>(plan.n_planes()))
        refuse("the cells have " + std::to_string(n_planes) + " planes, the plan has " +
               std::to_string(plan.n_planes()));
    if (predicted && (predicted->shape(0) != n || predicted->shape(1) != n_planes ||
                      predicted->shape(2) != height || predicted->shape(3) != width))
        refuse("predicted must have the shape of the pixels");
    if (first.size() != n_planes) refuse("first must have an array for each step");
    if (plan.has_prediction() && !predicted) refuse("predicted is missing");
    if (sizes && (sizes->shape(0) != n || sizes->shape(1) != 2))
        refuse("sizes must have the shape (cell, 2)");
    if (coverage && (coverage->shape(0) != n || coverage->shape(1) != height || coverage->shape(2) != width))
        refuse("coverage must have the shape (cell, y, x)");
    Cells cells{n, n_planes, height, width, nullptr, coverage ? coverage->data() : nullptr,
                predicted ? predicted->data() : nullptr, {}, {}};
    if (scales.shape(0) != n_planes || scales.shape(1) != 2)
        refuse("scales must have the shape (plane, 2)");
    for (std::size_t p = 0; p < n_planes; ++p) {
        const Scale scale{scales(p, 0), scales(p, 1)};
        if (scale.n_raw > 8 || scale.n_bins < 1 || scale.n_bins > LEVEL_BIN ||
            (LEVEL_BIN * scale.n_bins) << scale.n_raw > MAX_LEVEL + 1)
            refuse("the values of plane " + std::to_string(p) + " have more than 16 bits");
        cells.scales.push_back(scale);
    }
    for (std::size_t s = 0; s < first.size(); ++s) {
        if (first[s].shape(0) != n || first[s].shape(1) != plan.first_outputs(static_cast<int>(s)))
            refuse("first[" + std::to_string(s) +
                   "] must have the shape (cell, output of layer 1)");
        cells.first.push_back(first[s].data());
    }
    return cells;
}

// A copy of the sizes, so that the checked values are the ones used, whatever other threads do.
std::vector<std::uint16_t> checked_sizes(const std::optional<In<std::uint16_t, 2>>& sizes,
                                         Cells& cells) {
    if (!sizes) return {};
    std::vector<std::uint16_t> copy(sizes->data(), sizes->data() + 2 * cells.n);
    for (std::size_t k = 0; k < cells.n; ++k)
        if (copy[2 * k] < 1 || copy[2 * k] > cells.height || copy[2 * k + 1] < 1 ||
            copy[2 * k + 1] > cells.width)
            refuse("cell " + std::to_string(k) + " is larger than the pixels, or empty");
    cells.sizes = copy.data();  // which does not move with the vector
    return copy;
}

// What functions take of cells beside their pixels.
struct Beside {
    const std::optional<In<std::uint16_t, 2>>& sizes;
    const std::optional<In<std::uint8_t, 3>>& coverage;
    const std::optional<In<std::uint8_t, 4>>& predicted;
    const In<std::uint16_t, 2>& scales;
    const First& first;
};

// Calls use(cells, pixels) with pixels of the plan's type.
template <class Use>
void with_pixels(const Plan& plan, nb::handle from, const Beside& beside, Use&& use) {
    const auto call = [&](const auto& pixels) {
        Cells cells = make_cells(plan, pixels.shape(0), pixels.shape(1), pixels.shape(2),
                                 pixels.shape(3), beside.sizes, beside.coverage, beside.predicted,
                                 beside.scales, beside.first);
        const auto copy = checked_sizes(beside.sizes, cells);
        use(cells, pixels.data());
    };
    if (plan.is_deep())
        call(array<std::uint16_t, 4>(from, "pixels"));
    else
        call(array<std::uint8_t, 4>(from, "pixels"));
}

std::tuple<nb::bytes, Out<std::int64_t, 1>> encode_cells(
    const Plan& plan, nb::handle pixels, const std::optional<In<std::uint16_t, 2>>& sizes,
    const std::optional<In<std::uint8_t, 3>>& coverage,
    const std::optional<In<std::uint8_t, 4>>& predicted, const In<std::uint16_t, 2>& scales,
    const First& first, const In<std::uint16_t, 3>& prefix, const std::string& level_name) {
    const Level& level = level_named(level_name);
    Encoded encoded;
    with_pixels(plan, pixels, {sizes, coverage, predicted, scales, first},
                [&](const Cells& cells, const auto* values) {
                    if (prefix.shape(0) != cells.n || prefix.shape(2) != 2)
                        refuse("prefix must have the shape (cell, symbol, 2)");
                    nb::gil_scoped_release release;
                    encoded = encode(level, plan, cells, values, {prefix.data(), prefix.shape(1)});
                });
    const std::size_t n = encoded.lengths.size();
    auto lengths = zeros<std::int64_t>(n);
    std::memcpy(lengths.get(), encoded.lengths.data(), n * sizeof(std::int64_t));
    return {nb::bytes(encoded.data.data(), encoded.data.size()),
            owned<std::int64_t, 1>(std::move(lengths), {n})};
}

Out<double, 1> bits_of_cells(const Plan& plan, nb::handle pixels,
                             const std::optional<In<std::uint16_t, 2>>& sizes,
                             const std::optional<In<std::uint8_t, 3>>& coverage,
                             const std::optional<In<std::uint8_t, 4>>& predicted,
                             const In<std::uint16_t, 2>& scales, const First& first,
                             const std::string& level_name) {
    const Level& level = level_named(level_name);
    Array<double> bits;
    std::size_t n = 0;
    with_pixels(plan, pixels, {sizes, coverage, predicted, scales, first},
                [&](const Cells& cells, const auto* values) {
                    n = cells.n;
                    bits = zeros<double>(n);
                    nb::gil_scoped_release release;
                    measure(level, plan, cells, values, bits.get());
                });
    return owned<double, 1>(std::move(bits), {n});
}

std::vector<std::pair<bool, std::vector<int>>> chain_ends_of(const In<std::int8_t, 2>& weight,
                                                             const In<std::int32_t, 2>& numbers) {
    const std::size_t n_rows = weight.shape(0), pairs = weight.shape(1) / 2;
    if (n_rows % 4 || !pairs || pairs > MAX_CONTEXT_WIDTH / 2 || weight.shape(1) % 2)
        refuse("rows must be in fours, inputs in pairs and at most 256");
    if (numbers.shape(0) != n_rows || numbers.shape(1) != 4) refuse("each row must have four numbers");
    std::vector<ChainRow> rows;
    for (std::size_t r = 0; r < n_rows; ++r) {
        if (numbers(r, 1) < 1 || numbers(r, 1) > MAX_CONTEXT_SHIFT) refuse("a shift must be 1 to 24");
        rows.push_back({numbers(r, 0), numbers(r, 1), numbers(r, 2), numbers(r, 3)});
    }
    const auto ends = chain_ends(weight.data(), pairs, rows);
    std::vector<std::pair<bool, std::vector<int>>> of_rows(n_rows / 4);
    const std::uint8_t* from = ends.data();
    for (auto& [is_narrow, own] : of_rows) {
        is_narrow = *from;
        own.assign(from + 1, std::find(from + 1, from + 1 + pairs, pairs) + 1);
        from += 1 + pairs;
    }
    return of_rows;
}

nb::tuple decode_cells(
    const Plan& plan, nb::handle data, const In<std::int64_t, 1>& starts,
    const In<std::int64_t, 1>& stops, const In<std::uint32_t, 1>& states,
    const std::tuple<std::size_t, std::size_t, std::size_t>& shape,
    const std::optional<In<std::uint16_t, 2>>& sizes,
    const std::optional<In<std::uint8_t, 3>>& coverage,
    const std::optional<In<std::uint8_t, 4>>& predicted, const In<std::uint16_t, 2>& scales,
    const First& first, const std::string& level_name) {
    const Level& level = level_named(level_name);
    const Buffer buffer(data);
    const auto [n_planes, height, width] = shape;
    Cells cells =
        make_cells(plan, starts.shape(0), n_planes, height, width, sizes, coverage, predicted,
                   scales, first);
    const auto copy = checked_sizes(sizes, cells);
    if (stops.shape(0) != cells.n || states.shape(0) != cells.n)
        refuse("starts, stops and states must have the same size");
    // Copies, so that the checked values are the ones used, whatever other threads do to the arrays.
    std::vector<std::int64_t> from(starts.data(), starts.data() + cells.n);
    std::vector<std::int64_t> to(stops.data(), stops.data() + cells.n);
    for (std::size_t k = 0; k < cells.n; ++k)
        if (from[k] < 0 || from[k] > to[k] || to[k] > buffer.size())
            refuse("stream " + std::to_string(k) + " lies beyond the data");
    const Streams streams{buffer.data(), from.data(), to.data(), states.data()};
    const std::size_t n = cells.n, rows = height, columns = width, planes = n_planes;
    const auto run = [&](auto zero) {
        using T = decltype(zero);
        auto pixels = zeros<T>(product(n, planes, rows, columns));
        auto status = zeros<std::uint8_t>(n);
        {
            nb::gil_scoped_release release;
            decode(level, plan, cells, streams, pixels.get(), status.get());
        }
        return nb::make_tuple(owned<T, 4>(std::move(pixels), {n, planes, rows, columns}),
                              owned<std::uint8_t, 1>(std::move(status), {n}));
    };
    return plan.is_deep() ? run(std::uint16_t{0}) : run(std::uint8_t{0});
}

std::uint32_t crc32_of(const In<std::uint8_t, 1>& octets) {
    nb::gil_scoped_release release;
    return crc32(octets.data(), octets.size());
}

}  // namespace

NB_MODULE(_kernel, m) {
    nb::set_leak_warnings(false);  // coders are cached until the process ends, plans with them
    // Tables are made now, under Python's lock. At their first use, without it, another thread could
    // fork and leave the child waiting for them for ever.
    tables();
    causal_offsets();
    full_offsets();
    levels();
    crc16(static_cast<const std::uint8_t*>(nullptr), 1, 0);
    bind_lattice(m);
    bind_masks(m);
    if (has_crc32()) m.def("crc32", &crc32_of, nb::arg("octets").noconvert());
    m.def("levels", &level_names);
    m.def("chain_ends", &chain_ends_of, nb::arg("weight").noconvert(),
          nb::arg("numbers").noconvert());
    nb::class_<Plan>(m, "Plan").def("__init__", &make_plan, nb::arg("steps"), nb::arg("n_planes"),
                                    nb::arg("has_prediction"), nb::arg("depth"));
    m.def("encode", &encode_cells, nb::arg("plan"), nb::arg("pixels"),
          nb::arg("sizes").noconvert().none(), nb::arg("coverage").noconvert().none(),
          nb::arg("predicted").noconvert().none(), nb::arg("scales").noconvert(),
          nb::arg("first").noconvert(),
          nb::arg("prefix").noconvert(), nb::arg("level"));
    m.def("bits", &bits_of_cells, nb::arg("plan"), nb::arg("pixels"),
          nb::arg("sizes").noconvert().none(), nb::arg("coverage").noconvert().none(),
          nb::arg("predicted").noconvert().none(), nb::arg("scales").noconvert(),
          nb::arg("first").noconvert(), nb::arg("level"));
    m.def("decode", &decode_cells, nb::arg("plan"), nb::arg("data"), nb::arg("starts").noconvert(),
          nb::arg("stops").noconvert(), nb::arg("states").noconvert(), nb::arg("shape"),
          nb::arg("sizes").noconvert().none(), nb::arg("coverage").noconvert().none(),
          nb::arg("predicted").noconvert().none(), nb::arg("scales").noconvert(),
          nb::arg("first").noconvert(), nb::arg("level"));
}
