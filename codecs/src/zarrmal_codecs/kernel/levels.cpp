#include "levels.h"

#include "lattice.h"

#if defined(ZARRMAL_X86) && defined(_MSC_VER)
#include <immintrin.h>
#include <intrin.h>
#elif defined(ZARRMAL_AVXVNNI)
#include <cpuid.h>
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
        return (saved & 0xE6) == 0xE6 && (static_cast<unsigned>(features[1]) & required) == required;
    }
    bool avx512vnni() const { return avx512() && (features[2] >> 11 & 1); }
};
bool has_avx2() { return Machine().avx2(); }
bool has_avx512() { return Machine().avx512(); }
bool has_avx512vnni() { return Machine().avx512vnni(); }
#elif defined(ZARRMAL_X86)
// These also check that the operating system saves the registers.
bool has_avx2() { return __builtin_cpu_supports("avx2"); }
bool has_avx512() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}
bool has_avx512vnni() { return has_avx512() && __builtin_cpu_supports("avx512vnni"); }
#endif

#if defined(ZARRMAL_EVEX)
bool has_avxvnni() { return has_avx512vnni(); }
#elif defined(ZARRMAL_AVXVNNI)
// Not all compilers know its name.
bool has_avxvnni() {
    unsigned a, b, c, d;
    return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
}
#endif

void add(Levels& available, const Level& level, LatticeLevel (*lattice)()) {
    available.level[available.count] = level;
    available.lattice[available.count++] = lattice;
}

Levels find_levels() {
    Levels available{};
    add(available, level_baseline(), lattice_baseline);
#if defined(ZARRMAL_X86)
    if (has_avx2()) add(available, level_avx2(), lattice_avx2);
#if defined(ZARRMAL_AVXVNNI)
    if (has_avxvnni()) add(available, level_avxvnni(), lattice_avx2);
#endif
    if (has_avx512()) add(available, level_avx512(), lattice_avx2);
    if (has_avx512vnni()) add(available, level_avx512vnni(), lattice_avx512);
#elif defined(ZARRMAL_NEON)
    add(available, level_neon(), lattice_baseline);
#endif
    return available;
}

}  // namespace

const Levels& levels() {
    static const Levels available = find_levels();
    return available;
}

}  // namespace zarrmal
