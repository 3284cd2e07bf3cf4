// The walk over a cell's planes and blocks, the same for reading and measuring. Included by one source
// for each instruction set.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "lattice_block.h"

namespace zarrmal {
namespace {

template <class Coder>
class Walk {
public:
    Walk(const LatticePlan& plan, Coder coder)
        : plan_(plan), orders_(plan.tables.scan.data()), transform_(plan.tables.matrix.data()),
          blocks_coder_(plan, orders_, coder) {
        std::memset(&none_, 0, sizeof none_);
        none_.base = MIDDLE_SAMPLE;
        std::memset(around_.seen, 0, sizeof around_.seen);
    }

    void cell(const LatticeCell& cell) {
        for (std::size_t p = 0; p < cell.n_planes; ++p) plane(cell, p);
    }

    Coder& coder() { return blocks_coder_.coder; }
    // Samples of a plane, rows x columns of blocks; MIDDLE_SAMPLE where they are not coded.
    const std::uint8_t* picture(std::size_t p) const { return pictures_[p].data(); }

private:
    std::uint8_t log_of(std::int32_t value) const { return blocks_coder_.log_of(value); }

    void plane(const LatticeCell& cell, std::size_t p) {
        const LatticePlane& own = cell.plane[p];
        kind_ = &plan_.kinds[p];
        const std::size_t n = own.rows * own.columns, width = own.columns * 8;
        blocks_[p].assign(n, none_);
        pictures_[p].assign(n * 64, MIDDLE_SAMPLE);
        quantiser_[p].set(plan_, orders_, kind_, own.steps);
        log_step_9_ = plan_.tables.log_step[own.steps[9]];
        log_step_36_ = plan_.tables.log_step[own.steps[36]];
        const LatticePlane &first = cell.plane[0], &before = cell.plane[p ? p - 1 : 0];
        has_luma_ = p > 0;
        const bool shrinks = own.down % first.down == 0 && own.across % first.across == 0;
        const bool same = before.down == own.down && before.across == own.across &&
                          before.rows == own.rows && before.columns == own.columns;
        has_other_ = p > 1 && same;
        std::memset(luma_, 0, sizeof luma_);
        luma_dc_of_block_ = 0;
        std::memset(around_.seen, 0, sizeof around_.seen);
        luma_dc_.assign(p ? n : 0, 0);
        for (std::size_t y = 0; y < own.rows; ++y)
            for (std::size_t x = 0; x < own.columns; ++x) {
                const std::size_t k = y * own.columns + x;
                if (own.coded && !own.coded[k]) continue;
                if (coder().stopped()) return;
                const Block** const near = around_.near;
                near[0] = x ? &blocks_[p][k - 1] : &none_;
                near[1] = y ? &blocks_[p][k - own.columns] : &none_;
                near[2] = x && y ? &blocks_[p][k - own.columns - 1] : &none_;
                near[3] = y && x + 1 < own.columns ? &blocks_[p][k - own.columns + 1] : &none_;
                if (p) {
                    if (shrinks) see_luma(cell, own, y, x);
                    std::int32_t dc = luma_dc_[k] = luma_dc_of_block_;
                    const std::int32_t west = near[0]->known ? luma_dc_[k - 1] : 0;
                    const std::int32_t north = near[1]->known ? luma_dc_[k - own.columns] : 0;
                    dc -= (west + north) >> (near[0]->known && near[1]->known);
                    luma_[0] = static_cast<std::int16_t>(clamp(dc, -LARGEST_SUM, LARGEST_SUM));
                }
                if (has_other_) see_other(before, blocks_[p - 1][k], k);
                std::uint8_t* const samples = pictures_[p].data() + y * 8 * width + x * 8;
                around_.visible = own.visible ? own.visible[k] : 64;
                block(quantiser_[p], samples, width, own.coefficients + 64 * k, blocks_[p][k]);
            }
    }

    void see_luma(const LatticeCell& cell, const LatticePlane& own, std::size_t y, std::size_t x) {
        const LatticePlane& first = cell.plane[0];
        const std::size_t down = own.down / first.down, across = own.across / first.across;
        const std::size_t height = first.rows * 8, width = first.columns * 8;
        const std::uint8_t* const picture = pictures_[0].data();
        const auto count = static_cast<std::int32_t>(down * across);
        alignas(32) std::int16_t means[64];
        alignas(32) std::int32_t result[64];
        const bool inside = (8 * y + 8) * down <= height && (8 * x + 8) * across <= width;
        const std::uint8_t* const from = picture + 8 * y * down * width + 8 * x * across;
        if (inside && count == 1) {
            for (std::size_t i = 0; i < 8; ++i)
                for (std::size_t j = 0; j < 8; ++j)
                    means[8 * i + j] = static_cast<std::int16_t>(
                        16 * from[i * width + j] - 16 * MIDDLE_SAMPLE);
        } else if (inside && across == 2 && down <= 2) {
            // 16 * sum // count, for 2 or 4.
            const std::int32_t factor = down == 1 ? 8 : 4;
            for (std::size_t i = 0; i < 8; ++i) {
                const std::uint8_t* const one = from + i * down * width;
                const std::uint8_t* const two = one + width;
                for (std::size_t j = 0; j < 8; ++j) {
                    std::int32_t sum = one[2 * j] + one[2 * j + 1];
                    if (down == 2) sum += two[2 * j] + two[2 * j + 1];
                    means[8 * i + j] =
                        static_cast<std::int16_t>(factor * sum - 16 * MIDDLE_SAMPLE);
                }
            }
        } else {
            for (std::size_t i = 0; i < 8; ++i)
                for (std::size_t j = 0; j < 8; ++j) {
                    std::int32_t sum = 0;
                    for (std::size_t a = 0; a < down; ++a)
                        for (std::size_t b = 0; b < across; ++b) {
                            const std::size_t row = std::min((8 * y + i) * down + a, height - 1);
                            const std::size_t at = std::min((8 * x + j) * across + b, width - 1);
                            sum += picture[row * width + at];
                        }
                    means[8 * i + j] =
                        static_cast<std::int16_t>(16 * sum / count - 16 * MIDDLE_SAMPLE);
                }
        }
        transform_.forward(means, result);
        luma_dc_of_block_ = result[0];
        for (int j = 1; j < 64; ++j)
            luma_[j] = static_cast<std::int16_t>(clamp(result[j], -LARGEST_SUM, LARGEST_SUM));
    }

    void see_other(const LatticePlane& before, const Block& block, std::size_t k) {
        if (!block.known) {
            std::memset(other_, 0, sizeof other_);
            return;
        }
        const std::int16_t* const from = before.coefficients + 64 * k;
        for (int j = 0; j < 64; ++j)
            other_[j] = static_cast<std::int16_t>(
                clamp(from[j] * before.steps[j], -LARGEST_SUM, LARGEST_SUM));
        const std::int32_t first = from[0] * before.steps[0] - 8 * (block.base - MIDDLE_SAMPLE);
        other_[0] = static_cast<std::int16_t>(clamp(first, -LARGEST_SUM, LARGEST_SUM));
    }

    // Border, base and activity (FORMAT-lattice 5.1).
    void see_border(const std::uint8_t* samples, std::size_t width, std::int16_t* border) {
        const Block* const* const near = around_.near;
        const bool has_west = near[0]->known, has_north = near[1]->known;
        std::int32_t columns[16] = {}, rows[16] = {}, west = 0, north = 0;
        if (has_west)
            for (std::size_t i = 0; i < 8; ++i) {
                columns[2 * i] = *(samples + i * width - 2);
                columns[2 * i + 1] = *(samples + i * width - 1);
                west += columns[2 * i + 1];
            }
        if (has_north)
            for (std::size_t i = 0; i < 8; ++i) {
                rows[i] = *(samples - 2 * width + i);
                rows[8 + i] = *(samples - width + i);
                north += rows[8 + i];
            }
        std::int32_t base = MIDDLE_SAMPLE;
        if (has_west && has_north)
            base = (west + north + 8) >> 4;
        else if (has_west)
            base = (west + 4) >> 3;
        else if (has_north)
            base = (north + 4) >> 3;
        std::int32_t activity = 0;
        for (int i = 0; i < 16; ++i) {
            border[i] = static_cast<std::int16_t>(has_west ? columns[i] - base : 0);
            border[16 + i] = static_cast<std::int16_t>(has_north ? rows[i] - base : 0);
        }
        for (int i = 1; i < 8; ++i) {
            activity += std::abs(columns[2 * i + 1] - columns[2 * i - 1]);
            activity += std::abs(rows[8 + i] - rows[7 + i]);
        }
        for (std::size_t i = 0; i < 4; ++i) {
            std::int32_t beyond = has_north ? rows[15] : base;
            if (near[3]->known) beyond = *(samples - width + 8 + i);
            border[32 + i] = static_cast<std::int16_t>(beyond - base);
        }
        std::int32_t corner = has_north ? rows[8] : has_west ? columns[1] : base;
        if (near[2]->known) corner = *(samples - width - 1);
        border[36] = static_cast<std::int16_t>(corner - base);
        border[37] = 0;
        around_.base = base;
        around_.log_activity = log_of(activity);
    }

    // Sums of the last diagonals' weights up to each.
    void diagonal_weights(const std::uint32_t* inputs, std::uint32_t* before) const {
        const LatticeHidden& one = kind_->diagonal_hidden;
        const LatticeOutputs& two = kind_->diagonal_output;
        Units units;
        units.set(one.bias.data());
        for (int k = 0; k < LATTICE_PAIRS; ++k)
            units.add_pair(one.weight.data() + k * 2 * LATTICE_HIDDEN, inputs[k]);
        alignas(16) std::int32_t logits[LATTICE_DIAGONALS_PADDED];
        outputs_of<LATTICE_DIAGONALS_PADDED>(units.packed(one.shift.data()), two.weight.data(),
                                             two.bias.data(), two.shift.data(), logits);
        std::int32_t most = -255;
        for (int k = 0; k < LATTICE_DIAGONALS; ++k) {
            logits[k] = clamp(logits[k], -255, 255);
            most = std::max(most, logits[k]);
        }
        before[0] = 0;
        for (int k = 0; k < LATTICE_DIAGONALS; ++k)
            before[k + 1] = before[k] + static_cast<std::uint32_t>(plan_.tables.exp[static_cast<std::size_t>(most - logits[k])]);
    }

    void block(const Quantiser& quantiser, std::uint8_t* samples, std::size_t width,
               std::int16_t* coefficients, Block& result) {
        alignas(32) std::int16_t border[LATTICE_BORDER + 1];
        see_border(samples, width, border);
        const Block &west = *around_.near[0], &north = *around_.near[1];
        const Block &nw = *around_.near[2], &ne = *around_.near[3];
        const std::int32_t log_activity = around_.log_activity;
        std::int32_t most[5] = {}, most_other = 0, end_other = 0;
        if (has_luma_) {
            sizes_of(quantiser, luma_, around_.seen[0]);
            constexpr int FROM[5] = {1, 2, 4, 6, 8};
            const std::uint8_t* const own = around_.seen[0];
            std::uint8_t highest = 0;
            for (int k = 4, stop = 64; k >= 0; stop = orders_.first[FROM[k]], --k) {
                for (int i = orders_.first[FROM[k]]; i < stop; ++i)
                    highest = std::max(highest, own[i]);
                most[k] = highest;
            }
        }
        if (has_other_) {
            sizes_of(quantiser, other_, around_.seen[2]);
            const std::uint8_t* const own = around_.seen[2];
            for (int k = 0; k < 64; ++k)
                if (own[k] > 12) end_other = orders_.diagonal[k];
            for (int k = orders_.first[2]; k < 64; ++k)
                most_other = std::max<std::int32_t>(most_other, own[k]);
        }
        std::uint32_t inputs[LATTICE_PAIRS];
        inputs[0] = pair_of(west.known ? 64 : 0, north.known ? 64 : 0);
        inputs[1] = pair_of(nw.known ? 64 : 0, ne.known ? 64 : 0);
        inputs[2] = pair_of(8 * west.end, 8 * north.end);
        inputs[3] = pair_of(8 * nw.end, 8 * ne.end);
        inputs[4] = pair_of(log_of(west.total), log_of(north.total));
        inputs[5] = pair_of(log_of(nw.total + ne.total), west.log_tail[0]);
        inputs[6] = pair_of(west.log_tail[1], west.log_tail[2]);
        inputs[7] = pair_of(west.log_tail[3], north.log_tail[0]);
        inputs[8] = pair_of(north.log_tail[1], north.log_tail[2]);
        inputs[9] = pair_of(north.log_tail[3], small(log_step_9_));
        inputs[10] = pair_of(small(log_step_36_ - log_step_9_), small(log_activity - log_step_9_));
        inputs[11] = pair_of(small(log_activity - log_step_36_),
                             (around_.base - MIDDLE_SAMPLE) >> 1);
        inputs[12] = pair_of(around_.visible, most[0]);
        inputs[13] = pair_of(most[1], most[2]);
        inputs[14] = pair_of(most[3], most[4]);
        inputs[15] = pair_of(8 * end_other, most_other);
        std::uint32_t before[LATTICE_DIAGONALS + 1];
        diagonal_weights(inputs, before);
        int last = 0;
        for (int k = 63; k > 0 && !last; --k)
            if (coefficients[orders_.scan[k]]) last = orders_.diagonal[k];
        around_.last = last = coder().diagonal(last, before);

        const int n = orders_.first[last + 1];
        std::memset(around_.sums, 0, sizeof around_.sums);
        add_pairs(around_.sums, kind_->border.data(), border, (LATTICE_BORDER + 1) / 2, n);
        if (has_luma_) see(quantiser, luma_, kind_->luma, n, around_.seen[1]);
        if (has_other_) see(quantiser, other_, kind_->other, n, around_.seen[3]);
        around_.sums[0] += 8 * (around_.base - MIDDLE_SAMPLE) * 4096;
        alignas(32) std::int16_t values[64] = {};
        blocks_coder_.code(*kind_, quantiser, around_, has_luma_, has_other_, coefficients, values,
                           result);
        transform_.inverse(values, std::min(last + 1, 8), samples, width);
    }

    static std::int32_t small(std::int32_t value) { return clamp(value, -128, 127); }

    // The sizes of another plane's coefficients, against the steps of this one.
    void sizes_of(const Quantiser& quantiser, const std::int16_t* plane, std::uint8_t* to) const {
        for (int k = 0; k < 64; ++k) {
            const int log = log_of(std::abs(plane[orders_.scan[k]])) - quantiser.log_step[k];
            to[k] = static_cast<std::uint8_t>(std::max(0, log));
        }
    }

    // What another plane has at the block: its part of the predictions of n coefficients, and the
    // sizes around them.
    void see(const Quantiser& quantiser, const std::int16_t* plane,
             const std::vector<std::int16_t>& weight, int n, std::uint8_t* to) {
        std::uint16_t sizes[64], near[64];
        add_pairs(around_.sums, weight.data(), plane, 32, n);
        for (int j = 0; j < 64; ++j) sizes[j] = static_cast<std::uint16_t>(std::abs(plane[j]));
        near_sums(sizes, near);
        for (int k = 0; k < n; ++k) {
            const int log = log_of(near[orders_.scan[k]]) - quantiser.log_step[k];
            to[k] = static_cast<std::uint8_t>(std::max(0, log));
        }
    }

    const LatticePlan& plan_;
    const Orders orders_;
    const Transform transform_;
    BlockCoder<Coder> blocks_coder_;
    const LatticeKind* kind_ = nullptr;
    Block none_;
    Around around_;
    Quantiser quantiser_[LATTICE_KINDS];
    std::int32_t log_step_9_ = 0, log_step_36_ = 0, luma_dc_of_block_ = 0;
    alignas(32) std::int16_t luma_[64], other_[64];
    bool has_luma_ = false, has_other_ = false;
    std::vector<Block> blocks_[LATTICE_KINDS];
    std::vector<std::uint8_t> pictures_[LATTICE_KINDS];
    std::vector<std::int32_t> luma_dc_;
};

}  // namespace
}  // namespace zarrmal
