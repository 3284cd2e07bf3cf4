// Operations on 16 lanes in plain C++: vectors are arrays, masks are vectors of 0 and -1.
#pragma once

#include "lanes.h"
#include "lookups.h"
#include "vector_masks.h"

namespace zarrmal {
namespace {

struct PlainVector {
    struct R {
        std::uint8_t byte[16];
    };
};

struct Plain : VectorMasks<Plain, PlainVector>, Lookups<Plain> {
    using Inputs = R;
    using Weights = std::int32_t;
    using u8 = std::uint8_t;
    using u16 = std::uint16_t;
    using s16 = std::int16_t;
    using u32 = std::uint32_t;
    using s32 = std::int32_t;
    static constexpr int LANES = 16;
    static constexpr bool SIGNED = false;
    static constexpr int TILE_VECTORS = 1;
    static constexpr int TILE_SUMS = 4;
    static constexpr bool PAIRED = false;
    static constexpr bool ACROSS = false;
    static constexpr bool WIDE_OUTPUT = false;

    template <class T>
    struct Of {
        static constexpr int N = 16 / sizeof(T);
        T value[N];
    };
    template <class T>
    ZM_INLINE Of<T> as(R v) {
        Of<T> to;
        std::memcpy(to.value, v.byte, 16);
        return to;
    }
    template <class T>
    ZM_INLINE R of(const Of<T>& v) {
        R to;
        std::memcpy(to.byte, v.value, 16);
        return to;
    }
    // Elementwise; results are taken modulo the size of T.
    template <class T, class F>
    ZM_INLINE R each(R a, R b, F f) {
        const auto x = as<T>(a), y = as<T>(b);
        Of<T> to;
        for (int k = 0; k < Of<T>::N; ++k) to.value[k] = static_cast<T>(f(x.value[k], y.value[k]));
        return of(to);
    }
    template <class T, class F>
    ZM_INLINE R each(R a, F f) {
        return each<T>(a, a, [&](T x, T) { return f(x); });
    }
    template <class T>
    ZM_INLINE R set(T v) {
        Of<T> to;
        for (T& x : to.value) x = v;
        return of(to);
    }

    ZM_INLINE R load(const void* from) {
        R to;
        std::memcpy(to.byte, from, 16);
        return to;
    }
    ZM_INLINE void store(void* to, R v) { std::memcpy(to, v.byte, 16); }
    ZM_INLINE R zero() { return set<u8>(0); }
    ZM_INLINE R set8(int v) { return set(static_cast<u8>(v)); }
    ZM_INLINE R set16(int v) { return set(static_cast<u16>(v)); }
    ZM_INLINE R set32(s32 v) { return set(v); }

    ZM_INLINE R or8(R a, R b) { return each<u8>(a, b, [](int x, int y) { return x | y; }); }
    ZM_INLINE R add8(R a, R b) { return each<u8>(a, b, [](int x, int y) { return x + y; }); }
    ZM_INLINE R sub8(R a, R b) { return each<u8>(a, b, [](int x, int y) { return x - y; }); }
    ZM_INLINE R adds8(R a, R b) {
        return each<u8>(a, b, [](int x, int y) { return x + y > 255 ? 255 : x + y; });
    }
    ZM_INLINE R subs8(R a, R b) {
        return each<u8>(a, b, [](int x, int y) { return x > y ? x - y : 0; });
    }
    ZM_INLINE R min8(R a, R b) { return each<u8>(a, b, [](int x, int y) { return x < y ? x : y; }); }
    ZM_INLINE R max8(R a, R b) { return each<u8>(a, b, [](int x, int y) { return x > y ? x : y; }); }
    ZM_INLINE R avg8(R a, R b) { return each<u8>(a, b, [](int x, int y) { return (x + y + 1) >> 1; }); }
    template <int N>
    ZM_INLINE R srl8(R a) {
        return each<u8>(a, [](int x) { return x >> N; });
    }
    ZM_INLINE M8 zero8(R a) { return each<u8>(a, [](int x) { return x ? 0 : -1; }); }
    ZM_INLINE R pick8(M8 m, R a, R b) {
        R to;
        for (int k = 0; k < 16; ++k)
            to.byte[k] = static_cast<u8>((m.byte[k] & a.byte[k]) | (~m.byte[k] & b.byte[k]));
        return to;
    }

    ZM_INLINE R add16(R a, R b) { return each<u16>(a, b, [](u32 x, u32 y) { return x + y; }); }
    ZM_INLINE R sub16(R a, R b) { return each<u16>(a, b, [](u32 x, u32 y) { return x - y; }); }
    ZM_INLINE R min16(R a, R b) { return each<s16>(a, b, [](int x, int y) { return x < y ? x : y; }); }
    ZM_INLINE R max16(R a, R b) { return each<s16>(a, b, [](int x, int y) { return x > y ? x : y; }); }
    ZM_INLINE R mullo16(R a, R b) { return each<u16>(a, b, [](u32 x, u32 y) { return x * y; }); }
    ZM_INLINE R mulhi16(R a, R b) { return each<u16>(a, b, [](u32 x, u32 y) { return x * y >> 16; }); }
    ZM_INLINE R madd16(R a, R b) {
        const auto x = as<s16>(a), y = as<s16>(b);
        Of<u32> to;
        for (int k = 0; k < 4; ++k)
            to.value[k] = static_cast<u32>(x.value[2 * k] * y.value[2 * k]) +
                       static_cast<u32>(x.value[2 * k + 1] * y.value[2 * k + 1]);
        return of(to);
    }
    template <int N>
    ZM_INLINE R sll16(R a) {
        return each<u16>(a, [](u32 x) { return x << N; });
    }
    template <int N>
    ZM_INLINE R srl16(R a) {
        return each<u16>(a, [](int x) { return x >> N; });
    }
    template <int N>
    ZM_INLINE R sra16(R a) {
        return each<s16>(a, [](int x) { return x >> N; });
    }
    ZM_INLINE M16 zero16(R a) { return each<u16>(a, [](int x) { return x ? 0 : -1; }); }
    ZM_INLINE M16 upto16(R a, R b) { return each<u16>(a, b, [](int x, int y) { return x <= y ? -1 : 0; }); }
    ZM_INLINE M16 below16(R a, R b) { return each<u16>(a, b, [](int x, int y) { return x < y ? -1 : 0; }); }
    ZM_INLINE u32 bits16(M16 m) {
        u32 to = 0;
        for (int k = 0; k < 8; ++k) to |= static_cast<u32>(m.byte[2 * k] & 1) << k;
        return to;
    }

    ZM_INLINE R add32(R a, R b) { return each<u32>(a, b, [](u32 x, u32 y) { return x + y; }); }
    ZM_INLINE R sub32(R a, R b) { return each<u32>(a, b, [](u32 x, u32 y) { return x - y; }); }
    ZM_INLINE R mullo32(R a, R b) { return each<u32>(a, b, [](u32 x, u32 y) { return x * y; }); }
    template <int N>
    ZM_INLINE R sll32(R a) {
        return each<u32>(a, [](u32 x) { return x << N; });
    }
    template <int N>
    ZM_INLINE R srl32(R a) {
        return each<u32>(a, [](u32 x) { return x >> N; });
    }
    template <int N>
    ZM_INLINE R sra32(R a) {
        return sra32(a, N);
    }
    ZM_INLINE R sra32(R a, int n) {
        return each<s32>(a, [=](s32 x) { return x >> n; });
    }
    ZM_INLINE M32 above32(R a, R b) { return each<s32>(a, b, [](s32 x, s32 y) { return x > y ? -1 : 0; }); }
    ZM_INLINE u32 bits32(M32 m) {
        u32 to = 0;
        for (int k = 0; k < 4; ++k) to |= static_cast<u32>(m.byte[4 * k] & 1) << k;
        return to;
    }

    template <class T>
    ZM_INLINE R unpack(R a, R b, int from) {
        const auto x = as<T>(a), y = as<T>(b);
        Of<T> to;
        for (int k = 0; k < Of<T>::N; ++k) to.value[k] = (k % 2 ? y : x).value[from + k / 2];
        return of(to);
    }
    ZM_INLINE R unpacklo8(R a, R b) { return unpack<u8>(a, b, 0); }
    ZM_INLINE R unpackhi8(R a, R b) { return unpack<u8>(a, b, 8); }
    ZM_INLINE R unpacklo16(R a, R b) { return unpack<u16>(a, b, 0); }
    ZM_INLINE R unpackhi16(R a, R b) { return unpack<u16>(a, b, 4); }
    template <class From, class To>
    ZM_INLINE R pack(R a, R b, s32 low, s32 high) {
        const auto x = as<From>(a), y = as<From>(b);
        Of<To> to;
        for (int k = 0; k < Of<To>::N; ++k) {
            const s32 v = k < Of<From>::N ? x.value[k] : y.value[k - Of<From>::N];
            to.value[k] = static_cast<To>(v < low ? low : v > high ? high : v);
        }
        return of(to);
    }
    ZM_INLINE R packus16(R a, R b) { return pack<s16, u8>(a, b, 0, 255); }
    ZM_INLINE R packs32(R a, R b) { return pack<s32, s16>(a, b, -32768, 32767); }
    ZM_INLINE R packus32(R a, R b) { return pack<s32, u16>(a, b, 0, 65535); }

    ZM_INLINE Inputs inputs(const u8* from) { return load(from); }
    ZM_INLINE Weights weights(const std::int8_t* from) {
        Weights four;
        std::memcpy(&four, from, 4);
        return four;
    }
    ZM_INLINE R dot(R sum, Inputs a, Weights w) {
        std::int8_t weight[4];
        std::memcpy(weight, &w, 4);
        auto to = as<u32>(sum);
        for (int k = 0; k < 4; ++k) {
            s32 more = 0;
            for (int i = 0; i < 4; ++i) more += a.byte[4 * k + i] * weight[i];
            to.value[k] += static_cast<u32>(more);
        }
        return of(to);
    }
    ZM_INLINE R activations(R a, R b, R c, R d) {
        const R four[4] = {a, b, c, d};
        R to;
        for (int i = 0; i < 4; ++i) {
            const auto from = as<s32>(four[i]);
            for (int k = 0; k < 4; ++k)
                to.byte[4 * k + i] =
                    static_cast<u8>(from.value[k] < 0 ? 0 : from.value[k] > 127 ? 127 : from.value[k]);
        }
        return to;
    }

    ZM_INLINE R divide(R a, R b) { return quotient(a, b); }
    ZM_INLINE R logit(R a, R b, R slope) {  // see X86
        const R log = each<s32>(a, b, [](s32 x, s32 y) { return float_bits(x) - float_bits(y); });
        return each<s32>(log, slope, [](s32 x, s32 y) {
            return static_cast<float>(x) * HALF_LOG2 / static_cast<float>(y);
        });
    }
    ZM_INLINE s32 float_bits(s32 value) {
        const auto number = static_cast<float>(value);
        s32 bits;
        std::memcpy(&bits, &number, 4);
        return bits;
    }
    // Lanes without a cell may have a frequency of 0.
    ZM_INLINE R quotient(R a, R b) {
        return each<u32>(a, b, [](u32 x, u32 y) { return y ? x / y : 0; });
    }

    using Curve = const Tables*;
    ZM_INLINE Curve curve(const Tables& t) { return &t; }
    template <int M>
    ZM_INLINE void logistic(Curve c, const R (&u)[M], R (&to)[M]) {
        for (int m = 0; m < M; ++m) to[m] = Lookups<Plain>::logistic(*c, u[m]);
    }
};

}  // namespace
}  // namespace zarrmal
