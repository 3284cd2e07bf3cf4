"""Coefficients ↔ the entropy-coded bytes of a sequential JPEG scan (ITU-T T.81, annex F)."""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

ZIGZAG: Final = np.array(
    sorted(range(64), key=lambda i: (s := i // 8 + i % 8, i // 8 if s % 2 else i % 8)), np.int64
)
"""int64 (64,): index by rows of the coefficients in the order of the file (T.81, figure A.6)."""
LARGEST_DC_BITS: Final = 11
LARGEST_AC_BITS: Final = 10
LARGEST: Final = 2047
"""Magnitude of a coefficient."""
_PEEK: Final = 16  # the longest code
_END: Final = 64  # steps that leave a block
_BATCH_BLOCKS: Final = 4096  # written at a time, which bounds what writing keeps in memory
_RESTARTS: Final = re.compile(rb"\xff[\xd0-\xd7]")


_TOO_LARGE: Final = "the scan has coefficients beyond those of 8-bit pictures"


class ScanError(ValueError):
    """The bytes are no scan with these tables."""


@dataclass(frozen=True, slots=True)
class HuffmanTable:
    """A table as a DHT segment has it.

    Parameters
    ----------
    counts
        Number of codes of each length 1..16.
    symbols
        The symbols, shortest codes first.
    """

    counts: tuple[int, ...]
    symbols: bytes

    @lru_cache(maxsize=64)  # noqa: B019  (tables are few, small, and values)
    def codes(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Code and length of each symbol, int64 (256,) each; length 0 where it has none."""
        codes, lengths = np.zeros(256, np.int64), np.zeros(256, np.int64)
        code = k = 0
        for length, count in enumerate(self.counts, start=1):
            for symbol in self.symbols[k : k + count]:
                codes[symbol], lengths[symbol] = code, length
                code += 1
            if code > 1 << length:
                raise ScanError("a Huffman table has more codes than its lengths allow")
            k += count
            code <<= 1
        return codes, lengths

    @lru_cache(maxsize=64)  # noqa: B019
    def lookup(self, *, is_dc: bool) -> list[tuple[int, int, int, int]]:
        """For each 16 bits: bits of code and value, steps ahead, bits of the value, the value.

        The value is complete where code and value fit in the 16 bits; otherwise its bits count
        from the end of the code and the fourth number is the code's length, negated. A code
        that does not exist takes 0 bits.
        """
        codes, lengths = self.codes()
        entries: list[tuple[int, int, int, int]] = [(0, 0, 0, 0)] * (1 << _PEEK)
        for symbol in self.symbols:
            length, code = int(lengths[symbol]), int(codes[symbol])
            run, bits = (0, symbol) if is_dc else divmod(symbol, 16)
            if bits > (LARGEST_DC_BITS if is_dc else LARGEST_AC_BITS):
                raise ScanError(f"a Huffman table has the symbol {symbol:#04x} of 12-bit pictures")
            steps = _END if symbol == 0 and not is_dc else run + 1
            if bits == 0 and not is_dc and run not in (0, 15):
                raise ScanError(f"a Huffman table has the symbol {symbol:#04x}, without a meaning")
            first = code << (_PEEK - length)
            if length + bits > _PEEK:
                entry = (length + bits, steps, bits, -length)
                entries[first : first + (1 << (_PEEK - length))] = [entry] * (1 << _PEEK - length)
                continue
            rest = 1 << (_PEEK - length - bits)
            for raw in range(1 << bits):
                value = raw if bits == 0 or raw >> (bits - 1) else raw - (1 << bits) + 1
                start = first + raw * rest
                entries[start : start + rest] = [(length + bits, steps, bits, value)] * rest
        return entries


@dataclass(frozen=True, slots=True, eq=False)
class ScanPlane:
    """A component's part in a scan.

    Parameters
    ----------
    order
        int64 (block,): index of each block in the component's array, in the scan's order.
    per_group
        Blocks of this component in each minimum coded unit.
    dc, ac
        The tables.
    """

    order: NDArray[np.int64]
    per_group: int
    dc: HuffmanTable
    ac: HuffmanTable


def read_scan(
    data: bytes, planes: list[ScanPlane], restart: int
) -> tuple[list[NDArray[np.int16]], bytes]:
    """Coefficients of each plane, int16 (block, 64): blocks as in the component's array, by rows.

    Parameters
    ----------
    data
        The scan's bytes, stuffed, with restart markers.
    restart
        Groups of blocks between restart markers; 0 without.

    Returns
    -------
    The coefficients, and for each part between markers the bits that fill its last byte, as a
    number with a 1 before them; none where all are 1s, as the standard has it.

    Raises
    ------
    ScanError
        The bytes end early, are too many, or hold a code that no table has.
    """
    n_groups = len(planes[0].order) // planes[0].per_group
    starts = range(0, n_groups, restart) if restart else range(1)
    parts = _RESTARTS.split(data) if restart else [data]
    if len(parts) != len(starts):
        raise ScanError(f"the scan has {len(parts) - 1} restart markers, not {len(starts) - 1}")
    reader = _Reader(planes)
    fills = bytearray()
    for start, part in zip(starts, parts, strict=True):
        stop = min(n_groups, start + restart) if restart else n_groups
        raw = part.replace(b"\xff\x00", b"\xff")
        unused = 8 * len(raw) - reader.read(raw, start, stop)
        if not 0 <= unused < 8:
            raise ScanError(f"the scan has {len(raw)} bytes where its blocks take fewer or more")
        fills.append(1 << unused | raw[-1] & (1 << unused) - 1)
    usual = all(fill + 1 & fill == 0 for fill in fills)
    return reader.blocks(), b"" if usual else bytes(fills)


class _Reader:
    """What has been read of a scan: where its coefficients are not 0, and what they are."""

    def __init__(self, planes: list[ScanPlane]) -> None:
        self.planes = planes
        self.lookups = [(p.dc.lookup(is_dc=True), p.ac.lookup(is_dc=False)) for p in planes]
        # Of each coefficient that is not 0: 64 * (block of the scan) + place in zigzag order.
        self.positions = [array("q") for _ in planes]
        self.values = [array("i") for _ in planes]

    def read(self, raw: bytes, start: int, stop: int) -> int:
        """Read the groups of blocks ``start``..``stop`` from bytes without stuffing; bits used."""
        words = _words(raw)
        turns = [(i, plane.per_group) for i, plane in enumerate(self.planes)]
        bases = [64 * start * plane.per_group for plane in self.planes]
        last_dc = [0] * len(self.planes)
        used = 0
        try:
            for _ in range(start, stop):
                for i, n_blocks in turns:
                    for _ in range(n_blocks):
                        used, last_dc[i] = self._block(i, bases[i], words, used, last_dc[i])
                        bases[i] += 64
        except IndexError:
            raise ScanError("the scan ends early") from None
        except OverflowError:
            raise ScanError(_TOO_LARGE) from None
        return used

    def _block(
        self, i: int, base: int, words: memoryview, used: int, last_dc: int
    ) -> tuple[int, int]:
        dc, ac = self.lookups[i]
        position, put = self.positions[i].append, self.values[i].append
        n_used, steps, bits, value = dc[words[used >> 3] >> 24 - (used & 7) & 0xFFFF]
        if not n_used:
            raise ScanError("the scan has a code that its table does not have")
        used += n_used
        last_dc += value if n_used <= _PEEK else _value(words, used, bits)
        position(base)
        put(last_dc)
        k = 0
        while k < 63:
            n_used, steps, bits, value = ac[words[used >> 3] >> 24 - (used & 7) & 0xFFFF]
            used += n_used
            k += steps
            if bits:
                position(base + k)
                put(value if n_used <= _PEEK else _value(words, used, bits))
            elif not n_used:
                raise ScanError("the scan has a code that its table does not have")
        if k > 63 and bits:
            raise ScanError("the scan has a block of over 64 coefficients")
        return used, last_dc

    def blocks(self) -> list[NDArray[np.int16]]:
        """int16 (block, 64) of each plane, blocks and coefficients by rows."""
        result = []
        for plane, own, given in zip(self.planes, self.positions, self.values, strict=True):
            positions, values = np.frombuffer(own, np.int64), np.frombuffer(given, np.int32)
            if values.max(initial=0) > LARGEST or values.min(initial=0) < -LARGEST:
                raise ScanError(_TOO_LARGE)
            out = np.zeros((len(plane.order), 64), np.int16)
            for start in range(0, len(positions), _BATCH_BLOCKS * 64):
                some = positions[start : start + _BATCH_BLOCKS * 64]
                out[plane.order[some >> 6], ZIGZAG[some & 63]] = values[start : start + len(some)]
            result.append(out)
        return result


def write_scan(
    blocks: list[NDArray[np.int16]], planes: list[ScanPlane], restart: int, fills: bytes
) -> bytes:
    """Inverse of ``read_scan``; without ``fills`` 1s fill the last byte of each part.

    Raises
    ------
    ScanError
        A coefficient is too large, or its symbol has no code.
    """
    n_groups = len(planes[0].order) // planes[0].per_group
    starts = range(0, n_groups, restart) if restart else range(1)
    if len(fills) not in (0, len(starts)):
        raise ScanError(f"{len(fills)} bytes of filling bits for {len(starts)} parts")
    batch = max(1, _BATCH_BLOCKS // sum(plane.per_group for plane in planes))
    written = bytearray()
    for i, start in enumerate(starts):
        stop = min(n_groups, start + restart) if restart else n_groups
        packer = _Packer()
        last_dc = [0] * len(planes)
        for first in range(start, stop, batch):
            groups = slice(first, min(stop, first + batch))
            packer.add(*_codes_of(blocks, planes, groups, last_dc))
        part = packer.finish(fills[i] if fills else None)
        if i:
            written += b"\xff" + bytes([0xD0 + (i - 1) % 8])
        written += part.replace(b"\xff", b"\xff\x00")
    return bytes(written)


Codes = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Keys that sort codes (block << 7 | place in the block), their bits, their lengths."""


def _codes_of(
    blocks: list[NDArray[np.int16]], planes: list[ScanPlane], groups: slice, last_dc: list[int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bits and lengths of the codes of some groups, in the scan's order.

    ``last_dc`` is that of each plane's block before, and becomes that of its last one.
    """
    keys, bits, lengths = [], [], []
    offset = 0
    per_group = sum(plane.per_group for plane in planes)
    for p, (plane, own) in enumerate(zip(planes, blocks, strict=True)):
        order = plane.order[groups.start * plane.per_group : groups.stop * plane.per_group]
        some = own[order[:, None], ZIGZAG]
        index = np.arange(len(some))
        turn = index // plane.per_group * per_group + offset + index % plane.per_group
        offset += plane.per_group
        for key, bit, length in (_dc_codes(some, plane, last_dc[p]), *_ac_codes(some, plane)):
            keys.append(turn[key >> 7] << 7 | key & 127)
            bits.append(bit)
            lengths.append(length)
        last_dc[p] = int(some[-1, 0])
    places = np.argsort(np.concatenate(keys), kind="stable")
    return np.concatenate(bits)[places], np.concatenate(lengths)[places]


def _dc_codes(blocks: NDArray[np.int16], plane: ScanPlane, last_dc: int) -> Codes:
    dc = blocks[:, 0].astype(np.int64)
    differences = dc - np.concatenate([[last_dc], dc[:-1]])
    sizes, raw = _sizes(differences)
    if sizes.max(initial=0) > LARGEST_DC_BITS:
        raise ScanError("a difference of DC coefficients is too large for a JPEG file")
    bits, lengths = _with_values(plane.dc, sizes, sizes, raw)
    return np.arange(len(blocks)) << 7, bits, lengths


def _ac_codes(blocks: NDArray[np.int16], plane: ScanPlane) -> tuple[Codes, Codes, Codes]:
    """Codes of coefficients, of runs of 16 zeros, of the ends of blocks."""
    block, k = np.nonzero(blocks[:, 1:])
    k = k + 1
    sizes, raw = _sizes(blocks[block, k].astype(np.int64))
    if sizes.max(initial=0) > LARGEST_AC_BITS:
        raise ScanError("a coefficient is too large for a JPEG file")
    same = np.diff(block, prepend=-1) == 0
    before = np.where(same, np.concatenate([[0], k[:-1]]) if len(k) else k, 0)
    runs = k - before - 1
    bits, lengths = _with_values(plane.ac, (runs & 15) << 4 | sizes, sizes, raw)
    coefficients = (block << 7 | k, bits, lengths)
    # A run's codes come before its coefficient: their place is that of the last zero of each 16.
    n_long = runs >> 4
    within = np.arange(n_long.sum()) - np.repeat(np.cumsum(n_long) - n_long, n_long)
    places = np.repeat(block << 7 | before, n_long) + 16 * (within + 1)
    zeros = np.zeros_like(places)
    long_runs = (places, *_with_values(plane.ac, zeros + 0xF0, zeros, zeros))
    last = np.zeros(len(blocks), np.int64)
    np.maximum.at(last, block, k)
    ended = np.flatnonzero(last < 63)
    zeros = np.zeros_like(ended)
    ends = (ended << 7 | 127, *_with_values(plane.ac, zeros, zeros, zeros))
    return coefficients, long_runs, ends


def _sizes(values: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bits of each magnitude, and the bits themselves (T.81, F.1.2.1)."""
    sizes = np.frexp(np.abs(values).astype(float))[1].astype(np.int64)
    return sizes, np.where(values < 0, values + (1 << sizes) - 1, values)


def _with_values(
    table: HuffmanTable,
    symbols: NDArray[np.int64],
    sizes: NDArray[np.int64],
    raw: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    codes, lengths = table.codes()
    if not lengths[symbols].all():
        raise ScanError("a coefficient's symbol has no code in the Huffman table")
    return codes[symbols] << sizes | raw, lengths[symbols] + sizes


class _Packer:
    """Packs codes of at most 32 bits into bytes, the first bit highest."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._rest = self._n_rest = 0  # bits that fill no byte yet, and their number

    def add(self, bits: NDArray[np.int64], lengths: NDArray[np.int64]) -> None:
        """Append codes."""
        stops = self._n_rest + np.cumsum(lengths)
        starts = stops - lengths
        n_bits = int(stops[-1]) if len(stops) else self._n_rest
        # A code lies in the five bytes from that of its first bit on; codes share bytes, no bits.
        out = np.zeros((n_bits >> 3) + 5, np.uint8)
        out[0] = self._rest << 8 - self._n_rest
        first, placed = starts >> 3, bits << 40 - (starts & 7) - lengths
        for k in range(5):
            np.add.at(out, first + k, (placed >> 32 - 8 * k & 255).astype(np.uint8))
        n_whole, self._n_rest = divmod(n_bits, 8)
        self._bytes += out[:n_whole].data
        self._rest = int(out[n_whole]) >> 8 - self._n_rest

    def finish(self, fill: int | None) -> bytes:
        """All bytes; ``fill`` are the bits of the last one behind a 1, or None for 1s."""
        fill = (1 << -self._n_rest % 8 + 1) - 1 if fill is None else fill
        n_fill = fill.bit_length() - 1
        if (self._n_rest + n_fill) % 8:
            n_bits = 8 * len(self._bytes) + self._n_rest
            raise ScanError(f"{n_fill} bits do not fill the last byte of {n_bits} bits")
        if n_fill:
            self._bytes.append(self._rest << n_fill | fill & (1 << n_fill) - 1)
        return bytes(self._bytes)


def _words(raw: bytes) -> memoryview:
    """The 40 bits from each byte on, 1s after the end."""
    padded = np.frombuffer(raw + b"\xff" * 5, np.uint8)
    words = np.zeros(len(raw) + 1, np.int64)
    for i in range(5):
        words <<= 8
        words |= padded[i : i + len(words)]
    return words.data  # whose items are integers of Python, made when they are asked for


def _value(words: memoryview, end: int, bits: int) -> int:
    """The signed value whose ``bits`` bits end before bit ``end``."""
    start = end - bits
    raw = words[start >> 3] >> 40 - (start & 7) - bits & (1 << bits) - 1
    return raw if raw >> (bits - 1) else raw - (1 << bits) + 1
