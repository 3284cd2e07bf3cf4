#include "silhouette.h"

#include <algorithm>
#include <cstdlib>

namespace zarrmal {

namespace {

// The points around one, as an index: three to the west, seven north, five and one above those.
// Calls use(window, point) for each point in turn, and after it reads the point.
template <class Use>
void each_window(std::size_t rows, std::size_t columns, const std::uint8_t* points, Use use) {
    const auto at = [&](std::size_t y, std::size_t up, std::size_t x) -> unsigned {
        return y >= up && x < columns && points[(y - up) * columns + x];
    };
    for (std::size_t y = 0; y < rows; ++y) {
        unsigned west = 0, north = 0, above = 0;
        for (std::size_t x = 0; x < 3; ++x) north = north << 1 | at(y, 1, x);
        for (std::size_t x = 0; x < 2; ++x) above = above << 1 | at(y, 2, x);
        for (std::size_t x = 0; x < columns; ++x) {
            north = (north << 1 | at(y, 1, x + 3)) & 127;
            above = (above << 1 | at(y, 2, x + 2)) & 31;
            use(west | north << 3 | above << 10 | at(y, 3, x) << 15, y * columns + x);
            west = (west << 1 | (points[y * columns + x] != 0)) & 7;
        }
    }
}

// Whole numbers by which rows (or columns) of a mask weigh in one row of pixels.
struct Weights {
    std::size_t first;
    std::vector<std::int32_t> weight;
    std::int64_t sum;  // below 2**26
};

std::vector<Weights> weights(std::size_t n, std::size_t n_from, Resampling how) {
    std::vector<Weights> all(n);
    const auto to = static_cast<std::int64_t>(n), from = static_cast<std::int64_t>(n_from);
    const std::int64_t widest = std::max(to, from);
    for (std::int64_t i = 0; i < to; ++i) {
        const std::int64_t middle = (2 * i + 1) * from;
        const auto weight = [&](std::int64_t k) -> std::int64_t {
            const std::int64_t distance = (2 * k + 1) * to - middle;
            switch (how) {
                case Resampling::area:
                    return std::min((i + 1) * from, (k + 1) * to) - std::max(i * from, k * to);
                case Resampling::triangle: return 2 * widest - std::abs(distance);
                case Resampling::linear:
                    return 2 * to - std::abs((2 * k + 1) * to - std::clamp(middle, to, (2 * from - 1) * to));
                case Resampling::box: return -widest < distance && distance <= widest;
                default: return k == middle / (2 * to);
            }
        };
        // Weights differ from 0 within one and a half rows of pixels, or of the mask, about the middle.
        const std::int64_t reach = 2 * widest / to + 2, centre = middle / (2 * to);
        Weights& own = all[static_cast<std::size_t>(i)];
        own.sum = 0;
        for (std::int64_t k = std::max<std::int64_t>(0, centre - reach);
             k <= std::min(from - 1, centre + reach); ++k) {
            const std::int64_t w = weight(k);
            if (w <= 0) {
                if (own.weight.empty()) continue;
                break;
            }
            if (own.weight.empty()) own.first = static_cast<std::size_t>(k);
            own.weight.push_back(static_cast<std::int32_t>(w));
            own.sum += w;
        }
    }
    return all;
}

// The mask of lattice points, row by row.
std::vector<std::uint8_t> expanded(const std::uint8_t* points, std::size_t rows,
                                   std::size_t columns, std::size_t spacing, std::size_t& height,
                                   std::size_t& width) {
    height = spacing * (rows - 1) + 1;
    width = spacing * (columns - 1) + 1;
    std::vector<std::uint8_t> mask(height * width);
    for (std::size_t y = 0; y < height; ++y) {
        const std::uint8_t* const above = points + y / spacing * columns;
        const std::uint8_t* const below = points + (y + spacing - 1) / spacing * columns;
        std::uint8_t* const row = mask.data() + y * width;
        for (std::size_t c = 0; c + 1 < columns; ++c) {
            const std::uint8_t both = above[c] & below[c];
            row[c * spacing] = both;
            std::fill_n(row + c * spacing + 1, spacing - 1,
                        static_cast<std::uint8_t>(both & above[c + 1] & below[c + 1]));
        }
        row[width - 1] = above[columns - 1] & below[columns - 1];
    }
    return mask;
}

}  // namespace

std::size_t widest_spacing(const std::uint8_t* mask, std::size_t height, std::size_t width,
                           std::size_t most) {
    const auto fits = [&](std::size_t s) {
        for (std::size_t y = 0; y < height; ++y) {
            const std::uint8_t* const above = mask + y / s * s * width;
            const std::uint8_t* const below = mask + (y + s - 1) / s * s * width;
            const std::uint8_t* const row = mask + y * width;
            for (std::size_t x = 0; x < width; x += s) {
                const int here = above[x] & below[x];
                if (row[x] != here) return false;
                if (x + 1 == width) break;
                const int between = here & above[x + s] & below[x + s];
                for (std::size_t k = 1; k < s; ++k)
                    if (row[x + k] != between) return false;
            }
        }
        return true;
    };
    for (std::size_t s = most; s > 1; --s)
        if ((height - 1) % s == 0 && (width - 1) % s == 0 && fits(s)) return s;
    return 1;
}

void mask_intervals(const std::uint8_t* points, std::size_t rows, std::size_t columns,
                    const std::uint16_t* frequencies, std::uint16_t* to) {
    each_window(rows, columns, points, [&](unsigned window, std::size_t k) {
        const std::uint16_t inside = frequencies[window];
        const auto outside = static_cast<std::uint16_t>(65536 - inside);
        to[2 * k] = points[k] ? outside : std::uint16_t{0};
        to[2 * k + 1] = points[k] ? inside : outside;
    });
}

void read_mask(Tape& tape, std::size_t rows, std::size_t columns,
               const std::uint16_t* frequencies, std::uint8_t* points) {
    each_window(rows, columns, points, [&](unsigned window, std::size_t k) {
        const std::uint32_t inside = frequencies[window], outside = 65536 - inside;
        const std::uint32_t slot = tape.state & 0xFFFF, high = tape.state >> 16;
        const bool is_inside = slot >= outside;
        points[k] = is_inside;
        tape.state = is_inside ? inside * high + slot - outside : outside * high + slot;
        if (tape.state >> 16) return;
        std::uint32_t word = 0;
        if (tape.stop - tape.position < 2) {
            tape.dry = true;
        } else {
            word = tape.data[tape.position] | static_cast<std::uint32_t>(tape.data[tape.position + 1]) << 8;
            tape.position += 2;
        }
        tape.state = tape.state << 16 | word;
    });
}

void cover_cell(const std::uint8_t* points, std::size_t rows, std::size_t columns,
                std::size_t spacing, Resampling how, std::size_t height, std::size_t width,
                std::uint8_t* to, std::size_t row) {
    std::size_t from_height, from_width;
    const auto mask = expanded(points, rows, columns, spacing, from_height, from_width);
    if (how == Resampling::same) {
        for (std::size_t y = 0; y < height; ++y)
            for (std::size_t x = 0; x < width; ++x)
                to[y * row + x] = mask[y * width + x] ? 255 : 0;
        return;
    }
    const auto down = weights(height, from_height, how), across = weights(width, from_width, how);
    // Rows first: each then serves all columns.
    std::vector<std::int32_t> summed(from_width);
    for (std::size_t y = 0; y < height; ++y) {
        std::fill(summed.begin(), summed.end(), 0);
        for (std::size_t k = 0; k < down[y].weight.size(); ++k) {
            const std::uint8_t* const own = mask.data() + (down[y].first + k) * from_width;
            const std::int32_t weight = down[y].weight[k];
            for (std::size_t x = 0; x < from_width; ++x) summed[x] += weight & -std::int32_t{own[x]};
        }
        for (std::size_t x = 0; x < width; ++x) {
            const Weights& own = across[x];
            std::int64_t covered = 0;
            for (std::size_t k = 0; k < own.weight.size(); ++k)
                covered += std::int64_t{own.weight[k]} * summed[own.first + k];
            const std::int64_t whole = down[y].sum * own.sum;
            std::int64_t rounded = covered ? 255 : 0;  // of most pixels
            if (covered && covered != whole)
                rounded = std::max<std::int64_t>((510 * covered + whole) / (2 * whole), 1);
            to[y * row + x] = static_cast<std::uint8_t>(rounded);
        }
    }
}

}  // namespace zarrmal
