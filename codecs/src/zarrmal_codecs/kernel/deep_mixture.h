// The distribution of a value of depth 16, and its symbols (FORMAT 6.3.2).
#pragma once

#include "lanes.h"

namespace zarrmal {
namespace {

// The mixture of one lane.
struct DeepMixture {
    const Tables* tables;
    Scale scale;
    int n_components;
    std::int64_t blank;
    std::int64_t middle[MAX_COMPONENTS], slope[MAX_COMPONENTS], weight[MAX_COMPONENTS];
};

constexpr std::int64_t DEEP_WHOLE = 32768 << 10;

// The share of the levels below one.
ZM_INLINE std::int64_t deep_below(const DeepMixture& mixture, std::int64_t level) {
    const Tables& t = *mixture.tables;
    std::int64_t sum = 0;
    for (int m = 0; m < mixture.n_components; ++m) {
        std::int64_t u = 32768 + (((16 * level - 8 - mixture.middle[m]) * mixture.slope[m]) >> 6);
        u = u < 0 ? 0 : u > 65535 ? 65535 : u;
        const std::int64_t i = (u >> 10) ^ 32;  // as the tables are turned
        sum += mixture.weight[m] * (t.knot[i] + ((t.step[i] * (u & 1023)) >> 10));
    }
    return sum;
}

// The share of the levels before a bin, 0 to n_bins.
ZM_INLINE std::int64_t deep_edge(const DeepMixture& mixture, int bin) {
    if (bin == 0) return 0;
    return bin == mixture.scale.n_bins ? DEEP_WHOLE : deep_below(mixture, 1 + LEVEL_BIN * bin);
}

ZM_INLINE std::uint32_t deep_first(const DeepMixture& mixture, int bin, std::int64_t edge) {
    const std::int64_t rest = 65536 - mixture.scale.n_bins - mixture.blank;
    return static_cast<std::uint32_t>(mixture.blank + bin + ((rest * (edge >> 9)) >> 16));
}

// A bin and the shares before it and before the next.
struct DeepBin {
    int bin;
    std::int64_t low, high;
};

ZM_INLINE std::uint32_t deep_second(const DeepMixture& mixture, const DeepBin& bin, int place) {
    if (place == 0) return 0;
    if (place == LEVEL_BIN) return 65536;
    const std::int64_t span = bin.high - bin.low;
    if (span == 0) return static_cast<std::uint32_t>(LEVEL_BIN * place);
    const std::int64_t share = deep_below(mixture, 1 + LEVEL_BIN * bin.bin + place) - bin.low;
    return static_cast<std::uint32_t>(place + (65536 - LEVEL_BIN) * share / span);
}

ZM_INLINE DeepMixture deep_mixture(const Group& group, const Step& step, int stride, int half,
                                   int base) {
    const Tables& t = *group.tables;
    const auto out = [&](int k, int low, int high) {
        const int value = group.outputs[k * stride + half];
        return value < low ? low : value > high ? high : value;
    };
    DeepMixture mixture;
    mixture.tables = &t;
    mixture.scale = group.scales[step.plane];
    mixture.n_components = step.n_components;
    mixture.blank = t.blank[out(0, -MAX_LOGIT, MAX_LOGIT) + 255];
    int logit[MAX_COMPONENTS], most = -255;
    for (int m = 0; m < step.n_components; ++m) {
        logit[m] = out(3 + 3 * m, -MAX_LOGIT, MAX_LOGIT);
        most = logit[m] > most ? logit[m] : most;
        mixture.middle[m] = 16 * base + out(1 + 3 * m, MIN_DEEP_LOCATION, MAX_DEEP_LOCATION);
        mixture.slope[m] = t.deep_slope[out(2 + 3 * m, 0, MAX_SLOPE)];
    }
    std::int64_t sum = 0, left = 1024;
    for (int m = 0; m < step.n_components; ++m) sum += t.exponential[most - logit[m]];
    for (int m = 1; m < step.n_components; ++m) {
        mixture.weight[m] = t.exponential[most - logit[m]] * 1024 / sum;
        left -= mixture.weight[m];
    }
    mixture.weight[0] = left;
    return mixture;
}

struct Symbol {
    std::uint32_t start, frequency;
};

// The symbols of a value; returns how many.
ZM_INLINE int deep_symbols(const DeepMixture& mixture, int value, Symbol (&to)[SYMBOLS_OF_DEEP]) {
    if (value == 0) {
        to[0] = {0, static_cast<std::uint32_t>(mixture.blank)};
        return 1;
    }
    const int n_raw = mixture.scale.n_raw, above = (value - 1) >> n_raw, place = above % LEVEL_BIN;
    DeepBin bin{above / LEVEL_BIN, 0, 0};
    bin.low = deep_edge(mixture, bin.bin);
    bin.high = deep_edge(mixture, bin.bin + 1);
    const std::uint32_t first = deep_first(mixture, bin.bin, bin.low);
    to[0] = {first, deep_first(mixture, bin.bin + 1, bin.high) - first};
    const std::uint32_t second = deep_second(mixture, bin, place);
    to[1] = {second, deep_second(mixture, bin, place + 1) - second};
    if (!n_raw) return 2;
    const std::uint32_t raw = (value - 1) & ((1 << n_raw) - 1);
    to[2] = {raw << (16 - n_raw), 1u << (16 - n_raw)};
    return 3;
}

// The bin whose symbol covers the slot: most often that in which the first logistic has its mean, or else the last
// that does not begin above the slot.
ZM_INLINE DeepBin deep_bin(const DeepMixture& mixture, std::uint32_t slot) {
    const auto last = static_cast<std::int64_t>(mixture.scale.n_bins) - 1;
    const std::int64_t mean = (mixture.middle[0] >> 4) / LEVEL_BIN;
    DeepBin bin{static_cast<int>(mean < 0 ? 0 : mean > last ? last : mean), 0, 0};
    const auto load = [&] {
        bin.low = deep_edge(mixture, bin.bin);
        bin.high = deep_edge(mixture, bin.bin + 1);
    };
    load();
    const bool is_above = bin.bin < last && deep_first(mixture, bin.bin + 1, bin.high) <= slot;
    if (!is_above && deep_first(mixture, bin.bin, bin.low) <= slot) return bin;
    bin.bin = 0;
    for (int bit = LEVEL_BIN / 2; bit; bit /= 2) {
        const int tried = bin.bin + bit;
        if (tried <= last && deep_first(mixture, tried, deep_edge(mixture, tried)) <= slot) bin.bin = tried;
    }
    load();
    return bin;
}

// The last level of a bin whose interval does not begin above the slot.
ZM_INLINE int deep_place(const DeepMixture& mixture, const DeepBin& bin, std::uint32_t slot) {
    const std::int64_t span = bin.high - bin.low;
    if (span == 0) return static_cast<int>(slot / LEVEL_BIN);
    int found = 0;
    for (int bit = LEVEL_BIN / 2; bit; bit /= 2) {
        const int place = found + bit;
        const std::int64_t share = deep_below(mixture, 1 + LEVEL_BIN * bin.bin + place) - bin.low;
        // As deep_second(…) <= slot, without its division.
        const std::int64_t most = static_cast<std::int64_t>(slot) - place + 1;
        if ((65536 - LEVEL_BIN) * share < most * span) found = place;
    }
    return found;
}

}  // namespace
}  // namespace zarrmal
