// Operations on 16 lanes with NEON, which every AArch64 has.
#pragma once

#include <arm_neon.h>

#include "lanes.h"
#include "lookups.h"
#include "vector_masks.h"

namespace zarrmal {
namespace {

struct NeonVector {
    using R = uint8x16_t;
};

struct Neon : VectorMasks<Neon, NeonVector>, Lookups<Neon> {
    using u32 = std::uint32_t;
    static constexpr int LANES = 16;
    static constexpr int TILE_VECTORS = 2;
    static constexpr int TILE_SUMS = 16;
    static constexpr bool PAIRED = false;
    static constexpr bool ACROSS = false;
    static constexpr bool WIDE_OUTPUT = false;

    ZM_INLINE uint16x8_t u16(R a) { return vreinterpretq_u16_u8(a); }
    ZM_INLINE int16x8_t s16(R a) { return vreinterpretq_s16_u8(a); }
    ZM_INLINE uint32x4_t w32(R a) { return vreinterpretq_u32_u8(a); }
    ZM_INLINE int32x4_t s32(R a) { return vreinterpretq_s32_u8(a); }
    ZM_INLINE R of(uint16x8_t a) { return vreinterpretq_u8_u16(a); }
    ZM_INLINE R of(int16x8_t a) { return vreinterpretq_u8_s16(a); }
    ZM_INLINE R of(uint32x4_t a) { return vreinterpretq_u8_u32(a); }
    ZM_INLINE R of(int32x4_t a) { return vreinterpretq_u8_s32(a); }

    ZM_INLINE R load(const void* from) { return vld1q_u8(static_cast<const std::uint8_t*>(from)); }
    ZM_INLINE void store(void* to, R v) { vst1q_u8(static_cast<std::uint8_t*>(to), v); }
    ZM_INLINE R zero() { return vdupq_n_u8(0); }
    ZM_INLINE R set8(int v) { return vdupq_n_u8(static_cast<std::uint8_t>(v)); }
    ZM_INLINE R set16(int v) { return of(vdupq_n_u16(static_cast<std::uint16_t>(v))); }
    ZM_INLINE R set32(std::int32_t v) { return of(vdupq_n_s32(v)); }

    ZM_INLINE R or8(R a, R b) { return vorrq_u8(a, b); }
    ZM_INLINE R add8(R a, R b) { return vaddq_u8(a, b); }
    ZM_INLINE R sub8(R a, R b) { return vsubq_u8(a, b); }
    ZM_INLINE R adds8(R a, R b) { return vqaddq_u8(a, b); }
    ZM_INLINE R subs8(R a, R b) { return vqsubq_u8(a, b); }
    ZM_INLINE R min8(R a, R b) { return vminq_u8(a, b); }
    ZM_INLINE R max8(R a, R b) { return vmaxq_u8(a, b); }
    ZM_INLINE R avg8(R a, R b) { return vrhaddq_u8(a, b); }
    template <int N>
    ZM_INLINE R srl8(R a) {
        return vshrq_n_u8(a, N);
    }
    ZM_INLINE M8 zero8(R a) { return vceqzq_u8(a); }
    ZM_INLINE R pick8(M8 m, R a, R b) { return vbslq_u8(m, a, b); }

    ZM_INLINE R add16(R a, R b) { return of(vaddq_u16(u16(a), u16(b))); }
    ZM_INLINE R sub16(R a, R b) { return of(vsubq_u16(u16(a), u16(b))); }
    ZM_INLINE R min16(R a, R b) { return of(vminq_s16(s16(a), s16(b))); }
    ZM_INLINE R max16(R a, R b) { return of(vmaxq_s16(s16(a), s16(b))); }
    ZM_INLINE R mullo16(R a, R b) { return of(vmulq_u16(u16(a), u16(b))); }
    ZM_INLINE R mulhi16(R a, R b) {
        const auto low = vreinterpretq_u16_u32(vmull_u16(vget_low_u16(u16(a)), vget_low_u16(u16(b))));
        const auto high = vreinterpretq_u16_u32(vmull_high_u16(u16(a), u16(b)));
        return of(vuzp2q_u16(low, high));
    }
    ZM_INLINE R madd16(R a, R b) {
        const auto low = vmull_s16(vget_low_s16(s16(a)), vget_low_s16(s16(b)));
        return of(vpaddq_s32(low, vmull_high_s16(s16(a), s16(b))));
    }
    template <int N>
    ZM_INLINE R sll16(R a) {
        return of(vshlq_n_u16(u16(a), N));
    }
    template <int N>
    ZM_INLINE R srl16(R a) {
        return of(vshrq_n_u16(u16(a), N));
    }
    template <int N>
    ZM_INLINE R sra16(R a) {
        return of(vshrq_n_s16(s16(a), N));
    }
    ZM_INLINE M16 zero16(R a) { return of(vceqzq_u16(u16(a))); }
    ZM_INLINE M16 upto16(R a, R b) { return of(vcleq_u16(u16(a), u16(b))); }
    ZM_INLINE M16 below16(R a, R b) { return of(vcltq_u16(u16(a), u16(b))); }
    ZM_INLINE u32 bits16(M16 m) {
        static const std::uint16_t bit[8] = {1, 2, 4, 8, 16, 32, 64, 128};
        return vaddvq_u16(vandq_u16(u16(m), vld1q_u16(bit)));
    }

    ZM_INLINE R add32(R a, R b) { return of(vaddq_u32(w32(a), w32(b))); }
    ZM_INLINE R sub32(R a, R b) { return of(vsubq_u32(w32(a), w32(b))); }
    ZM_INLINE R mullo32(R a, R b) { return of(vmulq_u32(w32(a), w32(b))); }
    template <int N>
    ZM_INLINE R sll32(R a) {
        return of(vshlq_n_u32(w32(a), N));
    }
    template <int N>
    ZM_INLINE R srl32(R a) {
        return of(vshrq_n_u32(w32(a), N));
    }
    template <int N>
    ZM_INLINE R sra32(R a) {
        return of(vshrq_n_s32(s32(a), N));
    }
    ZM_INLINE R sra32(R a, int n) { return of(vshlq_s32(s32(a), vdupq_n_s32(-n))); }
    ZM_INLINE M32 above32(R a, R b) { return of(vcgtq_s32(s32(a), s32(b))); }
    ZM_INLINE u32 bits32(M32 m) {
        static const u32 bit[4] = {1, 2, 4, 8};
        return vaddvq_u32(vandq_u32(w32(m), vld1q_u32(bit)));
    }

    ZM_INLINE R unpacklo8(R a, R b) { return vzip1q_u8(a, b); }
    ZM_INLINE R unpackhi8(R a, R b) { return vzip2q_u8(a, b); }
    ZM_INLINE R unpacklo16(R a, R b) { return of(vzip1q_u16(u16(a), u16(b))); }
    ZM_INLINE R unpackhi16(R a, R b) { return of(vzip2q_u16(u16(a), u16(b))); }
    ZM_INLINE R packus16(R a, R b) { return vqmovun_high_s16(vqmovun_s16(s16(a)), s16(b)); }
    ZM_INLINE R packs32(R a, R b) { return of(vqmovn_high_s32(vqmovn_s32(s32(a)), s32(b))); }
    ZM_INLINE R packus32(R a, R b) { return of(vqmovun_high_s32(vqmovun_s32(s32(a)), s32(b))); }

#if defined(__ARM_FEATURE_DOTPROD)
    // SDOT takes signed bytes, but an input may be 128: so 128 is subtracted from inputs, and 128
    // times the sum of the weights is added to the result.
    using Inputs = int8x16_t;
    using Weights = int8x16_t;
    static constexpr bool SIGNED = true;
    ZM_INLINE Inputs inputs(const std::uint8_t* from) {
        return vreinterpretq_s8_u8(veorq_u8(load(from), set8(128)));
    }
    ZM_INLINE Weights weights(const std::int8_t* from) {
        std::int32_t four;
        std::memcpy(&four, from, 4);
        return vreinterpretq_s8_s32(vdupq_n_s32(four));
    }
    ZM_INLINE R dot(R sum, Inputs a, Weights w) { return of(vdotq_s32(s32(sum), a, w)); }
#else
    struct Inputs {
        int16x8_t low, high;
    };
    using Weights = int16x8_t;
    static constexpr bool SIGNED = false;
    ZM_INLINE Inputs inputs(const std::uint8_t* from) {
        const R v = load(from);
        return {vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(v))),
                vreinterpretq_s16_u16(vmovl_high_u8(v))};
    }
    ZM_INLINE Weights weights(const std::int8_t* from) {
        std::int32_t four;
        std::memcpy(&four, from, 4);
        return vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(four)));
    }
    ZM_INLINE R dot(R sum, Inputs a, Weights w) {
        const auto pairs = [&](int16x8_t v) {
            return vpaddq_s32(vmull_s16(vget_low_s16(v), vget_low_s16(w)), vmull_high_s16(v, w));
        };
        return add32(sum, of(vpaddq_s32(pairs(a.low), pairs(a.high))));
    }
#endif
    ZM_INLINE R activations(R a, R b, R c, R d) {
        const R all = min8(packus16(packs32(a, b), packs32(c, d)), set8(127));
        static const std::uint8_t turn[16] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
        return vqtbl1q_u8(all, vld1q_u8(turn));
    }

    // Exact: see X86.
    ZM_INLINE R divide(R a, R b) {
        return of(vcvtq_u32_f32(vdivq_f32(vcvtq_f32_u32(w32(a)), vcvtq_f32_u32(w32(b)))));
    }
    ZM_INLINE R logit(R a, R b, R slope) {  // see X86
        const auto bits = [](R v) { return vreinterpretq_s32_f32(vcvtq_f32_s32(s32(v))); };
        const auto log = vmulq_n_f32(vcvtq_f32_s32(vsubq_s32(bits(a), bits(b))), HALF_LOG2);
        return of(vcvtq_s32_f32(vdivq_f32(log, vcvtq_f32_s32(s32(slope)))));
    }
    ZM_INLINE R quotient(R a, R b) {
        const auto half = [](uint32x2_t x, uint32x2_t y) {
            return vmovn_u64(vcvtq_u64_f64(
                vdivq_f64(vcvtq_f64_u64(vmovl_u32(x)), vcvtq_f64_u64(vmovl_u32(y)))));
        };
        return of(vcombine_u32(half(vget_low_u32(w32(a)), vget_low_u32(w32(b))),
                               half(vget_high_u32(w32(a)), vget_high_u32(w32(b)))));
    }

    struct Curve {
        uint8x16x4_t knot[2], step[2];
    };
    ZM_INLINE Curve curve(const Tables& t) {
        Curve to;
        for (int k = 0; k < 2; ++k)
            for (int part = 0; part < 4; ++part) {
                to.knot[k].val[part] = load(t.knot_bytes[k] + 16 * part);
                to.step[k].val[part] = load(t.step_bytes[k] + 16 * part);
            }
        return to;
    }
    // Two halves at once; see Avx512::logistic.
    ZM_INLINE void logistic(const Curve& c, R a, R b, R& to_a, R& to_b) {
        const R index = packus16(of(vshrq_n_u16(u16(a), 10)), of(vshrq_n_u16(u16(b), 10)));
        R knot[2], step[2];
        for (int k = 0; k < 2; ++k) {
            knot[k] = vqtbl4q_u8(c.knot[k], index);
            step[k] = vqtbl4q_u8(c.step[k], index);
        }
        to_a = add16(unpacklo8(knot[0], knot[1]),
                     mulhi16(unpacklo8(step[0], step[1]), sll16<6>(a)));
        to_b = add16(unpackhi8(knot[0], knot[1]),
                     mulhi16(unpackhi8(step[0], step[1]), sll16<6>(b)));
    }
    template <int M>
    ZM_INLINE void logistic(const Curve& c, const R (&u)[M], R (&to)[M]) {
        R spare;
        for (int m = 0; m + 1 < M; m += 2) logistic(c, u[m], u[m + 1], to[m], to[m + 1]);
        if (M % 2) logistic(c, u[M - 1], u[M - 1], to[M - 1], spare);
    }
};

}  // namespace
}  // namespace zarrmal
