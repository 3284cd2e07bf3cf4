// The pixels of a cell out of its stream (FORMAT-lattice 2, 3, 8): the native twin of
// lattice/pixels.py's decode.
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <vector>

#include "check.h"
#include "lattice_colour.h"
#include "lattice_rims.h"
#include "lattice_walk.h"

namespace zarrmal {
namespace {

// One axis of a plane: of pixel i the nearest sample and the next nearest. Samples beyond the ends are
// -1 and `n`.
struct Axis {
    std::size_t n, phase, ratio;
    bool fancy;

    std::ptrdiff_t nearest(std::size_t i) const {
        return static_cast<std::ptrdiff_t>((i + phase) / ratio);
    }
    std::ptrdiff_t next(std::size_t i) const {
        if (!fancy || ratio == 1) return nearest(i);
        return nearest(i) + ((i + phase) % 2 ? 1 : -1);
    }
    std::size_t within(std::ptrdiff_t sample) const {
        return static_cast<std::size_t>(
            std::min(std::max<std::ptrdiff_t>(sample, 0), static_cast<std::ptrdiff_t>(n) - 1));
    }
};

class PictureReader {
public:
    explicit PictureReader(const LatticePlan& plan)
        : walk_(plan, Reading{nullptr}), rim_(plan, Reading{nullptr}) {}

    Walk<Reading>& walk() { return walk_; }
    RimCoder<Reading>& rim() { return rim_; }

    // Begin with a cell, which must stay; whether it has coefficients to be read.
    bool begin(const LatticePicture& picture, LatticeTape* tape) {
        picture_ = &picture;
        tape_ = walk_.coder().tape = rim_.coder.tape = tape;
        end_ = LatticeEnd::whole;
        shares(picture);
        for (std::size_t p = 0; p < picture.n_planes && end_ == LatticeEnd::whole; ++p)
            end_ = exceptions(picture, p);
        if (!goes_on()) return false;
        cell_.n_planes = picture.n_planes;
        std::copy(picture.plane, picture.plane + picture.n_planes, cell_.plane);
        return walk_.open(cell_);
    }
    // What coefficients tell of a plane; whether it has pixels to be read.
    bool begin_rim(std::size_t p) {
        if (!goes_on()) return false;
        upsample(*picture_, p);
        return tell(*picture_, p) && rim_.begin(canvases_, p + 1, picture_->height, picture_->width,
                                                picture_->plane[p].steps);
    }
    LatticeEnd end(std::uint16_t& check) {
        if (!goes_on()) return end_;
        const LatticePicture& picture = *picture_;
        mix(picture);
        end_ = corrections(picture);
        check = crc16(picture.pixels, 1, picture.height * picture.width * picture.n_planes);
        return end_;
    }

private:
    bool goes_on() const { return end_ == LatticeEnd::whole && !tape_->dry; }

    // Of each block the visible pixels, in 64ths, and whether it is a candidate.
    void shares(const LatticePicture& picture) {
        if (!picture.seen) {
            for (std::size_t p = 0; p < picture.n_planes; ++p)
                std::memset(picture.coded[p], 1, picture.plane[p].rows * picture.plane[p].columns);
            return;
        }
        // Squares of 8 x 8 pixels, of which every block's area is made.
        const std::size_t rows = (picture.down + picture.height + 7) / 8;
        const std::size_t columns = (picture.across + picture.width + 7) / 8;
        counts_.assign(rows * columns, 0);
        row_.assign(columns * 8, 0);
        for (std::size_t y = 0; y < picture.height; ++y) {
            std::memcpy(row_.data() + picture.across, picture.seen + y * picture.width,
                        picture.width);
            std::uint32_t* const to = counts_.data() + (y + picture.down) / 8 * columns;
            for (std::size_t x = 0; x < columns; ++x) {
                std::uint64_t eight;
                std::memcpy(&eight, row_.data() + 8 * x, 8);
                to[x] += static_cast<std::uint32_t>((eight * 0x0101010101010101u) >> 56);
            }
        }
        for (std::size_t p = 0; p < picture.n_planes; ++p) {
            const LatticePlane& plane = picture.plane[p];
            for (std::size_t y = 0; y < plane.rows; ++y)
                for (std::size_t x = 0; x < plane.columns; ++x) {
                    std::uint32_t count = 0;
                    for (std::size_t i = y * plane.down; i < std::min((y + 1) * plane.down, rows); ++i)
                        for (std::size_t j = x * plane.across;
                             j < std::min((x + 1) * plane.across, columns); ++j)
                            count += counts_[i * columns + j];
                    const std::uint32_t share = std::max<std::uint32_t>(
                        count / static_cast<std::uint32_t>(plane.down * plane.across), count > 0);
                    const std::size_t k = y * plane.columns + x;
                    picture.shares[p][k] = static_cast<std::uint8_t>(share);
                    picture.coded[p][k] = static_cast<int>(share) >= picture.least[p > 0];
                }
        }
    }

    // Reads an ascending set of numbers below `limit` into `members`.
    LatticeEnd set(std::uint64_t limit, std::vector<std::size_t>& members) {
        Reading& coder = walk_.coder();
        members.clear();
        const std::uint64_t n = coder.number();
        if (n > limit) return LatticeEnd::too_many;
        std::uint64_t next = 0;
        for (std::uint64_t k = 0; k < n && !coder.stopped(); ++k) {
            next += coder.number();
            if (next >= limit) return LatticeEnd::beyond;
            members.push_back(static_cast<std::size_t>(next++));
        }
        return LatticeEnd::whole;
    }

    LatticeEnd exceptions(const LatticePicture& picture, std::size_t p) {
        const LatticePlane& plane = picture.plane[p];
        const LatticeEnd end = set(plane.rows * plane.columns, members_);
        for (const std::size_t k : members_) picture.coded[p][k] = 0;
        return end;
    }

    Axis rows_of(const LatticePicture& picture, std::size_t p, bool fancy) const {
        const std::size_t ratio = picture.plane[p].down;
        return {(picture.down + picture.height + ratio - 1) / ratio, picture.down, ratio, fancy};
    }
    Axis columns_of(const LatticePicture& picture, std::size_t p, bool fancy) const {
        const std::size_t ratio = picture.plane[p].across;
        return {(picture.across + picture.width + ratio - 1) / ratio, picture.across, ratio, fancy};
    }
    static bool is_fancy(const LatticePicture& picture, std::size_t p) {
        const std::size_t down = picture.plane[p].down, across = picture.plane[p].across;
        const std::size_t n = (picture.across + picture.width + across - 1) / across;
        return picture.fancy && down <= 2 && across <= 2 && down * across > 1 &&
               (across == 1 || n > 2);
    }

    // One sample a pixel, into the plane's canvas.
    void upsample(const LatticePicture& picture, std::size_t p) {
        const LatticePlane& plane = picture.plane[p];
        const std::size_t stride = picture.width + RIM_MORE, samples = plane.columns * 8;
        values_[p].resize((picture.height + 2 * RIM_BORDER) * stride);
        canvases_[p] = {values_[p].data(), nullptr};
        const bool fancy = is_fancy(picture, p);
        const Axis down = rows_of(picture, p, fancy), across = columns_of(picture, p, fancy);
        row_.resize(across.n * across.ratio + 2);
        const std::size_t width = picture.width;  // stores cannot change it
        sums_.resize(across.n);
        for (std::size_t y = 0; y < picture.height; ++y) {
            std::uint8_t* const to = values_[p].data() + (y + RIM_BORDER) * stride + RIM_BORDER;
            const std::uint8_t* const nearest =
                walk_.picture(p) + down.within(down.nearest(y)) * samples;
            const std::uint8_t* const next = walk_.picture(p) + down.within(down.next(y)) * samples;
            if (across.ratio == 1 && !(fancy && down.ratio == 2)) {
                std::memcpy(to, nearest + picture.across, picture.width);
                continue;
            }
            if (fancy && across.ratio == 1) {
                const int half = (y + picture.down) % 2 ? 2 : 1;
                const std::uint8_t *const a = nearest + picture.across, *const b = next + picture.across;
                for (std::size_t x = 0; x < width; ++x)
                    to[x] = static_cast<std::uint8_t>((3 * a[x] + b[x] + half) >> 2);
                continue;
            }
            if (fancy && down.ratio == 1)
                upsample_across(nearest, across.n, row_.data());
            else if (fancy)
                upsample_both(nearest, next, across.n, sums_.data(), row_.data());
            else
                for (std::size_t x = 0; x < across.n; ++x)
                    std::memset(row_.data() + x * across.ratio, nearest[x], across.ratio);
            std::memcpy(to, row_.data() + picture.across, picture.width);
        }
    }

    // The states of a plane's pixels; whether any is to be coded.
    bool tell(const LatticePicture& picture, std::size_t p) {
        const LatticePlane& plane = picture.plane[p];
        const std::uint8_t* const coded = picture.coded[p];
        const std::size_t n = plane.rows * plane.columns;
        if (!picture.seen && !std::memchr(coded, 0, n)) return false;
        const std::size_t stride = picture.width + RIM_MORE;
        states_[p].assign((picture.height + 2 * RIM_BORDER) * stride, RIM_UNKNOWN);
        canvases_[p].states = states_[p].data();
        const bool fancy = is_fancy(picture, p);
        const Axis down = rows_of(picture, p, fancy), across = columns_of(picture, p, fancy);
        const std::size_t width = picture.width;  // stores cannot change it
        told_.assign(width, 0);
        nearest_.resize(width);
        next_.resize(width);
        for (std::size_t x = 0; x < width; ++x) {
            nearest_[x] = static_cast<std::uint32_t>(across.nearest(x) + 1);
            next_[x] = static_cast<std::uint32_t>(across.next(x) + 1);
        }
        std::ptrdiff_t told_of[2] = {-2, -2};  // rows of blocks of `told_`
        bool any = false;
        for (std::size_t y = 0; y < picture.height; ++y) {
            const std::ptrdiff_t blocks[2] = {row_of_blocks(down, down.nearest(y)),
                                              row_of_blocks(down, down.next(y))};
            if (blocks[0] != told_of[0] || blocks[1] != told_of[1]) {
                tell_row(picture, p, across, blocks);
                std::copy(blocks, blocks + 2, told_of);
            }
            std::uint8_t* const to = states_[p].data() + (y + RIM_BORDER) * stride + RIM_BORDER;
            const std::uint8_t* const told = told_.data();
            if (!picture.seen) {
                for (std::size_t x = 0; x < width; ++x) to[x] = told[x] | RIM_TO_CODE;
            } else {
                const std::uint8_t* const seen = picture.seen + y * width;
                for (std::size_t x = 0; x < width; ++x)
                    to[x] = static_cast<std::uint8_t>(-seen[x]) & (told[x] | RIM_TO_CODE);
            }
            any = any || std::memchr(to, RIM_TO_CODE, picture.width);
        }
        return any;
    }

    // -1: beyond the samples.
    static std::ptrdiff_t row_of_blocks(const Axis& axis, std::ptrdiff_t sample) {
        return sample < 0 || sample >= static_cast<std::ptrdiff_t>(axis.n) ? -1 : sample / 8;
    }

    // Which pixels of a row are told, 0 or 255, if its samples lie in two rows of blocks.
    void tell_row(const LatticePicture& picture, std::size_t p, const Axis& across,
                  const std::ptrdiff_t* blocks) {
        const std::uint8_t beyond = picture.seen ? 0 : 255;
        const std::size_t columns = picture.plane[p].columns;
        // Of each sample, with one before the first and one after the last.
        known_.assign(across.n + 2, beyond);
        for (std::size_t i = 0; i < across.n; i += 8) {
            std::uint8_t both = 255;
            for (int k = 0; k < 2; ++k) {
                std::uint8_t own = beyond;
                if (blocks[k] >= 0)
                    own = picture.coded[p][static_cast<std::size_t>(blocks[k]) * columns + i / 8]
                              ? 255
                              : 0;
                both = both & own;
            }
            std::memset(known_.data() + i + 1, both, std::min<std::size_t>(8, across.n - i));
        }
        if (!picture.seen) known_[0] = known_[across.n + 1] = 255;
        std::uint8_t* const told = told_.data();
        const std::uint8_t* const known = known_.data();
        const std::uint32_t *const nearest = nearest_.data(), *const next = next_.data();
        const std::size_t width = picture.width;
        for (std::size_t x = 0; x < width; ++x) told[x] = known[nearest[x]] & known[next[x]];
    }

    void mix(const LatticePicture& picture) const {
        const std::size_t stride = picture.width + RIM_MORE;
        for (std::size_t y = 0; y < picture.height; ++y) {
            const std::uint8_t* rows[LATTICE_KINDS] = {};
            for (std::size_t p = 0; p < picture.n_planes; ++p)
                rows[p] = values_[p].data() + (y + RIM_BORDER) * stride + RIM_BORDER;
            mix_row(rows, picture.n_planes, picture.seen ? picture.seen + y * picture.width : nullptr,
                    picture.ycbcr, picture.width,
                    picture.pixels + y * picture.width * picture.n_planes);
        }
    }

    LatticeEnd corrections(const LatticePicture& picture) {
        Reading& coder = walk_.coder();
        const std::size_t size = picture.height * picture.width;
        std::uint64_t n_seen = size;
        if (picture.seen) {
            n_seen = 0;
            for (const std::uint32_t count : counts_) n_seen += count;
        }
        const LatticeEnd end = set(n_seen, members_);
        if (end != LatticeEnd::whole) return end;
        std::size_t pixel = 0, number = 0;  // of the next one seen
        for (const std::size_t member : members_) {
            if (picture.seen) {
                while (number < member || !picture.seen[pixel]) {
                    if (number + 8 < member && pixel + 8 < size) {
                        std::uint64_t eight;
                        std::memcpy(&eight, picture.seen + pixel, 8);
                        number += (eight * 0x0101010101010101u) >> 56;
                        pixel += 8;
                    } else {
                        number += picture.seen[pixel++];
                    }
                }
            } else {
                pixel = member;
            }
            for (std::size_t p = 0; p < picture.n_planes && !coder.stopped(); ++p) {
                const auto folded = static_cast<std::int64_t>(coder.number());
                const std::int64_t difference = folded & 1 ? (511 - folded) >> 1 : folded >> 1;
                std::uint8_t& value = picture.pixels[pixel * picture.n_planes + p];
                value = static_cast<std::uint8_t>(value + difference);
            }
        }
        return end;
    }

    Walk<Reading> walk_;
    RimCoder<Reading> rim_;
    const LatticePicture* picture_ = nullptr;
    LatticeTape* tape_ = nullptr;
    LatticeEnd end_ = LatticeEnd::whole;
    LatticeCell cell_{};
    LatticeCanvas canvases_[LATTICE_KINDS] = {};
    std::vector<std::uint8_t> values_[LATTICE_KINDS], states_[LATTICE_KINDS], row_, told_, known_;
    std::vector<std::uint16_t> sums_;
    std::vector<std::uint32_t> counts_, nearest_, next_;
    std::vector<std::size_t> members_;
};

// Cells that take turns are of much the same size, so that they do so to their ends.
template <class Size>
std::vector<std::size_t> by_size(std::size_t n, Size size_of) {
    std::vector<std::size_t> order(n);
    for (std::size_t k = 0; k < n; ++k) order[k] = k;
    std::stable_sort(order.begin(), order.end(), [&size_of](std::size_t a, std::size_t b) {
        return size_of(a) < size_of(b);
    });
    return order;
}

inline void read_cells(const LatticePlan& plan, const LatticeCell* cells, LatticeTape* tapes,
                       std::size_t n) {
    std::deque<Walk<Reading>> walks;
    while (walks.size() < std::min(TURNS, n)) walks.emplace_back(plan, Reading{nullptr});
    const std::vector<std::size_t> order = by_size(n, [cells](std::size_t k) {
        return cells[k].plane[0].rows * cells[k].plane[0].columns;
    });
    for (std::size_t k = 0; k < n; k += TURNS) {
        Walk<Reading>* open[TURNS];
        std::size_t n_open = 0;
        for (std::size_t i = 0; i < TURNS && k + i < n; ++i) {
            walks[i].coder().tape = tapes + order[k + i];
            if (walks[i].open(cells[order[k + i]])) open[n_open++] = &walks[i];
        }
        code_cells(open, n_open);
    }
}

inline void read_pictures(const LatticePlan& plan, const LatticePicture* pictures,
                          LatticeTape* tapes, std::size_t n, LatticeEnd* ends,
                          std::uint16_t* checks) {
    std::deque<PictureReader> readers;
    while (readers.size() < std::min(TURNS, n)) readers.emplace_back(plan);
    const std::vector<std::size_t> order = by_size(n, [pictures](std::size_t k) {
        return pictures[k].height * pictures[k].width;
    });
    for (std::size_t k = 0; k < n; k += TURNS) {
        const std::size_t together = std::min(TURNS, n - k);
        Walk<Reading>* walks[TURNS];
        std::size_t n_walks = 0;
        for (std::size_t i = 0; i < together; ++i)
            if (readers[i].begin(pictures[order[k + i]], tapes + order[k + i]))
                walks[n_walks++] = &readers[i].walk();
        code_cells(walks, n_walks);
        for (std::size_t p = 0; p < pictures[order[k]].n_planes; ++p) {
            RimCoder<Reading>* rims[TURNS];
            std::size_t n_rims = 0;
            for (std::size_t i = 0; i < together; ++i)
                if (readers[i].begin_rim(p)) rims[n_rims++] = &readers[i].rim();
            code_rims(rims, n_rims);
        }
        for (std::size_t i = 0; i < together; ++i)
            ends[order[k + i]] = readers[i].end(checks[order[k + i]]);
    }
}

inline LatticeLevel make_lattice_level(const char* name) {
    LatticeLevel level;
    level.name = name;
    level.decode = &read_cells;
    level.read = &read_pictures;
    level.measure = [](const LatticePlan& plan, const LatticeCell* cells, std::size_t n,
                       std::vector<std::uint32_t>& symbols, std::vector<std::int64_t>& lengths) {
        Walk<Measuring> walk(plan, Measuring{&symbols});
        for (std::size_t k = 0; k < n; ++k) {
            const std::size_t before = symbols.size();
            Walk<Measuring>* open = &walk;
            if (walk.open(cells[k])) code_cells(&open, 1);
            lengths.push_back(static_cast<std::int64_t>((symbols.size() - before) / 2));
        }
    };
    level.measure_rim = [](const LatticePlan& plan, const LatticeCanvas* canvases,
                           std::size_t n_planes, std::size_t height, std::size_t width,
                           const std::uint16_t* steps, std::vector<std::uint32_t>& symbols) {
        RimCoder<Measuring> rim(plan, Measuring{&symbols});
        RimCoder<Measuring>* open = &rim;
        if (rim.begin(canvases, n_planes, height, width, steps)) code_rims(&open, 1);
    };
    return level;
}

}  // namespace
}  // namespace zarrmal
