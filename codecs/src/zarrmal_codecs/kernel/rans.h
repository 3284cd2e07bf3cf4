// Entropy coding with rANS, one state per lane (FORMAT 4.6).
#pragma once

#include "lanes.h"

namespace zarrmal {
namespace {

ZM_INLINE int lowest_bit(std::uint32_t bits) {
#if defined(_MSC_VER)
    unsigned long position;
    _BitScanForward(&position, bits);
    return static_cast<int>(position);
#else
    return __builtin_ctz(bits);
#endif
}

// Codes the symbols of a group, the last one first; each stream grows downwards from the end of its
// part. A lane whose frequency is 0 has no symbol.
template <class V, int C>
ZM_INLINE void write_streams(Group& group) {
    using R = typename V::R;
    constexpr int WORDS = V::LANES / 4;
    constexpr int H = C < 2 ? 1 : C / 2;
    std::uint8_t* to[MAX_LANES];
    for (int lane = 0; lane < C * WORDS; ++lane)
        to[lane] = group.streams + (lane + 1) * group.capacity;
    R state[C];
    for (int c = 0; c < C; ++c) state[c] = V::load(group.states + c * WORDS);
    const R none = V::zero();
    for (std::size_t s = group.n_symbols; s-- > 0;) {
        for (int c = 0; c < C; ++c) {
            const std::size_t half = (s * H + c / 2) * (V::LANES / 2);
            const R starts = V::load(group.starts + half);
            const R frequencies = V::load(group.frequencies + half);
            const R start = c % 2 ? V::unpackhi16(starts, none) : V::unpacklo16(starts, none);
            const R frequency =
                c % 2 ? V::unpackhi16(frequencies, none) : V::unpacklo16(frequencies, none);
            const R high = V::template srl32<16>(state[c]);
            const auto fits = V::above32(frequency, high), coded = V::above32(frequency, none);
            std::uint32_t full = ~V::bits32(fits) & V::bits32(coded) & ((1u << WORDS) - 1);
            if (full) {
                alignas(64) std::uint32_t states[WORDS];
                V::store(states, state[c]);
                for (; full; full &= full - 1) {
                    const int lane = lowest_bit(full);
                    std::uint8_t*& head = to[c * WORDS + lane];
                    *--head = static_cast<std::uint8_t>(states[lane] >> 8);
                    *--head = static_cast<std::uint8_t>(states[lane]);
                }
            }
            const R reduced = V::pick32(fits, state[c], high);
            const R quotient = V::quotient(reduced, frequency);
            const R rest = V::sub32(reduced, V::mullo32(quotient, frequency));
            const R grown = V::add32(V::add32(V::template sll32<16>(quotient), rest), start);
            state[c] = V::pick32(coded, grown, state[c]);
        }
    }
    for (int c = 0; c < C; ++c) {
        alignas(64) std::uint32_t states[WORDS];
        V::store(states, state[c]);
        for (int k = 0; k < WORDS; ++k) {
            const int lane = c * WORDS + k;
            for (int b = 3; b >= 0; --b)
                *--to[lane] = static_cast<std::uint8_t>(states[k] >> (8 * b));
            group.length[lane] =
                static_cast<std::size_t>(group.streams + (lane + 1) * group.capacity - to[lane]);
        }
    }
}

// The states of H halves as two 16-bit vectors each, and the next word of each lane.
template <class V, int H>
struct Reader {
    using R = typename V::R;
    R high[H], low[H];
    alignas(64) std::uint16_t next[H * V::LANES / 2];

    ZM_INLINE std::uint16_t word(const Group& group, int lane) {
        const std::size_t position = group.position[lane];
        if (group.stop[lane] - position < 2) return 0;
        return static_cast<std::uint16_t>(group.data[position] | group.data[position + 1] << 8);
    }

    ZM_INLINE void open(Reader& reader, const Group& group) {
        for (int h = 0; h < H; ++h) {
            reader.high[h] = V::load(group.high + h * (V::LANES / 2));
            reader.low[h] = V::load(group.low + h * (V::LANES / 2));
        }
        for (int lane = 0; lane < H * V::LANES / 2; ++lane) reader.next[lane] = word(group, lane);
    }

    ZM_INLINE void close(const Reader& reader, Group& group) {
        for (int h = 0; h < H; ++h) {
            V::store(group.high + h * (V::LANES / 2), reader.high[h]);
            V::store(group.low + h * (V::LANES / 2), reader.low[h]);
        }
    }

    // Consumes the symbols, of idle lanes nothing; a lane without further words continues with zeros.
    ZM_INLINE void advance(Reader& reader, Group& group, const R (&start)[H],
                           const R (&frequency)[H], const typename V::M16 (&idle)[H]) {
        for (int h = 0; h < H; ++h) {
            const R inside = V::sub16(reader.low[h], start[h]);
            const R low = V::add16(V::mullo16(frequency[h], reader.high[h]), inside);
            R high = V::mulhi16(frequency[h], reader.high[h]);
            high = V::increment16(high, V::below16(low, inside));  // the carry
            const auto small = V::zero16(V::pick16(idle[h], V::set16(1), high));
            const R words = V::load(reader.next + h * (V::LANES / 2));
            reader.high[h] = V::pick16(small, low, V::pick16(idle[h], reader.high[h], high));
            reader.low[h] = V::pick16(small, words, V::pick16(idle[h], reader.low[h], low));
            for (std::uint32_t bits = V::bits16(small); bits; bits &= bits - 1) {
                const int lane = h * (V::LANES / 2) + lowest_bit(bits);
                const std::size_t position = group.position[lane], left = group.stop[lane] - position;
                std::uint16_t word = 0;
                if (left < 2) {
                    group.dry[lane] = 1;
                } else {
                    group.position[lane] = position + 2;
                    const std::uint8_t* const from = group.data + position + 2;
                    if (left >= 4) word = static_cast<std::uint16_t>(from[0] | from[1] << 8);
                }
                reader.next[lane] = word;
            }
        }
    }
};

}  // namespace
}  // namespace zarrmal
