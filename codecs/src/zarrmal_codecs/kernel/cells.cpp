#include "cells.h"

#include <algorithm>

#include "check.h"
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
            status[from + k] = group.dry[lane] || odd ? 1 : ended ? 0 : 2;
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
