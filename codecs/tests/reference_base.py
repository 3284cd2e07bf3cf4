"""Integers, bits and integer networks, from FORMAT.md 1 and 3 alone; see reference_decoder.py."""

from __future__ import annotations

RANGES = {"int8": (-128, 127), "uint7": (0, 127), "uint8": (0, 255)}
OUTPUTS = RANGES | {"int32": (-(2**31), 2**31 - 1)}


class FormatError(Exception):
    """The bytes break a MUST of FORMAT.md."""


def must(condition: bool, section: str) -> None:
    if not condition:
        raise FormatError(f"FORMAT.md, section {section}")


class Cursor:
    """Section 1.1."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def block(self, n: int) -> bytes:
        must(self.at + n <= len(self.data), "1.4: bytes are missing")
        self.at += n
        return self.data[self.at - n : self.at]

    def uint(self, n: int) -> int:
        return sum(byte << (8 * k) for k, byte in enumerate(self.block(n)))

    def varint(self) -> int:
        value = 0
        for k in range(5):
            byte = self.uint(1)
            value += (byte & 127) << (7 * k)
            if byte < 128:
                must(value < 2**32, "1.1")
                return value
        raise FormatError("1.1: a varint of more than 5 bytes")


def bits_of(data: bytes) -> list[int]:
    """Section 1.2."""
    return [byte >> k & 1 for byte in data for k in range(7, -1, -1)]


def column(head: Cursor, n_cells: int) -> list[int]:
    """Section 4.3."""
    least, n_bits = head.uint(2), head.uint(1)
    must(n_bits <= 16, "4.3: column")
    return [least + extra for extra in packed(head, n_cells, n_bits)]


def packed(head: Cursor, count: int, n_bits: int) -> list[int]:
    """Section 1.2."""
    bits = bits_of(head.block((count * n_bits + 7) // 8))
    must(not any(bits[count * n_bits :]), "1.2")
    return [
        sum(bits[c * n_bits + k] << (n_bits - 1 - k) for k in range(n_bits)) for c in range(count)
    ]


def clip(x: int, low: int, high: int) -> int:
    """Section 1.1."""
    return max(low, min(high, x))


def integer(value: object, low: int, high: int, section: str) -> int:
    must(type(value) is int and low <= value <= high, section)
    return value


def member(tree: object, name: str, kind: type, section: str):
    must(isinstance(tree, dict) and type(tree.get(name)) is kind, f"{section}: {name}")
    return tree[name]


def optional(tree: dict, name: str, kind: type, absent: object, section: str):
    return member(tree, name, kind, section) if name in tree else absent


def check_chain(layers: list, takes: tuple, gives: tuple) -> None:
    """Section 2.3; takes and gives are (number, range)."""
    for k, layer in enumerate(layers):
        must((len(layer["rows"][0]), layer["ends"][0]) == takes, "2.3: each layer takes")
        takes = len(layer["rows"]), layer["ends"][1]
        must(k + 1 < len(layers) or takes == gives, "2.3: the last layer gives")


def run(layers: list, values: list, first: list | None = None) -> list:
    """Section 3.1; ``first`` is added to the accumulators of the first layer (6.9)."""
    for layer in layers:
        low, high = OUTPUTS[layer["ends"][1]]
        sums = [
            b + sum(w * x for w, x in zip(row, values, strict=True))
            for b, row in zip(layer["bias"], layer["rows"], strict=True)
        ]
        if first is not None:
            sums, first = [a + more for a, more in zip(sums, first, strict=True)], None
        values = [
            max(low, min(high, (a * m + (2 ** (k - 1) if k else 0)) >> k))
            for a, m, k in zip(sums, layer["multiplier"], layer["shift"], strict=True)
        ]
    return values


def crc_16(data: bytes) -> int:
    """Section 1.7."""
    register = 0xFFFF
    for byte in data:
        register ^= byte << 8
        for _ in range(8):
            register = (register << 1 ^ (0x1021 if register & 0x8000 else 0)) & 0xFFFF
    return register
