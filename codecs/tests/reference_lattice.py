"""Cells as JPEG coefficients, from FORMAT-lattice.md alone; see reference_decoder.py."""

from __future__ import annotations

from reference_base import clip, must
from reference_lattice_blocks import (
    LOG_STEP,
    Mixture,
    Plane,
    ascending,
    luma_of,
    network,
    number,
    take_block,
)
from reference_lattice_index import group
from reference_mixture import Words
from reference_silhouette import decode_points, mask_of

# 2, point 3


class Upsampled:
    """A plane by pixels of the picture, and which of them are told (8)."""

    def __init__(
        self, plane: Plane, coded: set, camera: dict, p: int, n_samples: tuple, *, whole: bool
    ) -> None:
        self.plane, self.coded, self.n_samples, self.whole = plane, coded, n_samples, whole
        self.ratio = camera["ratios"][p]
        is_wide = self.ratio[1] == 1 or n_samples[1] > 2
        self.fancy = camera["fancy"] and self.ratio in ((1, 2), (2, 1), (2, 2)) and is_wide

    def is_inside(self, y: int, x: int) -> bool:
        return 0 <= y < self.n_samples[0] and 0 <= x < self.n_samples[1]

    def is_coded(self, y: int, x: int) -> bool:
        return self.is_inside(y, x) and (y // 8, x // 8) in self.coded

    def places(self, y: int, x: int) -> tuple:
        """The nearest sample, and the next nearest down and across."""
        (down, across), near = self.ratio, (y // self.ratio[0], x // self.ratio[1])
        step_y = (1 if y % 2 else -1) if self.fancy and down == 2 else 0
        step_x = (1 if x % 2 else -1) if self.fancy and across == 2 else 0
        return near, step_y, step_x

    def value(self, y: int, x: int) -> int:
        (i, k), step_y, step_x = self.places(y, x)
        nearest_one = self.plane.sample(i, k)
        if not step_y and not step_x:
            return nearest_one

        def down(column: int) -> int:
            a = self.plane.sample(i, column)
            there = self.is_coded(i + step_y, column)
            return 3 * a + (self.plane.sample(i + step_y, column) if there else a)

        if not step_y:
            there = self.is_coded(i, k + step_x)
            b = self.plane.sample(i, k + step_x) if there else nearest_one
            return (3 * nearest_one + b + (1 if x % 2 == 0 else 2)) >> 2
        if not step_x:
            return (down(k) + (1 if y % 2 == 0 else 2)) >> 2
        there = self.is_coded(i, k + step_x)
        s = down(k)
        t = down(k + step_x) if there else s
        return (3 * s + t + (8 if x % 2 == 0 else 7)) >> 4

    def is_told(self, y: int, x: int) -> bool:
        (i, k), step_y, step_x = self.places(y, x)
        return all(
            self.is_coded(a, b) or (self.whole and not self.is_inside(a, b))
            for a in {i, i + step_y}
            for b in {k, k + step_x}
        )


# 8

NEAR = sorted(
    [(y, x) for y in range(-3, 4) for x in range(-3, 4) if 0 < y * y + x * x <= 10],
    key=lambda o: (o[0] ** 2 + o[1] ** 2, o[0], o[1]),
)


def rim_base(values: dict, at: tuple, known: list) -> int:
    parts = [(64 // (a * a + b * b), values[at[0] + a, at[1] + b]) for a, b in known]
    total = sum(weight for weight, _ in parts)
    if not total:
        return 4096
    return (32 * sum(weight * value for weight, value in parts) + (total >> 1)) // total


def take_rims(words: Words, values: list, visible: list, told: set, plane: Plane) -> None:
    """Fill in the last of `values`, by (y, x), where pixels are visible and not told."""
    own, later = values[-1], len(values) > 1
    have = set(told)
    for y, x in visible:
        if (y, x) in told:
            continue
        has = [(y + a, x + b) in have for a, b in NEAR]
        known = [o for o, one in zip(NEAR, has, strict=True) if one]
        base = rim_base(own, (y, x), known)
        there = [own[y + a, x + b] if one else 0 for (a, b), one in zip(NEAR, has, strict=True)]
        inputs = [(32 * v - base) >> 3 if one else 0 for v, one in zip(there, has, strict=True)]
        inputs += [64 * one for one in has[:12]]
        inputs += [3 * sum(has), ((base >> 5) - 128) >> 1]
        inputs += [LOG_STEP[plane.steps[0]], LOG_STEP[plane.steps[9]]]
        inputs += [
            4 * (values[0][y, x] - values[0][y + a, x + b]) if one and later else 0
            for (a, b), one in zip(NEAR[:8], has, strict=False)
        ]
        for k in range(2):
            is_there = k < len(values) - 1 and known
            difference = (
                32 * values[k][y, x] - rim_base(values[k], (y, x), known) if is_there else 0
            )
            inputs.append(difference >> 3)
        inputs += [0] * (64 - len(inputs))
        own[y, x] = Mixture(network(plane.w, "spatial_", inputs), base).take_pixel(words)
        have.add((y, x))


# 2, point 4


def mixed(colour: str, planes: list) -> list:
    if colour != "ycbcr":
        return planes
    y, cb, cr = planes[0], planes[1] - 128, planes[2] - 128
    red, blue = y + ((91881 * cr + 32768) >> 16), y + ((116130 * cb + 32768) >> 16)
    green = y + ((-22554 * cb - 46802 * cr + 32768) >> 16)
    return [clip(v, 0, 255) for v in (red, green, blue)]


def decode_lattice(
    stream: bytes, c: dict, place: dict, shape: tuple, outline: tuple | None
) -> list:
    """3: the values of one cell of this height and width; `outline` is as in decode_hybrid."""
    must(c["lattice"] is not None, "lattice 9.1: a class without lattice")
    must(
        len(stream) >= max(4, outline[1][0] * outline[1][1] >> 17 if outline else 0), "lattice 9.3"
    )
    words, camera, phase = Words(stream), place["camera"], place["phase"]
    (height, width), (top, left) = shape, phase
    visible = [(y, x) for y in range(height) for x in range(width)]
    if outline:
        mask = mask_of(decode_points(words, c["silhouette"], *outline[1]), outline[0])
        visible = [at for at in visible if mask[at[0]][at[1]]]
    seen = {(y + top, x + left) for y, x in visible}
    n_planes, whole = len(camera["ratios"]), outline is None
    samples = [(-(-(top + height) // d), -(-(left + width) // a)) for d, a in camera["ratios"]]
    counts = [(-(-rows // 8), -(-columns // 8)) for rows, columns in samples]
    if place["file"]:
        rows, columns = (-(-n // g) * g for n, g in zip(shape, group(camera), strict=True))
        counts = [(rows // d // 8, columns // a // 8) for d, a in camera["ratios"]]
    shares, coded = [], []
    for p, (down, across) in enumerate(camera["ratios"]):
        pixels = {(r, k): 0 for r in range(counts[p][0]) for k in range(counts[p][1])}
        for y, x in seen:
            pixels[y // (8 * down), x // (8 * across)] += 1
        share = {at: max(n // (down * across), 1 if n else 0) for at, n in pixels.items()}
        limit = place["limits"][0 if p == 0 else 1]
        candidates = [whole or n >= limit for n in share.values()]
        exceptions = ascending(words, len(candidates))
        shares.append(dict.fromkeys(share, 64) if whole else share)
        given = zip(share, candidates, strict=True)
        coded.append({at for k, (at, one) in enumerate(given) if one and k not in exceptions})
    planes: list[Plane] = []
    for p in range(n_planes):
        planes.append(Plane(counts[p], camera["tables"][p], c["lattice"][p]))
        both = camera["ratios"][p], camera["ratios"][0]
        for at in shares[p] if p else ():
            planes[p].luma[at] = luma_of(planes[0], planes[p], both, *at)
        for at in sorted(coded[p]):
            take_block(words, planes, camera["ratios"], *at, shares[p][at])
    values: list[dict] = []
    for p, plane in enumerate(planes):
        full = Upsampled(plane, coded[p], camera, p, samples[p], whole=whole)
        told = {(y, x) for y, x in visible if full.is_told(y + top, x + left)}
        values.append({(y, x): full.value(y + top, x + left) for y, x in visible if (y, x) in told})
        take_rims(words, values, visible, told, plane)
    pixels = [mixed(camera["colour"], [one[at] for one in values]) for at in visible]
    for k in ascending(words, len(visible)):
        for channel in range(n_planes):
            n = number(words)
            d = n // 2 if n % 2 == 0 else (511 - n) // 2
            pixels[k][channel] = (pixels[k][channel] + d) % 256
    flat = dict(zip(visible, pixels, strict=True))
    result = [v for y in range(height) for x in range(width)
              for v in flat.get((y, x), [0] * n_planes)]  # fmt: skip
    words.finish(bytes(result))
    return result
