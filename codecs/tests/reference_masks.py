"""Arrays of masks, from FORMAT.md 4.8 alone; see reference_decoder.py."""

from __future__ import annotations

from math import prod

from reference_base import Cursor, column, must, packed
from reference_mixture import Words
from reference_silhouette import decode_points, mask_of


def read_mask_index(head: Cursor, shape: tuple) -> dict:
    """4.8: the mask index."""
    must(len(shape) == 3 and shape[0] >= 1, "4.8: shape")
    n_cells = shape[0]
    must(n_cells <= 8 * len(head.data), "1.4: sizes against the bytes that are there")
    n = head.uint(1)
    must(n <= 16, "4.8: n")
    table = [x - 256 if x > 127 else x for x in head.block(2**n)]
    sizes = list(zip(column(head, n_cells), column(head, n_cells), strict=True))
    spacings = column(head, n_cells)
    least, n_bits = head.uint(4), head.uint(1)
    must(1 <= n_bits <= 32, "4.8: n_bits")
    lengths = [2 * (least + extra) for extra in packed(head, n_cells, n_bits)]
    n_points = 0
    for size, spacing, length in zip(sizes, spacings, lengths, strict=True):
        if spacing == 0:
            must(length == 0, "4.8: a mask without pixels has no stream")
            continue
        must(spacing <= 15, "4.8: spacing")
        for n, most in zip(size, shape[1:], strict=True):
            must(1 <= n <= min(most, 4096) and (n - 1) % spacing == 0, "4.8: height, width")
        must(prod(size) <= 2**22, "4.8: pixels")
        n_points += prod((n - 1) // spacing + 1 for n in size)
    must(n_points <= 2**31 - 1, "4.8: lattice points")
    return {"table": table, "sizes": sizes, "spacings": spacings, "lengths": lengths}


def decode_masks(header: dict) -> bytes:
    """All items."""
    out, start = b"", 0
    _, height, width = header["shape"]
    for size, spacing, length in zip(
        header["sizes"], header["spacings"], header["lengths"], strict=True
    ):
        mask: list = []
        if spacing:
            stream = header["payload"][start : start + length]
            mask = decode_mask(stream, header["table"], size, spacing)
        rows = [bytes(row).ljust(width, b"\0") for row in mask]
        out += b"".join(rows).ljust(height * width, b"\0")
        start += length
    return out


def decode_mask(stream: bytes, table: list, size: tuple, spacing: int) -> list:
    shape = tuple((n - 1) // spacing + 1 for n in size)
    must(len(stream) >= max(4, prod(shape) >> 17), "4.8: least length")
    words = Words(stream)
    points = decode_points(words, table, *shape)
    words.finish(b"".join(map(bytes, points)))
    return mask_of(points, spacing)
