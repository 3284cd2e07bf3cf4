"""Profile `hybrid`, from FORMAT.md 6 alone; see reference_decoder.py."""

from __future__ import annotations

from math import prod

from reference_base import check_chain, clip, must, run
from reference_mixture import (
    OCTAVES,
    S16,
    SLOPE,
    S,
    Words,
    latent_cumulative,
    level_cumulative,
    take_deep,
)
from reference_silhouette import check_table, coverage_of, decode_points, mask_of

# 6.6


def ordered(offsets: list) -> list:
    return sorted(offsets, key=lambda p: (p[0] ** 2 + p[1] ** 2, -p[0], abs(p[1]), p[1]))


AROUND = [(y, x) for y in range(-9, 10) for x in range(-9, 10) if (y, x) != (0, 0)]
CAUSAL = ordered([offset for offset in AROUND if offset < (0, 0)])[:40]
FULL = ordered(AROUND)[:24]


def check_hybrid(c: dict, cell_shape: tuple) -> None:
    """Check a class, and parse its tensors into `prediction` and `silhouette`."""
    must(len(cell_shape) in (2, 3), "2.2: cell_shape")
    n_planes = cell_shape[2] if len(cell_shape) == 3 else 1
    must(n_planes <= 64, "6: planes")
    c["prediction"] = check_prediction(c, n_planes) if c["networks"].get("decoder") else None
    n_latents = len(c["prediction"]["scale"]) if c["prediction"] else 0
    must(n_latents <= 256, "6.4: latents")
    must(len(c["steps"]) == n_planes, "6.5: a class has P steps")
    for step in c["steps"]:
        check_step(step, n_latents)
    must(sorted(step["plane"] for step in c["steps"]) == list(range(n_planes)), "6.5: planes")
    c["silhouette"] = check_table(c["tensors"])


def tensor(tensors: dict, name: str, dtype: str, *shape: int) -> list:
    must(name in tensors, f"6.4: {name} is missing")
    must(tensors[name][:2] == (dtype, shape), f"6.4: {name}")
    return tensors[name][2]


def check_step(step: dict, n_latents: int) -> None:
    """6.5"""
    k, f, e = step["causal"], step["flags"], step["full"]
    must(4 <= k <= 40 and f <= k and e <= 24, "6.5: K, F, E")
    must(1 <= step["components"] <= 4 and step["coverage"] <= 25, "6.5: M, G")
    width = k + f + len(step["earlier"]) * (3 + e) + 4 + step["coverage"] + 5 * (n_latents > 0)
    must(width <= 255, "6.5: I")
    must((step["latent"] is not None) == (n_latents > 0), "2.4: latent")
    ends = ["uint8", "uint7", "uint7", "int32"]
    for number, layer in enumerate(step["layers"], 1):
        n = len(layer["rows"])
        must(1 <= n <= 256 if number < 3 else n == 1 + 3 * step["components"], "6.5: H1, H2, M")
        must(len(layer["rows"][0]) == width, "6.5: layers")
        must(layer["ends"] == ends[number - 1 : number + 1], "6.5: ranges")
        must(not layer["scaled"], "6.5: multiplier")
        must(all(1 <= shift <= 24 for shift in layer["shift"]), "6.5: shift")
        width = n
    if n_latents:
        first = step["layers"][0]
        must(step["latent"]["shape"] == (len(first["rows"]), n_latents), "6.5: latent")
        for bound, row in zip(first["bounds"], step["latent"]["rows"], strict=True):
            must(bound + 1024 * sum(abs(w) for w in row) <= 2**30 - 1, "6.9: bound")


def check_prediction(c: dict, n_planes: int) -> dict:
    """6.4"""
    networks, tensors = c["networks"], c["tensors"]
    decoder = networks["decoder"]
    n_latents = len(decoder[0]["rows"][0])
    grid = tensor(tensors, "grid", "uint8", 2)
    must(min(grid) >= 1, "6.4: grid")
    scale = tensor(tensors, "latent_scale", "uint8", n_latents)
    must(max(scale) <= 127, "6.4: latent_scale")
    inside, outside = (n_latents, "int8"), (prod(grid) * n_planes, "uint8")
    check_chain(decoder, inside, outside)
    check_chain(networks.get("encoder") or [], outside, inside)
    return {"grid": grid, "scale": scale, "decoder": decoder}


# 6.4


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


# 6.6 to 6.8


def brightness(r: int, a: int, most: int) -> int:
    return 0 if a < 16 else min(most, (r * -(-65280 // a)) >> 8)


def beside(bright: int, c: int) -> int:
    """What a neighbour counts as beside a pixel of coverage c."""
    return (bright * (c + (c >> 7)) + 128) >> 8


class Cell:
    def __init__(self, c: dict, height: int, width: int, coverage: list, depth: int) -> None:
        self.depth, self.most = depth, 255 if depth == 8 else 65535
        self.s = S if depth == 8 else S16
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
        image, coverage, beside_of = self.image[plane], self.coverage, self.coverage[y][x]
        places = [(y + dy, x + dx) for dy, dx in offsets]
        return [
            beside(brightness(image[i][j], coverage[i][j], self.most), beside_of)
            if self.inside(i, j)
            else 0
            for i, j in places
        ]

    def own(self, plane: int, y: int, x: int) -> int:
        w, n, e, v = self.near(plane, y, x, [(0, -1), (-1, 0), (-1, 1), (-1, -1)])
        if w and n and e and v:
            return clip((2 * w + 2 * n + e - v + 2) >> 2, 1, self.most)
        if w and n:
            return (w + n + 1) >> 1
        return w or n or e or v or beside(128, self.coverage[y][x])

    def inputs(self, t: int, y: int, x: int) -> tuple[list, int]:
        step, s = self.steps[t], self.s
        p, planes = step["plane"], [self.steps[e]["plane"] for e in step["earlier"]]
        base = self.own(p, y, x)
        if step["follows"]:
            q = planes[-1]
            c = self.image[q][y][x]
            if c:
                base = clip(base + c - self.own(q, y, x), 1, self.most)
        near = self.near(p, y, x, CAUSAL[: step["causal"]])
        values = [64 + s[a - base] if a else 64 for a in near]
        values += [0 if a else 64 for a in near[: step["flags"]]]
        for q in planes:
            c = self.image[q][y][x]
            values += [0, 64 + s[c - base], 64 + s[c - self.own(q, y, x)]] if c else [64] * 3
            around = self.near(q, y, x, FULL[: step["full"]])
            values += [64 + s[a - c] if a and c else 64 for a in around]
        fx, fy = (2 * x + 1) * 64 // self.width, (2 * y + 1) * 64 // self.height
        values += [base >> 1 if self.depth == 8 else OCTAVES[base]]
        values += [fx, fy, ((fx - 64) ** 2 + (fy - 64) ** 2) >> 6]
        if self.has_prediction:
            values += self.seen(p, y, x, base if self.depth == 8 else 2 * OCTAVES[base])
        places = [(0, 0), *FULL][: step["coverage"]]
        values += [(self.covered(y + dy, x + dx) + 1) >> 1 for dy, dx in places]
        return values, base

    def seen(self, p: int, y: int, x: int, base: int) -> list:
        offsets = ((y, x), (y, x + 1), (y + 1, x), (y, x + 2), (y + 2, x))
        inside = [(min(i, self.height - 1), min(j, self.width - 1)) for i, j in offsets]
        return [64 + S[self.predicted[p][i][j] - base] for i, j in inside]

    def outputs(self, t: int, values: list) -> list:
        must(all(0 <= one <= 128 for one in values), "6.8: inputs")
        first = None
        if self.latents:
            rows = self.steps[t]["latent"]["rows"]
            first = [8 * sum(w * z for w, z in zip(row, self.latents, strict=True)) for row in rows]
        return run(self.steps[t]["layers"], values, first)


# 4.3.1


def value_of(level: int, raw: int, n_raw: int) -> int:
    return min(((level - 1) << n_raw | raw) + 1, 65535) if level else 0


def level_of(value: int, n_raw: int) -> int:
    return ((value - 1) >> n_raw) + 1 if value else 0


def decode_hybrid(
    stream: bytes,
    c: dict,
    cell_shape: tuple,
    outline: tuple | None,
    depth: int,
    scales: list,
) -> list:
    """6: the values of one cell; `outline` is (spacing, (rows, columns), resampling).

    `scales` is (R, B) of each plane.
    """
    height, width = cell_shape[:2]
    least = prod(outline[1]) >> 17 if outline else prod(cell_shape) // 4096
    must(len(stream) >= max(4, least), "6.1: least length")
    words, coverage = Words(stream), [[255] * width for _ in range(height)]
    if outline:
        spacing, shape, resampling = outline
        points = decode_points(words, c["silhouette"], *shape)
        coverage = coverage_of(mask_of(points, spacing), height, width, resampling)
    cell = Cell(c, height, width, coverage, depth)
    if c["prediction"]:
        indices = c["prediction"]["scale"]
        cell.latents = [words.take(latent_cumulative(SLOPE[i]), 256) - 128 for i in indices]
        n_planes = len(c["steps"])
        cell.predicted = predict(c["prediction"], cell.latents, height, width, n_planes)
    values = [[[0] * width for _ in range(height)] for _ in c["steps"]]
    for t, step in enumerate(c["steps"]):
        p = step["plane"]
        n_raw, n_bins = scales[p]
        for y in range(height):
            for x in range(width):
                if coverage[y][x] == 0:
                    continue
                given, base = cell.inputs(t, y, x)
                out = cell.outputs(t, given)
                if depth == 8:
                    value = words.take(level_cumulative(out, base), 256)
                else:
                    value = value_of(*take_deep(words, out, base, n_raw, n_bins), n_raw)
                values[p][y][x] = value
                cell.image[p][y][x] = level_of(value, n_raw)
    flat = [plane[y][x] for y in range(height) for x in range(width) for plane in values]
    words.finish(b"".join(value.to_bytes(depth // 8, "little") for value in flat))
    return flat
