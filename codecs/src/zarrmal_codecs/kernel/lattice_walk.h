// The walk over a cell's blocks and coefficients, the same for reading and measuring. Included by one
// source for each instruction set.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "lattice_ops.h"
#include "lattice_rims.h"
#include "lattice_symbols.h"

namespace zarrmal {
namespace {

constexpr int LARGEST_SUM = 4095;  // LARGEST_MAGNITUDE and LARGEST_VALUE
constexpr int PREDICTION_SHIFT = 12 - 5 + 16, WINDOW_OF_SCAN = 6;

// What later blocks need of a block.
struct Block {
    std::uint16_t magnitude[64];
    std::uint8_t log_magnitude[64], log_near[64], log_tail[4];
    std::int32_t total;
    std::int16_t base;
    std::uint8_t end, known;
};

template <class Coder>
class Walk {
public:
    Walk(const LatticePlan& plan, Coder coder)
        : plan_(plan), log_(plan.tables.log.data()), transform_(plan.tables.matrix.data()),
          coder_(coder) {
        for (int j = 0; j < 64; ++j) diagonal_[j] = static_cast<std::uint8_t>(j / 8 + j % 8);
        std::memset(&none_, 0, sizeof none_);
        none_.base = MIDDLE_SAMPLE;
    }

    void cell(const LatticeCell& cell) {
        for (std::size_t p = 0; p < cell.n_planes; ++p) plane(cell, p);
    }

private:
    static constexpr int MOST = LATTICE_KINDS;

    std::uint8_t log_of(std::int32_t value) const { return log_[std::min(value, LARGEST_SUM)]; }

    void plane(const LatticeCell& cell, std::size_t p) {
        const LatticePlane& own = cell.plane[p];
        kind_ = &plan_.kinds[p];
        const std::size_t n = own.rows * own.columns, width = own.columns * 8;
        blocks_[p].assign(n, none_);
        pictures_[p].assign(n * 64, MIDDLE_SAMPLE);
        for (int j = 0; j < 64; ++j) {
            log_step_[j] = plan_.tables.log_step[own.steps[j]];
            reciprocal_[j] = 65536 / own.steps[j];
        }
        const LatticePlane &first = cell.plane[0], &before = cell.plane[p ? p - 1 : 0];
        has_luma_ = p > 0;
        const bool shrinks = own.down % first.down == 0 && own.across % first.across == 0;
        has_other_ = p > 1;
        const bool same = before.down == own.down && before.across == own.across &&
                          before.rows == own.rows && before.columns == own.columns;
        std::memset(luma_, 0, sizeof luma_);
        std::memset(other_, 0, sizeof other_);
        luma_dc_.assign(p ? n : 0, 0);
        for (std::size_t y = 0; y < own.rows; ++y)
            for (std::size_t x = 0; x < own.columns; ++x) {
                const std::size_t k = y * own.columns + x;
                if (own.coded && !own.coded[k]) continue;
                const Block* near[4] = {
                    x ? &blocks_[p][k - 1] : &none_, y ? &blocks_[p][k - own.columns] : &none_,
                    x && y ? &blocks_[p][k - own.columns - 1] : &none_,
                    y && x + 1 < own.columns ? &blocks_[p][k - own.columns + 1] : &none_};
                if (p && shrinks) see_luma(cell, own, y, x);
                if (p) {
                    luma_dc_[k] = luma_[0];
                    const std::int32_t west = near[0]->known ? luma_dc_[k - 1] : 0;
                    const std::int32_t north = near[1]->known ? luma_dc_[k - own.columns] : 0;
                    luma_[0] -= (west + north) >> (near[0]->known && near[1]->known);
                }
                if (p > 1 && same) see_other(before, blocks_[p - 1][k], k);
                for (int j = 0; j < 64; ++j) {
                    luma_[j] = clamp(luma_[j], -LARGEST_SUM, LARGEST_SUM);
                    other_[j] = clamp(other_[j], -LARGEST_SUM, LARGEST_SUM);
                }
                std::uint8_t* const samples = pictures_[p].data() + y * 8 * width + x * 8;
                block(own, near, samples, width, own.visible ? own.visible[k] : 64,
                      own.coefficients + 64 * k, blocks_[p][k]);
            }
    }

    void see_luma(const LatticeCell& cell, const LatticePlane& own, std::size_t y, std::size_t x) {
        const LatticePlane& first = cell.plane[0];
        const std::size_t down = own.down / first.down, across = own.across / first.across;
        const std::size_t height = first.rows * 8, width = first.columns * 8;
        const std::uint8_t* const picture = pictures_[0].data();
        const auto count = static_cast<std::int32_t>(down * across);
        std::int32_t means[64], result[64];
        for (std::size_t i = 0; i < 8; ++i)
            for (std::size_t j = 0; j < 8; ++j) {
                std::int32_t sum = 0;
                for (std::size_t a = 0; a < down; ++a)
                    for (std::size_t b = 0; b < across; ++b) {
                        const std::size_t row = std::min((8 * y + i) * down + a, height - 1);
                        const std::size_t column = std::min((8 * x + j) * across + b, width - 1);
                        sum += picture[row * width + column];
                    }
                means[8 * i + j] = 16 * sum / count - 16 * MIDDLE_SAMPLE;
            }
        transform_.forward(means, result);
        std::copy(result, result + 64, luma_);
    }

    void see_other(const LatticePlane& before, const Block& block, std::size_t k) {
        for (int j = 0; j < 64; ++j)
            other_[j] = block.known ? before.coefficients[64 * k + j] * before.steps[j] : 0;
        if (block.known) other_[0] -= 8 * (block.base - MIDDLE_SAMPLE);
    }

    // Border, base and activity (FORMAT-lattice 5.1).
    std::int32_t see_border(const Block* const* near, const std::uint8_t* samples, std::size_t width,
                            std::int16_t* border, std::int32_t& activity) const {
        const bool has_west = near[0]->known, has_north = near[1]->known;
        std::int32_t columns[16] = {}, rows[16] = {}, west = 0, north = 0;
        if (has_west)
            for (int i = 0; i < 8; ++i) {
                columns[2 * i] = samples[i * width - 2];
                columns[2 * i + 1] = samples[i * width - 1];
                west += columns[2 * i + 1];
            }
        if (has_north)
            for (int i = 0; i < 8; ++i) {
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
        activity = 0;
        for (int i = 0; i < 16; ++i) {
            border[i] = static_cast<std::int16_t>(has_west ? columns[i] - base : 0);
            border[16 + i] = static_cast<std::int16_t>(has_north ? rows[i] - base : 0);
        }
        for (int i = 1; i < 8; ++i) {
            activity += std::abs(columns[2 * i + 1] - columns[2 * i - 1]);
            activity += std::abs(rows[8 + i] - rows[7 + i]);
        }
        for (int i = 0; i < 4; ++i) {
            std::int32_t beyond = has_north ? rows[15] : base;
            if (near[3]->known) beyond = *(samples - width + 8 + i);
            border[32 + i] = static_cast<std::int16_t>(beyond - base);
        }
        std::int32_t corner = has_north ? rows[8] : has_west ? columns[1] : base;
        if (near[2]->known) corner = *(samples - width - 1);
        border[36] = static_cast<std::int16_t>(corner - base);
        border[37] = 0;
        return base;
    }

    void diagonal_edges(const std::int16_t* inputs, std::uint32_t* edges) const {
        std::int32_t sums[LATTICE_HIDDEN], logits[LATTICE_DIAGONALS_PADDED];
        std::int16_t hidden[LATTICE_HIDDEN];
        const LatticeLayer &one = kind_->diagonal_hidden, &two = kind_->diagonal_output;
        layer<LATTICE_HIDDEN, LATTICE_INPUTS / 2>(sums, one.weight.data(), one.bias.data(),
                                                  one.shift.data(), inputs);
        for (int k = 0; k < LATTICE_HIDDEN; ++k)
            hidden[k] = static_cast<std::int16_t>(clamp(sums[k], 0, 127));
        layer<LATTICE_DIAGONALS_PADDED, LATTICE_HIDDEN / 2>(logits, two.weight.data(),
                                                            two.bias.data(), two.shift.data(), hidden);
        std::int32_t most = -255;
        for (int k = 0; k < LATTICE_DIAGONALS; ++k) {
            logits[k] = clamp(logits[k], -255, 255);
            most = std::max(most, logits[k]);
        }
        std::uint32_t before[LATTICE_DIAGONALS + 1] = {0};
        for (int k = 0; k < LATTICE_DIAGONALS; ++k)
            before[k + 1] = before[k] +
                            static_cast<std::uint32_t>(plan_.tables.exp[most - logits[k]]);
        for (int k = 0; k <= LATTICE_DIAGONALS; ++k)
            edges[k] = before[k] * ((1u << 16) - LATTICE_DIAGONALS) / before[LATTICE_DIAGONALS] +
                       static_cast<std::uint32_t>(k);
    }

    void block(const LatticePlane& own, const Block* const* near, std::uint8_t* samples,
               std::size_t width, int visible, std::int16_t* coefficients, Block& result) {
        std::int16_t border[LATTICE_BORDER + 1];
        std::int32_t activity;
        const std::int32_t base = see_border(near, samples, width, border, activity);
        const std::int32_t log_activity = log_of(activity);
        std::int32_t sums[64] = {};
        add_pairs(sums, kind_->border.data(), border, (LATTICE_BORDER + 1) / 2);
        std::uint8_t seen[4][64] = {};  // luma, around; other, around
        if (has_luma_) see(luma_, kind_->luma, sums, seen[0], seen[1]);
        if (has_other_) see(other_, kind_->other, sums, seen[2], seen[3]);
        sums[0] += 8 * (base - MIDDLE_SAMPLE) * 4096;

        std::int16_t inputs[LATTICE_INPUTS] = {};
        const Block &west = *near[0], &north = *near[1], &nw = *near[2], &ne = *near[3];
        for (int k = 0; k < 4; ++k) {
            inputs[k] = near[k]->known ? 64 : 0;
            inputs[4 + k] = static_cast<std::int16_t>(8 * near[k]->end);
            inputs[11 + k] = west.log_tail[k];
            inputs[15 + k] = north.log_tail[k];
        }
        inputs[8] = log_of(west.total);
        inputs[9] = log_of(north.total);
        inputs[10] = log_of(nw.total + ne.total);
        inputs[19] = small(log_step_[9]);
        inputs[20] = small(log_step_[36] - log_step_[9]);
        inputs[21] = small(log_activity - log_step_[9]);
        inputs[22] = small(log_activity - log_step_[36]);
        inputs[23] = static_cast<std::int16_t>((base - MIDDLE_SAMPLE) >> 1);
        inputs[24] = static_cast<std::int16_t>(visible);
        if (has_luma_) {
            constexpr int FROM[5] = {1, 2, 4, 6, 8};
            std::uint8_t most[16] = {};
            for (int j = 0; j < 64; ++j)
                most[diagonal_[j]] = std::max(most[diagonal_[j]], seen[0][j]);
            for (int d = 14; d >= 0; --d) most[d] = std::max(most[d], most[d + 1]);
            for (int k = 0; k < 5; ++k) inputs[25 + k] = most[FROM[k]];
        }
        if (has_other_) {
            int end = 0;
            for (int j = 0; j < 64; ++j) {
                if (seen[2][j] > 12) end = std::max<int>(end, diagonal_[j]);
                if (diagonal_[j] >= 2)
                    inputs[31] = std::max<std::int16_t>(inputs[31], seen[2][j]);
            }
            inputs[30] = static_cast<std::int16_t>(8 * end);
        }
        std::uint32_t edges[LATTICE_DIAGONALS + 1];
        diagonal_edges(inputs, edges);
        int last = 0;
        for (int j = 0; j < 64; ++j)
            if (coefficients[j]) last = std::max<int>(last, diagonal_[j]);
        last = coder_.diagonal(last, edges);

        std::memset(inputs, 0, sizeof inputs);
        inputs[5] = log_of(west.total + north.total);
        inputs[18] = static_cast<std::int16_t>((base - MIDDLE_SAMPLE) >> 1);
        inputs[21] = west.known ? 64 : 0;
        inputs[22] = north.known ? 64 : 0;
        inputs[26] = static_cast<std::int16_t>(8 * last);
        inputs[27] = static_cast<std::int16_t>(visible);

        std::int32_t size[65] = {}, values[64] = {}, total = 0, surprise = 0, on_diagonal = 0;
        std::int32_t sizes[64 + WINDOW_OF_SCAN] = {}, surprises[64 + WINDOW_OF_SCAN] = {};
        std::int32_t recent = 0, recent_surprise = 0;
        int diagonal = 0;
        for (int place = 0; place < 64; ++place) {
            const int j = plan_.tables.scan[place];
            if (diagonal_[j] > last) break;
            if (diagonal_[j] != diagonal) {
                diagonal = diagonal_[j];
                on_diagonal = 0;
            }
            const std::uint8_t* const earlier = plan_.tables.earlier.data() + 7 * j;
            inputs[0] = west.log_magnitude[j];
            inputs[1] = north.log_magnitude[j];
            inputs[2] = west.log_near[j];
            inputs[3] = north.log_near[j];
            inputs[4] = log_of(nw.magnitude[j] + ne.magnitude[j]);
            for (int k = 0; k < 3; ++k) inputs[6 + k] = log_of(size[earlier[k]]);
            inputs[9] = log_of(size[earlier[3]] + size[earlier[4]]);
            inputs[10] = log_of(size[earlier[5]]);
            inputs[11] = log_of(size[earlier[6]]);
            inputs[12] = log_of(total);
            inputs[13] = log_of(recent);
            inputs[14] = log_of(surprise);
            inputs[15] = log_of(recent_surprise);
            const std::int64_t scaled = (std::int64_t{sums[j]} * reciprocal_[j] +
                                         (1 << (PREDICTION_SHIFT - 1))) >> PREDICTION_SHIFT;
            const auto predicted = static_cast<std::int32_t>(
                std::min<std::int64_t>(std::max<std::int64_t>(scaled, -65535), 65535));
            inputs[16] = j ? small(predicted >> 1) : std::int16_t{0};
            inputs[17] = small(log_activity - log_step_[j]);
            inputs[19] = small(log_step_[j]);
            inputs[20] = small(log_step_[j] - log_step_[9]);
            const int left = last - diagonal;
            inputs[23] = static_cast<std::int16_t>(16 * std::min(left, 6));
            inputs[24] = left ? 0 : 64;
            inputs[25] = left || on_diagonal ? 0 : 64;
            for (int k = 0; k < 4; ++k) inputs[28 + k] = seen[k][j];

            Mix mix;
            network(j, inputs, predicted, mix);
            const std::int32_t value = coder_.coefficient(coefficients[j], mix);
            coefficients[j] = static_cast<std::int16_t>(value);

            const std::int32_t unexpected = (std::abs(value * 32 - predicted) + 16) >> 5;
            surprise = std::min(surprise + unexpected, 1 << 24);
            recent_surprise += unexpected - surprises[place];
            surprises[place + WINDOW_OF_SCAN] = unexpected;
            std::int32_t actual = value * own.steps[j];
            values[j] = clamp(actual, -32768, 32767);
            recent -= sizes[place];
            if (j) {
                const std::int32_t magnitude = std::abs(value);
                size[j] = magnitude;
                sizes[place + WINDOW_OF_SCAN] = magnitude;
                recent += magnitude;
                total += magnitude;
                on_diagonal += magnitude;
            } else {
                actual -= 8 * (base - MIDDLE_SAMPLE);
            }
            if (actual && place < 63)
                add_column(sums, kind_->earlier.data() + 64 * j,
                           clamp(actual, -LARGEST_SUM, LARGEST_SUM));
        }
        size[0] = 0;
        transform_.inverse(values, samples, width);
        keep(size, total, base, result);
    }

    static std::int16_t small(std::int32_t value) {
        return static_cast<std::int16_t>(clamp(value, -128, 127));
    }

    // What another plane has at the block: its part of the predictions, and the sizes of its
    // coefficients.
    void see(const std::int32_t* plane, const std::vector<std::int16_t>& weight, std::int32_t* sums,
             std::uint8_t* own, std::uint8_t* around) const {
        std::int32_t sizes[64], near[64];
        std::int16_t values[64];
        for (int j = 0; j < 64; ++j)
            values[j] = static_cast<std::int16_t>(plane[j]);
        add_pairs(sums, weight.data(), values, 32);
        for (int j = 0; j < 64; ++j) sizes[j] = std::abs(plane[j]);
        near_sums(sizes, near);
        for (int j = 0; j < 64; ++j) {
            own[j] = static_cast<std::uint8_t>(std::max(0, log_of(sizes[j]) - log_step_[j]));
            around[j] = static_cast<std::uint8_t>(std::max(0, log_of(near[j]) - log_step_[j]));
        }
    }

    void network(int j, const std::int16_t* inputs, std::int32_t predicted, Mix& mix) const {
        const int zone = std::min<int>(diagonal_[j], LATTICE_ZONES - 1);
        const LatticeLayer &one = kind_->hidden, &two = kind_->output;
        std::int32_t sums[LATTICE_HIDDEN], outputs[LATTICE_OUTPUTS_PADDED];
        std::int16_t hidden[LATTICE_HIDDEN];
        layer<LATTICE_HIDDEN, LATTICE_INPUTS / 2>(
            sums, one.weight.data() + zone * LATTICE_INPUTS * LATTICE_HIDDEN,
            one.bias.data() + j * LATTICE_HIDDEN, one.shift.data() + zone * LATTICE_HIDDEN, inputs);
        for (int k = 0; k < LATTICE_HIDDEN; ++k)
            hidden[k] = static_cast<std::int16_t>(clamp(sums[k], 0, 127));
        layer<LATTICE_OUTPUTS_PADDED, LATTICE_HIDDEN / 2>(
            outputs, two.weight.data() + zone * LATTICE_HIDDEN * LATTICE_OUTPUTS_PADDED,
            two.bias.data() + j * LATTICE_OUTPUTS_PADDED,
            two.shift.data() + zone * LATTICE_OUTPUTS_PADDED, hidden);
        mix = mix_of(plan_.tables, outputs, predicted);
    }

    void keep(const std::int32_t* size, std::int32_t total, std::int32_t base, Block& result) const {
        result.base = static_cast<std::int16_t>(base);
        result.known = 1;
        if (!total) return;  // the rest is as in none_
        std::int32_t near[64], tails[4] = {};
        near_sums(size, near);
        for (int j = 0; j < 64; ++j) {
            result.magnitude[j] = static_cast<std::uint16_t>(size[j]);
            result.log_magnitude[j] = log_of(size[j]);
            result.log_near[j] = log_of(near[j]);
            if (!size[j]) continue;
            result.end = std::max(result.end, diagonal_[j]);
            for (int k = 0; k < 4; ++k)
                if (diagonal_[j] >= 3 + 2 * k) tails[k] += size[j];
        }
        for (int k = 0; k < 4; ++k) result.log_tail[k] = log_of(tails[k]);
        result.total = total;
    }

    const LatticePlan& plan_;
    const std::uint8_t* log_;
    const Transform transform_;
    Coder coder_;
    const LatticeKind* kind_ = nullptr;
    Block none_;
    std::uint8_t diagonal_[64];
    std::int32_t log_step_[64], reciprocal_[64], luma_[64], other_[64];
    bool has_luma_ = false, has_other_ = false;
    std::vector<Block> blocks_[MOST];
    std::vector<std::uint8_t> pictures_[MOST];
    std::vector<std::int32_t> luma_dc_;
};

inline LatticeLevel make_lattice_level(const char* name) {
    return {name,
            [](const LatticePlan& plan, const LatticeCell& cell, LatticeTape& tape) {
                Walk<Reading>(plan, Reading{tape}).cell(cell);
            },
            [](const LatticePlan& plan, const LatticeCell& cell,
               std::vector<std::uint32_t>& symbols) {
                Walk<Measuring>(plan, Measuring{symbols}).cell(cell);
            },
            &read_rim_pixels};
}

}  // namespace
}  // namespace zarrmal
