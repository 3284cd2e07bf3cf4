// Sums of a block's coefficients, in SCAN order, for the instruction set of this source.
#pragma once

#include <cstdint>
#include <cstring>

#include "lattice_ops.h"

namespace zarrmal {
namespace {

// sums[k] += products of all pairs of `inputs` with weights [pair][64][2], for n sums or some more.
inline void add_pairs(std::int32_t* sums, const std::int16_t* weight, const std::int16_t* inputs,
                      int n_pairs, int n) {
#if defined(__AVX2__)
    const auto both = [inputs](int p) {
        std::int32_t value;
        std::memcpy(&value, inputs + 2 * p, 4);
        return _mm256_set1_epi32(value);
    };
    for (; n > 16; n -= 32, sums += 32, weight += 64) {
        Units units;
        units.set(sums);
        for (int p = 0; p < n_pairs; ++p) {
            std::uint32_t x;
            std::memcpy(&x, inputs + 2 * p, 4);
            units.add_pair(weight + 128 * p, x);
        }
        units.save(sums);
    }
    if (n > 8) {
        __m256i low = load(sums), high = load(sums + 8);
        for (int p = 0; p < n_pairs; ++p) {
            low = add_products(low, load(weight + 128 * p), both(p));
            high = add_products(high, load(weight + 128 * p + 16), both(p));
        }
        store(sums, low);
        store(sums + 8, high);
    } else if (n > 0) {
        __m256i even = load(sums), odd = _mm256_setzero_si256();
        for (int p = 0; p < n_pairs; ++p) {
            even = add_products(even, load(weight + 128 * p), both(p));
            if (++p < n_pairs) odd = add_products(odd, load(weight + 128 * p), both(p));
        }
        store(sums, _mm256_add_epi32(even, odd));
    }
#else
    const int most = (n + 7) / 8 * 8;
    for (int p = 0; p < n_pairs; ++p) {
        const std::int16_t a = inputs[2 * p], b = inputs[2 * p + 1];
        if (!a && !b) continue;
        const std::int16_t* const w = weight + 128 * p;
        for (int k = 0; k < most; ++k) sums[k] += w[2 * k] * a + w[2 * k + 1] * b;
    }
#endif
}

// sums[k] += products of two inputs of k with weights [64][2], for n sums or some more.
inline void add_products_each(std::int32_t* sums, const std::int16_t* weight,
                              const std::uint32_t* inputs, int n) {
#if defined(__AVX2__)
    for (int k = 0; k < n; k += 8)
        store(sums + k, add_products(load(sums + k), load(weight + 2 * k), load(inputs + k)));
#else
    for (int k = 0; k < n; ++k)
        sums[k] += weight[2 * k] * static_cast<std::int16_t>(inputs[k]) +
                   weight[2 * k + 1] * static_cast<std::int16_t>(inputs[k] >> 16);
#endif
}

// Of magnitudes the sum from a place on to the nth, those after that being 0.
inline std::int32_t sum_from(const std::uint16_t* magnitudes, int place, int n) {
#if defined(__AVX2__)
    const __m256i own = _mm256_set1_epi16(static_cast<short>(place - 1)), zero = _mm256_setzero_si256();
    __m256i places = _mm256_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    places = _mm256_add_epi16(places, _mm256_set1_epi16(static_cast<short>(place & ~15)));
    __m256i sums = zero;
    for (int k = place & ~15; k < n; k += 16) {
        const __m256i some = _mm256_and_si256(load(magnitudes + k), _mm256_cmpgt_epi16(places, own));
        sums = _mm256_add_epi32(sums, _mm256_unpacklo_epi16(some, zero));
        sums = _mm256_add_epi32(sums, _mm256_unpackhi_epi16(some, zero));
        places = _mm256_add_epi16(places, _mm256_set1_epi16(16));
    }
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xB1)));
#else
    std::int32_t sum = 0;
    for (int k = place; k < n; ++k) sum += magnitudes[k];
    return sum;
#endif
}

// Eight sums.
struct Eight {
#if defined(__AVX2__)
    __m256i of;

    explicit Eight(const std::int32_t* from) : of(load(from)) {}
    // weight: [8][2].
    void add_pair(const std::int16_t* weight, std::uint32_t inputs) {
        of = add_products(of, load(weight), _mm256_set1_epi32(static_cast<int>(inputs)));
    }
    void save(std::int32_t* to) const { store(to, of); }
#elif defined(__SSE2__) || defined(_M_X64)
    __m128i low, high;

    static __m128i four(const void* from) {
        return _mm_loadu_si128(static_cast<const __m128i*>(from));
    }
    explicit Eight(const std::int32_t* from) : low(four(from)), high(four(from + 4)) {}
    void add_pair(const std::int16_t* weight, std::uint32_t inputs) {
        const __m128i x = _mm_set1_epi32(static_cast<int>(inputs));
        low = _mm_add_epi32(low, _mm_madd_epi16(four(weight), x));
        high = _mm_add_epi32(high, _mm_madd_epi16(four(weight + 8), x));
    }
    void save(std::int32_t* to) const {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to), low);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 4), high);
    }
#else
    std::int32_t of[8];

    explicit Eight(const std::int32_t* from) { std::memcpy(of, from, sizeof of); }
    void add_pair(const std::int16_t* weight, std::uint32_t inputs) {
        const auto a = static_cast<std::int16_t>(inputs), b = static_cast<std::int16_t>(inputs >> 16);
        for (int k = 0; k < 8; ++k) of[k] += weight[2 * k] * a + weight[2 * k + 1] * b;
    }
    void save(std::int32_t* to) const { std::memcpy(to, of, sizeof of); }
#endif
};

// sums[k] += products of N pairs of inputs with weights [pair][64][2], for whole eights of places from
// `first` to before `stop`, or some more.
template <int N>
ZM_ALWAYS void add_pairs_from(std::int32_t* sums, const std::int16_t* weight,
                           const std::uint32_t* inputs, int first, int stop) {
    for (int k = first; k < stop; k += 8) {
        Eight eight(sums + k);
        for (int p = 0; p < N; ++p) eight.add_pair(weight + 128 * p + 2 * k, inputs[p]);
        eight.save(sums + k);
    }
}

// Sums that gain from each coefficient coded: those of its eight places at once, later ones when all
// eight are coded. So there is little to do between two coefficients, whatever they are.
class Sums {
public:
    alignas(32) std::int32_t predictions[64], scales[64];

    // For n coefficients, of which some have a scale.
    void begin(const LatticeKind& kind, int n, bool scaled) {
        beside_ = kind.beside.data();
        earlier_ = kind.earlier.data();
        scale_earlier_ = kind.scale_earlier.data();
        n_ = n;
        scaled_ = scaled;
    }
    // The coefficient at a place is known: its value, -4095..4095, and logarithms.
    ZM_ALWAYS void take(int place, std::int32_t value, std::uint32_t logs) {
        const int eight = place & ~7, own = place & 7;
        Eight gain(predictions + eight);
        gain.add_pair(beside_ + 16 * place, static_cast<std::uint32_t>(value));
        gain.save(predictions + eight);
        values_[own] = static_cast<std::int16_t>(value);
        if (scaled_) {
            Eight scale(scales + eight);
            scale.add_pair(scale_earlier_ + 128 * place + 2 * eight, logs);
            scale.save(scales + eight);
            logs_[own] = logs;
        }
        if (own == 7 && place + 1 < n_) pass_on(place + 1);
    }

private:
    ZM_SELDOM void pass_on(int next) {
        std::uint32_t pairs[4];
        for (int k = 0; k < 4; ++k) pairs[k] = pair_of(values_[2 * k], values_[2 * k + 1]);
        add_pairs_from<4>(predictions, earlier_ + (next - 8) / 2 * 128, pairs, next, n_);
        if (scaled_) add_pairs_from<8>(scales, scale_earlier_ + (next - 8) * 128, logs_, next, n_);
    }

    const std::int16_t *beside_ = nullptr, *earlier_ = nullptr, *scale_earlier_ = nullptr;
    int n_ = 0;
    bool scaled_ = false;
    std::int16_t values_[8] = {};
    std::uint32_t logs_[8] = {};
};

}  // namespace
}  // namespace zarrmal
