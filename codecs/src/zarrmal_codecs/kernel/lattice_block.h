// The coefficients of a block, one after the other (FORMAT-lattice 5.3, 5.4, 6), the same for reading
// and measuring.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "lattice_logs.h"
#include "lattice_ops.h"
#include "lattice_sums.h"
#include "lattice_symbols.h"
#include "lattice_transform.h"

namespace zarrmal {
namespace {

constexpr int PREDICTION_SHIFT = 12 - 5 + 16, WINDOW_OF_SCAN = 6;

// What later blocks need of a block; coefficients in SCAN order.
struct Block {
    std::uint16_t magnitude[64];
    std::uint8_t log_magnitude[64], log_near[64], log_tail[4];
    std::int32_t total;
    std::int16_t base;
    std::uint8_t end, known;
};

// Orders of coefficients.
struct Orders {
    static constexpr int STRIDE = 12;  // of frequencies with two zeros around them
    std::uint8_t scan[64], diagonal[64], position[64];
    int first[LATTICE_DIAGONALS + 1];  // place in SCAN of each diagonal's first

    explicit Orders(const std::uint8_t* from) {
        for (int place = 0, d = -1; place < 64; ++place) {
            const int j = from[place], u = j / 8, v = j % 8;
            scan[place] = static_cast<std::uint8_t>(j);
            diagonal[place] = static_cast<std::uint8_t>(u + v);
            position[place] = static_cast<std::uint8_t>((u + 2) * STRIDE + v + 2);
            while (d < u + v) first[++d] = place;
        }
        first[LATTICE_DIAGONALS] = 64;
    }
};

// What is known of a block before its coefficients.
struct Around {
    const Block* near[4];  // west, north, northwest, northeast
    std::int32_t base, log_activity;
    int visible, last;
    alignas(32) std::uint8_t seen[4][64];  // luma, around it; other, around it; in SCAN order
    alignas(32) std::int16_t hidden[LATTICE_HIDDEN];  // units of the last diagonal's network
};

// A plane's quantiser, and what its network makes of it.
class Quantiser {
public:
    alignas(32) std::uint8_t log_step[64];  // in SCAN order
    std::int32_t reciprocal[64];
    alignas(32) std::int32_t bias[64 * LATTICE_HIDDEN];
    alignas(32) std::int32_t scale_bias[64];

    void set(const LatticePlan& plan, const Orders& orders, const LatticeKind* kind,
             const std::uint16_t* from) {
        if (kind == kind_ && !std::memcmp(from, from_, sizeof from_)) return;
        kind_ = kind;
        std::memcpy(from_, from, sizeof from_);
        const std::int32_t ninth = plan.tables.log_step[from[9]];
        for (int place = 0; place < 64; ++place) {
            const std::uint16_t step = from[orders.scan[place]];
            const std::uint8_t log = plan.tables.log_step[step];
            steps_[place] = step;
            log_step[place] = log;
            reciprocal[place] = 65536 / step;
            const int zone = std::min<int>(orders.diagonal[place], LATTICE_ZONES - 1);
            Units units;
            units.set(kind->hidden.bias.data() + LATTICE_HIDDEN * place);
            units.add_pair(kind->hidden.weight.data() +
                               (LATTICE_PAIRS * zone + LATTICE_PAIRS - 1) * 2 * LATTICE_HIDDEN,
                           pair_of(clamp(log, -128, 127), clamp(log - ninth, -128, 127)));
            units.save(bias + LATTICE_HIDDEN * place);
            const std::int16_t* const scales =
                kind->scale_around.data() + ((LATTICE_AROUND_PAIRS - 1) * 64 + place) * 2;
            scale_bias[place] = scales[0] * clamp(log, -128, 127) +
                                scales[1] * clamp(log - ninth, -128, 127);
        }
    }
    std::int32_t step(int place) const { return steps_[place]; }
    // Coefficients times steps, by frequency.
    void scale(const std::int16_t* coefficients, std::int16_t* to) const {
#if defined(__AVX2__)
        for (int k = 0; k < 64; k += 16) {
            const auto eight = [&](int at) {
                return _mm256_mullo_epi32(_mm256_cvtepi16_epi32(load_half(coefficients + at)),
                                          _mm256_cvtepu16_epi32(load_half(from_ + at)));
            };
            store(to + k, _mm256_permute4x64_epi64(_mm256_packs_epi32(eight(k), eight(k + 8)), 0xD8));
        }
#else
        for (int k = 0; k < 64; ++k)
            to[k] = static_cast<std::int16_t>(clamp(coefficients[k] * from_[k], -32768, 32767));
#endif
    }

private:
    const LatticeKind* kind_ = nullptr;
    std::uint16_t from_[64] = {}, steps_[64];
};

// Codes the coefficients of a block by the model, each in four stages, so that several cells' blocks
// can take turns: what one waits for, the processor does for the others.
template <class Coder>
class BlockCoder {
public:
    BlockCoder(const LatticePlan& plan, const Orders& orders, const Logarithms& logs, Coder coder)
        : coder(coder), plan_(plan), orders_(orders), logs_(logs) {}

    Coder coder;
    Around around;
    Sums sums;
    alignas(32) std::int16_t values[64];  // dequantised, by frequency

    // Coefficients [frequency], what later blocks need, and whether other planes have a part.
    void begin(const LatticeKind& kind, const Quantiser& quantiser, bool luma, bool other,
               std::int16_t* coefficients, Block& result) {
        kind_ = &kind;
        quantiser_ = &quantiser;
        luma_ = luma;
        other_ = other;
        coefficients_ = coefficients;
        result_ = &result;
        result = Block{};
        n_ = orders_.first[around.last + 1];
        near_pairs(quantiser, around, n_);
        const bool scaled = n_ > orders_.first[kind.networks];
        sums.begin(kind, n_, scaled);
        if (scaled) begin_scales(luma, other);
        fixed_[0] = pair_of(logs_.of(around.near[0]->total + around.near[1]->total),
                            (around.base - MIDDLE_SAMPLE) >> 1);
        fixed_[1] = pair_of(around.near[0]->known ? 64 : 0, around.near[1]->known ? 64 : 0);
        fixed_[2] = pair_of(8 * around.last, around.visible);
        state_.clear();
        place_ = 0;
        end_of_networks_ = std::min(n_, orders_.first[kind.networks]);
        last_from_ = alone_from_ = orders_.first[around.last];
        on_diagonal_ = 0;
        if (end_of_networks_) begin_diagonal(0);
    }

    // Coefficients to come; those of them that have networks come first.
    int left() const { return n_ - place_; }
    int networks_left() const { return end_of_networks_ - place_; }
    bool done() const { return place_ == n_; }

    // First stage: the hidden units of the next coefficient.
    ZM_ALWAYS Packed hidden() {
        const auto at = [this](int pair) { return weight_ + pair * 2 * LATTICE_HIDDEN; };
        constexpr int NEAR = LATTICE_OWN_PAIRS, LATER = NEAR + LATTICE_NEAR_PAIRS;
        Units units, own;
        units.set(quantiser_->bias + LATTICE_HIDDEN * place_);
        units.add(saved_);
        for (int k = 0; k < LATTICE_NEAR_PAIRS; ++k) units.add_pair(at(NEAR + k), near_[k][place_]);
        if (luma_) units.add_pair(at(LATER), near_[3][place_]);
        if (other_) units.add_pair(at(LATER + 1), near_[4][place_]);
        predict();
        own.clear();
        own_pairs(units, own);
        own.add(units);
        return own.packed(kind_->hidden.shift.data() + zone_ * LATTICE_HIDDEN);
    }

    // Second stage: its distribution.
    ZM_ALWAYS Mix mix(const Packed& hidden) const {
        const LatticeOutputs& two = kind_->output;
        return mix_of(
            plan_.tables,
            five_outputs(hidden,
                         two.weight.data() + zone_ * LATTICE_HIDDEN * LATTICE_OUTPUTS_PADDED,
                         two.bias.data() + place_ * LATTICE_OUTPUTS_PADDED,
                         two.shift.data() + zone_ * LATTICE_OUTPUTS_PADDED),
            predicted_);
    }

    // Third stage: its symbols, of which the first is prepared for all cells before.
    std::int32_t code(const Mix& mix, const typename Coder::Prepared& prepared) {
        return coder.coefficient(coefficients_[orders_.scan[place_]], mix, prepared);
    }

    // Fourth stage: what follows from its value.
    void take(std::int32_t value) {
        const int position = orders_.position[place_];
        const std::int32_t surprise = surprise_of(value);
        const std::int32_t magnitude = place_ ? std::abs(value) : 0;
        state_.take(place_, position, surprise, magnitude);
        on_diagonal_ += magnitude;
        state_.log[position] = follow(value, surprise, magnitude);
        if (place_ == stop_) {
            if (place_ < end_of_networks_)
                begin_diagonal(diagonal_ + 1);
            else if (place_ <= last_from_)
                on_diagonal_ = 0;
        }
    }

    // Codes the next coefficient where it has no network: first what is known of it, ...
    struct Narrow {
        std::int32_t scale, eighths;  // of a step: the prediction, rounded
    };
    ZM_ALWAYS Narrow narrow() {
        predict();
        const std::int32_t scale = clamp((sums.scales[place_] + 128) >> 8, 0, LATTICE_SCALES - 1);
        return {scale, (predicted_ * kind_->scale_kept[scale >> 2] + 128) >> 8};
    }
    // ... then its symbols, ...
    ZM_ALWAYS std::int32_t code(const Narrow& known) {
        std::int32_t value = 0;
        const std::int32_t rounded = known.eighths + 4;
        const int row = known.scale * LATTICE_FRACTIONS + (rounded & 7);
        if (known.scale < LATTICE_NARROW &&
            coder.near(kind_->narrow.data() + row * LATTICE_EDGES, rounded >> 3, value))
            return value;
        return code_wide(known);
    }
    // ... and what follows from it.
    ZM_ALWAYS void take_narrow(std::int32_t value) {
        const std::int32_t magnitude = place_ ? std::abs(value) : 0;
        if (place_ >= alone_from_ && magnitude) not_alone();
        follow(value, surprise_of(value), magnitude);
    }

    // Keeps what later blocks need.
    void end() {
        Block& result = *result_;
        result.base = static_cast<std::int16_t>(around.base);
        result.known = 1;
        quantiser_->scale(coefficients_, values);
        result.total = sum_from(result.magnitude, 0, n_);
        if (!result.total) return;  // the rest is 0 as before
        for (int tail = 1; tail < 5; ++tail)
            result.log_tail[tail - 1] =
                logs_.of(sum_from(result.magnitude, orders_.first[2 * tail + 1], n_));
        result.end = orders_.diagonal[last_above(result.log_magnitude, 0)];
        alignas(32) std::uint16_t sizes[64], near[64];
        sizes_of(coefficients_, sizes);
        sizes[0] = 0;
        near_sums(sizes, near);
        constexpr std::uint8_t NONE[64] = {};
        logs_.in_scan(near, NONE, result.log_near);
    }

private:
    // Of the block's coefficients with networks so far.
    struct State {
        alignas(32) std::uint16_t size[12 * Orders::STRIDE];  // magnitudes by position
        alignas(32) std::uint8_t log[12 * Orders::STRIDE];    // their logarithms
        std::int32_t sizes[64 + WINDOW_OF_SCAN], surprises[64 + WINDOW_OF_SCAN];
        std::int32_t total, surprise, recent, recent_surprise;

        void clear() {
            std::memset(size, 0, sizeof size);
            std::memset(log, 0, sizeof log);
            std::fill(sizes, sizes + WINDOW_OF_SCAN, 0);
            std::fill(surprises, surprises + WINDOW_OF_SCAN, 0);
            total = surprise = recent = recent_surprise = 0;
        }
        void take(int place, int position, std::int32_t unexpected, std::int32_t magnitude) {
            total += magnitude;
            surprise = std::min(surprise + unexpected, 1 << 24);
            recent_surprise += unexpected - surprises[place];
            surprises[place + WINDOW_OF_SCAN] = unexpected;
            recent += magnitude - sizes[place];
            sizes[place + WINDOW_OF_SCAN] = magnitude;
            size[position] = static_cast<std::uint16_t>(magnitude);
        }
    };

    std::int32_t surprise_of(std::int32_t value) const {
        return (std::abs(value * 32 - predicted_) + 16) >> 5;
    }

    // The next coefficient has this value: what follows for the block, and for those after it. Its
    // logarithm. (Whether it is 0 is not asked: that cannot be foreseen.)
    ZM_ALWAYS std::uint8_t follow(std::int32_t value, std::int32_t surprise, std::int32_t magnitude) {
        const int j = orders_.scan[place_];
        const std::int32_t actual = value * quantiser_->step(place_);
        const std::int32_t base = place_ ? 0 : 8 * (around.base - MIDDLE_SAMPLE);
        const std::uint8_t log = logs_.of_one(magnitude);
        coefficients_[j] = static_cast<std::int16_t>(value);
        result_->magnitude[place_] = static_cast<std::uint16_t>(magnitude);
        result_->log_magnitude[place_] = log;
        sums.take(place_++, clamp(actual - base, -LARGEST_SUM, LARGEST_SUM),
                  pair_of(log, logs_.of_one(surprise)));
        return log;
    }

    ZM_ALWAYS void predict() {
        constexpr std::int64_t MOST = 65535;
        std::int64_t scaled =
            (std::int64_t{sums.predictions[place_]} * quantiser_->reciprocal[place_] +
             (1 << (PREDICTION_SHIFT - 1))) >> PREDICTION_SHIFT;
        if (static_cast<std::uint64_t>(scaled + MOST) > 2 * MOST)  // hardly ever
            scaled = scaled < 0 ? -MOST : MOST;
        predicted_ = static_cast<std::int32_t>(scaled);
    }

    // A coefficient without a network whose distribution is not tabulated, or not as far as its value.
    ZM_SELDOM std::int32_t code_wide(const Narrow& known) {
        const int shape = known.scale >> 2;
        const Five five = {{0, 0},
                           {known.scale, clamp(known.scale + kind_->scale_more[shape], 0, 127)},
                           kind_->scale_share[shape] + 128};
        const Mix mix = mix_of(plan_.tables, five, known.eighths * 4);
        typename Coder::Prepared prepared;
        coder.prepare(mix, prepared);
        return coder.coefficient(coefficients_[orders_.scan[place_]], mix, prepared);
    }

    // The first coefficient of the last diagonal that is not 0: others have other scales.
    ZM_SELDOM void not_alone() {
        const std::int32_t* const alone = kind_->scale_alone.data();
        for (int k = place_ & ~7; k < n_; ++k) sums.scales[k] -= alone[k];
        alone_from_ = n_;
    }

    // Sums of scales before the block's coefficients.
    void begin_scales(bool luma, bool other) {
        const std::int32_t* const bias = kind_->scale_bias.data() + 64 * around.last;
        const int most = (n_ + 7) & ~7;
        for (int k = 0; k < most; ++k) sums.scales[k] = bias[k] + quantiser_->scale_bias[k];
        const std::int16_t* const weight = kind_->scale_around.data();
        for (int p = 0; p < LATTICE_NEAR_PAIRS + luma + other; ++p)
            add_products_each(sums.scales, weight + 128 * p, near_[p], n_);
        add_pairs(sums.scales, kind_->scale_block.data(), around.hidden, LATTICE_HIDDEN / 2, n_);
    }

    void begin_diagonal(int diagonal) {
        diagonal_ = diagonal;
        zone_ = std::min(diagonal, LATTICE_ZONES - 1);
        weight_ = kind_->hidden.weight.data() + zone_ * LATTICE_PAIRS * 2 * LATTICE_HIDDEN;
        stop_ = orders_.first[diagonal + 1];
        on_diagonal_ = 0;
        left_ = around.last - diagonal;
        const std::int16_t* const weight =
            weight_ + (LATTICE_OWN_PAIRS + LATTICE_NEAR_PAIRS + LATTICE_LATER_PAIRS) * 2 *
                          LATTICE_HIDDEN;
        Units units;
        units.clear();
        for (int k = 0; k < 3; ++k) units.add_pair(weight + k * 2 * LATTICE_HIDDEN, fixed_[k]);
        units.add_pair(weight + 3 * 2 * LATTICE_HIDDEN,
                       pair_of(16 * std::min(left_, 6), left_ ? 0 : 64));
        units.save(saved_);
    }

    void own_pairs(Units& early, Units& late) const {
        constexpr int S = Orders::STRIDE, W = 2 * LATTICE_HIDDEN;
        const int p = orders_.position[place_];
        const std::uint8_t* const log = state_.log + p;
        const std::int32_t both = state_.size[p + S - 1] + state_.size[p - S + 1];
        early.add_pair(weight_, pair_of(log[-S], log[-1]));
        early.add_pair(weight_ + W, pair_of(log[-S - 1], log[-2 * S]));
        late.add_pair(weight_ + 3 * W, pair_of(logs_.of(state_.total), logs_.of(state_.recent)));
        late.add_pair(weight_ + 4 * W,
                      pair_of(logs_.of(state_.surprise), logs_.of(state_.recent_surprise)));
        early.add_pair(weight_ + 2 * W, pair_of(log[-2], logs_.of(both)));
        late.add_pair(weight_ + 5 * W, pair_of(place_ ? clamp(predicted_ >> 1, -128, 127) : 0,
                                               left_ || on_diagonal_ ? 0 : 64));
    }

    // Inputs of each coefficient that do not depend on the block itself.
    void near_pairs(const Quantiser& quantiser, const Around& around, int n) {
        const Block &west = *around.near[0], &north = *around.near[1];
        const Block &nw = *around.near[2], &ne = *around.near[3];
        pair_bytes(west.log_magnitude, north.log_magnitude, near_[0], n);
        pair_bytes(west.log_near, north.log_near, near_[1], n);
        logs_.of_sums(nw.magnitude, ne.magnitude, around.log_activity, quantiser.log_step, near_[2], n);
        if (luma_) pair_bytes(around.seen[0], around.seen[1], near_[3], n);
        if (other_) pair_bytes(around.seen[2], around.seen[3], near_[4], n);
    }

    const LatticePlan& plan_;
    const Orders& orders_;
    const Logarithms& logs_;
    const LatticeKind* kind_ = nullptr;
    const Quantiser* quantiser_ = nullptr;
    const std::int16_t* weight_ = nullptr;  // of the zone
    std::int16_t* coefficients_ = nullptr;
    Block* result_ = nullptr;
    bool luma_ = false, other_ = false;
    int place_ = 0, n_ = 0, end_of_networks_ = 0, last_from_ = 0, alone_from_ = 0, stop_ = 0, diagonal_ = 0, zone_ = 0, left_ = 0;
    std::int32_t predicted_ = 0, on_diagonal_ = 0;
    std::uint32_t fixed_[3] = {};
    alignas(32) std::int32_t saved_[LATTICE_HIDDEN];
    alignas(32) std::uint32_t near_[5][64] = {};
    State state_;
};

}  // namespace
}  // namespace zarrmal
