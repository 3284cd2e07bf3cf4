"""Profile `hybrid`, from FORMAT.md 4.6 alone; see reference_decoder.py."""

from __future__ import annotations

from functools import cache
from math import exp, floor, prod

from reference_base import Cursor, check_chain, clip, crc_16, must, run
from reference_silhouette import check_table, coverage_of, decode_points, mask_of


def sigmoid(t: float) -> float:
    return 1 / (1 + exp(-t))


def nearest(t: float) -> int:
    return floor(t + 0.5)


# 4.6.1

S = {
    d: (1 if d > 0 else -1) * (2 * min(abs(d), 8) + (min(abs(d), 32) >> 1) + (abs(d) >> 3))
    for d in range(-255, 256)
}
KNOT = [
    nearest(32768 * (sigmoid(i / 4 - 8) - sigmoid(-8)) / (1 - 2 * sigmoid(-8))) for i in range(65)
]
SLOPE = [nearest(2 ** (17 - i / 12)) for i in range(128)]
BLANK = {i: clip(nearest(65536 * sigmoid(i / 16)), 1, 65280) for i in range(-255, 256)}
EXP = [nearest(4096 * exp(-i / 16)) for i in range(511)]


# 4.6.2


def ordered(offsets: list) -> list:
    return sorted(offsets, key=lambda p: (p[0] ** 2 + p[1] ** 2, -p[0], abs(p[1]), p[1]))


AROUND = [(y, x) for y in range(-9, 10) for x in range(-9, 10) if (y, x) != (0, 0)]
CAUSAL = ordered([offset for offset in AROUND if offset < (0, 0)])[:40]
FULL = ordered(AROUND)[:24]


def check_hybrid(c: dict, cell_shape: tuple) -> None:
    """The tensors of a class, parsed into its members `steps` and `prediction`."""
    must(len(cell_shape) in (2, 3), "2.2: cell_shape")
    n_planes = cell_shape[2] if len(cell_shape) == 3 else 1
    must(n_planes <= 4, "4.6: planes")
    c["prediction"] = check_prediction(c, n_planes) if c["networks"].get("decoder") else None
    n_latents = len(c["prediction"]["scale"]) if c["prediction"] else 0
    must(n_latents <= 256, "4.6.4: latents")
    c["steps"] = [check_step(c["tensors"], t, n_latents) for t in range(n_planes)]
    must(sorted(step["plane"] for step in c["steps"]) == list(range(n_planes)), "4.6.3: planes")
    c["silhouette"] = check_table(c["tensors"])


def tensor(tensors: dict, name: str, dtype: str, *shape: int) -> list:
    must(name in tensors, f"4.6.3: {name} is missing")
    must(tensors[name][:2] == (dtype, shape), f"4.6.3: {name}")
    return tensors[name][2]


def rows_of(values: list, n_rows: int, n_columns: int) -> list:
    return [values[r * n_columns : (r + 1) * n_columns] for r in range(n_rows)]


def check_step(tensors: dict, t: int, n_latents: int) -> dict:
    """4.6.3"""
    plane, k, f, e, m, g = tensor(tensors, f"context_{t}", "uint8", 6)
    must(4 <= k <= 40 and f <= k and e <= 24 and 1 <= m <= 4 and g <= 25, "4.6.3: context")
    width = k + f + t * (3 + e) + 4 + g + (5 if n_latents else 0)
    must(width <= 195, "4.6.3: I")
    layers = []
    for number in (1, 2, 3):
        name = f"{number}_{t}"
        must(f"weight{name}" in tensors, "4.6.3: a tensor is missing")
        shape = tensors[f"weight{name}"][1]
        n = shape[0] if shape else 0
        must(1 <= n <= 256 if number < 3 else n == 1 + 3 * m, "4.6.3: H1, H2, M")
        layer = {
            "rows": rows_of(tensor(tensors, f"weight{name}", "int8", n, width), n, width),
            "bias": tensor(tensors, f"bias{name}", "int32", n),
            "shift": tensor(tensors, f"shift{name}", "uint8", n),
            "latent": [[]] * n,
        }
        if number == 1 and n_latents:
            latent = tensor(tensors, f"latent_{t}", "int8", n, n_latents)
            layer["latent"] = rows_of(latent, n, n_latents)
        must(all(1 <= shift <= 24 for shift in layer["shift"]), "4.6.3: shift")
        for o in range(n):
            bound = abs(layer["bias"][o]) + 127 * sum(abs(w) for w in layer["rows"][o])
            bound += 1024 * sum(abs(w) for w in layer["latent"][o])
            must(bound <= 2**30 - 1, "4.6.3: bound")
        layers.append(layer)
        width = n
    return {"plane": plane, "k": k, "f": f, "e": e, "m": m, "g": g, "layers": layers}


def check_prediction(c: dict, n_planes: int) -> dict:
    """4.6.4"""
    networks, tensors = c["networks"], c["tensors"]
    decoder = networks["decoder"]
    n_latents = len(decoder[0]["rows"][0])
    grid = tensor(tensors, "grid", "uint8", 2)
    must(min(grid) >= 1, "4.6.4: grid")
    scale = tensor(tensors, "latent_scale", "uint8", n_latents)
    must(max(scale) <= 127, "4.6.4: latent_scale")
    inside, outside = (n_latents, "int8"), (prod(grid) * n_planes, "uint8")
    check_chain(decoder, inside, outside)
    check_chain(networks.get("encoder") or [], outside, inside)
    return {"grid": grid, "scale": scale, "decoder": decoder}


# 4.6.7


class Words:
    def __init__(self, stream: bytes) -> None:
        self.cursor = Cursor(stream)
        self.x = self.cursor.uint(4)

    def take(self, cumulative, n_symbols: int) -> int:
        """The next symbol, of the distribution `cumulative`."""
        slot = self.x & 65535
        low, high = 0, n_symbols  # cumulative(low) <= slot < cumulative(high)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if cumulative(middle) <= slot else (low, middle)
        start, stop = cumulative(low), cumulative(high)
        self.x = (stop - start) * (self.x >> 16) + slot - start
        if self.x < 65536:
            self.x = 65536 * self.x + self.cursor.uint(2)
        return low

    def finish(self, pixels: bytes) -> None:
        must(self.x == 65536 + crc_16(pixels), "4.6.7: the last state")
        must(self.cursor.at == len(self.cursor.data), "4.6.7: words are left")


# 4.6.4, 4.6.5


def logistic(d: int, slope: int) -> int:
    u = clip(32768 + ((d * slope) >> 6), 0, 65535)
    i = u >> 10
    return KNOT[i] + (((KNOT[i + 1] - KNOT[i]) * (u & 1023)) >> 10)


def latent_cumulative(slope: int):
    def cumulative(v: int) -> int:
        if v in (0, 256):
            return 256 * v
        return v + ((65280 * 2 * logistic(16 * v - 2056, slope)) >> 16)

    return cumulative


def pixel_cumulative(out: list, base: int):
    blank = BLANK[clip(out[0], -255, 255)]
    location = [clip(o, -4096, 4095) for o in out[1::3]]
    slope = [SLOPE[clip(o, 0, 127)] for o in out[2::3]]
    logit = [clip(o, -255, 255) for o in out[3::3]]
    part = [EXP[max(logit) - one] for one in logit]
    weight = [1024 * one // sum(part) for one in part]
    weight[0] = 1024 - sum(weight[1:])

    @cache
    def cumulative(v: int) -> int:
        if v < 2:
            return blank * v
        if v == 256:
            return 65536
        x = sum(
            w * logistic(16 * v - 8 - 16 * base - mu, s)
            for w, mu, s in zip(weight, location, slope, strict=True)
        )
        return blank + v - 1 + (((65281 - blank) * (x >> 9)) >> 16)

    return cumulative


def along(j: int, n: int, size: int) -> tuple:
    a = clip((2 * j + 1) * n * 128 // size - 128, 0, (n - 1) * 256)
    return a >> 8, min((a >> 8) + 1, n - 1), a & 255


def predict(prediction: dict, latents: list, height: int, width: int, n_planes: int) -> list:
    """Z[plane][y][x]"""
    gy, gx = prediction["grid"]
    values = run(prediction["decoder"], latents)

    def stretched(plane: int, y: int, x: int) -> int:
        (i, below, fy), (k, right, fx) = along(y, gy, height), along(x, gx, width)

        def row(column: int) -> int:
            above = values[(i * gx + column) * n_planes + plane]
            return (256 - fy) * above + fy * values[(below * gx + column) * n_planes + plane]

        return ((256 - fx) * row(k) + fx * row(right) + 32768) >> 16

    return [
        [[stretched(plane, y, x) for x in range(width)] for y in range(height)]
        for plane in range(n_planes)
    ]


# 4.6.3


def brightness(r: int, a: int) -> int:
    return 0 if a < 16 else min(255, (r * -(-65280 // a)) >> 8)


def beside(bright: int, c: int) -> int:
    """What a neighbour counts as beside a pixel of coverage c."""
    return (bright * (c + (c >> 7)) + 128) >> 8


class Cell:
    def __init__(self, c: dict, height: int, width: int, coverage: list) -> None:
        self.steps, self.height, self.width = c["steps"], height, width
        self.coverage = coverage
        self.image = [[[0] * width for _ in range(height)] for _ in c["steps"]]
        self.has_prediction = c["prediction"] is not None
        self.latents: list = []
        self.predicted: list | None = None

    def inside(self, y: int, x: int) -> bool:
        return 0 <= y < self.height and 0 <= x < self.width

    def covered(self, y: int, x: int) -> int:
        return self.coverage[y][x] if self.inside(y, x) else 0

    def near(self, plane: int, y: int, x: int, offsets: list) -> list:
        """Neighbours as the pixel at (y, x) would see them."""
        places = [(y + dy, x + dx) for dy, dx in offsets]
        return [
            beside(brightness(self.image[plane][i][j], self.coverage[i][j]), self.coverage[y][x])
            if self.inside(i, j)
            else 0
            for i, j in places
        ]

    def own(self, plane: int, y: int, x: int) -> int:
        w, n, e, v = self.near(plane, y, x, [(0, -1), (-1, 0), (-1, 1), (-1, -1)])
        if w and n and e and v:
            return clip((2 * w + 2 * n + e - v + 2) >> 2, 1, 255)
        if w and n:
            return (w + n + 1) >> 1
        return w or n or e or v or beside(128, self.coverage[y][x])

    def inputs(self, t: int, y: int, x: int) -> tuple[list, int]:
        step = self.steps[t]
        p = step["plane"]
        base = self.own(p, y, x)
        if t:
            q = self.steps[t - 1]["plane"]
            c = self.image[q][y][x]
            if c:
                base = clip(base + c - self.own(q, y, x), 1, 255)
        near = self.near(p, y, x, CAUSAL[: step["k"]])
        values = [64 + S[a - base] if a else 64 for a in near]
        values += [0 if a else 64 for a in near[: step["f"]]]
        for earlier in self.steps[:t]:
            q = earlier["plane"]
            c = self.image[q][y][x]
            values += [0, 64 + S[c - base], 64 + S[c - self.own(q, y, x)]] if c else [64] * 3
            around = self.near(q, y, x, FULL[: step["e"]])
            values += [64 + S[a - c] if a and c else 64 for a in around]
        fx, fy = (2 * x + 1) * 64 // self.width, (2 * y + 1) * 64 // self.height
        values += [base >> 1, fx, fy, ((fx - 64) ** 2 + (fy - 64) ** 2) >> 6]
        if self.has_prediction:
            values += self.seen(p, y, x, base)
        places = [(0, 0), *FULL][: step["g"]]
        values += [(self.covered(y + dy, x + dx) + 1) >> 1 for dy, dx in places]
        return values, base

    def seen(self, p: int, y: int, x: int, base: int) -> list:
        if self.predicted is None:
            return [64] * 5
        offsets = ((y, x), (y, x + 1), (y + 1, x), (y, x + 2), (y + 2, x))
        inside = [(min(i, self.height - 1), min(j, self.width - 1)) for i, j in offsets]
        return [64 + S[self.predicted[p][i][j] - base] for i, j in inside]

    def outputs(self, t: int, values: list) -> list:
        for number, layer in enumerate(self.steps[t]["layers"]):
            must(all(0 <= one <= 128 for one in values), "4.6.3: inputs")
            sums = [
                bias + sum(w * one for w, one in zip(row, values, strict=True))
                for bias, row in zip(layer["bias"], layer["rows"], strict=True)
            ]
            if number == 0 and self.latents:
                for o, row in enumerate(layer["latent"]):
                    sums[o] += 8 * sum(w * z for w, z in zip(row, self.latents, strict=True))
            values = [
                (one + 2 ** (shift - 1)) >> shift
                for one, shift in zip(sums, layer["shift"], strict=True)
            ]
            if number < 2:
                values = [clip(one, 0, 127) for one in values]
        return values


def decode_hybrid(
    stream: bytes, coding: int, c: dict, cell_shape: tuple, trained: tuple, outline: tuple | None
) -> bytes:
    """4.6: the pixels of one cell; `outline` is (spacing, (rows, columns), resampling)."""
    height, width = cell_shape[:2]
    must(coding == 0, "4.6: coding")
    least = prod(outline[1]) >> 17 if outline else prod(cell_shape) // 4096
    must(len(stream) >= max(4, least), "4.6: least length")
    words, coverage = Words(stream), [[255] * width for _ in range(height)]
    if outline:
        spacing, shape, resampling = outline
        points = decode_points(words, c["silhouette"], *shape)
        coverage = coverage_of(mask_of(points, spacing), height, width, resampling)
    cell = Cell(c, height, width, coverage)
    if c["prediction"] and (height, width) == trained[:2]:
        scales = c["prediction"]["scale"]
        cell.latents = [words.take(latent_cumulative(SLOPE[i]), 256) - 128 for i in scales]
        n_planes = len(c["steps"])
        cell.predicted = predict(c["prediction"], cell.latents, height, width, n_planes)
    for t, step in enumerate(c["steps"]):
        for y in range(height):
            for x in range(width):
                if coverage[y][x] == 0:
                    continue
                values, base = cell.inputs(t, y, x)
                cumulative = pixel_cumulative(cell.outputs(t, values), base)
                cell.image[step["plane"]][y][x] = words.take(cumulative, 256)
    pixels = bytes(plane[y][x] for y in range(height) for x in range(width) for plane in cell.image)
    words.finish(pixels)
    return pixels
