#include "cells.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "check.h"
#include "tables.h"
#include "workspace.h"

namespace zarrmal {

namespace {

constexpr std::uint32_t LOWEST_STATE = 1 << 16;

// CRC-16 of the pixels of cell k. They lie here as [plane][y][x]; the format has channels last.
template <class T>
std::uint16_t check(const T* pixels, const Cells& cells, std::size_t k) {
    const std::size_t plane = cells.height * cells.width;
    pixels += k * cells.n_planes * plane;
    if (!cells.sizes) return crc16(pixels, cells.n_planes, plane);
    const std::size_t height = cells.sizes[2 * k], width = cells.sizes[2 * k + 1];
    std::vector<T> own;
    own.reserve(cells.n_planes * height * width);
    for (std::size_t p = 0; p < cells.n_planes; ++p)
        for (std::size_t y = 0; y < height; ++y) {
            const T* row = pixels + p * plane + y * cells.width;
            own.insert(own.end(), row, row + width);
        }
    return crc16(own.data(), cells.n_planes, height * width);
}

template <class Use>
void each_group(Workspace& space, const Cells& cells, Use use) {
    for (std::size_t from = 0; from < cells.n; from += space.lanes()) {
        const std::size_t count = std::min(space.lanes(), cells.n - from);
        space.load_cells(cells, from, count);
        use(from, count);
    }
}

// The memory in which cells are decoded one by one.
class SingleSpace {
public:
    SingleSpace(const Plan& plan, const Cells& cells)
        : plan_(plan), cells_(cells), rows_(cells.height + 2 * REACH), row_(cells.width + 2 * REACH) {
        // A run may end beyond the last pixel.
        const std::size_t plane = product(rows_, row_);
        planes_ = zeros<std::uint8_t>(product(plane, 2 * cells.n_planes) + SINGLE_RUN);
        coverage_ = zeros<std::uint8_t>(product(plane, 2) + SINGLE_RUN);
        across_.resize(cells.width);
        down_.resize(cells.height);
        inputs_ = zeros<std::uint8_t>(SINGLE_INPUTS);
        ahead_ = zeros<SingleColumn>(SINGLE_COLUMNS);
        std::size_t most = 0;
        for (int s = 0; s < plan.n_planes(); ++s) {
            const auto outputs = static_cast<std::size_t>(plan.steps()[s].layers[0].rows);
            first_.push_back(zeros<std::int32_t>(outputs));
            cell_.first[s] = first_.back().get();
            most = std::max(most, outputs);
        }
        sums_ = zeros<std::int32_t>(SINGLE_COLUMNS * most);
        cell_.steps = plan.steps();
        cell_.n_steps = plan.n_planes();
        cell_.has_prediction = plan.has_prediction();
        cell_.tables = &tables();
        cell_.row = static_cast<std::ptrdiff_t>(row_);
        cell_.plane = static_cast<std::ptrdiff_t>(plane);
        cell_.coverage = coverage_.get();
        cell_.halved = coverage_.get() + plane;
        cell_.image = planes_.get();
        cell_.values = planes_.get() + cells.n_planes * plane;
        cell_.across = across_.data();
        cell_.down = down_.data();
        cell_.inputs = inputs_.get();
        cell_.ahead = ahead_.get();
        cell_.sums = sums_.get();
    }

    // Prepares for cell k, whose stream is still to be set.
    Single& load(std::size_t k) {
        const std::size_t plane = rows_ * row_, area = cells_.height * cells_.width;
        const std::size_t height = cells_.sizes ? cells_.sizes[2 * k] : cells_.height;
        const std::size_t width = cells_.sizes ? cells_.sizes[2 * k + 1] : cells_.width;
        cell_.height = static_cast<int>(height);
        cell_.width = static_cast<int>(width);
        if (k) {
            std::memset(planes_.get(), 0, 2 * cells_.n_planes * plane);
            std::memset(coverage_.get(), 0, 2 * plane);
        }
        for (std::size_t y = 0; y < height; ++y) {
            std::uint8_t* const to = coverage_.get() + (y + REACH) * row_ + REACH;
            if (cells_.coverage)
                std::memcpy(to, cells_.coverage + k * area + y * cells_.width, width);
            else
                std::memset(to, 255, width);
            for (std::size_t x = 0; x < width; ++x) to[plane + x] = static_cast<std::uint8_t>((to[x] + 1) >> 1);
        }
        for (auto [axis, n] : {std::pair{&across_, width}, std::pair{&down_, height}})
            for (std::size_t at = 0; at < n; ++at)
                (*axis)[at] = static_cast<std::uint8_t>((2 * at + 1) * 64 / n);
        for (int s = 0; s < cell_.n_steps; ++s) {
            const std::size_t outputs = plan_.first_outputs(s);
            const std::int32_t* const shift = cell_.steps[s].layers[0].shift;
            const std::int32_t* const from = cells_.first[static_cast<std::size_t>(s)] + k * outputs;
            for (std::size_t o = 0; o < outputs; ++o)
                first_[static_cast<std::size_t>(s)][o] = static_cast<std::int32_t>(
                    static_cast<std::uint32_t>(from[o]) + (1u << (shift[o] - 1)));
        }
        cell_.predicted_row = static_cast<std::ptrdiff_t>(cells_.width);
        cell_.predicted_plane = static_cast<std::ptrdiff_t>(area);
        cell_.predicted = cells_.predicted ? cells_.predicted + k * cells_.n_planes * area : nullptr;
        return cell_;
    }

    void store(std::uint8_t* pixels, std::size_t k) const {
        const std::size_t area = cells_.height * cells_.width;
        for (std::size_t p = 0; p < cells_.n_planes; ++p)
            for (std::size_t y = 0; y < static_cast<std::size_t>(cell_.height); ++y)
                std::memcpy(pixels + (k * cells_.n_planes + p) * area + y * cells_.width,
                            cell_.values + p * rows_ * row_ + (y + REACH) * row_ + REACH,
                            static_cast<std::size_t>(cell_.width));
    }

private:
    const Plan& plan_;
    const Cells& cells_;
    std::size_t rows_, row_;
    Single cell_{};
    Array<std::uint8_t> planes_, coverage_, inputs_;
    std::vector<std::uint8_t> across_, down_;
    std::vector<Array<std::int32_t>> first_;
    Array<std::int32_t> sums_;
    Array<SingleColumn> ahead_;
};

std::uint8_t status_of(bool is_dry, bool is_odd, bool has_ended) {
    return is_dry || is_odd ? 1 : has_ended ? 0 : 2;
}

void decode_singles(const Level& level, const Plan& plan, const Cells& cells, const Streams& streams,
                    std::uint8_t* pixels, std::uint8_t* status) {
    SingleSpace space(plan, cells);
    for (std::size_t k = 0; k < cells.n; ++k) {
        Single& cell = space.load(k);
        cell.data = streams.data;
        cell.position = static_cast<std::size_t>(streams.starts[k]);
        cell.stop = static_cast<std::size_t>(streams.stops[k]);
        cell.state = streams.states[k];
        cell.is_dry = false;
        level.decode_single(cell);
        space.store(pixels, k);
        const bool ended =
            cell.state == LOWEST_STATE + check(pixels, cells, k) && cell.position == cell.stop;
        status[k] = status_of(cell.is_dry, (streams.stops[k] - streams.starts[k]) % 2 != 0, ended);
    }
}

}  // namespace

template <class T>
Encoded encode(const Level& level, const Plan& plan, const Cells& cells, const T* pixels,
               const Prefix& prefix) {
    Workspace space(level, plan, cells, Workspace::For::encoding, prefix.n_symbols);
    Group& group = space.group();
    Encoded encoded;
    encoded.lengths.reserve(cells.n);
    each_group(space, cells, [&](std::size_t from, std::size_t count) {
        space.load_pixels(pixels, from);
        space.load_prefix(prefix, from);
        for (std::size_t k = 0; k < MAX_LANES; ++k) group.states[k] = LOWEST_STATE;
        for (std::size_t k = 0; k < count; ++k)
            group.states[k] = LOWEST_STATE + check(pixels, cells, from + k);
        level.encode(group);
        for (std::size_t k = 0; k < count; ++k) {
            const std::uint8_t* end = group.streams + (k + 1) * group.capacity;
            encoded.data.insert(encoded.data.end(), end - group.length[k], end);
            encoded.lengths.push_back(static_cast<std::int64_t>(group.length[k]));
        }
    });
    return encoded;
}

template <class T>
void measure(const Level& level, const Plan& plan, const Cells& cells, const T* pixels,
             double* bits) {
    Workspace space(level, plan, cells, Workspace::For::measuring, 0);
    Group& group = space.group();
    each_group(space, cells, [&](std::size_t from, std::size_t count) {
        space.load_pixels(pixels, from);
        level.bits(group);
        for (std::size_t k = 0; k < count; ++k) bits[from + k] = group.bits[space.half_index(k)];
    });
}

template <class T>
void decode(const Level& level, const Plan& plan, const Cells& cells, const Streams& streams,
            T* pixels, std::uint8_t* status) {
    if constexpr (sizeof(T) == 1)
        if (level.decode_single && cells.n <= SINGLE_CELLS)
            return decode_singles(level, plan, cells, streams, pixels, status);
    Workspace space(level, plan, cells, Workspace::For::decoding, 0);
    Group& group = space.group();
    group.data = streams.data;
    each_group(space, cells, [&](std::size_t from, std::size_t count) {
        for (int lane = 0; lane < MAX_LANES; ++lane) {
            group.position[lane] = group.stop[lane] = 0;
            group.high[lane] = 1;
            group.low[lane] = 0;
            group.dry[lane] = 0;
        }
        for (std::size_t k = 0; k < count; ++k) {
            const std::size_t lane = space.half_index(k);
            group.position[lane] = static_cast<std::size_t>(streams.starts[from + k]);
            group.stop[lane] = static_cast<std::size_t>(streams.stops[from + k]);
            group.high[lane] = static_cast<std::uint16_t>(streams.states[from + k] >> 16);
            group.low[lane] = static_cast<std::uint16_t>(streams.states[from + k]);
        }
        level.decode(group);
        space.store_pixels(pixels, from);
        for (std::size_t k = 0; k < count; ++k) {
            const std::size_t lane = space.half_index(k);
            const bool odd = (streams.stops[from + k] - streams.starts[from + k]) % 2 != 0;
            const bool ended = group.high[lane] == 1 &&
                               group.low[lane] == check(pixels, cells, from + k) &&
                               group.position[lane] == group.stop[lane];
            status[from + k] = status_of(group.dry[lane], odd, ended);
        }
    });
}

template Encoded encode(const Level&, const Plan&, const Cells&, const std::uint8_t*, const Prefix&);
template Encoded encode(const Level&, const Plan&, const Cells&, const std::uint16_t*, const Prefix&);
template void measure(const Level&, const Plan&, const Cells&, const std::uint8_t*, double*);
template void measure(const Level&, const Plan&, const Cells&, const std::uint16_t*, double*);
template void decode(const Level&, const Plan&, const Cells&, const Streams&, std::uint8_t*,
                     std::uint8_t*);
template void decode(const Level&, const Plan&, const Cells&, const Streams&, std::uint16_t*,
                     std::uint8_t*);

}  // namespace zarrmal
