// The part of zarrmal_codecs._kernel for lattice/; its types and documentation are in _kernel.pyi.
#include "lattice_module.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "levels.h"

using namespace zarrmal;

namespace {

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
                          const In<std::int64_t, 3>& sizes, const In<std::uint8_t, 3>& ratios,
                          const In<std::uint16_t, 3>& steps,
                          const In<std::uint8_t, 2>& kinds, const nb::list& seen,
                          const nb::list& streams, const In<std::uint32_t, 1>& states,
                          const In<std::int64_t, 1>& positions, const std::string& level_name) {
    const LatticeLevel level = level_named(level_name);
    const std::size_t n = shapes.shape(0), n_planes = ratios.shape(1);
    if (n_planes < 1 || n_planes > LATTICE_KINDS) refuse("cells have one to three planes");
    if (shapes.shape(1) != 4 || sizes.shape(0) != n || sizes.shape(1) != n_planes ||
        sizes.shape(2) != 2 || ratios.shape(0) != n || ratios.shape(2) != 2 || steps.shape(0) != n ||
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
            const std::int64_t* const size = sizes.data() + 2 * (k * n_planes + p);
            plane.rows = static_cast<std::size_t>(size[0]);
            plane.columns = static_cast<std::size_t>(size[1]);
            // A file's planes have blocks that only fill its last groups, fewer than four.
            const std::size_t rows = count(count(picture.height + picture.down, ratio[0]), 8);
            const std::size_t columns = count(count(picture.width + picture.across, ratio[1]), 8);
            if (plane.rows - rows > 3 || plane.columns - columns > 3)
                refuse("sizes of planes are not those of the cells");
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
        .def("__init__", &make_lattice_plan, nb::arg("kinds"), nb::arg("tables"));
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
          nb::arg("sizes").noconvert(), nb::arg("ratios").noconvert(),
          nb::arg("steps").noconvert(), nb::arg("kinds").noconvert(), nb::arg("seen"), nb::arg("streams"), nb::arg("states").noconvert(),
          nb::arg("positions").noconvert(), nb::arg("level"));
    m.def("measure_rim", &measure_rim, nb::arg("plan"), nb::arg("planes"),
          nb::arg("states").noconvert(), nb::arg("steps").noconvert(), nb::arg("level"));
}
