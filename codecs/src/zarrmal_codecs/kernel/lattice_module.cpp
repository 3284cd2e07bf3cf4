// The part of zarrmal_codecs._kernel for lattice/; its types and documentation are in _kernel.pyi.
#include "lattice_module.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
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

using Bytes = In<std::uint8_t, 1>;
using Counts = In<std::int64_t, 1>;
using States = In<std::uint32_t, 1>;

// Streams while they are read: bytes of `data`, which stays where it is.
struct Tapes {
    std::vector<LatticeTape> of;

    Tapes(const Bytes& data, const Counts& positions, const Counts& stops, const States& states) {
        const std::size_t n = states.shape(0);
        if (positions.shape(0) != n || stops.shape(0) != n)
            refuse("there must be a state, a position and a stop for each cell");
        for (std::size_t k = 0; k < n; ++k) {
            const std::int64_t position = positions.data()[k], stop = stops.data()[k];
            if (position < 0 || position > stop || static_cast<std::size_t>(stop) > data.size())
                refuse("a stream lies beyond the data");
            of.push_back({data.data(), static_cast<std::size_t>(position),
                          static_cast<std::size_t>(stop), states.data()[k], false});
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
                         const Bytes& data, const Counts& positions, const Counts& stops,
                         const States& states, const std::string& level_name) {
    const LatticeLevel level = level_named(level_name);
    const Laid laid(sizes, ratios, steps, coded, visible);
    if (states.shape(0) != laid.n) refuse("there must be a stream for each cell");
    Tapes tapes(data, positions, stops, states);
    std::vector<std::int16_t> coefficients(laid.starts.back() * 64);
    {
        nb::gil_scoped_release release;
        std::vector<LatticeCell> cells;
        for (std::size_t k = 0; k < laid.n; ++k) cells.push_back(laid.cell(k, coefficients.data()));
        level.decode(plan, cells.data(), tapes.of.data(), laid.n);
    }
    return nb::make_tuple(owned(std::move(coefficients), 64), tapes.ends());
}

// The mask of lattice points, rows x columns of 0 or 1, on every `spacing`th row and column.
std::vector<std::uint8_t> expanded(const std::uint8_t* points, std::size_t rows, std::size_t columns,
                                   std::size_t spacing) {
    const std::size_t height = spacing * (rows - 1) + 1, width = spacing * (columns - 1) + 1;
    std::vector<std::uint8_t> mask(height * width), between(columns);
    for (std::size_t y = 0; y < height; ++y) {
        std::uint8_t* const row = mask.data() + y * width;
        if (y % spacing > 1) {
            std::copy(row - width, row, row);
            continue;
        }
        const std::uint8_t* const above = points + y / spacing * columns;
        const std::uint8_t* const below = above + (y % spacing ? columns : 0);
        std::uint8_t any = 0;
        for (std::size_t x = 0; x < columns; ++x) any |= between[x] = above[x] & below[x];
        if (any > 1) refuse("points must be 0 or 1");
        for (std::size_t x = 0; x < columns; ++x) row[spacing * x] = between[x];
        for (std::size_t x = 0; x + 1 < columns; ++x) between[x] &= between[x + 1];
        for (std::size_t k = 1; k < spacing; ++k)
            for (std::size_t x = 0; x + 1 < columns; ++x) row[spacing * x + k] = between[x];
    }
    return mask;
}

// Writes the pixels of cells, from where the streams have been read to; gives coefficients and blocks.
nb::tuple decode_pictures(const LatticePlan& plan, const In<std::int64_t, 2>& cells,
                          const In<std::uint8_t, 3>& ratios, const In<std::uint16_t, 3>& steps,
                          const In<std::uint8_t, 2>& kinds, const Bytes& points,
                          const In<std::uint16_t, 2>& lattices, const Bytes& spacings,
                          const nb::ndarray<std::uint8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>& pixels,
                          const In<std::int64_t, 2>& rows_at, const Bytes& data,
                          const Counts& positions, const Counts& stops, const States& states,
                          const std::string& level_name) {
    const LatticeLevel level = level_named(level_name);
    const std::size_t n = cells.shape(0), n_cameras = ratios.shape(0), n_planes = ratios.shape(1);
    if (n_planes < 1 || n_planes > LATTICE_KINDS) refuse("cells have one to three planes");
    if (ratios.shape(2) != 2 || steps.shape(0) != n_cameras || steps.shape(1) != n_planes ||
        steps.shape(2) != 64 || kinds.shape(0) != n_cameras || kinds.shape(1) != 2)
        refuse("ratios, steps and kinds are not of the same cameras");
    if (cells.shape(1) != 8 || lattices.shape(0) != n || lattices.shape(1) != 2 ||
        spacings.shape(0) != n || rows_at.shape(0) != n || rows_at.shape(1) != 2 ||
        states.shape(0) != n)
        refuse("cells, lattices, spacings, rows and streams are not as many");
    for (std::size_t k = 0; k < ratios.size(); ++k)
        if (ratios.data()[k] < 1 || ratios.data()[k] > 4) refuse("ratios must be 1 to 4");
    for (std::size_t k = 0; k < steps.size(); ++k)
        if (!steps.data()[k]) refuse("steps must be at least 1");
    const std::vector<std::uint16_t> quantisers(steps.data(), steps.data() + steps.size());
    Tapes tapes(data, positions, stops, states);
    std::vector<LatticePicture> pictures(n);
    std::vector<std::size_t> blocks, starts;  // where each plane's, each cell's begin
    std::vector<std::vector<std::uint8_t>> masks(n);
    std::vector<std::array<std::size_t, 2>> to(n);  // where each cell's pixels, and its next row, go
    std::size_t n_blocks = 0, n_pixels = 0, point = 0;
    for (std::size_t k = 0; k < n; ++k) {
        LatticePicture& picture = pictures[k];
        std::array<std::size_t, 8> cell;
        for (std::size_t i = 0; i < 8; ++i) {
            const std::int64_t most[8] = {1 << 16, 1 << 16, 31, 31, 1, 64, 64, 0};
            const std::int64_t value = cells.data()[8 * k + i];
            if (value < (i < 2) || value > (i < 7 ? most[i] : static_cast<std::int64_t>(n_cameras) - 1))
                refuse("cells must have sides of 1 to 65536, phases of 0 to 31, and a camera");
            cell[i] = static_cast<std::size_t>(value);
        }
        const std::size_t camera = cell[7];
        picture.n_planes = n_planes;
        picture.height = cell[0];
        picture.width = cell[1];
        picture.down = cell[2];
        picture.across = cell[3];
        picture.least[0] = static_cast<int>(cell[5]);
        picture.least[1] = static_cast<int>(cell[6]);
        picture.ycbcr = kinds.data()[2 * camera] && n_planes == 3;
        picture.fancy = kinds.data()[2 * camera + 1];
        const std::size_t rows = lattices.data()[2 * k], columns = lattices.data()[2 * k + 1];
        if (rows * columns > points.size() - point) refuse("there are fewer points than lattices tell");
        if (const std::size_t spacing = spacings.data()[k]) {
            if (spacing * (rows - 1) + 1 != picture.height || !rows ||
                spacing * (columns - 1) + 1 != picture.width || !columns)
                refuse("a mask has another size than its cell");
            masks[k] = expanded(points.data() + point, rows, columns, spacing);
            picture.seen = masks[k].data();
        }
        point += rows * columns;
        const std::uint8_t* const ratio = ratios.data() + 2 * n_planes * camera;
        for (std::size_t axis = 0; axis < 2; ++axis) {
            std::size_t side = cell[axis] + cell[2 + axis], group = 0;
            for (std::size_t p = 0; p < n_planes; ++p) group = std::max<std::size_t>(group, 8 * ratio[2 * p + axis]);
            // A file's planes have blocks that only fill its last groups.
            if (cell[4]) side = (side + group - 1) / group * group;
            for (std::size_t p = 0; p < n_planes; ++p) {
                LatticePlane& plane = picture.plane[p];
                const std::size_t by = ratio[2 * p + axis];
                (axis ? plane.across : plane.down) = by;
                (axis ? plane.columns : plane.rows) = ((side + by - 1) / by + 7) / 8;
            }
        }
        for (std::size_t p = 0; p < n_planes; ++p) {
            picture.plane[p].steps = quantisers.data() + 64 * (camera * n_planes + p);
            blocks.push_back(n_blocks);
            n_blocks += picture.plane[p].rows * picture.plane[p].columns;
        }
        starts.push_back(n_pixels);
        n_pixels += picture.height * picture.width * n_planes;
        const std::int64_t* const row = rows_at.data() + 2 * k;
        const auto size = static_cast<std::int64_t>(pixels.size());
        const auto bytes = static_cast<std::int64_t>(picture.width * n_planes);
        const auto more = static_cast<std::int64_t>(picture.height - 1);
        if (row[0] < 0 || row[0] > size || row[1] < bytes || row[1] > size ||
            more * row[1] + bytes > size - row[0])
            refuse("a cell's pixels lie beyond those given");
        to[k] = {static_cast<std::size_t>(row[0]), static_cast<std::size_t>(row[1])};
    }
    std::vector<std::int16_t> coefficients(n_blocks * 64);
    std::vector<std::uint8_t> coded(n_blocks), shares(n_blocks), values(n_pixels);
    std::vector<LatticeEnd> ends(n);
    std::vector<std::uint16_t> checks(n);
    for (std::size_t k = 0; k < n; ++k) {
        LatticePicture& picture = pictures[k];
        picture.pixels = values.data() + starts[k];
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
        for (std::size_t k = 0; k < n; ++k) {
            const std::size_t bytes = pictures[k].width * n_planes;
            for (std::size_t y = 0; y < pictures[k].height; ++y)
                std::copy_n(pictures[k].pixels + y * bytes, bytes, pixels.data() + to[k][0] + y * to[k][1]);
        }
    }
    std::vector<std::uint8_t> how;
    for (const LatticeEnd end : ends) how.push_back(static_cast<std::uint8_t>(end));
    return nb::make_tuple(owned(std::move(coefficients), 64), owned(std::move(coded), 1),
                          owned(std::move(how), 1), owned(std::move(checks), 1), tapes.ends());
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
          nb::arg("visible").noconvert(), nb::arg("data").noconvert(),
          nb::arg("positions").noconvert(), nb::arg("stops").noconvert(),
          nb::arg("states").noconvert(), nb::arg("level"));
    m.def("decode_pictures", &decode_pictures, nb::arg("plan"), nb::arg("cells").noconvert(),
          nb::arg("ratios").noconvert(), nb::arg("steps").noconvert(), nb::arg("kinds").noconvert(),
          nb::arg("points").noconvert(), nb::arg("lattices").noconvert(),
          nb::arg("spacings").noconvert(), nb::arg("pixels").noconvert(),
          nb::arg("rows").noconvert(), nb::arg("data").noconvert(),
          nb::arg("positions").noconvert(), nb::arg("stops").noconvert(),
          nb::arg("states").noconvert(), nb::arg("level"));
    m.def("measure_rim", &measure_rim, nb::arg("plan"), nb::arg("planes"),
          nb::arg("states").noconvert(), nb::arg("steps").noconvert(), nb::arg("level"));
}
