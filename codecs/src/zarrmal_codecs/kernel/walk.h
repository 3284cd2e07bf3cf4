// Visits all pixels of a group of cells in the order of coding (FORMAT 6.1). Each lanes_*.cpp
// makes its Level from this.
#pragma once

#include <math.h>  // not <cmath>, whose overloads have external linkage

#include "deep.h"
#include "few.h"
#include "inputs.h"
#include "lanes.h"
#include "mixture.h"
#include "rans.h"
#include "single.h"

namespace zarrmal {
namespace {

// Calls use(mixture of each half, bytes to the plane, from there to the pixel, its number in the cell,
// idle lanes of each half) at each position where a lane has a pixel.
template <class V, int C, int M, class Use>
ZM_INLINE void walk_step(const Group& group, int s, Use&& use) {
    constexpr int H = C < 2 ? 1 : C / 2;
    const Step& step = group.steps[s];
    for (std::size_t y = 0; y < group.height; ++y) {
        for (std::size_t x = 0; x < group.width; ++x) {
            if (!group.has_pixel[y * group.width + x]) continue;
            const auto base = features<V>(group, step, y, x);
            network<V, C>(group, s);
            Mixture<V, M> mixture[H];
            mixtures<V, M, H>(*group.tables, group.outputs, base, mixture);
            typename V::M16 without[H];
            idle<V, H>(group, y, x, without);
            use(mixture, step.plane * group.plane, border<V>(group, y, x), y * group.width + x, without);
        }
    }
}

template <class V, int C, class Use>
ZM_INLINE void walk(const Group& group, Use&& use) {
    for (int s = 0; s < group.n_steps; ++s) {
        switch (group.steps[s].n_components) {
            case 1: walk_step<V, C, 1>(group, s, use); break;
            case 2: walk_step<V, C, 2>(group, s, use); break;
            case 3: walk_step<V, C, 3>(group, s, use); break;
            default: walk_step<V, C, 4>(group, s, use); break;
        }
    }
}

// Calls use(starts, frequencies), one vector for each half, at each pixel; idle lanes have the
// frequency 0.
template <class V, int C, class Use>
ZM_INLINE void walk_intervals(const Group& group, Use&& use) {
    using R = typename V::R;
    constexpr int H = C < 2 ? 1 : C / 2;
    const auto curve = V::curve(*group.tables);
    walk<V, C>(group, [&](const auto& mixture, std::ptrdiff_t plane, std::ptrdiff_t place, std::size_t,
                          const auto& without) {
        const R value = V::load(group.values + plane + place), none = V::zero();
        R start[H], frequency[H];
        for (int h = 0; h < H; ++h) {
            const R wide = h ? V::unpackhi8(value, none) : V::unpacklo8(value, none);
            interval(mixture[h], curve, wide, start[h], frequency[h]);
            frequency[h] = V::pick16(without[h], none, frequency[h]);
        }
        use(start, frequency);
    });
}

template <class V, int C>
void encode_lanes(Group& group) {
    constexpr int H = C < 2 ? 1 : C / 2;
    std::size_t position = group.n_prefix * H * (V::LANES / 2);
    walk_intervals<V, C>(group, [&](const auto& start, const auto& frequency) {
        for (int h = 0; h < H; ++h, position += V::LANES / 2) {
            V::store(group.starts + position, start[h]);
            V::store(group.frequencies + position, frequency[h]);
        }
    });
    write_streams<V, C>(group);
}

template <class V, int C>
void bits_lanes(Group& group) {
    constexpr int H = C < 2 ? 1 : C / 2;
    constexpr int LANES = H * V::LANES / 2;
    // One logarithm for a product of 32 frequencies, which stays below 2**512.
    alignas(64) double product[LANES];
    for (double& p : product) p = 1;
    int n = 0;
    const auto flush = [&] {
        for (int lane = 0; lane < LANES; ++lane) {
            group.bits[lane] += 16.0 * n - ::log2(product[lane]);
            product[lane] = 1;
        }
        n = 0;
    };
    for (double& b : group.bits) b = 0;
    walk_intervals<V, C>(group, [&](const auto&, const auto& frequency) {
        alignas(64) std::uint16_t each[LANES];
        for (int h = 0; h < H; ++h) V::store(each + h * (V::LANES / 2), frequency[h]);
        for (int lane = 0; lane < LANES; ++lane) product[lane] *= each[lane] ? each[lane] : 65536;
        if (++n == 32) flush();
    });
    flush();
}

template <class V, int C>
void decode_lanes(Group& group) {
    using R = typename V::R;
    constexpr int H = C < 2 ? 1 : C / 2;
    const auto curve = V::curve(*group.tables);
    Reader<V, H> reader;
    Reader<V, H>::open(reader, group);
    walk<V, C>(group, [&](const auto& mixture, std::ptrdiff_t plane, std::ptrdiff_t place,
                          std::size_t number, const auto& without) {
        R value[H], start[H], frequency[H];
        find(mixture, curve, reader.low, without, value, start, frequency);
        Reader<V, H>::advance(reader, group, start, frequency, without);
        for (int h = 0; h < H; ++h) value[h] = V::pick16(without[h], V::zero(), value[h]);
        const R both = V::packus16(value[0], value[H - 1]);
        V::store(group.values + plane + place, both);
        if (!group.partial) return;
        const bool is_whole = !(group.has_pixel[number] & PARTIAL);
        V::store(group.image + plane + place,
                 is_whole ? both : brightness<V, H>(value, V::load(group.coverage + place)));
    });
    Reader<V, H>::close(reader, group);
}

template <class V>
Level make_level(const char* name) {
    Level level;
    level.name = name;
    level.lanes = V::LANES;
    level.encode = [](Group& group) {
        group.is_deep          ? encode_deep<V>(group)
        : group.n_vectors == 1   ? encode_lanes<V, 1>(group)
        : group.n_vectors == 2 ? encode_lanes<V, 2>(group)
                               : encode_lanes<V, 4>(group);
    };
    level.bits = [](Group& group) {
        group.is_deep          ? bits_deep<V>(group)
        : group.n_vectors == 1   ? bits_lanes<V, 1>(group)
        : group.n_vectors == 2 ? bits_lanes<V, 2>(group)
                               : bits_lanes<V, 4>(group);
    };
    level.decode = [](Group& group) {
        group.is_deep          ? decode_deep<V>(group)
        : group.n_vectors == 1   ? decode_lanes<V, 1>(group)
        : group.n_vectors == 2 ? decode_lanes<V, 2>(group)
                               : decode_lanes<V, 4>(group);
    };
    level.decode_single = nullptr;
    if constexpr (V::ACROSS) level.decode_single = [](Single& cell) { decode_single<V>(cell); };
    return level;
}

}  // namespace
}  // namespace zarrmal
