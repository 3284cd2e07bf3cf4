"""A decoder written from FORMAT.md alone: plain Python, slow, without a line of the package.

``python reference_decoder.py model.zmal chunk.bin`` writes the pixels to standard output.
"""

from __future__ import annotations

import sys
import zlib
from math import prod

from reference_base import Cursor, FormatError, bits_of, column, crc_16, must, packed, run
from reference_hybrid import decode_hybrid
from reference_lattice import decode_lattice
from reference_lattice_index import read_lattice_index
from reference_masks import decode_masks, read_mask_index
from reference_model import parse_model
from reference_silhouette import check_outlines

BLANK = 255  # 4.3
ITEM_BYTES = {
    1: 1,
    2: 1,
    3: 1,
    4: 2,
    5: 4,
    6: 8,
    7: 2,
    8: 4,
    9: 8,
    10: 2,
    11: 4,
    12: 8,
    13: 8,
    14: 16,
}
OTHER = 15


def parse_header(data: bytes) -> dict:
    chunk = Cursor(data)
    must(chunk.block(4) == b"ZMAC", "4.1: magic")
    must(chunk.uint(1) == 1, "1.3")
    mode, dtype, flags = chunk.uint(1), chunk.uint(1), chunk.uint(1)
    n_header = chunk.uint(4)
    must(24 + 5 <= n_header <= len(data), "4.1: header_bytes")
    must(crc_32(data[: n_header - 4]) == Cursor(data, n_header - 4).uint(4), "4.1: CRC-32")
    must(mode <= 3 and (dtype in ITEM_BYTES or dtype == OTHER), "1.3")
    must(mode < 2 or dtype in ((1, 7) if mode == 2 else (2,)), "4.1: dtype")
    must(flags < 128 and (mode == 2 or not flags & 0b1111010), "4.1: flags")
    must(not flags & 64 or dtype == 1, "lattice 9")
    must(not flags & 4 or ITEM_BYTES.get(dtype, 1) > 1, "4.1: big_endian")
    head = Cursor(data[: n_header - 4], 12)
    payload_bytes, pixel_crc32, rank = head.uint(8), head.uint(4), head.uint(1)
    must(rank <= 32, "1.6: rank")
    shape = tuple(head.uint(4) for _ in range(rank))
    item_bytes = head.uint(4) if dtype == OTHER else ITEM_BYTES[dtype]
    must(item_bytes >= 1, "4.1: item_bytes")
    must(item_bytes * prod(n for n in shape if n) <= 2**31 - 1, "1.6: bytes of a chunk's items")
    header = {"mode": mode, "shape": shape, "fortran_order": flags % 2 == 1, "crc": pixel_crc32}
    header |= {"dtype": dtype, "item_bytes": item_bytes, "big_endian": flags & 4 > 0}
    if mode == 2:
        must(rank >= 2 and shape[0] >= 1, "4.3")
        header["channels_first"] = flags & 32 > 0
        must(rank == 4 or not flags & 32, "4.3: channels_first")
        cell_shape = (*shape[2:], shape[1]) if flags & 32 else shape[1:]
        header["cell_shape"] = cell_shape
        names = {"words": 2, "sized": 8, "outlined": 16, "lattice": 64}
        given = {name: bool(flags & k) for name, k in names.items()}
        n_reductions = 0 if dtype == 1 else prod(cell_shape[2:])
        header |= read_index(head, (shape[0], *cell_shape), n_reductions, **given)
    elif mode == 3:
        header |= read_mask_index(head, shape)
    if mode >= 2:
        must(sum(header["lengths"]) == payload_bytes, "4.4")
    must(head.at == len(head.data), "4.1: exactly as long as its fields")
    header["payload"] = data[n_header:]
    must(len(header["payload"]) == payload_bytes, "4.1: the chunk ends with its payload")
    must(mode < 2 or prod(shape) <= 65536 * len(data), "1.6: pixels of a chunk of modes 2 and 3")
    return header


def read_index(
    head: Cursor,
    shape: tuple,
    n_reductions: int,
    *,
    words: bool,
    sized: bool,
    outlined: bool,
    lattice: bool,
) -> dict:
    """Section 4.3."""
    n_cells = shape[0]
    room = 8 * len(head.data) if words else len(head.data) // 2
    must(n_cells <= room, "1.4: sizes against the bytes that are there")
    prefix, n_classes = head.block(8), head.uint(1)
    codings = head.block(n_classes)
    classes: list[int] = []
    n_runs = head.varint()
    must(n_runs >= 1, "4.3: n_runs")
    for _ in range(n_runs):
        k, count = head.uint(1), head.varint()
        must((k < n_classes or k == BLANK), "4.3: class runs")
        must(1 <= count <= n_cells - len(classes), "4.3: class runs")
        classes += [k] * count
    must(len(classes) == n_cells, "4.3: class runs")
    must(4 * n_reductions <= len(head.data), "1.4: sizes against the bytes that are there")
    reductions = [read_reduction(head) for _ in range(n_reductions)]
    sizes, outlines = None, None
    if sized:
        must(len(shape) >= 3, "4.3: sizes")
        columns = [column(head, n_cells) for _ in "yx"]
        for most, numbers in zip(shape[1:3], columns, strict=True):
            must(all(1 <= n <= most for n in numbers), "4.3: sizes")
        sizes = list(zip(*columns, strict=True))
    if outlined:
        must(len(shape) >= 3, "4.3: silhouettes")
        outlines = {"resampling": head.uint(1), "spacings": column(head, n_cells), "shapes": None}
        must(outlines["resampling"] <= 5, "4.3: resampling")
        if outlines["resampling"] >= 1:
            columns = [column(head, n_cells) for _ in "yx"]
            outlines["shapes"] = list(zip(*columns, strict=True))
        check_outlines(outlines, classes, sizes or [shape[1:3]] * n_cells)
    places = read_lattice_index(head, shape, classes, outlines) if lattice else None
    least, n_bits = head.uint(4), head.uint(1)
    must(words <= n_bits <= 32, "4.3: n_bits")
    lengths = [least + extra for extra in packed(head, n_cells, n_bits)]
    must(all(n == 0 for n, k in zip(lengths, classes, strict=True) if k == BLANK), "4.3: blank")
    checks = None
    if words:
        lengths = [2 * n for n in lengths]
    else:
        checks = [head.uint(2) for _ in range(n_cells)]
    return {
        "prefix": prefix,
        "codings": codings,
        "classes": classes,
        "lengths": lengths,
        "checks": checks,
        "reductions": reductions,
        "sizes": sizes,
        "outlines": outlines,
        "places": places,
    }


def read_reduction(head: Cursor) -> tuple:
    """4.3.1: `least`, `step`, R and B."""
    least, step, n_raw, n_bins = head.uint(2), head.uint(2), head.uint(1), head.uint(1) + 1
    must(least >= 1 and step >= 1 and n_raw <= 8, "4.3.1")
    must((256 * n_bins) << n_raw <= 65536, "4.3.1: levels")
    return least, step, n_raw, n_bins


def decode_chunk(data: bytes, model: dict | None) -> tuple[tuple, bool, bytes]:
    """Shape, fortran_order and the items in C order, in the byte order of memory."""
    header = parse_header(data)
    n_items, item_bytes, payload = prod(header["shape"]), header["item_bytes"], header["payload"]
    n_bytes = n_items * item_bytes
    if header["mode"] == 2:
        check_model(header, model)
        items = b"".join(cell_of(header, model, c) for c in range(header["shape"][0]))
    elif header["mode"] == 3:
        items = decode_masks(header)
    else:
        shuffled = inflate(payload, n_bytes) if header["mode"] == 1 else payload
        must(len(shuffled) == n_bytes, "4.2")
        items = bytes(shuffled[j * n_items + i] for i in range(n_items) for j in range(item_bytes))
    must(crc_32(items) == header["crc"], "4.4: pixel_crc32")
    return header["shape"], header["fortran_order"], in_memory(header, items)


def inflate(payload: bytes, n_bytes: int) -> bytes:
    """Mode 1."""
    must(n_bytes <= 1032 * (len(payload) + 1), "1.6: deflated bytes of items")
    stream = zlib.decompressobj(wbits=-15)
    try:
        shuffled = stream.decompress(payload, n_bytes + 1)
    except zlib.error as error:
        raise FormatError(f"4.2: {error}") from None
    must(stream.eof and not stream.unused_data, "4.2: ends exactly at the payload's end")
    return shuffled


def in_memory(header: dict, items: bytes) -> bytes:
    """Section 4.1: `big_endian`."""
    if not header["big_endian"]:
        return items
    size = header["item_bytes"] // (2 if header["dtype"] in (13, 14) else 1)
    return b"".join(items[k : k + size][::-1] for k in range(0, len(items), size))


def decode_cell(data: bytes, model: dict, c: int) -> bytes:
    """One cell of a chunk of mode 2, in the byte order of memory."""
    header = parse_header(data)
    must(header["mode"] == 2, "4.4")
    check_model(header, model)
    return in_memory(header, cell_of(header, model, c))


def check_model(header: dict, model: dict | None) -> None:
    must(model is not None and header["prefix"] == model["digest"][:8], "4.3: digest_prefix")
    found, trained = header["cell_shape"], model["cell_shape"]
    if model["profile"] == "paper":
        must(found == trained, "4.3: the shape of a cell")
    else:
        must(len(found) == len(trained) and found[2:] == trained[2:], "4.3: the shape of a cell")
        must(1 <= prod(found) <= 2**22 and max(found[:2]) <= 4096, "4.3: the shape of a cell")
    must((header["checks"] is None) == (model["profile"] == "hybrid"), "4.3: word_streams")
    must(header["sizes"] is None or model["profile"] == "hybrid", "4.3: sizes")
    if header["outlines"]:
        must(model["profile"] == "hybrid", "4.3: silhouettes")
        must(all(c["silhouette"] for c in model["classes"]), "4.3: a table of masks")
    if header["places"]:
        must(model["profile"] == "hybrid", "lattice 9.1")
    must(len(header["codings"]) == len(model["classes"]), "4.3: n_classes")
    if model["depth"] == 8:
        must(all(r[2:] == (0, 1) for r in header["reductions"]), "4.3.1: depth 8")


def cell_of(header: dict, model: dict, c: int) -> bytes:
    """The items of one cell, little-endian."""
    start = sum(header["lengths"][:c])
    stream = header["payload"][start : start + header["lengths"][c]]
    if header["checks"] is not None:
        must(crc_16(stream) == header["checks"][c], "4.4: check")
    k, cell_shape = header["classes"][c], header["cell_shape"]
    if k == BLANK:
        return bytes(prod(cell_shape) * header["item_bytes"])
    n_planes = prod(cell_shape[2:])
    if model["profile"] == "hybrid":
        must(header["codings"][k] == 0, "6: coding")
        own = (*(header["sizes"] or [cell_shape[:2]] * (c + 1))[c], *cell_shape[2:])
        outline, place = outline_of(header, c), header["places"] and header["places"][c]
        if place:
            values = decode_lattice(stream, model["classes"][k], place, own[:2], outline)
        else:
            scales = [r[2:] for r in header["reductions"]] or [(0, 1)] * n_planes
            class_model, depth = model["classes"][k], model["depth"]
            values = decode_hybrid(stream, class_model, own, outline, depth, scales)
        row, full_row = prod(own[1:]), prod(cell_shape[1:])
        rows = [values[y * row : (y + 1) * row] + [0] * (full_row - row) for y in range(own[0])]
        values = [value for row_of in rows for value in row_of] + [0] * (
            (cell_shape[0] - own[0]) * full_row
        )
    else:
        decoder = model["classes"][k]["networks"]["decoder"]
        coded = decode_stream(stream, header["codings"][k], decoder, prod(model["cell_shape"]))
        values = list(coded)
    items = [item_of(header, value, i % n_planes) for i, value in enumerate(values)]
    if header["channels_first"]:
        items = [item for plane in range(n_planes) for item in items[plane::n_planes]]
    return b"".join(item.to_bytes(header["item_bytes"], "little") for item in items)


def item_of(header: dict, value: int, plane: int) -> int:
    """4.3.1"""
    if header["dtype"] == 1:
        must(value <= 255, "4.3.1: a value above 255")
        return value
    least, step = header["reductions"][plane][:2]
    item = least + step * (value - 1) if value else 0
    must(item <= 65535, "4.3.1: an item above 65535")
    return item


def outline_of(header: dict, c: int) -> tuple | None:
    outlines = header["outlines"]
    if not outlines or outlines["spacings"][c] == 0:
        return None
    return outlines["spacings"][c], outlines["shapes"][c], outlines["resampling"]


def decode_stream(stream: bytes, coding: int, decoder: list, n_pixels: int) -> bytes:
    """Section 4.5."""
    cursor = Cursor(stream)
    s = cursor.uint(1) if coding == 255 else coding
    must(s <= 8, "4.5: Rice parameter")
    n_latents = len(decoder[0]["rows"][0])
    latents = [x - 256 if x > 127 else x for x in cursor.block(n_latents)]
    planes = bits_of(cursor.block((n_pixels * s + 7) // 8))
    must(not any(planes[n_pixels * s :]), "4.5: filled with zero bits")
    unary = bits_of(stream[cursor.at :])
    must(s < 8 or not unary, "4.5: absent when s = 8")
    predicted = run(decoder, latents)
    pixels, at = [], 0
    for i in range(n_pixels):
        q = 0
        if s < 8:
            while at < len(unary) and unary[at] == 1:
                q, at = q + 1, at + 1
            must(at < len(unary), "4.5: a zero bit for each pixel")
            at += 1
        r = sum(planes[plane * n_pixels + i] << (s - 1 - plane) for plane in range(s))
        n = q * 2**s + r
        must(n <= 255, "4.5: n <= 255")
        e = n // 2 if n % 2 == 0 else -(n + 1) // 2
        pixels.append((predicted[i] + e) % 256)
    must(len(unary) - at < 8 and all(unary[at:]), "4.5: filled with one bits")
    return bytes(pixels)


def crc_32(data: bytes) -> int:
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xEDB88320 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


if __name__ == "__main__":
    model_path, chunk_path = sys.argv[1:]
    with open(model_path, "rb") as model_file, open(chunk_path, "rb") as chunk_file:
        model = parse_model(model_file.read())
        sys.stdout.buffer.write(decode_chunk(chunk_file.read(), model)[2])
