// The walk over a cell's planes and blocks, the same for reading and measuring. Included by one source
// for each instruction set.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "lattice_block.h"
#include "lattice_turns.h"

namespace zarrmal {
namespace {

template <class Coder>
class Walk {
public:
    Walk(const Walk&) = delete;
    Walk& operator=(const Walk&) = delete;
    Walk(const LatticePlan& plan, Coder coder)
        : block_coder(plan, orders_, logs_, coder), plan_(plan), orders_(plan.tables.scan.data()),
          logs_(plan.tables.log.data(), plan.tables.scan.data()),
          transform_(plan.tables.matrix.data()) {
        std::memset(&none_, 0, sizeof none_);
        none_.base = MIDDLE_SAMPLE;
        std::memset(block_coder.around.seen, 0, sizeof block_coder.around.seen);
    }

    // Begin with a cell, which must stay; whether it has a block.
    bool open(const LatticeCell& cell) {
        cell_ = &cell;
        plane_ = 0;
        begin_plane();
        return next();
    }
    // To the next block; whether there is one.
    bool next() {
        for (;;) {
            const LatticePlane& own = cell_->plane[plane_];
            const std::size_t n = own.rows * own.columns;
            while (index_ < n && !is_coded(own, index_)) ++index_;
            if (coder().stopped()) return false;
            if (index_ < n) break;
            if (plane_ + 1 == cell_->n_planes) return false;
            ++plane_;
            begin_plane();
        }
        begin_block();
        return true;
    }
    // The block has been coded.
    void end_block() {
        const LatticePlane& own = cell_->plane[plane_];
        const std::size_t width = own.columns * 8;
        block_coder.end();
        transform_.inverse(block_coder.values, std::min(block_coder.around.last + 1, 8),
                           pictures_[plane_].data() + index_ / own.columns * 8 * width +
                               index_ % own.columns * 8, width);
        ++index_;
    }

    BlockCoder<Coder> block_coder;

    Coder& coder() { return block_coder.coder; }
    // Samples of a plane, rows x columns of blocks; MIDDLE_SAMPLE where they are not coded.
    const std::uint8_t* picture(std::size_t p) const { return pictures_[p].data(); }

private:
    static bool is_coded(const LatticePlane& plane, std::size_t k) {
        return !plane.coded || plane.coded[k];
    }

    void begin_plane() {
        const std::size_t p = plane_;
        const LatticePlane& own = cell_->plane[p];
        kind_ = &plan_.kinds[p];
        index_ = 0;
        const std::size_t n = own.rows * own.columns;
        if (blocks_[p].size() < n) blocks_[p].resize(n);
        pictures_[p].assign(n * 64, MIDDLE_SAMPLE);
        quantiser_[p].set(plan_, orders_, kind_, own.steps);
        log_step_9_ = plan_.tables.log_step[own.steps[9]];
        log_step_36_ = plan_.tables.log_step[own.steps[36]];
        const LatticePlane &first = cell_->plane[0], &before = cell_->plane[p ? p - 1 : 0];
        has_luma_ = p > 0;
        shrinks_ = own.down % first.down == 0 && own.across % first.across == 0;
        has_other_ = p > 1 && before.down == own.down && before.across == own.across &&
                     before.rows == own.rows && before.columns == own.columns;
        std::memset(luma_, 0, sizeof luma_);
        luma_dc_of_block_ = 0;
        std::memset(block_coder.around.seen, 0, sizeof block_coder.around.seen);
        luma_dc_.assign(p ? n : 0, 0);
    }

    void begin_block() {
        const std::size_t p = plane_, k = index_;
        const LatticePlane& own = cell_->plane[p];
        const std::size_t y = k / own.columns, x = k % own.columns, width = own.columns * 8;
        const Block** const near = block_coder.around.near;
        const auto known = [this, p, &own](bool inside, std::size_t at) {
            return inside && is_coded(own, at) ? &blocks_[p][at] : &none_;
        };
        near[0] = known(x > 0, k - 1);
        near[1] = known(y > 0, k - own.columns);
        near[2] = known(x > 0 && y > 0, k - own.columns - 1);
        near[3] = known(y > 0 && x + 1 < own.columns, k - own.columns + 1);
        if (p) {
            if (shrinks_) see_luma(*cell_, own, y, x);
            std::int32_t dc = luma_dc_[k] = luma_dc_of_block_;
            const std::int32_t west = near[0]->known ? luma_dc_[k - 1] : 0;
            const std::int32_t north = near[1]->known ? luma_dc_[k - own.columns] : 0;
            dc -= (west + north) >> (near[0]->known && near[1]->known);
            luma_[0] = static_cast<std::int16_t>(clamp(dc, -LARGEST_SUM, LARGEST_SUM));
        }
        if (has_other_) see_other(cell_->plane[p - 1], blocks_[p - 1][k], k);
        block_coder.around.visible = own.visible ? own.visible[k] : 64;
        block(quantiser_[p], pictures_[p].data() + y * 8 * width + x * 8, width,
              own.coefficients + 64 * k, blocks_[p][k]);
    }

    void see_luma(const LatticeCell& cell, const LatticePlane& own, std::size_t y, std::size_t x) {
        const LatticePlane& first = cell.plane[0];
        const std::size_t down = own.down / first.down, across = own.across / first.across;
        const std::size_t height = first.rows * 8, width = first.columns * 8;
        const std::uint8_t* const picture = pictures_[0].data();
        const auto count = static_cast<std::int32_t>(down * across);
        alignas(32) std::int16_t means[64];
        const bool inside = (8 * y + 8) * down <= height && (8 * x + 8) * across <= width;
        if (inside && across <= 2 && down <= across) {
            means_of_eights(picture + 8 * y * down * width + 8 * x * across, width, down, across, means);
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
        luma_dc_of_block_ = transform_.forward(means, LARGEST_SUM, luma_);
    }

    void see_other(const LatticePlane& before, const Block& block, std::size_t k) {
        if (!is_coded(before, k)) {
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

    // Of eight samples: their sum, and that of the differences between neighbours.
    struct Line {
        std::int32_t sum, differences;
    };
    static Line line_of(const std::uint8_t* samples) {
#if defined(__SSE2__) || defined(_M_X64)
        const __m128i own = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(samples));
        const __m128i next = _mm_srli_epi64(own, 8), but_last = _mm_srli_epi64(_mm_slli_epi64(own, 8), 8);
        return {_mm_cvtsi128_si32(_mm_sad_epu8(own, _mm_setzero_si128())),
                _mm_cvtsi128_si32(_mm_sad_epu8(next, but_last))};
#else
        Line line = {samples[0], 0};
        for (int i = 1; i < 8; ++i) {
            line.sum += samples[i];
            line.differences += std::abs(samples[i] - samples[i - 1]);
        }
        return line;
#endif
    }

    // Border, base and activity (FORMAT-lattice 5.1).
    void see_border(const std::uint8_t* samples, std::size_t width, std::int16_t* border) {
        const Block* const* const near = block_coder.around.near;
        const bool has_west = near[0]->known, has_north = near[1]->known;
        alignas(16) std::uint8_t columns[16] = {}, rows[16] = {};
        if (has_west)
            for (std::size_t i = 0; i < 8; ++i) std::memcpy(columns + 2 * i, samples + i * width - 2, 2);
        if (has_north) {
            std::memcpy(rows, samples - 2 * width, 8);
            std::memcpy(rows + 8, samples - width, 8);
        }
        std::uint8_t last_column[8];
        for (int i = 0; i < 8; ++i) last_column[i] = columns[2 * i + 1];
        const Line west = line_of(last_column), north = line_of(rows + 8);
        std::int32_t base = MIDDLE_SAMPLE;
        if (has_west && has_north)
            base = (west.sum + north.sum + 8) >> 4;
        else if (has_west)
            base = (west.sum + 4) >> 3;
        else if (has_north)
            base = (north.sum + 4) >> 3;
        const std::int32_t from_west = has_west ? base : 0, from_north = has_north ? base : 0;
        for (int i = 0; i < 16; ++i) border[i] = static_cast<std::int16_t>(columns[i] - from_west);
        for (int i = 0; i < 16; ++i) border[16 + i] = static_cast<std::int16_t>(rows[i] - from_north);
        for (std::size_t i = 0; i < 4; ++i) {
            std::int32_t beyond = has_north ? rows[15] : base;
            if (near[3]->known) beyond = *(samples - width + 8 + i);
            border[32 + i] = static_cast<std::int16_t>(beyond - base);
        }
        std::int32_t corner = has_north ? rows[8] : has_west ? columns[1] : base;
        if (near[2]->known) corner = *(samples - width - 1);
        border[36] = static_cast<std::int16_t>(corner - base);
        border[37] = 0;
        block_coder.around.base = base;
        block_coder.around.log_activity = logs_.of(west.differences + north.differences);
    }

    // Sums of the last diagonals' weights up to each.
    void diagonal_weights(const std::uint32_t* inputs, std::uint32_t* before) {
        const LatticeHidden& one = kind_->diagonal_hidden;
        const LatticeOutputs& two = kind_->diagonal_output;
        Units units;
        units.set(one.bias.data());
        for (int k = 0; k < LATTICE_PAIRS; ++k)
            units.add_pair(one.weight.data() + k * 2 * LATTICE_HIDDEN, inputs[k]);
        alignas(16) std::int32_t logits[LATTICE_DIAGONALS_PADDED];
        const Packed hidden = units.packed(one.shift.data());
        widen(hidden, block_coder.around.hidden);
        for (int k = 0; k < LATTICE_DIAGONALS_PADDED; k += 4)
            four_outputs(hidden, two.weight.data() + k * LATTICE_HIDDEN, two.bias.data() + k,
                         two.shift.data() + k, logits + k);
        for (std::int32_t& logit : logits) logit = clamp(logit, -255, 255);
        logits[LATTICE_DIAGONALS] = -255;
        const std::int32_t most = *std::max_element(logits, logits + LATTICE_DIAGONALS_PADDED);
        before[0] = 0;
        for (int k = 0; k < LATTICE_DIAGONALS; ++k)
            before[k + 1] = before[k] + static_cast<std::uint32_t>(
                                            plan_.tables.exp[static_cast<std::size_t>(most - logits[k])]);
    }

    void block(const Quantiser& quantiser, const std::uint8_t* samples, std::size_t width,
               std::int16_t* coefficients, Block& result) {
        alignas(32) std::int16_t border[LATTICE_BORDER + 1];
        see_border(samples, width, border);
        const Block &west = *block_coder.around.near[0], &north = *block_coder.around.near[1];
        const Block &nw = *block_coder.around.near[2], &ne = *block_coder.around.near[3];
        const std::int32_t log_activity = block_coder.around.log_activity;
        std::int32_t most[5] = {}, most_other = 0, end_other = 0;
        if (has_luma_) {
            sizes_of(quantiser, luma_, block_coder.around.seen[0]);
            constexpr int FROM[5] = {1, 2, 4, 6, 8};
            for (int k = 0; k < 5; ++k)
                most[k] = largest_from(block_coder.around.seen[0], orders_.first[FROM[k]]);
        }
        if (has_other_) {
            sizes_of(quantiser, other_, block_coder.around.seen[2]);
            const std::uint8_t* const own = block_coder.around.seen[2];
            end_other = orders_.diagonal[last_above(own, 12)];
            most_other = largest_from(own, orders_.first[2]);
        }
        std::uint32_t inputs[LATTICE_PAIRS];
        inputs[0] = pair_of(west.known ? 64 : 0, north.known ? 64 : 0);
        inputs[1] = pair_of(nw.known ? 64 : 0, ne.known ? 64 : 0);
        inputs[2] = pair_of(8 * west.end, 8 * north.end);
        inputs[3] = pair_of(8 * nw.end, 8 * ne.end);
        inputs[4] = pair_of(logs_.of(west.total), logs_.of(north.total));
        inputs[5] = pair_of(logs_.of(nw.total + ne.total), west.log_tail[0]);
        inputs[6] = pair_of(west.log_tail[1], west.log_tail[2]);
        inputs[7] = pair_of(west.log_tail[3], north.log_tail[0]);
        inputs[8] = pair_of(north.log_tail[1], north.log_tail[2]);
        inputs[9] = pair_of(north.log_tail[3], small(log_step_9_));
        inputs[10] = pair_of(small(log_step_36_ - log_step_9_), small(log_activity - log_step_9_));
        inputs[11] = pair_of(small(log_activity - log_step_36_),
                             (block_coder.around.base - MIDDLE_SAMPLE) >> 1);
        inputs[12] = pair_of(block_coder.around.visible, most[0]);
        inputs[13] = pair_of(most[1], most[2]);
        inputs[14] = pair_of(most[3], most[4]);
        inputs[15] = pair_of(8 * end_other, most_other);
        std::uint32_t before[LATTICE_DIAGONALS + 1];
        diagonal_weights(inputs, before);
        int last = 0;
        for (int k = 63; k > 0 && !last; --k)
            if (coefficients[orders_.scan[k]]) last = orders_.diagonal[k];
        block_coder.around.last = last = coder().diagonal(last, before);

        const int n = orders_.first[last + 1];
        std::memset(block_coder.sums.predictions, 0, sizeof block_coder.sums.predictions);
        add_pairs(block_coder.sums.predictions, kind_->border.data(), border, (LATTICE_BORDER + 1) / 2, n);
        if (has_luma_) see(quantiser, luma_, kind_->luma, n, block_coder.around.seen[1]);
        if (has_other_) see(quantiser, other_, kind_->other, n, block_coder.around.seen[3]);
        block_coder.sums.predictions[0] += 8 * (block_coder.around.base - MIDDLE_SAMPLE) * 4096;
        block_coder.begin(*kind_, quantiser, has_luma_, has_other_, coefficients, result);
    }

    static std::int32_t small(std::int32_t value) { return clamp(value, -128, 127); }

    // The sizes of another plane's coefficients, against the steps of this one.
    void sizes_of(const Quantiser& quantiser, const std::int16_t* plane, std::uint8_t* to) const {
        alignas(32) std::uint16_t sizes[64];
        zarrmal::sizes_of(plane, sizes);
        logs_.in_scan(sizes, quantiser.log_step, to);
    }

    // What another plane has at the block: its part of the predictions of n coefficients, and the
    // sizes around them.
    void see(const Quantiser& quantiser, const std::int16_t* plane,
             const std::vector<std::int16_t>& weight, int n, std::uint8_t* to) {
        alignas(32) std::uint16_t sizes[64], near[64];
        add_pairs(block_coder.sums.predictions, weight.data(), plane, 32, n);
        zarrmal::sizes_of(plane, sizes);
        near_sums(sizes, near);
        logs_.in_scan(near, quantiser.log_step, to);
    }

    const LatticePlan& plan_;
    const Orders orders_;
    const Logarithms logs_;
    const Transform transform_;
    const LatticeKind* kind_ = nullptr;
    Block none_;
    Quantiser quantiser_[LATTICE_KINDS];
    std::int32_t log_step_9_ = 0, log_step_36_ = 0, luma_dc_of_block_ = 0;
    alignas(32) std::int16_t luma_[64], other_[64];
    bool has_luma_ = false, has_other_ = false, shrinks_ = false;
    const LatticeCell* cell_ = nullptr;
    std::size_t plane_ = 0, index_ = 0;
    std::vector<Block> blocks_[LATTICE_KINDS];
    std::vector<std::uint8_t> pictures_[LATTICE_KINDS];
    std::vector<std::int32_t> luma_dc_;
};

// Codes the next coefficient of N cells' blocks.
template <std::size_t N, class Coder>
inline void code_coefficients(Walk<Coder>* const* walks) {
    Mix mix[N];
    typename Coder::Prepared prepared[N];
    std::int32_t value[N];
    {
        Packed hidden[N];
        for (std::size_t i = 0; i < N; ++i) hidden[i] = walks[i]->block_coder.hidden();
        for (std::size_t i = 0; i < N; ++i) mix[i] = walks[i]->block_coder.mix(hidden[i]);
    }
    for (std::size_t i = 0; i < N; ++i) walks[i]->coder().prepare(mix[i], prepared[i]);
    for (std::size_t i = 0; i < N; ++i) value[i] = walks[i]->block_coder.code(mix[i], prepared[i]);
    for (std::size_t i = 0; i < N; ++i) walks[i]->block_coder.take(value[i]);
}

// The same of coefficients without a network.
template <std::size_t N, class Coder>
inline void code_narrow(Walk<Coder>* const* walks) {
    typename BlockCoder<Coder>::Narrow known[N];
    std::int32_t value[N];
    for (std::size_t i = 0; i < N; ++i) known[i] = walks[i]->block_coder.narrow();
    for (std::size_t i = 0; i < N; ++i) value[i] = walks[i]->block_coder.code(known[i]);
    for (std::size_t i = 0; i < N; ++i) walks[i]->block_coder.take_narrow(value[i]);
}

// Codes the coefficients of opened cells, at most TURNS, which take turns. First those that have a
// network; then all have none.
template <class Coder>
void code_cells(Walk<Coder>** walks, std::size_t n) {
    for (;;) {
        Walk<Coder>* ahead[TURNS];
        std::size_t n_ahead = 0;
        int steps = 64, narrow_steps = 64;
        for (std::size_t i = 0; i < n;) {
            BlockCoder<Coder>& block_coder = walks[i]->block_coder;
            if (block_coder.done()) {
                walks[i]->end_block();
                if (!walks[i]->next()) {
                    walks[i] = walks[--n];
                    continue;
                }
            }
            if (block_coder.networks_left() > 0) {
                ahead[n_ahead++] = walks[i];
                steps = std::min(steps, block_coder.networks_left());
            } else {
                narrow_steps = std::min(narrow_steps, block_coder.left());
            }
            ++i;
        }
        if (!n) return;
        if (n_ahead) {
            in_turns(n_ahead, steps, [&ahead](auto count) { code_coefficients<count()>(ahead); });
        } else {
            in_turns(n, narrow_steps, [walks](auto count) { code_narrow<count()>(walks); });
        }
    }
}

}  // namespace
}  // namespace zarrmal
