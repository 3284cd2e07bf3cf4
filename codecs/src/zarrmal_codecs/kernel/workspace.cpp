#include "workspace.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "tables.h"

namespace zarrmal {

Workspace::Workspace(const Level& level, const Plan& plan, const Cells& cells, For use,
                     std::size_t n_prefix)
    : lanes_(static_cast<std::size_t>(level.lanes)), n_planes_(cells.n_planes), plan_(plan) {
    const std::size_t pixels = product(cells.height, cells.width, cells.n_planes);
    const std::size_t rows = cells.height + 2 * REACH, columns = cells.width + 2 * REACH;
    const std::size_t whole = product(rows, columns, n_planes_, lanes_);
    if (plan.is_deep()) {
        deep_image_ = zeros<std::uint16_t>(whole);
        deep_values_ = zeros<std::uint16_t>(whole);
    } else {
        image_ = zeros<std::uint8_t>(whole);
    }
    has_coverage_ = cells.sizes || cells.coverage || plan.sees_coverage();
    has_pixel_ = zeros<std::uint8_t>(product(cells.height, cells.width));
    for (auto [axis, n] : {std::pair{&across_, cells.width}, std::pair{&down_, cells.height}}) {
        axis->position = zeros<std::uint8_t>(product(n, lanes_));
        axis->square = zeros<std::uint16_t>(product(n, lanes_));
    }
    // Inputs are padded to groups of four; activations have room for the widest layer.
    inputs_ = zeros<std::uint8_t>((MAX_CONTEXT_INPUTS + 1) * lanes_);
    for (auto& part : activations_) part = zeros<std::uint8_t>(MAX_CONTEXT_WIDTH * 4 * lanes_);
    outputs_ = zeros<std::int16_t>(MAX_OUTPUTS * lanes_);

    Group& g = group_;
    g.steps = plan.steps();
    g.n_steps = plan.n_planes();
    g.has_prediction = plan.has_prediction();
    g.is_deep = plan.is_deep();
    scales_ = cells.scales;
    g.scales = scales_.data();
    g.deep_image = deep_image_.get();
    g.deep_values = deep_values_.get();
    g.tables = &tables();
    g.height = cells.height;
    g.width = cells.width;
    g.image = g.values = image_.get();
    if (has_coverage_) {
        coverage_ = zeros<std::uint8_t>(product(rows, columns, lanes_));
        g.coverage = coverage_.get();
    }
    g.has_pixel = has_pixel_.get();
    const std::uint8_t* const last = cells.coverage + (cells.coverage ? cells.n * cells.height * cells.width : 0);
    g.partial = std::any_of(cells.coverage, last, [](std::uint8_t c) { return c && c != 255; });
    if (g.partial && !g.is_deep) {
        values_ = zeros<std::uint8_t>(whole);
        g.values = values_.get();
    }
    g.row = static_cast<std::ptrdiff_t>(columns * lanes_);
    g.plane = static_cast<std::ptrdiff_t>(rows * columns * lanes_);
    g.across = across_.position.get();
    g.down = down_.position.get();
    g.across_square = across_.square.get();
    g.down_square = down_.square.get();
    const auto bytes = [&](const Offset& o) {
        return o.y * g.row + o.x * static_cast<std::ptrdiff_t>(lanes_);
    };
    for (int k = 0; k < MAX_CAUSAL; ++k) g.causal[k] = bytes(causal_offsets()[k]);
    for (int k = 0; k < MAX_FULL; ++k) g.full[k] = bytes(full_offsets()[k]);
    g.covered[0] = 0;  // then the nearest
    for (int k = 1; k < MAX_COVERAGE_INPUTS; ++k) g.covered[k] = g.full[k - 1];
    g.inputs = inputs_.get();
    for (int k = 0; k < 2; ++k) g.activations[k] = activations_[k].get();
    g.outputs = outputs_.get();

    if (plan.has_prediction() && cells.predicted) {
        predicted_ = zeros<std::uint8_t>(product(pixels, lanes_));
        g.predicted = predicted_.get();
    }
    for (int s = 0; s < g.n_steps; ++s) {
        const auto outputs = static_cast<std::size_t>(g.steps[s].layers[0].outputs);
        first_.push_back(zeros<std::int32_t>(outputs * lanes_));
        first_across_.push_back(zeros<std::int32_t>(rows_of(s) * FEW_CELLS));
        g.first_across[s] = first_across_.back().get();
    }
    if (use == For::encoding) {
        const std::size_t n_cells = std::min(cells.n, lanes_);
        const std::size_t symbols = product(n_prefix + product(pixels, g.is_deep ? SYMBOLS_OF_DEEP : 1), 1);
        const std::size_t quarter = lanes_ / 4;
        const std::size_t stored = n_cells <= 2 * quarter ? lanes_ / 2 : lanes_;
        starts_ = zeros<std::uint16_t>(product(symbols, stored));
        frequencies_ = zeros<std::uint16_t>(product(symbols, stored));
        g.starts = starts_.get();
        g.frequencies = frequencies_.get();
        g.n_prefix = n_prefix;
        // A symbol moves at most one word.
        g.capacity = product(symbols, 2) + 4;
        const std::size_t streams = n_cells <= quarter ? quarter : stored;
        streams_ = zeros<std::uint8_t>(product(streams, g.capacity));
        g.streams = streams_.get();
    }
}

std::size_t Workspace::byte_index(std::size_t k) const {
    const std::size_t quarter = lanes_ / 4, vector = k / quarter, element = k % quarter;
    return element / 4 * 16 + vector * 4 + element % 4;
}

std::size_t Workspace::half_index(std::size_t k) const {
    const std::size_t byte = byte_index(k);
    return byte % 16 / 8 * (lanes_ / 2) + byte / 16 * 8 + byte % 8;
}

// Which lanes have pixels where, and the inputs for the position (FORMAT 6.8).
void Workspace::lay_out(const Cells& cells, std::size_t from, std::size_t count) {
    if (!cells.sizes && !cells.coverage && !is_new_) return;  // all groups are alike
    for (std::size_t k = 0; k < lanes_ && (cells.sizes || is_new_); ++k) {
        // Lanes without a cell do as the others, unless these differ.
        std::size_t size[2] = {cells.height, cells.width};
        if (cells.sizes)
            for (std::size_t i = 0; i < 2; ++i)
                size[i] = k < count ? cells.sizes[2 * (from + k) + i] : 1;
        const std::size_t byte = byte_index(k), half = half_index(k);
        for (std::size_t i = 0; i < 2; ++i) {
            const Axis& axis = i ? across_ : down_;
            const std::size_t n = i ? cells.width : cells.height;
            product(n, 256);  // so that the next lines cannot overflow
            for (std::size_t at = 0; at < n; ++at) {
                const int f = at < size[i] ? static_cast<int>((2 * at + 1) * 64 / size[i]) : 64;
                axis.position[at * lanes_ + byte] = static_cast<std::uint8_t>(f);
                axis.square[at * lanes_ + half] = static_cast<std::uint16_t>((f - 64) * (f - 64));
            }
        }
    }
    is_new_ = false;
    const std::size_t pixels = group_.height * group_.width;
    if (has_coverage_) {
        cover(cells, from);
        // All other pixels are written anew.
        for (std::size_t at = 0; at < pixels; ++at) {
            if (has_pixel_[at]) continue;
            for (std::size_t p = 0; p < n_planes_; ++p) {
                const std::ptrdiff_t to = begin_of(p, at / group_.width) +
                                          static_cast<std::ptrdiff_t>(at % group_.width * lanes_);
                for (auto* plane : {image_.get(), values_.get()})
                    if (plane) std::memset(plane + to, 0, lanes_);
                for (auto* plane : {deep_image_.get(), deep_values_.get()})
                    if (plane) std::memset(plane + to, 0, lanes_ * sizeof(std::uint16_t));
            }
        }
    } else {
        std::memset(has_pixel_.get(), WHOLE, pixels);
    }
    const auto* const first = has_pixel_.get();
    const auto n = static_cast<std::size_t>(pixels - std::count(first, first + pixels, 0));
    group_.n_symbols = group_.n_prefix + n_planes_ * n;
}

// Coverage of the lanes that have a cell, and what follows from it.
void Workspace::cover(const Cells& cells, std::size_t from) {
    const std::size_t area = group_.height * group_.width;
    for (std::size_t y = 0; y < group_.height; ++y) {
        std::uint8_t* const row = coverage_.get() + static_cast<std::ptrdiff_t>(y + REACH) * group_.row + REACH * lanes_;
        std::memset(row, 0, group_.width * lanes_);
        if (cells.coverage) {
            interleave_row(cells.coverage + from * area + y * group_.width, area, row, group_.width);
        } else {
            for (std::size_t k = 0; k < count_; ++k) {
                const std::uint16_t* const size = cells.sizes ? cells.sizes + 2 * (from + k) : nullptr;
                if (size && y >= size[0]) continue;
                const std::size_t width = size ? size[1] : group_.width, lane = byte_index(k);
                for (std::size_t x = 0; x < width; ++x) row[x * lanes_ + lane] = 255;
            }
        }
        for (std::size_t x = 0; x < group_.width; ++x) {
            const std::uint8_t* const lanes = row + x * lanes_;
            std::uint8_t any = 0, part = 0;
            for (std::size_t k = 0; k < lanes_; ++k) {
                any |= lanes[k];
                part |= static_cast<std::uint8_t>(lanes[k] + 1) > 1;
            }
            has_pixel_[y * group_.width + x] = any == 0 ? 0 : part ? WHOLE | PARTIAL : WHOLE;
        }
    }
}

void Workspace::load_cells(const Cells& cells, std::size_t from, std::size_t count) {
    count_ = count;
    group_.n_cells = static_cast<int>(count);
    for (std::size_t k = 0; k < count; ++k) {
        group_.byte_of[k] = static_cast<int>(byte_index(k));
        group_.half_of[k] = static_cast<int>(half_index(k));
    }
    lay_out(cells, from, count);
    const std::size_t quarter = lanes_ / 4;
    group_.n_vectors = count <= quarter ? 1 : count <= 2 * quarter ? 2 : 4;
    for (int s = 0; s < group_.n_steps; ++s) {
        const Layer& layer = group_.steps[s].layers[0];
        const std::size_t outputs = plan_.first_outputs(s);
        std::int32_t* to = first_[static_cast<std::size_t>(s)].get();
        std::int32_t* across = first_across_[static_cast<std::size_t>(s)].get();
        bool differ = false;
        for (std::size_t o = 0; o < outputs; ++o) {
            const std::uint32_t rounding = 1u << (layer.shift[o] - 1);
            for (std::size_t k = 0; k < count; ++k) {
                const std::int32_t first =
                    cells.first[static_cast<std::size_t>(s)][(from + k) * outputs + o];
                const auto start =
                    static_cast<std::int32_t>(static_cast<std::uint32_t>(first) + rounding);
                to[o * lanes_ + k] = start;
                differ |= start != layer.start[o];
                if (k < FEW_CELLS) across[k * rows_of(s) + o] = start;
            }
        }
        group_.first[s] = differ ? to : nullptr;
    }
    if (predicted_) {
        const std::size_t row = group_.width, cell = n_planes_ * group_.height * row;
        for (std::size_t r = 0; r < n_planes_ * group_.height; ++r)
            interleave_row(cells.predicted + from * cell + r * row, cell,
                           predicted_.get() + r * row * lanes_, row);
    }
}

// Interleaves one row of all cells; one row at a time stays in the cache. Four cells are neighbours
// among the lanes.
template <class T>
void Workspace::interleave_row(const T* rows, std::size_t cell, T* to, std::size_t width) const {
    constexpr std::size_t COLUMNS = 64;
    T four[4 * COLUMNS];
    std::size_t k = 0;
    for (; k + 4 <= count_; k += 4)
        for (std::size_t from = 0; from < width; from += COLUMNS) {
            const std::size_t n = std::min(COLUMNS, width - from);
            const T* const row = rows + k * cell + from;
            for (std::size_t x = 0; x < n; ++x)
                for (std::size_t i = 0; i < 4; ++i) four[4 * x + i] = row[i * cell + x];
            T* const lane = to + from * lanes_ + group_.byte_of[k];
            for (std::size_t x = 0; x < n; ++x) std::memcpy(lane + x * lanes_, four + 4 * x, 4 * sizeof(T));
        }
    for (; k < count_; ++k) {
        T* const lane = to + group_.byte_of[k];
        for (std::size_t x = 0; x < width; ++x) lane[x * lanes_] = rows[k * cell + x];
    }
}

std::ptrdiff_t Workspace::begin_of(std::size_t plane, std::size_t y) const {
    return static_cast<std::ptrdiff_t>(plane) * group_.plane +
           static_cast<std::ptrdiff_t>(y + REACH) * group_.row +
           static_cast<std::ptrdiff_t>(REACH * lanes_);
}

void Workspace::load_pixels(const std::uint8_t* pixels, std::size_t from) {
    const std::size_t row = group_.width, cell = n_planes_ * group_.height * row;
    for (std::size_t p = 0; p < n_planes_; ++p)
        for (std::size_t y = 0; y < group_.height; ++y) {
            const std::ptrdiff_t begin = begin_of(p, y);
            interleave_row(pixels + from * cell + (p * group_.height + y) * row, cell,
                           group_.values + begin, row);
            if (!group_.partial) continue;
            for (std::size_t x = 0; x < row; ++x)
                for (std::size_t k = 0; k < count_; ++k) {
                    const std::ptrdiff_t at =
                        begin + static_cast<std::ptrdiff_t>(x * lanes_) + group_.byte_of[k];
                    const std::uint8_t coverage = group_.coverage[at - static_cast<std::ptrdiff_t>(p) * group_.plane];
                    const unsigned whole = group_.tables->reciprocal[coverage] * group_.values[at] >> 8;
                    group_.image[at] = static_cast<std::uint8_t>(std::min(whole, 255u));
                }
        }
}

void Workspace::load_pixels(const std::uint16_t* pixels, std::size_t from) {
    const std::size_t row = group_.width, cell = n_planes_ * group_.height * row;
    for (std::size_t p = 0; p < n_planes_; ++p) {
        const int n_raw = scales_[p].n_raw;
        for (std::size_t y = 0; y < group_.height; ++y) {
            const std::ptrdiff_t begin = begin_of(p, y);
            interleave_row(pixels + from * cell + (p * group_.height + y) * row, cell,
                           group_.deep_values + begin, row);
            for (std::size_t i = 0; i < row * lanes_; ++i) {
                const std::ptrdiff_t at = begin + static_cast<std::ptrdiff_t>(i);
                const unsigned value = group_.deep_values[at];
                const unsigned level = value ? ((value - 1) >> n_raw) + 1 : 0;
                const std::ptrdiff_t place = at - static_cast<std::ptrdiff_t>(p) * group_.plane;
                const unsigned coverage = group_.coverage ? group_.coverage[place] : 255;
                const unsigned reciprocal =
                    coverage < LEAST_COVERAGE ? 0 : (65280 + coverage - 1) / coverage;
                group_.deep_image[at] =
                    static_cast<std::uint16_t>(std::min(level * reciprocal >> 8, 65535u));
            }
        }
    }
}

template <class T>
void Workspace::store_from(const T* values, T* pixels, std::size_t from) const {
    constexpr std::size_t COLUMNS = 64;
    const std::size_t row = group_.width, cell = n_planes_ * group_.height * row;
    T four[4 * COLUMNS];
    for (std::size_t p = 0; p < n_planes_; ++p)
        for (std::size_t y = 0; y < group_.height; ++y) {
            const T* const lanes = values + begin_of(p, y);
            T* const to = pixels + from * cell + (p * group_.height + y) * row;
            std::size_t k = 0;
            for (; k + 4 <= count_; k += 4)
                for (std::size_t at = 0; at < row; at += COLUMNS) {
                    const std::size_t n = std::min(COLUMNS, row - at);
                    const T* const lane = lanes + at * lanes_ + group_.byte_of[k];
                    for (std::size_t x = 0; x < n; ++x) std::memcpy(four + 4 * x, lane + x * lanes_, 4 * sizeof(T));
                    for (std::size_t i = 0; i < 4; ++i)
                        for (std::size_t x = 0; x < n; ++x) to[(k + i) * cell + at + x] = four[4 * x + i];
                }
            for (; k < count_; ++k) {
                const T* const lane = lanes + group_.byte_of[k];
                for (std::size_t x = 0; x < row; ++x) to[k * cell + x] = lane[x * lanes_];
            }
        }
}

template void Workspace::store_from(const std::uint8_t*, std::uint8_t*, std::size_t) const;
template void Workspace::store_from(const std::uint16_t*, std::uint16_t*, std::size_t) const;

void Workspace::load_prefix(const Prefix& prefix, std::size_t from) {
    const std::size_t stored = half_lanes();
    for (std::size_t s = 0; s < prefix.n_symbols; ++s) {
        std::fill_n(&starts_[s * stored], stored, std::uint16_t{0});
        std::fill_n(&frequencies_[s * stored], stored, std::uint16_t{0});
        for (std::size_t k = 0; k < count_; ++k) {
            const std::uint16_t* pair = prefix.pairs + ((from + k) * prefix.n_symbols + s) * 2;
            starts_[s * stored + half_index(k)] = pair[0];
            frequencies_[s * stored + half_index(k)] = pair[1];
        }
    }
}

}  // namespace zarrmal
