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

// Of the weight of row k of a mask in row i of a cell (FORMAT 4.7.2); 0 or less where it has none.
std::int64_t weight_of(std::int64_t i, std::int64_t k, std::int64_t to, std::int64_t from,
                       Resampling how) {
    const std::int64_t widest = std::max(to, from), middle = (2 * i + 1) * from;
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
}

// Rows (or columns) of a mask between two of its lattice are alike. So masks are kept with one row for
// each of the lattice and one for all that lie between it and the next.
std::size_t kept_rows(std::size_t points, std::size_t spacing) {
    return spacing == 1 ? points : 2 * points - 1;
}

std::size_t kept_row(std::size_t k, std::size_t spacing) {
    return spacing == 1 ? k : 2 * (k / spacing) + (k % spacing != 0);
}

// The mask of lattice points as it is kept; -1 where a pixel belongs to it.
void keep(const std::uint8_t* points, std::size_t rows, std::size_t columns, std::size_t spacing,
          std::vector<std::int32_t>& mask) {
    const std::size_t step = spacing == 1 ? 1 : 2, width = kept_rows(columns, spacing);
    mask.resize(kept_rows(rows, spacing) * width);
    for (std::size_t y = 0; y < rows; ++y) {
        const std::uint8_t* const own = points + y * columns;
        std::int32_t* const to = mask.data() + step * y * width;
        for (std::size_t x = 0; x < columns; ++x) to[step * x] = -std::int32_t{own[x]};
        if (step == 1) continue;
        for (std::size_t x = 1; x < width; x += 2) to[x] = to[x - 1] & to[x + 1];
        if (y == 0) continue;
        std::int32_t* const between = to - width;
        const std::int32_t* const above = between - width;
        for (std::size_t x = 0; x < width; ++x) between[x] = above[x] & to[x];
    }
}

// A mask while it is read, in rows with a border of zeros.
class MaskReader {
public:
    static constexpr std::size_t ABOVE = 3, BESIDE = 3;

    MaskReader(Tape& tape, std::size_t rows, std::size_t columns, std::uint8_t* points)
        : tape_(&tape), state_(tape.state), rows_(rows), columns_(columns),
          row_(columns + 2 * BESIDE), points_(points), left_(rows * columns) {
        bordered_.assign((rows + ABOVE) * row_, 0);
        here_ = bordered_.data() + ABOVE * row_ + BESIDE;
        start_row();
    }

    // Points that are not read yet.
    std::size_t left() const { return left_; }

    // Reads one point.
    void step(const std::uint16_t* frequencies) {
        north_ = (north_ << 1 | here_[3 - static_cast<std::ptrdiff_t>(row_)]) & 127;
        above_ = (above_ << 1 | here_[2 - 2 * static_cast<std::ptrdiff_t>(row_)]) & 31;
        const unsigned window = west_ | north_ << 3 | above_ << 10 |
                                here_[-3 * static_cast<std::ptrdiff_t>(row_)] << 15;
        const std::uint32_t inside = frequencies[window], outside = 65536 - inside;
        const std::uint32_t slot = state_ & 0xFFFF, high = state_ >> 16;
        const bool is_inside = slot >= outside;
        *here_ = is_inside;
        west_ = (west_ << 1 | is_inside) & 7;
        state_ = (is_inside ? inside : outside) * high + slot - (is_inside ? outside : 0);
        if (!(state_ >> 16)) refill();
        --left_;
        ++here_;
        if (++x_ == columns_ && left_) start_row();
    }

    // Hands over points and state.
    void finish() {
        for (std::size_t y = 0; y < rows_; ++y)
            std::copy_n(bordered_.data() + (y + ABOVE) * row_ + BESIDE, columns_,
                        points_ + y * columns_);
        tape_->state = state_;
    }

private:
    void start_row() {
        if (x_) here_ += 2 * BESIDE;
        x_ = 0;
        west_ = north_ = above_ = 0;
        for (std::ptrdiff_t x = 0; x < 3; ++x)
            north_ = north_ << 1 | here_[x - static_cast<std::ptrdiff_t>(row_)];
        for (std::ptrdiff_t x = 0; x < 2; ++x)
            above_ = above_ << 1 | here_[x - 2 * static_cast<std::ptrdiff_t>(row_)];
    }

    void refill() {
        std::uint32_t word = 0;
        if (tape_->stop - tape_->position < 2) {
            tape_->dry = true;
        } else {
            const std::uint8_t* const from = tape_->data + tape_->position;
            word = from[0] | static_cast<std::uint32_t>(from[1]) << 8;
            tape_->position += 2;
        }
        state_ = state_ << 16 | word;
    }

    Tape* tape_;
    std::uint32_t state_;
    std::size_t rows_, columns_, row_, x_ = 0;
    std::uint8_t* points_;
    std::size_t left_;
    unsigned west_ = 0, north_ = 0, above_ = 0;
    std::vector<std::uint8_t> bordered_;
    std::uint8_t* here_;
};

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

void read_masks(const std::vector<UnreadMask>& masks, const std::uint16_t* frequencies) {
    // A point needs the state that the one before it has left. Four masks at once keep the processor
    // busy meanwhile.
    constexpr std::size_t AT_ONCE = 4;
    std::vector<MaskReader> open;
    open.reserve(AT_ONCE);
    std::size_t next = 0;
    for (;;) {
        for (; open.size() < AT_ONCE && next < masks.size(); ++next) {
            const UnreadMask& mask = masks[next];
            if (mask.rows && mask.columns)
                open.emplace_back(*mask.tape, mask.rows, mask.columns, mask.points);
        }
        if (open.empty()) return;
        std::size_t n = open[0].left();
        for (const MaskReader& reader : open) n = std::min(n, reader.left());
        if (open.size() == AT_ONCE) {
            for (; n; --n)
                for (std::size_t k = 0; k < AT_ONCE; ++k) open[k].step(frequencies);
        } else {
            for (; n; --n)
                for (MaskReader& reader : open) reader.step(frequencies);
        }
        for (std::size_t k = open.size(); k-- > 0;) {
            if (open[k].left()) continue;
            open[k].finish();
            open.erase(open.begin() + static_cast<std::ptrdiff_t>(k));
        }
    }
}

const Coverer::Axis& Coverer::axis(std::size_t to, std::size_t points, std::size_t spacing) {
    Axis& axis = axes_[{to, points, spacing}];
    if (!axis.sum.empty()) return axis;
    const auto n_to = static_cast<std::int64_t>(to);
    const auto n_from = static_cast<std::int64_t>(spacing * (points - 1) + 1);
    // Weights differ from 0 within one and a half rows of pixels, or of the mask, about the middle.
    const std::int64_t reach = 2 * std::max(n_to, n_from) / n_to + 2;
    for (std::int64_t i = 0; i < n_to; ++i) {
        const std::int64_t centre = (2 * i + 1) * n_from / (2 * n_to);
        std::int64_t sum = 0;
        const std::size_t start = axis.weight.size();
        axis.start.push_back(start);
        for (std::int64_t k = std::max<std::int64_t>(0, centre - reach);
             k <= std::min(n_from - 1, centre + reach); ++k) {
            const std::int64_t weight = weight_of(i, k, n_to, n_from, how_);
            if (weight <= 0) {
                if (sum == 0) continue;
                break;
            }
            const std::size_t kept = kept_row(static_cast<std::size_t>(k), spacing);
            if (sum == 0) axis.first.push_back(kept);
            if (axis.first.back() + axis.weight.size() - start == kept) axis.weight.push_back(0);
            axis.weight.back() += static_cast<std::int32_t>(weight);
            sum += weight;
        }
        axis.sum.push_back(sum);
    }
    axis.start.push_back(axis.weight.size());
    return axis;
}

void Coverer::cover(const std::uint8_t* points, std::size_t rows, std::size_t columns,
                    std::size_t spacing, std::size_t height, std::size_t width, std::uint8_t* to,
                    std::size_t row) {
    keep(points, rows, columns, spacing, mask_);
    const std::size_t kept_width = kept_rows(columns, spacing);
    if (how_ == Resampling::same) {
        for (std::size_t y = 0; y < height; ++y) {
            const std::int32_t* const own = mask_.data() + kept_row(y, spacing) * kept_width;
            for (std::size_t x = 0; x < width; ++x) to[y * row + x] = own[kept_row(x, spacing)] ? 255 : 0;
        }
        return;
    }
    const Axis &down = axis(height, rows, spacing), &across = axis(width, columns, spacing);
    // Rows first: each then serves all columns.
    summed_.resize(kept_width);
    alike_.resize(kept_width);
    for (std::size_t y = 0; y < height; ++y) {
        std::fill(summed_.begin(), summed_.end(), 0);
        const std::int32_t* own = mask_.data() + down.first[y] * kept_width;
        for (std::size_t k = down.start[y]; k < down.start[y + 1]; ++k, own += kept_width) {
            const std::int32_t weight = down.weight[k];
            for (std::size_t x = 0; x < kept_width; ++x) summed_[x] += weight & own[x];
        }
        // Where the next other sum follows: most pixels lie wholly inside, or wholly outside.
        alike_[kept_width - 1] = kept_width;
        for (std::size_t x = kept_width - 1; x-- > 0;)
            alike_[x] = summed_[x] == summed_[x + 1] ? alike_[x + 1] : x + 1;
        for (std::size_t x = 0; x < width; ++x) {
            const std::size_t first = across.first[x], n = across.start[x + 1] - across.start[x];
            const std::int32_t* const from = summed_.data() + first;
            if (alike_[first] >= first + n && (*from == 0 || *from == down.sum[y])) {
                to[y * row + x] = *from ? 255 : 0;
                continue;
            }
            const std::int32_t* const weight = across.weight.data() + across.start[x];
            std::int64_t covered = 0;
            for (std::size_t k = 0; k < n; ++k) covered += std::int64_t{weight[k]} * from[k];
            const std::int64_t whole = down.sum[y] * across.sum[x];
            std::int64_t rounded = covered ? 255 : 0;
            if (covered && covered != whole)
                rounded = std::max<std::int64_t>((510 * covered + whole) / (2 * whole), 1);
            to[y * row + x] = static_cast<std::uint8_t>(rounded);
        }
    }
}

}  // namespace zarrmal
