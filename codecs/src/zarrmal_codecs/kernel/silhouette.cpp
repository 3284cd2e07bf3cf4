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
constexpr std::size_t AT_ONCE = 8;  // columns of a mask that are weighed together

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

// Numbers of 16 bytes together, in a register where the compiler knows how.
#if defined(__GNUC__)
template <class T>
using Vector __attribute__((vector_size(VECTOR))) = T;
#else
template <class T>
struct Vector {
    T each[VECTOR / sizeof(T)];
    template <class Use>
    Vector& apply(Use use) {
        for (std::size_t i = 0; i < VECTOR / sizeof(T); ++i) each[i] = static_cast<T>(use(each[i], i));
        return *this;
    }
    Vector& operator|=(const Vector& other) {
        return apply([&](T own, std::size_t i) { return own | other.each[i]; });
    }
    Vector& operator&=(const Vector& other) {
        return apply([&](T own, std::size_t i) { return own & other.each[i]; });
    }
    Vector& operator+=(const Vector& other) {
        return apply([&](T own, std::size_t i) { return own + other.each[i]; });
    }
    friend Vector operator&(Vector a, T b) {
        return a.apply([&](T own, std::size_t) { return own & b; });
    }
};
#endif

template <class T>
Vector<T> loaded(const T* from) {
    Vector<T> result;
    std::memcpy(&result, from, sizeof result);
    return result;
}

// Bytes that are 0 or 255, as 16 bits each, of which all are set or none.
Vector<std::int16_t> widened(const std::uint8_t* from) {
#if defined(__GNUC__)
    typedef std::int8_t Bytes __attribute__((vector_size(AT_ONCE)));
    Bytes bytes;
    std::memcpy(&bytes, from, sizeof bytes);
    return __builtin_convertvector(bytes, Vector<std::int16_t>);
#else
    Vector<std::int16_t> result;
    for (std::size_t i = 0; i < AT_ONCE; ++i) result.each[i] = static_cast<std::int8_t>(from[i]);
    return result;
#endif
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

// Where the first byte follows, from `from` on, that is not `like`.
std::size_t next_other(const std::uint8_t* bytes, std::size_t from, std::size_t n, std::uint8_t like) {
    const std::uint64_t all = 0x0101010101010101u * like;
    for (; from + 8 <= n; from += 8) {
        std::uint64_t eight;
        std::memcpy(&eight, bytes + from, 8);
        if (eight == all) continue;
#if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        return from + static_cast<std::size_t>(__builtin_ctzll(eight ^ all)) / 8;
#else
        break;
#endif
    }
    while (from < n && bytes[from] == like) ++from;
    return from;
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
    axis.touching.assign(kept_rows(points, spacing) + 1, to);
    for (std::size_t i = 0, k = 0; i < to; ++i)
        for (const std::size_t end = axis.first[i] + axis.start[i + 1] - axis.start[i]; k < end; ++k)
            axis.touching[k] = i;
    axis.is_narrow = true;
    axis.narrow.assign(to * AT_ONCE, 0);
    for (std::size_t i = 0; i < to; ++i) {
        const std::size_t n = axis.start[i + 1] - axis.start[i];
        axis.is_narrow &= n <= AT_ONCE && axis.sum[i] <= INT16_MAX;
        for (std::size_t k = 0; axis.is_narrow && k < n; ++k)
            axis.narrow[i * AT_ONCE + k] = static_cast<std::int16_t>(axis.weight[axis.start[i] + k]);
    }
    return axis;
}

void Coverer::cover(const std::uint8_t* points, std::size_t rows, std::size_t columns,
                    std::size_t spacing, std::size_t height, std::size_t width, std::uint8_t* to,
                    std::size_t row) {
    keep(points, rows, columns, spacing, mask_);
    const std::size_t kept_width = kept_rows(columns, spacing), stride = kept_stride(columns, spacing);
    if (how_ == Resampling::same) {
        for (std::size_t y = 0; y < height; ++y) {
            const std::uint8_t* const own = mask_.data() + kept_row(y, spacing) * stride;
            for (std::size_t x = 0; x < width; ++x) to[y * row + x] = own[kept_row(x, spacing)] ? 255 : 0;
        }
        return;
    }
    const Axis &down = axis(height, rows, spacing), &across = axis(width, columns, spacing);
    any_.resize(stride);
    all_.resize(stride);
    std::uint8_t *const any = any_.data(), *const all = all_.data();
    for (std::size_t y = 0; y < height; ++y) {
        std::uint8_t* const line = to + y * row;
        const std::uint8_t* const first = mask_.data() + down.first[y] * stride;
        const std::size_t n = down.start[y + 1] - down.start[y];
        const std::int16_t* const weights = down.narrow.data() + y * AT_ONCE;
        for (std::size_t from = 0; from < stride; from += VECTOR) {
            auto some = loaded<std::uint8_t>(first + from), every = some;
            for (std::size_t k = 1; k < n; ++k) {
                const auto own = loaded<std::uint8_t>(first + k * stride + from);
                some |= own;
                every &= own;
            }
            std::memcpy(any + from, &some, VECTOR);
            std::memcpy(all + from, &every, VECTOR);
        }
        // Most pixels lie wholly inside, or wholly outside: only at the edge are weights needed.
        std::size_t other = 0;  // the next column that is not as that at `from`
        std::uint8_t like = 0;
        for (std::size_t x = 0; x < width;) {
            const std::size_t from = across.first[x], start = across.start[x];
            const std::size_t n_across = across.start[x + 1] - start;
            if (from >= other) {
                like = all[from];
                other = next_other(like ? all : any, from, kept_width, like);
            }
            if (other >= from + n_across) {
                const std::size_t until = across.touching[other];
                if (like) std::memset(line + x, like, until - x);  // else it is 0 already
                x = until;
                continue;
            }
            const std::int64_t whole = down.sum[y] * across.sum[x];
            std::int64_t rounded = 0;
            if (down.is_narrow && across.is_narrow) {
                Vector<std::int16_t> sums{};
                for (std::size_t k = 0; k < n; ++k) sums += widened(first + k * stride + from) & weights[k];
                std::int16_t sum[AT_ONCE];
                std::memcpy(sum, &sums, sizeof sum);
                std::int32_t total = 0;
                const std::int16_t* const weight = across.narrow.data() + x * AT_ONCE;
                ZM_AS_VECTOR
                for (std::size_t i = 0; i < AT_ONCE; ++i) total += std::int32_t{weight[i]} * sum[i];
                // Exact: a quotient that is no integer lies further below the next one than half a unit in the
                // last place, 2**-31 below 2**8.
                const auto doubled = static_cast<double>(510 * std::int64_t{total} + whole);
                rounded = static_cast<std::int64_t>(doubled / static_cast<double>(2 * whole));
            } else {
                std::int64_t covered = 0;
                for (std::size_t k = 0; k < n; ++k)
                    for (std::size_t i = 0; i < n_across; ++i)
                        if (first[k * stride + from + i])
                            covered += std::int64_t{down.weight[down.start[y] + k]} * across.weight[start + i];
                rounded = (510 * covered + whole) / (2 * whole);
            }
            // Neither nothing nor all of it is covered.
            line[x++] = static_cast<std::uint8_t>(std::max<std::int64_t>(rounded, 1));
        }
    }
}

}  // namespace zarrmal
