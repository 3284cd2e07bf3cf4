#include "crc32.h"

#if defined(ZARRMAL_X86)
#include <immintrin.h>
#if defined(_MSC_VER)
#include <intrin.h>
#define ZM_CARRYLESS
#else
#define ZM_CARRYLESS __attribute__((target("pclmul,sse4.1")))
#endif
#endif

namespace zarrmal {

namespace {

constexpr std::uint32_t POLYNOMIAL = 0xEDB88320;  // its bits in reverse order

std::uint32_t one_by_one(std::uint32_t crc, const std::uint8_t* bytes, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
    }
    return crc;
}

#if defined(ZARRMAL_X86)
inline __m128i load(const std::uint8_t* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
}

// The remainder of `value`, moved on by as many bits as the factors are for, and of `next`.
ZM_CARRYLESS inline __m128i folded(__m128i value, __m128i factors, __m128i next) {
    return _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(value, factors, 0x00),
                                       _mm_clmulepi64_si128(value, factors, 0x11)), next);
}

// Of 64 bytes or more, in sixteens: V. Gopal et al., Fast CRC Computation for Generic Polynomials Using
// PCLMULQDQ Instruction, Intel 2009; the constants are powers of x modulo the polynomial.
ZM_CARRYLESS std::uint32_t in_sixteens(std::uint32_t crc, const std::uint8_t* bytes, std::size_t n) {
    const __m128i by_512 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4);
    const __m128i by_128 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
    __m128i part[4];
    for (int k = 0; k < 4; ++k) part[k] = load(bytes + 16 * k);
    part[0] = _mm_xor_si128(part[0], _mm_cvtsi32_si128(static_cast<int>(crc)));
    std::size_t i = 64;
    for (; i + 64 <= n; i += 64)
        for (int k = 0; k < 4; ++k)
            part[k] = folded(part[k], by_512, load(bytes + i + 16 * static_cast<std::size_t>(k)));
    __m128i all = part[0];
    for (int k = 1; k < 4; ++k) all = folded(all, by_128, part[k]);
    for (; i < n; i += 16) all = folded(all, by_128, load(bytes + i));
    // To 64 bits, to 32.
    const __m128i low = _mm_setr_epi32(-1, 0, -1, 0);
    all = _mm_xor_si128(_mm_srli_si128(all, 8), _mm_clmulepi64_si128(all, by_128, 0x10));
    all = _mm_xor_si128(_mm_srli_si128(all, 4),
                        _mm_clmulepi64_si128(_mm_and_si128(all, low),
                                             _mm_set_epi64x(0, 0x163cd6124), 0x00));
    const __m128i division = _mm_set_epi64x(0x1f7011641, 0x1db710641);
    __m128i quotient = _mm_clmulepi64_si128(_mm_and_si128(all, low), division, 0x10);
    quotient = _mm_clmulepi64_si128(_mm_and_si128(quotient, low), division, 0x00);
    return static_cast<std::uint32_t>(_mm_extract_epi32(_mm_xor_si128(all, quotient), 1));
}
#endif

}  // namespace

bool has_crc32() {
#if defined(ZARRMAL_X86) && defined(_MSC_VER)
    int registers[4];
    __cpuid(registers, 1);
    return (registers[2] >> 1 & 1) && (registers[2] >> 19 & 1);
#elif defined(ZARRMAL_X86)
    return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
#else
    return false;
#endif
}

std::uint32_t crc32(const std::uint8_t* bytes, std::size_t n) {
    std::uint32_t crc = 0xFFFFFFFF;
    std::size_t done = 0;
#if defined(ZARRMAL_X86)
    if (n >= 64) crc = in_sixteens(crc, bytes, done = n / 16 * 16);
#endif
    return ~one_by_one(crc, bytes + done, n - done);
}

}  // namespace zarrmal
