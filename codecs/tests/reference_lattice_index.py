"""Weights and cameras, from FORMAT-lattice.md 7 and 9 alone; see reference_decoder.py."""

from __future__ import annotations

import zlib

from reference_base import Cursor, FormatError, column, must

SHAPES = {
    "from_border": ("int16", (64, 37)),
    "from_luma": ("int16", (64, 64)),
    "from_other": ("int16", (64, 64)),
    "from_earlier": ("int16", (64, 64)),
}
for network, zones, coefficients, n_inputs, n_outputs in (
    ("", (8,), (64,), 32, 5),
    ("diagonal_", (), (), 32, 15),
    ("spatial_", (), (), 64, 5),
):
    for layer, units, width in (("hidden", 32, n_inputs), ("output", n_outputs, 32)):
        SHAPES[f"{network}{layer}_weight"] = "int8", (*zones, units, width)
        SHAPES[f"{network}{layer}_shift"] = "uint8", (*zones, units)
        SHAPES[f"{network}{layer}_bias"] = "int32", (*coefficients, units)

SHAPES |= {
    "networks": ("uint8", (1,)),
    "scale_bias": ("int16", (15, 64)),
    "scale_from_around": ("int16", (64, 12)),
    "scale_from_block": ("int16", (64, 32)),
    "scale_from_earlier": ("int16", (64, 64, 2)),
    "scale_alone": ("int16", (64,)),
    "scale_shape": ("int8", (32, 3)),
}

SCAN = sorted(range(64), key=lambda i: (i // 8 + i % 8, (i if (i // 8 + i % 8) % 2 else i % 8)))


def nested(values: list, shape: tuple) -> list:
    if len(shape) == 1:
        return values
    size = len(values) // shape[0]
    return [nested(values[k * size : (k + 1) * size], shape[1:]) for k in range(shape[0])]


def check_lattice(planes: list | None) -> list | None:
    """7.2, 7.3: nested lists by name, of each plane."""
    if not planes:
        return None
    must(len(planes) == 3, "lattice 7.3: three objects")
    result = []
    for tensors in planes:
        for name, (dtype, shape) in SHAPES.items():
            must(name in tensors, f"lattice 7.3: {name} is missing")
            must(tensors[name][:2] == (dtype, shape), f"lattice 7.3: {name}")
            values = tensors[name][2]
            must(not name.endswith("shift") or 1 <= min(values) <= max(values) <= 24, "lattice 7.2")
            must(not name.endswith("bias") or max(map(abs, values)) <= 2**30, "lattice 7.2: bias")
        own = {name: nested(tensors[name][2], SHAPES[name][1]) for name in SHAPES}
        for j in range(64):
            for i in range(64):
                later = SCAN.index(i) >= SCAN.index(j)
                must(not later or own["from_earlier"][j][i] == 0, "lattice 7.2: from_earlier")
                must(not later or not any(own["scale_from_earlier"][j][i]), "lattice 7.2: scales")
            most = sum(
                largest * sum(abs(w) for w in own[name][j])
                for name, largest in zip(SHAPES, (255, 4095, 4095, 4095), strict=False)
            )
            must(most + 2**22 < 2**31, "lattice 7.2: a prediction's row")
        must(own["networks"][0] <= 15, "lattice 7.2: networks")
        result.append(own)
    return result


# 9.2


def scaled(kind: int, quality: int) -> list:
    luma = """16 11 10 16  24  40  51  61  12 12 14 19  26  58  60  55
              14 13 16 24  40  57  69  56  14 17 22 29  51  87  80  62
              18 22 37 56  68 109 103  77  24 35 55 64  81 104 113  92
              49 64 78 87 103 121 120 101  72 92 95 98 112 100 103  99"""
    table = [int(n) for n in luma.split()]
    if kind:
        corner = ((17, 18, 24, 47), (18, 21, 26, 66), (24, 26, 56, 99), (47, 66, 99, 99))
        table = [corner[u][v] if u < 4 and v < 4 else 99 for u in range(8) for v in range(8)]
    s = 5000 // quality if quality < 50 else 200 - 2 * quality
    return [max(1, min(255, (b * s + 50) // 100)) for b in table]


def read_cameras(data: bytes, n: int) -> list:
    kinds, ratios, bases = data[:n], data[n : 4 * n], data[4 * n : 7 * n]
    low, high = data[7 * n : 199 * n], data[199 * n :]
    cameras = []
    for k in range(n):
        must(kinds[k] & 3 <= 2 and kinds[k] <= 6, "lattice 9.2: kind")
        n_planes = 3 if kinds[k] & 3 else 1
        tables, sides = [], []
        for p in range(3):
            ratio, base = ratios[p * n + k], bases[p * n + k]
            places = [(64 * p + i) * n + k for i in range(64)]
            differences = [low[at] + 256 * high[at] for at in places]
            if p >= n_planes:
                must(not (ratio or base or any(differences)), "lattice 9.2: grey")
                continue
            must(ratio < 16, "lattice 9.2: ratio")
            must(base <= 201 and (base < 201 or p > 0), "lattice 9.2: base")
            before = [0] * 64
            if base == 201:
                before = tables[p - 1]
            elif base:
                before = scaled((base - 1) // 100, (base - 1) % 100 + 1)
            signed = [d // 2 if d % 2 == 0 else -(d + 1) // 2 for d in differences]
            table = [(b + d) % 65536 for b, d in zip(before, signed, strict=True)]
            must(all(table), "lattice 9.2: a step of 0")
            tables.append(table)
            sides.append((ratio // 4 + 1, ratio % 4 + 1))
        fancy, colour = kinds[k] >= 4, ("grey", "ycbcr", "rgb")[kinds[k] & 3]
        cameras.append({"colour": colour, "fancy": fancy, "tables": tables, "ratios": sides})
    return cameras


def group(camera: dict) -> tuple:
    return tuple(8 * max(ratio[axis] for ratio in camera["ratios"]) for axis in (0, 1))


# 9.1


def read_lattice_index(head: Cursor, shape: tuple, classes: list, outlines: dict | None) -> list:
    """Of each cell its camera, phase, whether it is a file, and the limits; None without camera."""
    n_cells, limits = shape[0], (head.uint(1), head.uint(1))
    must(min(limits) >= 1 and max(limits) <= 64, "lattice 9.1: limits")
    n_cameras, n_deflated = head.varint(), head.varint()
    must(1 <= n_cameras <= min(4096, n_cells), "lattice 9.1: n_cameras")
    n_bytes = 2 * n_cells + 391 * n_cameras
    deflated = head.block(n_deflated)
    must(n_bytes <= 1032 * (n_deflated + 1), "lattice 9.1: n_deflated")
    stream = zlib.decompressobj(wbits=-15)
    try:
        raw = stream.decompress(deflated, n_bytes + 1)
    except zlib.error as error:
        raise FormatError(f"lattice 9.1: {error}") from None
    must(len(raw) == n_bytes and stream.eof and not stream.unused_data, "lattice 9.1: deflate")
    cameras = read_cameras(raw[2 * n_cells :], n_cameras)
    rows, columns, files = (column(head, n_cells) for _ in range(3))
    places, n_ones = [], 0
    for c in range(n_cells):
        name = raw[c] + 256 * raw[n_cells + c]
        number = n_ones if name == 1 else name - 2
        n_ones += name == 1
        if name == 0:
            places.append(None)
            continue
        must(number < n_cameras, "lattice 9.1: names")
        camera, phase = cameras[number], (rows[c], columns[c])
        must(classes[c] != 255, "lattice 9.1: blank")
        must(len(shape) in (3, 4), "lattice 9.1: channels")
        must(len(camera["tables"]) == (*shape, 1)[3], "lattice 9.1: channels")
        must(all(a < b for a, b in zip(phase, group(camera), strict=True)), "lattice 9.1: phase")
        has_mask = outlines is not None and outlines["spacings"][c] > 0
        must(files[c] <= 1, "lattice 9.1: files")
        must(not files[c] or (phase == (0, 0) and not has_mask), "lattice 9.1: files")
        must(not has_mask or outlines["resampling"] == 0, "lattice 9.1: resampling")
        places.append({"camera": camera, "phase": phase, "file": files[c], "limits": limits})
    return places
