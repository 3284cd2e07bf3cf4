// The part of zarrmal_codecs._kernel for silhouette/; its types and documentation are in _kernel.pyi.
#include "mask_module.h"

#include <nanobind/stl/tuple.h>

#include <algorithm>
#include <cstring>
#include <tuple>
#include <utility>
#include <vector>

#include "arrays.h"
#include "silhouette.h"

using namespace zarrmal;

namespace {

// Copies of the shapes and where the points of each mask begin, checked against the number of points.
struct Points {
    std::vector<std::uint16_t> shapes;
    std::vector<std::size_t> starts;  // one more than masks

    explicit Points(const In<std::uint16_t, 2>& from) : starts{0} {
        if (from.shape(1) != 2) refuse("shapes must have the shape (cell, 2)");
        shapes.assign(from.data(), from.data() + from.size());
        for (std::size_t k = 0; k < from.shape(0); ++k)
            starts.push_back(starts.back() + product(rows(k), columns(k)));
    }
    std::size_t n() const { return starts.size() - 1; }
    std::size_t rows(std::size_t k) const { return shapes[2 * k]; }
    std::size_t columns(std::size_t k) const { return shapes[2 * k + 1]; }
};

void check_frequencies(const In<std::uint16_t, 1>& frequencies) {
    if (frequencies.shape(0) != WINDOWS) refuse("there must be 65536 frequencies");
}

std::size_t spacing_of_mask(const In<std::uint8_t, 2>& mask, std::size_t most) {
    const std::size_t height = mask.shape(0), width = mask.shape(1);
    if (!height || !width) refuse("a mask has at least one pixel");
    return widest_spacing(mask.data(), height, width, most);
}

Out<std::uint16_t, 3> intervals_of_masks(const In<std::uint8_t, 1>& points,
                                         const In<std::uint16_t, 2>& shapes,
                                         const In<std::uint16_t, 1>& frequencies) {
    const Points masks(shapes);
    check_frequencies(frequencies);
    if (points.shape(0) != masks.starts.back()) refuse("points must be as many as the shapes tell");
    std::size_t most = 0;
    for (std::size_t k = 0; k < masks.n(); ++k)
        most = std::max(most, masks.starts[k + 1] - masks.starts[k]);
    auto pairs = zeros<std::uint16_t>(product(masks.n(), most, 2));
    {
        nb::gil_scoped_release release;
        for (std::size_t k = 0; k < masks.n(); ++k)
            mask_intervals(points.data() + masks.starts[k], masks.rows(k), masks.columns(k),
                           frequencies.data(), pairs.get() + k * most * 2);
    }
    return owned<std::uint16_t, 3>(std::move(pairs), {masks.n(), most, 2});
}

std::tuple<Out<std::uint8_t, 1>, Out<std::uint32_t, 1>, Out<std::int64_t, 1>, Out<std::uint8_t, 1>>
decode_masks(nb::handle data, const In<std::int64_t, 1>& positions, const In<std::int64_t, 1>& stops,
             const In<std::uint32_t, 1>& states, const In<std::uint16_t, 2>& shapes,
             const In<std::uint16_t, 1>& frequencies) {
    const Buffer buffer(data);
    const Points masks(shapes);
    const std::size_t n = masks.n();
    check_frequencies(frequencies);
    if (positions.shape(0) != n || stops.shape(0) != n || states.shape(0) != n)
        refuse("positions, stops and states must have the same size");
    const std::vector<std::int64_t> from(positions.data(), positions.data() + n);
    const std::vector<std::int64_t> to(stops.data(), stops.data() + n);
    for (std::size_t k = 0; k < n; ++k)
        if (from[k] < 0 || from[k] > to[k] || to[k] > buffer.size())
            refuse("stream " + std::to_string(k) + " lies beyond the data");
    auto points = zeros<std::uint8_t>(masks.starts.back());
    auto new_states = zeros<std::uint32_t>(n);
    auto new_positions = zeros<std::int64_t>(n);
    auto dry = zeros<std::uint8_t>(n);
    {
        nb::gil_scoped_release release;
        std::vector<Tape> tapes;
        std::vector<UnreadMask> unread;
        tapes.reserve(n);
        for (std::size_t k = 0; k < n; ++k) {
            tapes.push_back({buffer.data(), from[k], to[k], states.data()[k], false});
            unread.push_back({&tapes[k], masks.rows(k), masks.columns(k), points.get() + masks.starts[k]});
        }
        read_masks(std::move(unread), frequencies.data());
        for (std::size_t k = 0; k < n; ++k) {
            new_states[k] = tapes[k].state;
            new_positions[k] = tapes[k].position;
            dry[k] = tapes[k].dry;
        }
    }
    return {owned<std::uint8_t, 1>(std::move(points), {masks.starts.back()}),
            owned<std::uint32_t, 1>(std::move(new_states), {n}),
            owned<std::int64_t, 1>(std::move(new_positions), {n}),
            owned<std::uint8_t, 1>(std::move(dry), {n})};
}

Out<std::uint8_t, 3> coverage_of_cells(const In<std::uint8_t, 1>& points,
                                       const In<std::uint16_t, 2>& shapes,
                                       const In<std::uint8_t, 1>& spacings,
                                       const In<std::uint16_t, 2>& sizes,
                                       const std::tuple<std::size_t, std::size_t>& shape, int how) {
    const Points masks(shapes);
    const std::size_t n = masks.n();
    const auto [height, width] = shape;
    if (points.shape(0) != masks.starts.back()) refuse("points must be as many as the shapes tell");
    if (spacings.shape(0) != n || sizes.shape(0) != n || sizes.shape(1) != 2)
        refuse("spacings and sizes must be of as many cells as the shapes");
    if (how < 0 || how > static_cast<int>(Resampling::nearest)) refuse("resampling must be 0 to 5");
    const std::vector<std::uint16_t> own(sizes.data(), sizes.data() + 2 * n);
    const std::vector<std::uint8_t> steps(spacings.data(), spacings.data() + n);
    for (std::size_t k = 0; k < n; ++k) {
        const std::size_t rows = masks.rows(k), columns = masks.columns(k);
        if (own[2 * k] < 1 || own[2 * k] > height || own[2 * k + 1] < 1 || own[2 * k + 1] > width)
            refuse("cell " + std::to_string(k) + " is larger than the array, or empty");
        if (!steps[k]) continue;
        if (!rows || !columns) refuse("mask " + std::to_string(k) + " has no points");
        const std::size_t from_height = steps[k] * (rows - 1) + 1;
        const std::size_t from_width = steps[k] * (columns - 1) + 1;
        // Up to here sums of weights are proven to be below 2**63.
        if (std::max({from_height, from_width, height, width}) > MAX_SIDE)
            refuse("mask " + std::to_string(k) + " or its cell has more than 4096 rows or columns");
        if (!how && (from_height != own[2 * k] || from_width != own[2 * k + 1]))
            refuse("mask " + std::to_string(k) + " has another size than its cell");
    }
    auto coverage = zeros<std::uint8_t>(product(n, height, width));
    {
        nb::gil_scoped_release release;
        Coverer coverer(static_cast<Resampling>(how));
        for (std::size_t k = 0; k < n; ++k) {
            std::uint8_t* const to = coverage.get() + k * height * width;
            if (steps[k]) {
                coverer.cover(points.data() + masks.starts[k], masks.rows(k), masks.columns(k),
                              steps[k], own[2 * k], own[2 * k + 1], to, width);
            } else {
                for (std::size_t y = 0; y < own[2 * k]; ++y)
                    std::memset(to + y * width, 255, own[2 * k + 1]);
            }
        }
    }
    return owned<std::uint8_t, 3>(std::move(coverage), {n, height, width});
}

}  // namespace

void bind_masks(nb::module_& m) {
    m.def("spacing", &spacing_of_mask, nb::arg("mask").noconvert(), nb::arg("most"));
    m.def("mask_intervals", &intervals_of_masks, nb::arg("points").noconvert(),
          nb::arg("shapes").noconvert(), nb::arg("frequencies").noconvert());
    m.def("decode_masks", &decode_masks, nb::arg("data"), nb::arg("positions").noconvert(),
          nb::arg("stops").noconvert(), nb::arg("states").noconvert(), nb::arg("shapes").noconvert(),
          nb::arg("frequencies").noconvert());
    m.def("coverage", &coverage_of_cells, nb::arg("points").noconvert(), nb::arg("shapes").noconvert(),
          nb::arg("spacings").noconvert(), nb::arg("sizes").noconvert(), nb::arg("shape"),
          nb::arg("resampling"));
}
