// Products of the lattice's walk, for the instruction set of this source.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "lattice.h"

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#endif
#if defined(_MSC_VER)
#include <intrin.h>
#endif

// For what is done for each coefficient: compilers else call it, with its values in memory.
#if defined(_MSC_VER)
#define ZM_ALWAYS __forceinline
#define ZM_SELDOM __declspec(noinline)
#elif defined(__SANITIZE_ADDRESS__)
#define ZM_ALWAYS inline
#define ZM_SELDOM
#else
#define ZM_ALWAYS inline __attribute__((always_inline))
#define ZM_SELDOM __attribute__((noinline))
#endif

namespace zarrmal {
namespace {

inline std::int32_t clamp(std::int32_t value, std::int32_t low, std::int32_t high) {
    return std::min(std::max(value, low), high);
}

inline int lowest_bit(std::uint64_t bits) {
#if defined(_MSC_VER)
    unsigned long position;
    _BitScanForward64(&position, bits);
    return static_cast<int>(position);
#else
    return __builtin_ctzll(bits);
#endif
}

inline int highest_bit(std::uint32_t bits) {
#if defined(_MSC_VER)
    unsigned long position;
    _BitScanReverse(&position, bits);
    return static_cast<int>(position);
#else
    return 31 - __builtin_clz(bits);
#endif
}

// Two inputs of a layer, as the products take them.
inline std::uint32_t pair_of(std::int32_t a, std::int32_t b) {
    return static_cast<std::uint32_t>(a & 0xFFFF) | static_cast<std::uint32_t>(b) << 16;
}

#if defined(__AVX2__)
inline __m256i load(const void* from) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}
inline void store(void* to, __m256i value) {
    _mm256_storeu_si256(static_cast<__m256i*>(to), value);
}
inline __m128i load_half(const void* from) {
    return _mm_loadu_si128(static_cast<const __m128i*>(from));
}
// 16 pairs of two numbers of 16 bits.
inline void store_pairs(__m256i a, __m256i b, std::uint32_t* to) {
    const __m256i low = _mm256_unpacklo_epi16(a, b), high = _mm256_unpackhi_epi16(a, b);
    store(to, _mm256_permute2x128_si256(low, high, 0x20));
    store(to + 8, _mm256_permute2x128_si256(low, high, 0x31));
}
// table[places], by plain loads: processors' own gathers are slower.
ZM_ALWAYS __m256i look_up(const std::int32_t* table, __m256i places) {
    alignas(32) std::uint32_t at[8];
    store(at, places);
    const auto two = [&](int k) {
        return _mm_insert_epi32(_mm_cvtsi32_si128(table[at[k]]), table[at[k + 1]], 1);
    };
    return _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_unpacklo_epi64(two(0), two(2))),
        _mm_unpacklo_epi64(two(4), two(6)), 1);
}
// sums + products of pairs of 16 bits.
inline __m256i add_products(__m256i sums, __m256i a, __m256i b) {
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
    return _mm256_dpwssd_epi32(sums, a, b);
#else
    return _mm256_add_epi32(sums, _mm256_madd_epi16(a, b));
#endif
}
#endif

// The hidden units of a layer, as bytes 0..127 in the order LATTICE_PACKED.
struct Packed {
#if defined(__AVX2__)
    __m256i bytes;
#else
    std::uint8_t bytes[LATTICE_HIDDEN];
#endif
};

// Sums of the hidden units. (Not an array: compilers would keep it in memory.)
struct Units {
#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
    __m512i a, b;

    static __m512i load_wide(const void* from) { return _mm512_loadu_si512(from); }
    void set(const std::int32_t* from) {
        a = load_wide(from);
        b = load_wide(from + 16);
    }
    void add(const std::int32_t* from) {
        a = _mm512_add_epi32(a, load_wide(from));
        b = _mm512_add_epi32(b, load_wide(from + 16));
    }
    void clear() { a = b = _mm512_setzero_si512(); }
    void add(const Units& other) {
        a = _mm512_add_epi32(a, other.a);
        b = _mm512_add_epi32(b, other.b);
    }
    void add_pair(const std::int16_t* weight, std::uint32_t inputs) {
        const __m512i x = _mm512_set1_epi32(static_cast<int>(inputs));
        a = _mm512_dpwssd_epi32(a, load_wide(weight), x);
        b = _mm512_dpwssd_epi32(b, load_wide(weight + 32), x);
    }
    void save(std::int32_t* to) const {
        _mm512_storeu_si512(to, a);
        _mm512_storeu_si512(to + 16, b);
    }
    Packed packed(const std::int32_t* shift) const {
        const __m512i first = _mm512_srav_epi32(a, load_wide(shift));
        const __m512i second = _mm512_srav_epi32(b, load_wide(shift + 16));
        const __m256i low = _mm256_packs_epi32(_mm512_castsi512_si256(first),
                                               _mm512_extracti64x4_epi64(first, 1));
        const __m256i high = _mm256_packs_epi32(_mm512_castsi512_si256(second),
                                                _mm512_extracti64x4_epi64(second, 1));
        return {_mm256_min_epu8(_mm256_packus_epi16(low, high), _mm256_set1_epi8(127))};
    }
#elif defined(__AVX2__)
    __m256i a, b, c, d;

    void set(const std::int32_t* from) {
        a = load(from);
        b = load(from + 8);
        c = load(from + 16);
        d = load(from + 24);
    }
    void add(const std::int32_t* from) {
        a = _mm256_add_epi32(a, load(from));
        b = _mm256_add_epi32(b, load(from + 8));
        c = _mm256_add_epi32(c, load(from + 16));
        d = _mm256_add_epi32(d, load(from + 24));
    }
    void clear() { a = b = c = d = _mm256_setzero_si256(); }
    void add(const Units& other) {
        a = _mm256_add_epi32(a, other.a);
        b = _mm256_add_epi32(b, other.b);
        c = _mm256_add_epi32(c, other.c);
        d = _mm256_add_epi32(d, other.d);
    }
    void add_pair(const std::int16_t* weight, std::uint32_t inputs) {
        const __m256i x = _mm256_set1_epi32(static_cast<int>(inputs));
        a = add_products(a, load(weight), x);
        b = add_products(b, load(weight + 16), x);
        c = add_products(c, load(weight + 32), x);
        d = add_products(d, load(weight + 48), x);
    }
    void save(std::int32_t* to) const {
        store(to, a);
        store(to + 8, b);
        store(to + 16, c);
        store(to + 24, d);
    }
    Packed packed(const std::int32_t* shift) const {
        const __m256i low = _mm256_packs_epi32(_mm256_srav_epi32(a, load(shift)),
                                               _mm256_srav_epi32(b, load(shift + 8)));
        const __m256i high = _mm256_packs_epi32(_mm256_srav_epi32(c, load(shift + 16)),
                                                _mm256_srav_epi32(d, load(shift + 24)));
        return {_mm256_min_epu8(_mm256_packus_epi16(low, high), _mm256_set1_epi8(127))};
    }
#else
    std::int32_t sum[LATTICE_HIDDEN];

    void set(const std::int32_t* from) { std::memcpy(sum, from, sizeof sum); }
    void add(const std::int32_t* from) {
        for (int k = 0; k < LATTICE_HIDDEN; ++k) sum[k] += from[k];
    }
    void clear() { std::memset(sum, 0, sizeof sum); }
    void add(const Units& other) { add(other.sum); }
    void add_pair(const std::int16_t* weight, std::uint32_t inputs) {
#if defined(__SSE2__) || defined(_M_X64)
        const __m128i x = _mm_set1_epi32(static_cast<int>(inputs));
        for (int k = 0; k < LATTICE_HIDDEN; k += 4) {
            __m128i* to = reinterpret_cast<__m128i*>(sum + k);
            const __m128i w = _mm_loadu_si128(reinterpret_cast<const __m128i*>(weight + 2 * k));
            _mm_storeu_si128(to, _mm_add_epi32(_mm_loadu_si128(to), _mm_madd_epi16(w, x)));
        }
#else
        const auto a = static_cast<std::int16_t>(inputs), b = static_cast<std::int16_t>(inputs >> 16);
        for (int k = 0; k < LATTICE_HIDDEN; ++k) sum[k] += weight[2 * k] * a + weight[2 * k + 1] * b;
#endif
    }
    void save(std::int32_t* to) const { std::memcpy(to, sum, sizeof sum); }
    Packed packed(const std::int32_t* shift) const {
        Packed result;
        for (int k = 0; k < LATTICE_HIDDEN; ++k) {
            const int unit = lattice_packed(k);
            result.bytes[k] = static_cast<std::uint8_t>(clamp(sum[unit] >> shift[unit], 0, 127));
        }
        return result;
    }
#endif
};

#if defined(__AVX2__)
// Products of the hidden units with 32 weights, in eight sums. Hidden units are at most 127, so that
// the sums of two products fit in 16 bits.
inline __m256i products(const Packed& hidden, const std::int8_t* weight) {
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
    return _mm256_dpbusd_epi32(_mm256_setzero_si256(), hidden.bytes, load(weight));
#else
    return _mm256_madd_epi16(_mm256_maddubs_epi16(hidden.bytes, load(weight)),
                             _mm256_set1_epi16(1));
#endif
}
inline __m128i halves(__m256i sums) {
    return _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
}
#endif

// The hidden units as numbers of 16 bits, in the order of lattice_packed.
inline void widen(const Packed& hidden, std::int16_t* to) {
#if defined(__AVX2__)
    store(to, _mm256_cvtepu8_epi16(_mm256_castsi256_si128(hidden.bytes)));
    store(to + 16, _mm256_cvtepu8_epi16(_mm256_extracti128_si256(hidden.bytes, 1)));
#else
    for (int k = 0; k < LATTICE_HIDDEN; ++k) to[k] = hidden.bytes[k];
#endif
}

// to[k] = (bias[k] + products of hidden units) >> shift[k] for four outputs.
// weight: [output][hidden in the order of lattice_packed].
#if defined(__AVX2__)
inline __m128i four_outputs(const Packed& hidden, const std::int8_t* weight,
                            const std::int32_t* bias, const std::int32_t* shift) {
    constexpr int N = LATTICE_HIDDEN;
    const __m256i low = _mm256_hadd_epi32(products(hidden, weight), products(hidden, weight + N));
    const __m256i high =
        _mm256_hadd_epi32(products(hidden, weight + 2 * N), products(hidden, weight + 3 * N));
    const __m128i sums = _mm_add_epi32(halves(_mm256_hadd_epi32(low, high)), load_half(bias));
    return _mm_srav_epi32(sums, load_half(shift));
}
inline void four_outputs(const Packed& hidden, const std::int8_t* weight, const std::int32_t* bias,
                         const std::int32_t* shift, std::int32_t* to) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), four_outputs(hidden, weight, bias, shift));
}
#else
inline std::int32_t one_output(const Packed& hidden, const std::int8_t* weight, std::int32_t bias,
                               std::int32_t shift) {
    std::int32_t sum = bias;
    for (int i = 0; i < LATTICE_HIDDEN; ++i) sum += weight[i] * hidden.bytes[i];
    return sum >> shift;
}
inline void four_outputs(const Packed& hidden, const std::int8_t* weight, const std::int32_t* bias,
                         const std::int32_t* shift, std::int32_t* to) {
    for (int k = 0; k < 4; ++k)
        to[k] = one_output(hidden, weight + LATTICE_HIDDEN * k, bias[k], shift[k]);
}
#endif

// The outputs of a distribution, kept within their ranges.
struct Five {
    std::int32_t location[2], scale[2], share;
};
ZM_ALWAYS Five five_outputs(const Packed& hidden, const std::int8_t* weight, const std::int32_t* bias,
                         const std::int32_t* shift) {
    Five five;
#if defined(__AVX2__)
    __m128i four = four_outputs(hidden, weight, bias, shift);
    four = _mm_min_epi32(four, _mm_setr_epi32(2047, 2047, 127, 127));
    four = _mm_max_epi32(four, _mm_setr_epi32(-2047, -2047, 0, 0));
    const auto locations = static_cast<std::uint64_t>(_mm_cvtsi128_si64(four));
    const auto scales = static_cast<std::uint64_t>(_mm_extract_epi64(four, 1));
    five.location[0] = static_cast<std::int32_t>(locations);
    five.location[1] = static_cast<std::int32_t>(locations >> 32);
    five.scale[0] = static_cast<std::int32_t>(scales);
    five.scale[1] = static_cast<std::int32_t>(scales >> 32);
    __m128i last = halves(products(hidden, weight + 4 * LATTICE_HIDDEN));
    last = _mm_add_epi32(last, _mm_shuffle_epi32(last, 0x4E));
    last = _mm_add_epi32(last, _mm_shuffle_epi32(last, 0xB1));
    five.share = (_mm_cvtsi128_si32(last) + bias[4]) >> shift[4];
#else
    std::int32_t four[4];
    four_outputs(hidden, weight, bias, shift, four);
    for (int k = 0; k < 2; ++k) {
        five.location[k] = clamp(four[k], -2047, 2047);
        five.scale[k] = clamp(four[2 + k], 0, 127);
    }
    five.share = one_output(hidden, weight + 4 * LATTICE_HIDDEN, bias[4], shift[4]);
#endif
    five.share = clamp(five.share, -128, 127) + 128;
    return five;
}

// The largest of 64 bytes from place `first` on.
inline std::uint8_t largest_from(const std::uint8_t* bytes, int first) {
#if defined(__AVX2__)
    const __m256i places = _mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
                                            17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
    const auto from = [&](int k) {
        const auto before = static_cast<char>(first - k - 1);
        return _mm256_and_si256(load(bytes + k),
                                _mm256_cmpgt_epi8(places, _mm256_set1_epi8(before)));
    };
    const __m256i both = _mm256_max_epu8(from(0), from(32));
    __m128i most = _mm_max_epu8(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
    most = _mm_max_epu8(most, _mm_srli_epi16(most, 8));
    // The least of what they lack of 255.
    most = _mm_andnot_si128(most, _mm_set1_epi16(255));
    return static_cast<std::uint8_t>(255 - _mm_cvtsi128_si32(_mm_minpos_epu16(most)));
#else
    return *std::max_element(bytes + first, bytes + 64);
#endif
}

// The last of 64 bytes that is above `least`, which is below 128 as they are; 0 if there is none.
inline int last_above(const std::uint8_t* bytes, int least) {
    int last = 0;
#if defined(__AVX2__)
    for (int k = 0; k < 64; k += 32) {
        const __m256i above =
            _mm256_cmpgt_epi8(load(bytes + k), _mm256_set1_epi8(static_cast<char>(least)));
        const auto bits = static_cast<std::uint32_t>(_mm256_movemask_epi8(above));
        if (bits) last = k + highest_bit(bits);
    }
#else
    for (int k = 0; k < 64; ++k)
        if (bytes[k] > least) last = k;
#endif
    return last;
}

// pairs[k]: two bytes, for n pairs or some more.
inline void pair_bytes(const std::uint8_t* a, const std::uint8_t* b, std::uint32_t* pairs, int n) {
#if defined(__AVX2__)
    for (int k = 0; k < n; k += 16)
        store_pairs(_mm256_cvtepu8_epi16(load_half(a + k)), _mm256_cvtepu8_epi16(load_half(b + k)),
                    pairs + k);
#else
    for (int k = 0; k < n; ++k) pairs[k] = pair_of(a[k], b[k]);
#endif
}

}  // namespace
}  // namespace zarrmal
