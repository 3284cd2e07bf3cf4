// Networks of depth 16: inputs from levels of 16 bits, and values in up to three symbols (FORMAT 6).
// The loops over lanes are plain, for the compiler to vectorise; the networks are those of depth 8.
#pragma once

#include <math.h>

#include "deep_mixture.h"
#include "few.h"
#include "inputs.h"
#include "lanes.h"
#include "layers.h"
#include "rans.h"

namespace zarrmal {
namespace {

using Level16 = std::uint16_t;

// 64 + S(a - b) of depth 16.
ZM_INLINE std::uint8_t deep_squash(int a, int b) {
    const int size = a < b ? b - a : a - b;
    const auto part = [&](int low, int most, int shift) {
        const int beyond = size - low;
        return (beyond < 0 ? 0 : beyond > most ? most : beyond) >> shift;
    };
    const int bent = 2 * (size < 8 ? size : 8) + part(8, 24, 1) + part(32, 96, 3) +
                     part(128, 384, 5) + part(512, 1535, 7);
    return static_cast<std::uint8_t>(a < b ? 64 - bent : 64 + bent);
}

// S(a - b) of depth 8, for the predicted cell.
ZM_INLINE std::uint8_t shallow_squash(int a, int b) {
    const int size = a < b ? b - a : a - b;
    const int bent = 2 * (size < 8 ? size : 8) + ((size < 32 ? size : 32) >> 1) + (size >> 3);
    return static_cast<std::uint8_t>(a < b ? 64 - bent : 64 + bent);
}

// Levels below 8 as they are, then eight steps an octave.
ZM_INLINE int octaves(int level) {
    int exponent = 0;
    for (int bit = 4; bit <= 16; ++bit) exponent += (level >> bit) > 0;
    return 8 * exponent + (level >> exponent);
}

// What a level would be if the silhouette covered its pixel whole.
ZM_INLINE Level16 deep_brightness(int level, int coverage) {
    const int reciprocal = coverage < LEAST_COVERAGE ? 0 : (65280 + coverage - 1) / coverage;
    const int whole = (level * reciprocal) >> 8;
    return static_cast<Level16>(whole < MAX_LEVEL ? whole : MAX_LEVEL);
}

ZM_INLINE int level_of(int value, int n_raw) { return value > 0 ? ((value - 1) >> n_raw) + 1 : 0; }

// One pixel of all lanes, byte order.
template <class V>
struct DeepPixel {
    std::int32_t part[V::LANES];  // coverage in 256ths
    std::int32_t base[V::LANES];
};

// Neighbours at the coverage of the pixel.
template <class V>
ZM_INLINE void deep_near(const Level16* from, const DeepPixel<V>& pixel, bool partial,
                         std::int32_t (&to)[V::LANES]) {
    if (!partial) {
        for (int k = 0; k < V::LANES; ++k) to[k] = from[k];
    } else {
        for (int k = 0; k < V::LANES; ++k) to[k] = (from[k] * pixel.part[k] + 128) >> 8;
    }
}

// own(p) of FORMAT 6.7.
template <class V>
ZM_INLINE void deep_own(const Group& group, const Level16* at, const DeepPixel<V>& pixel,
                        bool partial, std::int32_t (&to)[V::LANES]) {
    std::int32_t w[V::LANES], n[V::LANES], ne[V::LANES], nw[V::LANES];
    deep_near<V>(at - V::LANES, pixel, partial, w);
    deep_near<V>(at - group.row, pixel, partial, n);
    deep_near<V>(at - group.row + V::LANES, pixel, partial, ne);
    deep_near<V>(at - group.row - V::LANES, pixel, partial, nw);
    for (int k = 0; k < V::LANES; ++k) {
        const int slope = (2 * w[k] + 2 * n[k] + ne[k] - nw[k] + 2) >> 2;
        const int clipped = slope < 1 ? 1 : slope > MAX_LEVEL ? MAX_LEVEL : slope;
        const int with_both = ne[k] > 0 && nw[k] > 0 ? clipped : (w[k] + n[k] + 1) >> 1;
        const int middle = partial ? (128 * pixel.part[k] + 128) >> 8 : 128;
        int nearest = nw[k] > 0 ? nw[k] : middle;
        nearest = ne[k] > 0 ? ne[k] : nearest;
        nearest = n[k] > 0 ? n[k] : nearest;
        nearest = w[k] > 0 ? w[k] : nearest;
        to[k] = w[k] > 0 && n[k] > 0 ? with_both : nearest;
    }
}

// Writes the rows of group.inputs, and the base of each lane.
template <class V>
ZM_INLINE void deep_features(const Group& group, const Step& step, std::size_t y, std::size_t x,
                             DeepPixel<V>& pixel) {
    constexpr int LANES = V::LANES;
    const std::ptrdiff_t here = static_cast<std::ptrdiff_t>(y + REACH) * group.row +
                                static_cast<std::ptrdiff_t>(x + REACH) * LANES;
    const bool partial = group.has_pixel[y * group.width + x] & PARTIAL;
    for (int k = 0; k < LANES; ++k) {
        const int coverage = group.coverage ? group.coverage[here + k] : 255;
        pixel.part[k] = coverage + (coverage >> 7);
    }
    const Level16* at = group.deep_image + step.plane * group.plane + here;
    std::int32_t(&base)[LANES] = pixel.base;
    std::int32_t owns[MAX_EARLIER][LANES], known[MAX_EARLIER][LANES], near[LANES];
    deep_own<V>(group, at, pixel, partial, base);
    for (int t = 0; t < step.n_earlier; ++t) {
        const std::ptrdiff_t earlier = step.earlier[t] * group.plane + here;
        deep_own<V>(group, group.deep_image + earlier, pixel, partial, owns[t]);
        const int n_raw = group.scales[step.earlier[t]].n_raw;
        for (int k = 0; k < LANES; ++k)
            known[t][k] = level_of(group.deep_values[earlier + k], n_raw);
    }
    if (step.follows) {
        const int t = step.n_earlier - 1;
        for (int k = 0; k < LANES; ++k) {
            const int moved = base[k] + known[t][k] - owns[t][k];
            const int clipped = moved < 1 ? 1 : moved > MAX_LEVEL ? MAX_LEVEL : moved;
            base[k] = known[t][k] > 0 ? clipped : base[k];
        }
    }
    std::uint8_t* to = group.inputs;
    for (int i = 0; i < step.n_causal; ++i, to += LANES) {
        deep_near<V>(at + group.causal[i], pixel, partial, near);
        for (int k = 0; k < LANES; ++k) to[k] = near[k] > 0 ? deep_squash(near[k], base[k]) : 64;
    }
    for (int i = 0; i < step.n_flags; ++i, to += LANES) {
        deep_near<V>(at + group.causal[i], pixel, partial, near);
        for (int k = 0; k < LANES; ++k) to[k] = near[k] > 0 ? 0 : 64;
    }
    for (int t = 0; t < step.n_earlier; ++t) {
        const Level16* earlier = group.deep_image + step.earlier[t] * group.plane + here;
        for (int k = 0; k < LANES; ++k) {
            const bool has = known[t][k] > 0;
            to[k] = has ? 0 : 64;
            to[LANES + k] = has ? deep_squash(known[t][k], base[k]) : 64;
            to[2 * LANES + k] = has ? deep_squash(known[t][k], owns[t][k]) : 64;
        }
        to += 3 * LANES;
        for (int i = 0; i < step.n_full; ++i, to += LANES) {
            deep_near<V>(earlier + group.full[i], pixel, partial, near);
            for (int k = 0; k < LANES; ++k)
                to[k] = near[k] > 0 && known[t][k] > 0 ? deep_squash(near[k], known[t][k]) : 64;
        }
    }
    for (int k = 0; k < LANES; ++k) to[k] = static_cast<std::uint8_t>(octaves(base[k]));
    to += LANES;
    const std::uint8_t *fx = group.across + x * LANES, *fy = group.down + y * LANES;
    for (int k = 0; k < LANES; ++k) {
        const int dx = fx[k] - 64, dy = fy[k] - 64;
        to[k] = fx[k];
        to[LANES + k] = fy[k];
        to[2 * LANES + k] = static_cast<std::uint8_t>((dx * dx + dy * dy) >> 6);
    }
    to += 3 * LANES;
    if (group.has_prediction) {
        constexpr std::size_t offsets[N_PREDICTION][2] = {{0, 0}, {0, 1}, {1, 0}, {0, 2}, {2, 0}};
        for (const auto& offset : offsets) {
            const std::size_t py = y + offset[0] < group.height ? y + offset[0] : group.height - 1;
            const std::size_t px = x + offset[1] < group.width ? x + offset[1] : group.width - 1;
            const std::size_t place = (step.plane * group.height + py) * group.width + px;
            for (int k = 0; k < LANES; ++k)
                to[k] = shallow_squash(group.predicted[place * LANES + k], 2 * octaves(base[k]));
            to += LANES;
        }
    }
    for (int i = 0; i < step.n_coverage; ++i, to += LANES)
        for (int k = 0; k < LANES; ++k)
            to[k] = static_cast<std::uint8_t>((group.coverage[here + group.covered[i] + k] + 1) >> 1);
}

template <int N>
struct Count {
    static constexpr int value = N;
};

// Calls use(step, lanes from the beginning of the image to the pixel, base of each lane in byte order)
// at each position where a lane has a pixel, when the outputs are known.
template <class V, class Use>
ZM_INLINE void walk_deep(const Group& group, Use&& use) {
    DeepPixel<V> pixel;
    for (int s = 0; s < group.n_steps; ++s) {
        const Step& step = group.steps[s];
        for (std::size_t y = 0; y < group.height; ++y) {
            for (std::size_t x = 0; x < group.width; ++x) {
                if (!group.has_pixel[y * group.width + x]) continue;
                deep_features<V>(group, step, y, x, pixel);
                const auto run = [&](auto n) { network<V, decltype(n)::value>(group, s); };
                if (group.n_vectors == 1) run(Count<1>{});
                else if (group.n_vectors == 2) run(Count<2>{});
                else run(Count<4>{});
                use(step, static_cast<std::ptrdiff_t>(y + REACH) * group.row +
                              static_cast<std::ptrdiff_t>(x + REACH) * V::LANES,
                    pixel.base);
            }
        }
    }
}

ZM_INLINE bool deep_has(const Group& group, std::ptrdiff_t here, int lane) {
    return !group.coverage || group.coverage[here + lane];
}

// At each position calls begin(symbols of a pixel there at most), then use(cell, symbols, how many)
// for each cell with a pixel.
template <class V, class Begin, class Use>
ZM_INLINE void walk_deep_symbols(const Group& group, Begin&& begin, Use&& use) {
    walk_deep<V>(group, [&](const Step& step, std::ptrdiff_t here, const std::int32_t* base) {
        const Level16* values = group.deep_values + step.plane * group.plane + here;
        begin(group.scales[step.plane].n_raw ? 3 : 2);
        for (int k = 0; k < group.n_cells; ++k) {
            const int lane = group.byte_of[k];
            if (!deep_has(group, here, lane)) continue;
            const DeepMixture mixture =
                deep_mixture(group, step, V::LANES, group.half_of[k], base[lane]);
            Symbol symbols[SYMBOLS_OF_DEEP];
            use(k, symbols, deep_symbols(mixture, values[lane], symbols));
        }
    });
}

template <class V>
void encode_deep(Group& group) {
    const std::size_t stored = group.n_vectors < 4 ? V::LANES / 2 : V::LANES;
    std::size_t from = group.n_prefix, n = from;
    walk_deep_symbols<V>(
        group,
        [&](int count) {
            from = n;
            n += count;
            for (std::size_t i = from * stored; i < n * stored; ++i) group.frequencies[i] = 0;
        },
        [&](int k, const Symbol(&symbols)[SYMBOLS_OF_DEEP], int count) {
            for (int i = 0; i < count; ++i) {
                const std::size_t at = (from + i) * stored + group.half_of[k];
                group.starts[at] = static_cast<std::uint16_t>(symbols[i].start);
                group.frequencies[at] = static_cast<std::uint16_t>(symbols[i].frequency);
            }
        });
    group.n_symbols = n;
    if (group.n_vectors == 1) write_streams<V, 1>(group);
    else if (group.n_vectors == 2) write_streams<V, 2>(group);
    else write_streams<V, 4>(group);
}

template <class V>
void bits_deep(Group& group) {
    for (double& bits : group.bits) bits = 0;
    walk_deep_symbols<V>(
        group, [](int) {},
        [&](int k, const Symbol(&symbols)[SYMBOLS_OF_DEEP], int count) {
            double product = 1;
            for (int i = 0; i < count; ++i) product *= symbols[i].frequency;
            group.bits[group.half_of[k]] += 16.0 * count - ::log2(product);
        });
}

// Takes a symbol from a lane's stream; without further words zeros follow.
ZM_INLINE void deep_advance(Group& group, int half, const Symbol& symbol) {
    std::uint32_t state = static_cast<std::uint32_t>(group.high[half]) << 16 | group.low[half];
    state = symbol.frequency * (state >> 16) + (state & 0xFFFF) - symbol.start;
    if (state < 65536) {
        std::uint32_t word = 0;
        std::size_t& position = group.position[half];
        if (group.stop[half] - position < 2) {
            group.dry[half] = 1;
        } else {
            word = group.data[position] | group.data[position + 1] << 8;
            position += 2;
        }
        state = state << 16 | word;
    }
    group.high[half] = static_cast<std::uint16_t>(state >> 16);
    group.low[half] = static_cast<std::uint16_t>(state);
}

ZM_INLINE int deep_read(Group& group, const DeepMixture& mixture, int half) {
    std::uint32_t slot = group.low[half];
    if (slot < mixture.blank) {
        deep_advance(group, half, {0, static_cast<std::uint32_t>(mixture.blank)});
        return 0;
    }
    const DeepBin bin = deep_bin(mixture, slot);
    const std::uint32_t first = deep_first(mixture, bin.bin, bin.low);
    deep_advance(group, half, {first, deep_first(mixture, bin.bin + 1, bin.high) - first});
    slot = group.low[half];
    const int place = deep_place(mixture, bin, slot);
    const std::uint32_t second = deep_second(mixture, bin, place);
    deep_advance(group, half, {second, deep_second(mixture, bin, place + 1) - second});
    const int n_raw = mixture.scale.n_raw;
    const int above = LEVEL_BIN * bin.bin + place;
    int raw = 0;
    if (n_raw) {
        raw = group.low[half] >> (16 - n_raw);
        deep_advance(group, half,
                     {static_cast<std::uint32_t>(raw) << (16 - n_raw), 1u << (16 - n_raw)});
    }
    const int value = (above << n_raw | raw) + 1;
    return value < MAX_LEVEL ? value : MAX_LEVEL;
}

template <class V>
void decode_deep(Group& group) {
    walk_deep<V>(group, [&](const Step& step, std::ptrdiff_t here, const std::int32_t* base) {
        const std::ptrdiff_t pixel = step.plane * group.plane + here;
        for (int k = 0; k < group.n_cells; ++k) {
            const int lane = group.byte_of[k], half = group.half_of[k];
            int value = 0;
            if (deep_has(group, here, lane))
                value = deep_read(group, deep_mixture(group, step, V::LANES, half, base[lane]), half);
            group.deep_values[pixel + lane] = static_cast<Level16>(value);
            const int level = level_of(group.deep_values[pixel + lane], group.scales[step.plane].n_raw);
            const int coverage = group.coverage ? group.coverage[here + lane] : 255;
            group.deep_image[pixel + lane] = deep_brightness(level, coverage);
        }
    });
}

}  // namespace
}  // namespace zarrmal
