#include "levels.h"

#if defined(ZARRMAL_X86) && defined(_MSC_VER)
#include <immintrin.h>
#include <intrin.h>
#endif

namespace zarrmal {

namespace {

#if defined(ZARRMAL_X86) && defined(_MSC_VER)
// CPUID says what the processor has, XCR0 which registers the system saves.
struct Machine {
    int features[4] = {0, 0, 0, 0};
    unsigned long long saved = 0;
    Machine() {
        int registers[4];
        __cpuid(registers, 0);
        if (registers[0] < 7) return;
        __cpuid(registers, 1);
        if (!(registers[2] >> 27 & 1)) return;
        saved = _xgetbv(0);
        __cpuidex(features, 7, 0);
    }
    bool avx2() const { return (saved & 0x06) == 0x06 && (features[1] >> 5 & 1); }
    bool avx512() const {
        const unsigned required = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;  // F, DQ, BW, VL
        const unsigned more = 1u << 1 | 1u << 11;                          // VBMI, VNNI
        return (saved & 0xE6) == 0xE6 &&
               (static_cast<unsigned>(features[1]) & required) == required &&
               (static_cast<unsigned>(features[2]) & more) == more;
    }
};
bool has_avx2() { return Machine().avx2(); }
bool has_avx512() { return Machine().avx512(); }
#elif defined(ZARRMAL_X86)
// These also check that the operating system saves the registers.
bool has_avx2() { return __builtin_cpu_supports("avx2"); }
bool has_avx512() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vbmi");
}
#endif

Levels find_levels() {
    Levels available{};
    available.level[available.count++] = level_baseline();
#if defined(ZARRMAL_X86)
    if (has_avx2()) available.level[available.count++] = level_avx2();
    if (has_avx512()) available.level[available.count++] = level_avx512();
#elif defined(ZARRMAL_NEON)
    available.level[available.count++] = level_neon();
#endif
    return available;
}

}  // namespace

const Levels& levels() {
    static const Levels available = find_levels();
    return available;
}

}  // namespace zarrmal
