// Rim pixels (FORMAT-lattice 8), the same for reading and measuring.
#pragma once

#include "lattice_ops.h"
#include "lattice_symbols.h"
#include "lattice_transform.h"
#include "lattice_turns.h"

namespace zarrmal {
namespace {

constexpr int RIM_ROWS = 7, RIM_ROW = 8;

// Weights of pixels around one in the base, by their place in the window.
struct RimWeights {
    alignas(32) std::uint8_t of[RIM_ROWS * RIM_ROW + RIM_ROW] = {};

    RimWeights() {
        for (int y = -3; y <= 3; ++y)
            for (int x = -3; x <= 3; ++x) {
                const int square = y * y + x * x;
                if (square && square <= 10)
                    of[RIM_ROW * (y + 3) + x + 3] = static_cast<std::uint8_t>(64 / square);
            }
    }
};

// Pairs of inputs that are 0 where neither of two pixels of the window is known: a bit for each, those of
// differences from bit 0, those of what is known from bit 32; and which pair's weights it has.
struct RimPairs {
    std::uint64_t all = 0;
    std::uint8_t of[64] = {};

    RimPairs() {
        static_assert(RIM_KNOWN_AT == 2 * 32);
        for (int k = 0; k < RIM_WINDOW_PAIRS; ++k) {
            const int bit = RIM_PAIR[k] / 2;
            all |= std::uint64_t{1} << bit;
            of[bit] = static_cast<std::uint8_t>(k);
        }
    }
};

// The pixels around one, and which of them are known.
struct Window {
    const RimWeights& weights;
    std::size_t stride;
    std::int32_t total = 0;
    int n_known = 0;
#if defined(__AVX2__)
    __m256i known[2], factor[2];

    static std::int64_t row(const std::uint8_t* from) {
        std::int64_t value;
        std::memcpy(&value, from, 8);
        return value;
    }
    void rows(const std::uint8_t* from, __m256i* to) const {
        to[0] = _mm256_setr_epi64x(row(from), row(from + stride), row(from + 2 * stride),
                                   row(from + 3 * stride));
        from += 4 * stride;
        to[1] = _mm256_setr_epi64x(row(from), row(from + stride), row(from + 2 * stride), 0);
    }
    static std::int32_t sum_of(__m256i values) {
        __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(values),
                                    _mm256_extracti128_si256(values, 1));
        sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4E));
        return _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xB1)));
    }
    static __m256i wide(__m256i bytes, int half) {
        return _mm256_cvtepi8_epi16(half ? _mm256_extracti128_si256(bytes, 1)
                                         : _mm256_castsi256_si128(bytes));
    }
    static __m256i wide_unsigned(__m256i bytes, int half) {
        return _mm256_cvtepu8_epi16(half ? _mm256_extracti128_si256(bytes, 1)
                                         : _mm256_castsi256_si128(bytes));
    }
    static __m256i small(__m256i values) {
        return _mm256_max_epi16(_mm256_min_epi16(values, _mm256_set1_epi16(127)),
                                _mm256_set1_epi16(-128));
    }

    // `states` begins three rows above the pixel and three columns before it.
    Window(const RimWeights& w, const std::uint8_t* states, std::size_t s) : weights(w), stride(s) {
        rows(states, known);
        __m256i sums = _mm256_setzero_si256();
        const __m256i zero = _mm256_setzero_si256();
        for (int k = 0; k < 2; ++k) {
            const __m256i own = load(weights.of + 32 * k);
            known[k] = _mm256_cmpgt_epi8(zero, known[k]);
            factor[k] = _mm256_and_si256(known[k], own);
            sums = _mm256_add_epi64(sums, _mm256_sad_epu8(factor[k], zero));
            // One for each pixel that is known and has a weight: bytes are 0 or -1.
            const __m256i some = _mm256_andnot_si256(_mm256_cmpeq_epi8(factor[k], zero),
                                                     _mm256_set1_epi8(1));
            sums = _mm256_add_epi64(sums, _mm256_slli_epi64(_mm256_sad_epu8(some, zero), 16));
        }
        const auto both = static_cast<std::uint32_t>(sum_of(sums));
        total = static_cast<std::int32_t>(both & 0xFFFF);
        n_known = static_cast<int>(both >> 16);
    }

    // A bit for each two pixels of a row, from the first row's: whether one of them is known.
    std::uint32_t pairs() const {
        __m256i either[2];
        for (int k = 0; k < 2; ++k)
            either[k] =
                _mm256_srai_epi16(_mm256_or_si256(known[k], _mm256_slli_epi16(known[k], 8)), 8);
        const __m256i bytes = _mm256_permute4x64_epi64(_mm256_packs_epi16(either[0], either[1]), 0xD8);
        return static_cast<std::uint32_t>(_mm256_movemask_epi8(bytes));
    }
    // Weighted mean of the known values, in 32nds.
    std::int32_t mean(const __m256i* values) const {
        if (!total) return 32 * MIDDLE_SAMPLE;
        __m256i sums = _mm256_setzero_si256();
        for (int k = 0; k < 2; ++k)
            sums = _mm256_add_epi32(
                sums, _mm256_madd_epi16(_mm256_maddubs_epi16(values[k], factor[k]),
                                        _mm256_set1_epi16(1)));
        return (32 * sum_of(sums) + (total >> 1)) / total;
    }
    std::int32_t mean(const std::uint8_t* values) const {
        __m256i own[2];
        rows(values, own);
        return mean(own);
    }
    // The mean, differences to it, and what is known.
    std::int32_t around(const std::uint8_t* values, std::int16_t* to) const {
        __m256i own[2];
        rows(values, own);
        const std::int32_t base = mean(own);
        const __m256i less = _mm256_set1_epi16(static_cast<std::int16_t>(base));
        for (int k = 0; k < 4; ++k) {
            const __m256i is = wide(known[k / 2], k % 2);
            __m256i value = _mm256_slli_epi16(wide_unsigned(own[k / 2], k % 2), 5);
            value = _mm256_srai_epi16(_mm256_sub_epi16(value, less), 3);
            store(to + 16 * k, _mm256_and_si256(small(value), is));
            if (k < 3)
                store(to + RIM_KNOWN_AT + 16 * k, _mm256_and_si256(is, _mm256_set1_epi16(64)));
        }
        return base;
    }
    void luma(const std::uint8_t* values, std::int16_t* to) const {
        __m256i own[2];
        rows(values, own);
        const __m256i here = _mm256_set1_epi16(values[3 * stride + 3]);
        for (int k = 1; k < 3; ++k) {
            const __m256i less = _mm256_sub_epi16(here, wide_unsigned(own[k / 2], k % 2));
            store(to + 16 * k,
                  _mm256_and_si256(small(_mm256_slli_epi16(less, 2)), wide(known[k / 2], k % 2)));
        }
    }
#else
    bool known[RIM_ROWS * RIM_ROW];

    Window(const RimWeights& w, const std::uint8_t* states, std::size_t s) : weights(w), stride(s) {
        for (std::size_t y = 0; y < RIM_ROWS; ++y)
            for (std::size_t x = 0; x < RIM_ROW; ++x) {
                const std::size_t k = RIM_ROW * y + x;
                known[k] = weights.of[k] && states[y * stride + x] == RIM_KNOWN;
                n_known += known[k];
                if (known[k]) total += weights.of[k];
            }
    }
    std::uint32_t pairs() const {
        std::uint32_t bits = 0;
        for (int k = 0; k < RIM_ROWS * RIM_ROW; ++k) bits |= std::uint32_t{known[k]} << k / 2;
        return bits;
    }
    std::int32_t mean(const std::uint8_t* values) const {
        if (!total) return 32 * MIDDLE_SAMPLE;
        std::int32_t sum = 0;
        for (std::size_t y = 0; y < RIM_ROWS; ++y)
            for (std::size_t x = 0; x < RIM_ROW; ++x)
                if (known[RIM_ROW * y + x]) sum += weights.of[RIM_ROW * y + x] * values[y * stride + x];
        return (32 * sum + (total >> 1)) / total;
    }
    std::int32_t around(const std::uint8_t* values, std::int16_t* to) const {
        const std::int32_t base = mean(values);
        for (std::size_t y = 0; y < RIM_ROWS; ++y)
            for (std::size_t x = 0; x < RIM_ROW; ++x) {
                const std::size_t k = RIM_ROW * y + x;
                const std::int32_t less = (32 * values[y * stride + x] - base) >> 3;
                to[k] = static_cast<std::int16_t>(known[k] ? clamp(less, -128, 127) : 0);
                to[RIM_KNOWN_AT + k] = known[k] ? 64 : 0;
            }
        return base;
    }
    void luma(const std::uint8_t* values, std::int16_t* to) const {
        const std::int32_t here = values[3 * stride + 3];
        for (std::size_t y = 2; y < 5; ++y)
            for (std::size_t x = 2; x < 5; ++x) {
                const std::size_t k = RIM_ROW * y + x;
                const std::int32_t less = 4 * (here - values[y * stride + x]);
                to[k] = static_cast<std::int16_t>(known[k] ? clamp(less, -128, 127) : 0);
            }
    }
#endif
};

// Codes the pixels to be coded of the last of `n_planes` canvases, each in stages as BlockCoder.
template <class Coder>
class RimCoder {
public:
    RimCoder(const LatticePlan& plan, Coder coder) : coder(coder), plan_(plan) {}

    Coder coder;

    // Whether there is a pixel.
    bool begin(const LatticeCanvas* canvases, std::size_t n_planes, std::size_t height,
               std::size_t width, const std::uint16_t* steps) {
        canvases_ = canvases;
        kind_ = n_planes - 1;
        height_ = height;
        width_ = width;
        stride_ = width + RIM_MORE;
        x_ = y_ = 0;
        one_ = &plan_.kinds[kind_].spatial_hidden;
        two_ = &plan_.kinds[kind_].spatial_output;
        Units fixed;
        fixed.set(one_->bias.data());
        fixed.add_pair(at(RIM_PAIRS - 1), pair_of(small(plan_.tables.log_step[steps[0]]),
                                                  small(plan_.tables.log_step[steps[9]])));
        fixed.save(bias_);
        return next();
    }
    // To the next pixel; whether there is one.
    bool next() {
        if (coder.stopped()) return false;
        for (; y_ < height_; ++y_, x_ = 0) {
            const std::uint8_t* const states =
                canvases_[kind_].states + (y_ + RIM_BORDER) * stride_ + RIM_BORDER;
            if (states[x_] == RIM_TO_CODE) return true;  // never beyond the row
            if (x_ >= width_) continue;
            const auto* const found = static_cast<const std::uint8_t*>(
                std::memchr(states + x_, RIM_TO_CODE, width_ - x_));
            if (!found) continue;
            x_ = static_cast<std::size_t>(found - states);
            return true;
        }
        return false;
    }
    // First stage: the hidden units of the pixel, and of another cell's in a plane of the same kind.
    template <bool BOTH>
    static void hidden(RimCoder* const* rims, Packed* to) {
        RimCoder &one = *rims[0], &other = *rims[BOTH];
        std::uint64_t window = one.look();
        if (BOTH) window |= other.look();
        Units sums, others;
        sums.set(one.bias_);
        if (BOTH) others.set(other.bias_);
        const auto add = [&](int weight, int pair) {
            sums.add_pair(one.at(weight), one.inputs_of(pair));
            if (BOTH) others.add_pair(one.at(weight), other.inputs_of(pair));
        };
        for (; window; window &= window - 1) {
            const int bit = lowest_bit(window);
            add(one.pairs_.of[bit], 2 * bit);
        }
        const int stop = one.kind_ ? RIM_LATER_PAIRS : RIM_FIRST_PAIRS;
        for (int k = RIM_WINDOW_PAIRS; k < stop; ++k) add(k, RIM_PAIR[k]);
        to[0] = sums.packed(one.one_->shift.data());
        if (BOTH) to[1] = others.packed(one.one_->shift.data());
    }
    // Second stage: its distribution.
    Mix mix(const Packed& hidden) const {
        return mix_of(plan_.tables,
                      five_outputs(hidden, two_->weight.data(), two_->bias.data(),
                                   two_->shift.data()),
                      base_);
    }
    // Third stage: its symbols, and what follows.
    void code(const Mix& mix, const typename Coder::Prepared& prepared) {
        const std::size_t index = (y_ + RIM_BORDER) * stride_ + RIM_BORDER + x_++;
        std::uint8_t& value = canvases_[kind_].values[index];
        value = static_cast<std::uint8_t>(coder.pixel(value, mix, prepared));
        canvases_[kind_].states[index] = RIM_KNOWN;
    }

private:
    // Fills the inputs; which pairs of the window may not be 0.
    std::uint64_t look() {
        const std::size_t corner = y_ * stride_ + x_, index = corner + RIM_BORDER * (stride_ + 1);
        const Window window(weights_, canvases_[kind_].states + corner, stride_);
        base_ = window.around(canvases_[kind_].values + corner, inputs_);
        single(0, pair_of(small(3 * window.n_known), ((base_ >> 5) - MIDDLE_SAMPLE) >> 1));
        if (kind_) {
            window.luma(canvases_[0].values + corner, inputs_ + RIM_LUMA_AT);
            std::int32_t less[2] = {};
            for (std::size_t p = 0; p < kind_ && window.n_known; ++p)
                less[p] = small((32 * canvases_[p].values[index] -
                                 window.mean(canvases_[p].values + corner)) >> 3);
            single(2, pair_of(less[0], less[1]));
        }
        const std::uint64_t known = window.pairs();
        return (known | known << 32) & pairs_.all;
    }
    static std::int32_t small(std::int32_t value) { return clamp(value, -128, 127); }
    const std::int16_t* at(int pair) const {
        return one_->weight.data() + pair * 2 * LATTICE_HIDDEN;
    }
    void single(int k, std::uint32_t both) {
        std::memcpy(inputs_ + RIM_SINGLE_AT + k, &both, sizeof both);
    }
    std::uint32_t inputs_of(int pair) const {
        std::uint32_t both;
        std::memcpy(&both, inputs_ + pair, sizeof both);
        return both;
    }

    const LatticePlan& plan_;
    const RimWeights weights_;
    const RimPairs pairs_;
    const LatticeCanvas* canvases_ = nullptr;
    const LatticeHidden* one_ = nullptr;
    const LatticeOutputs* two_ = nullptr;
    std::size_t kind_ = 0, height_ = 0, width_ = 0, stride_ = 0, x_ = 0, y_ = 0;
    std::int32_t base_ = 0;
    alignas(32) std::int32_t bias_[LATTICE_HIDDEN];
    alignas(32) std::int16_t inputs_[RIM_SIZE] = {};
};

// Codes the next pixel of N cells.
template <std::size_t N, class Coder>
inline void code_pixels(RimCoder<Coder>* const* rims) {
    Packed hidden[N];
    Mix mix[N];
    typename Coder::Prepared prepared[N];
    RimCoder<Coder>::template hidden<N == 2>(rims, hidden);
    for (std::size_t i = 0; i < N; ++i) mix[i] = rims[i]->mix(hidden[i]);
    for (std::size_t i = 0; i < N; ++i) rims[i]->coder.prepare(mix[i], prepared[i]);
    for (std::size_t i = 0; i < N; ++i) rims[i]->code(mix[i], prepared[i]);
}

// Codes the pixels of cells' planes, at most TURNS, that have begun with a pixel.
template <class Coder>
void code_rims(RimCoder<Coder>** rims, std::size_t n) {
    while (n) {
        in_turns(n, 1, [rims](auto count) { code_pixels<count()>(rims); });
        for (std::size_t i = 0; i < n;)
            if (rims[i]->next())
                ++i;
            else
                rims[i] = rims[--n];
    }
}

}  // namespace
}  // namespace zarrmal
