#include "silhouette.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <tuple>

#if defined(__GNUC__) && !defined(__clang__)
#define ZM_AS_VECTOR _Pragma("GCC unroll 1")  // once unrolled, a loop is not vectorised any more
#else
#define ZM_AS_VECTOR
#endif

// Plain loops, which GCC compiles for AVX2 too and chooses when the library is loaded.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__GLIBC__) && \
    !defined(__SANITIZE_ADDRESS__)
#define ZM_ALSO_AVX2 __attribute__((target_clones("avx2", "default")))
#else
#define ZM_ALSO_AVX2
#endif

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

constexpr std::size_t VECTOR = 16;  // bytes
constexpr std::size_t TAPS = 8;     // of narrow weights

// Rows (or columns) of a mask between two of its lattice are alike. So masks are kept with one row for
// each of the lattice and one for all that lie between it and the next.
std::size_t kept_rows(std::size_t points, std::size_t spacing) {
    return spacing == 1 ? points : 2 * points - 1;
}

// Bytes of a row as it is kept: whole vectors.
std::size_t kept_stride(std::size_t columns, std::size_t spacing) {
    return (kept_rows(columns, spacing) + VECTOR - 1) / VECTOR * VECTOR;
}

std::size_t kept_row(std::size_t k, std::size_t spacing) {
    return spacing == 1 ? k : 2 * (k / spacing) + (k % spacing != 0);
}

// The mask of lattice points as it is kept: 255 where a pixel belongs to it.
void keep(const std::uint8_t* points, std::size_t rows, std::size_t columns, std::size_t spacing,
          std::vector<std::uint8_t>& mask) {
    const std::size_t step = spacing == 1 ? 1 : 2, stride = kept_stride(columns, spacing);
    mask.assign(kept_rows(rows, spacing) * stride + VECTOR, 0);
    for (std::size_t y = 0; y < rows; ++y) {
        const std::uint8_t* const own = points + y * columns;
        std::uint8_t* const to = mask.data() + step * y * stride;
        if (step == 1) {
            for (std::size_t x = 0; x < columns; ++x) to[x] = static_cast<std::uint8_t>(-own[x]);
            continue;
        }
        for (std::size_t x = 0; x + 1 < columns; ++x) {
            to[2 * x] = static_cast<std::uint8_t>(-own[x]);
            to[2 * x + 1] = static_cast<std::uint8_t>(-(own[x] & own[x + 1]));
        }
        to[2 * columns - 2] = static_cast<std::uint8_t>(-own[columns - 1]);
        if (y == 0) continue;
        std::uint8_t* const between = to - stride;
        const std::uint8_t* const above = between - stride;
        for (std::size_t x = 0; x < stride; ++x) between[x] = above[x] & to[x];
    }
}

// Reads the points of masks, TOGETHER of them at a time: while the state of one is computed, so is another's.
// Nearly all points are as their frequencies foretell: so each is a branch, which the processor guesses, and the
// next point need not wait for the state.
class MaskReader {
public:
    static constexpr std::size_t TOGETHER = 2;

    explicit MaskReader(const std::uint16_t* frequencies) : frequencies_(frequencies) {}

    // Masks of similar shapes, at most TOGETHER.
    void read(const UnreadMask* masks, std::size_t n) {
        const std::uint16_t* const frequencies = frequencies_;
        std::size_t rows = 0;
        for (std::size_t k = 0; k < n; ++k) {
            lanes_[k].open(masks[k]);
            rows = std::max(rows, masks[k].rows);
        }
        for (std::size_t y = 0; y < rows; ++y) {
            std::size_t common = n < TOGETHER ? 0 : SIZE_MAX;
            for (std::size_t k = 0; k < n; ++k) common = std::min(common, lanes_[k].begin(masks[k], y));
            Point points[TOGETHER];
            for (std::size_t k = 0; k < n; ++k) points[k] = lanes_[k].first_point();
            for (std::size_t x = 0; x < common; ++x)
                for (std::size_t k = 0; k < TOGETHER; ++k) step(frequencies, points[k], x);
            for (std::size_t k = 0; k < n; ++k) {
                if (y >= masks[k].rows) continue;
                for (std::size_t x = common; x < masks[k].columns; ++x) step(frequencies, points[k], x);
                lanes_[k].end(masks[k], y, points[k].state);
            }
        }
        for (std::size_t k = 0; k < n; ++k) masks[k].tape->state = lanes_[k].state;
    }

private:
    static constexpr std::size_t ABOVE = 3, BESIDE = 3;

    // What is read next; the state and the points to the west change with each.
    struct Point {
        std::uint32_t state;
        unsigned west;
        const std::uint16_t* contexts;
        std::uint8_t* row;
        Tape* tape;
    };

    // A mask that is being read.
    struct Lane {
        std::uint32_t state;
        std::size_t row;
        std::uint8_t* here;
        Tape* tape;
        std::vector<std::uint8_t> bordered;
        std::vector<std::uint16_t> contexts;

        void open(const UnreadMask& mask) {
            row = mask.columns + 2 * BESIDE;
            bordered.assign((mask.rows + ABOVE) * row + VECTOR, 0);
            contexts.resize(mask.columns + VECTOR);
            here = bordered.data() + ABOVE * row + BESIDE;
            tape = mask.tape;
            state = tape->state;
        }

        // How many points row y has.
        std::size_t begin(const UnreadMask& mask, std::size_t y) {
            if (y >= mask.rows) return 0;
            find_contexts(here - row, here - 2 * row, here - 3 * row, mask.columns, contexts.data());
            return mask.columns;
        }

        Point first_point() { return {state, 0, contexts.data(), here, tape}; }

        void end(const UnreadMask& mask, std::size_t y, std::uint32_t last) {
            std::copy_n(here, mask.columns, mask.points + y * mask.columns);
            here += row;
            state = last;
        }
    };

    static void step(const std::uint16_t* frequencies, Point& point, std::size_t x) {
        const std::uint32_t inside = frequencies[point.contexts[x] | point.west];
        const std::uint32_t outside = 65536 - inside;
        const std::uint32_t slot = point.state & 0xFFFF, high = point.state >> 16;
        point.west = point.west << 1 & 7;
        if (slot >= outside) {
            point.row[x] = 1;
            point.west |= 1;
            point.state = inside * high + slot - outside;
        } else {
            point.state = outside * high + slot;
        }
        if (point.state < 65536) point.state = point.state << 16 | point.tape->word();
    }

    // The windows of a row's points, without those to the west.
    static void find_contexts(const std::uint8_t* north, const std::uint8_t* above,
                              const std::uint8_t* third, std::size_t columns, std::uint16_t* contexts) {
        // Whole vectors, some of them beyond the row.
        for (std::size_t from = 0; from < columns; from += VECTOR) {
            std::uint16_t* const to = contexts + from;
            const std::uint8_t *const n = north + from, *const a = above + from, *const t = third + from;
            ZM_AS_VECTOR
            for (std::size_t x = 0; x < VECTOR; ++x) {
                // Bytes, of which a vector holds most.
                const auto low = static_cast<std::uint8_t>(n[x + 3] | n[x + 2] << 1 | n[x + 1] << 2 |
                                                           n[x] << 3 | n[x - 1] << 4 | n[x - 2] << 5 |
                                                           n[x - 3] << 6);
                const auto high = static_cast<std::uint8_t>(a[x + 2] | a[x + 1] << 1 | a[x] << 2 |
                                                            a[x - 1] << 3 | a[x - 2] << 4 | t[x] << 5);
                to[x] = static_cast<std::uint16_t>(low << 3 | high << 10);
            }
        }
    }

    const std::uint16_t* frequencies_;
    Lane lanes_[TOGETHER];
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

void read_masks(std::vector<UnreadMask> masks, const std::uint16_t* frequencies) {
    const auto is_empty = [](const UnreadMask& mask) { return !mask.rows || !mask.columns; };
    masks.erase(std::remove_if(masks.begin(), masks.end(), is_empty), masks.end());
    std::sort(masks.begin(), masks.end(), [](const UnreadMask& a, const UnreadMask& b) {
        return std::tie(a.columns, a.rows) < std::tie(b.columns, b.rows);
    });
    MaskReader reader(frequencies);
    for (std::size_t from = 0; from < masks.size(); from += MaskReader::TOGETHER)
        reader.read(&masks[from], std::min(MaskReader::TOGETHER, masks.size() - from));
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
    axis.is_narrow = true;
    for (std::size_t i = 0; i < to; ++i) {
        axis.whole.push_back(static_cast<double>(axis.sum[i]));
        axis.inverse.push_back(1 / axis.whole.back());
        axis.is_narrow &= axis.start[i + 1] - axis.start[i] <= TAPS && axis.sum[i] <= INT16_MAX;
    }
    axis.narrow.assign(axis.is_narrow ? to * TAPS : 0, 0);
    for (std::size_t i = 0; i < to && axis.is_narrow; ++i)
        for (std::size_t k = axis.start[i]; k < axis.start[i + 1]; ++k)
            axis.narrow[i * TAPS + k - axis.start[i]] = static_cast<std::int16_t>(axis.weight[k]);
    return axis;
}

void Coverer::cover(const std::uint8_t* points, std::size_t rows, std::size_t columns,
                    std::size_t spacing, std::size_t height, std::size_t width, std::uint8_t* to,
                    std::size_t row) {
    keep(points, rows, columns, spacing, mask_);
    const std::size_t stride = kept_stride(columns, spacing);
    if (how_ == Resampling::same) {
        for (std::size_t y = 0; y < height; ++y) {
            const std::uint8_t* const own = mask_.data() + kept_row(y, spacing) * stride;
            for (std::size_t x = 0; x < width; ++x) to[y * row + x] = own[kept_row(x, spacing)] ? 255 : 0;
        }
        return;
    }
    const Axis &down = axis(height, rows, spacing), &across = axis(width, columns, spacing);
    if (down.is_narrow && across.is_narrow)
        weigh_narrow(down, across, stride, to, row);
    else
        weigh_wide(down, across, stride, to, row);
}

ZM_ALSO_AVX2
void Coverer::weigh_narrow(const Axis& down, const Axis& across, std::size_t stride, std::uint8_t* to,
                           std::size_t row) {
    const std::size_t height = down.sum.size(), width = across.sum.size();
    narrow_mask_.resize(mask_.size());
    ZM_AS_VECTOR
    for (std::size_t i = 0; i < mask_.size(); ++i) narrow_mask_[i] = static_cast<std::int8_t>(mask_[i]);
    narrow_sums_.assign(stride + TAPS, 0);
    totals_.resize(width);
    std::int16_t* const sums = narrow_sums_.data();
    std::int32_t* const totals = totals_.data();
    const double *const wholes = across.whole.data(), *const inverses = across.inverse.data();
    for (std::size_t y = 0; y < height; ++y) {
        const std::size_t n = down.start[y + 1] - down.start[y];
        const std::int16_t* const first = narrow_mask_.data() + down.first[y] * stride;
        const std::int16_t* const weights = down.narrow.data() + y * TAPS;
        for (std::size_t from = 0; from < stride; from += VECTOR) {
            std::int16_t part[VECTOR] = {};
            for (std::size_t k = 0; k < n; ++k) {
                const std::int16_t* const own = first + k * stride + from;
                const std::int16_t weight = weights[k];
                for (std::size_t x = 0; x < VECTOR; ++x)
                    part[x] = static_cast<std::int16_t>(part[x] + (own[x] & weight));
            }
            std::memcpy(sums + from, part, sizeof part);
        }
        for (std::size_t x = 0; x < width; ++x) {
            const std::int16_t *const own = sums + across.first[x], *const taps = across.narrow.data() + x * TAPS;
            std::int32_t total = 0;
            ZM_AS_VECTOR
            for (std::size_t i = 0; i < TAPS; ++i) total += std::int32_t{own[i]} * taps[i];
            totals[x] = total;
        }
        // Exact: the quotient, with half of a unit added to the dividend, lies at least 1 / (4 * whole) from the
        // next integer, more than 2**-32, and a product of rounded inverses errs by less than 2**-42.
        const double whole = down.whole[y], inverse = 0.5 * down.inverse[y];
        std::uint8_t* const line = to + y * row;
        ZM_AS_VECTOR
        for (std::size_t x = 0; x < width; ++x) {
            const double doubled = 510.0 * totals[x] + (whole * wholes[x] + 0.5);
            const auto rounded = static_cast<std::int32_t>(doubled * (inverse * inverses[x]));
            const std::int32_t least = totals[x] > 0;
            line[x] = static_cast<std::uint8_t>(rounded > least ? rounded : least);
        }
    }
}

void Coverer::weigh_wide(const Axis& down, const Axis& across, std::size_t stride, std::uint8_t* to,
                         std::size_t row) {
    const std::size_t height = down.sum.size(), width = across.sum.size();
    for (std::size_t y = 0; y < height; ++y) {
        const std::uint8_t* const first = mask_.data() + down.first[y] * stride;
        wide_sums_.assign(stride, 0);
        std::int32_t* const sums = wide_sums_.data();
        for (std::size_t k = down.start[y]; k < down.start[y + 1]; ++k) {
            const std::uint8_t* const own = first + (k - down.start[y]) * stride;
            const std::int32_t weight = down.weight[k];
            ZM_AS_VECTOR
            for (std::size_t x = 0; x < stride; ++x) sums[x] += std::int32_t{static_cast<std::int8_t>(own[x])} & weight;
        }
        for (std::size_t x = 0; x < width; ++x) {
            std::int64_t covered = 0;
            for (std::size_t k = across.start[x]; k < across.start[x + 1]; ++k)
                covered += std::int64_t{across.weight[k]} * sums[across.first[x] + k - across.start[x]];
            const std::int64_t whole = down.sum[y] * across.sum[x];
            const std::int64_t rounded = (510 * covered + whole) / (2 * whole), least = covered > 0;
            to[y * row + x] = static_cast<std::uint8_t>(std::max(rounded, least));
        }
    }
}

}  // namespace zarrmal
