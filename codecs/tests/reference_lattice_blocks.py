"""Blocks of JPEG coefficients, from FORMAT-lattice.md 2 to 7 alone; see reference_decoder.py."""

from __future__ import annotations

from math import exp, log2

from reference_base import clip, must
from reference_lattice_index import SCAN
from reference_mixture import Words, nearest

# 4

LOG = [min(127, nearest(12 * log2(1 + 2 * m))) for m in range(4096)]
LOG_STEP = [0, *(nearest(12 * log2(q)) for q in range(1, 65536))]
SLOPE = [nearest(2 ** (29 - i / 8)) for i in range(128)]
CURVE = [nearest(65536 / (1 + exp(-(i - 1536) / 128))) for i in range(3072)]
SHARE = [nearest(1024 / (1 + exp(-(i - 128) / 16))) for i in range(256)]
EXP = [nearest(4096 * exp(-i / 16)) for i in range(512)]
DIAGONAL = [i // 8 + i % 8 for i in range(64)]
PLACE = [SCAN.index(i) for i in range(64)]

MATRIX = [
    [int(n) for n in row.split()]
    for row in """8192 11363 10703 9633 8192 6437 4433 2260
    8192 9633 4433 -2259 -8192 -11362 -10704 -6436
    8192 6437 -4433 -11362 -8192 2261 10704 9633
    8192 2260 -10703 -6436 8192 9633 -4433 -11363
    8192 -2260 -10703 6436 8192 -9633 -4433 11363
    8192 -6437 -4433 11362 -8192 -2261 10704 -9633
    8192 -9633 4433 2259 -8192 11362 -10704 6436
    8192 -11363 10703 -9633 8192 -6437 4433 -2260""".splitlines()
]


def log(magnitude: int) -> int:
    return LOG[min(magnitude, 4095)]


def product(a: list, b: list) -> list:
    return [[sum(x * y for x, y in zip(row, c, strict=True)) for c in zip(*b)] for row in a]


def turned(a: list) -> list:
    return [list(row) for row in zip(*a)]


def samples_of(coefficients: list, steps: list) -> list:
    """2, points 1 and 2: samples[y][x]"""
    values = [clip(c * q, -32768, 32767) for c, q in zip(coefficients, steps, strict=True)]
    square = [values[8 * u : 8 * u + 8] for u in range(8)]
    first = [
        [clip((x + 1024) >> 11, -32768, 32767) for x in row] for row in product(MATRIX, square)
    ]
    second = product(first, turned(MATRIX))
    return [[clip(((x + 131072) >> 18) + 128, 0, 255) for x in row] for row in second]


# 3


def uniform(words: Words, bits: int) -> int:
    return words.take(lambda v: v << (16 - bits), 1 << bits)


def number(words: Words) -> int:
    s = uniform(words, 5)
    high = uniform(words, max(s - 16, 0))
    return (1 << s) + (high << 16) + uniform(words, min(s, 16)) - 1


def ascending(words: Words, size: int) -> list:
    count, last, members = number(words), -1, []
    must(count <= size, "lattice 3: a set")
    for _ in range(count):
        last += 1 + number(words)
        must(last < size, "lattice 3: a set")
        members.append(last)
    return members


# 6


class Mixture:
    def __init__(self, out: list, prediction: int) -> None:
        self.middle = [prediction + clip(o, -2047, 2047) for o in out[:2]]
        scales = [clip(o, 0, 127) for o in out[2:4]]
        self.slope, self.share = [SLOPE[i] for i in scales], SHARE[clip(out[4], -128, 127) + 128]
        self.width = max(0, (min(scales) >> 3) - 6)
        self.lowest = ((self.middle[0] + 16) >> 5) - (32 << self.width)

    def edge(self, t: int) -> int:
        return self.lowest + ((t - 1) << self.width)

    def cumulative(self, t: int) -> int:
        if t in (0, 66):
            return 65536 if t else 0
        c = [
            CURVE[clip((((32 * self.edge(t) - 16 - m) * slope) >> 22) + 1536, 0, 3071)]
            for m, slope in zip(self.middle, self.slope, strict=True)
        ]
        mixed = (self.share * c[0] + (1024 - self.share) * c[1]) >> 10
        return t + ((65470 * mixed) >> 16)

    def take(self, words: Words) -> int:
        """A coefficient."""
        t = words.take(self.cumulative, 66)
        if 0 < t < 65:
            return clip(self.edge(t) + uniform(words, self.width), -32768, 32767)
        bits = uniform(words, 4)
        d = (1 << bits) + uniform(words, bits)
        return clip(self.lowest - d if t == 0 else self.edge(65) + d - 1, -32768, 32767)

    def take_pixel(self, words: Words) -> int:
        """8"""
        t = words.take(self.cumulative, 66)
        if 0 < t < 65:
            return clip(self.edge(t) + uniform(words, self.width), 0, 255)
        return uniform(words, 8)


def network(
    w: dict, name: str, inputs: list, zone: int | None = None, j: int = 0,
    layers: tuple = ("hidden", "output"),
) -> list:  # fmt: skip
    """7.2"""
    values = [clip(x, -128, 127) for x in inputs]
    for layer in layers:
        rows, shifts, bias = (w[f"{name}{layer}_{part}"] for part in ("weight", "shift", "bias"))
        if zone is not None:
            rows, shifts, bias = rows[zone], shifts[zone], bias[j]
        used = [k for k, x in enumerate(values) if x]
        sums = [
            b + sum(row[k] * values[k] for k in used) for b, row in zip(bias, rows, strict=True)
        ]
        values = [(a + 2 ** (s - 1)) >> s for a, s in zip(sums, shifts, strict=True)]
        if layer == "hidden":
            values = [clip(x, 0, 127) for x in values]
    return values


class Plane:
    """Blocks of a plane, by (row, column); None where nothing is known yet."""

    def __init__(self, n_blocks: tuple, steps: list, w: dict) -> None:
        self.rows, self.columns = n_blocks
        self.steps, self.w = steps, w
        self.coefficients: dict = {}
        self.samples: dict = {}
        self.base: dict = {}
        self.luma: dict = {}

    def sample(self, y: int, x: int) -> int:
        block = self.samples.get((y // 8, x // 8))
        return block[y % 8][x % 8] if block else 128


def border_of(plane: Plane, r: int, c: int) -> tuple[list, int, int]:
    """5.1: border, base, activity"""
    w, n, nw, ne = (plane.samples.get(at) for at in around(r, c))
    column, row = ([line[7] for line in w] if w else []), (n[7] if n else [])
    both = sum(column) + sum(row)
    base = (both + 8) >> 4 if w and n else (both + 4) >> 3 if w or n else 128
    beyond = ne[7][:4] if ne else [row[7] if n else base] * 4
    corner = nw[7][7] if nw else row[0] if n else column[0] if w else base
    border = [x - base for line in w for x in line[6:]] if w else [0] * 16
    border += [x - base for line in n[6:] for x in line] if n else [0] * 16
    border += [x - base for x in beyond] + [corner - base]
    activity = sum(abs(a - b) for line in (column, row) for a, b in zip(line, line[1:]))
    return border, base, activity


def around(r: int, c: int) -> list:
    return [(r, c - 1), (r - 1, c), (r - 1, c - 1), (r - 1, c + 1)]


def luma_of(first: Plane, plane: Plane, ratios: tuple, r: int, c: int) -> list:
    """5.2, before the mean of W and N is taken off"""
    (down, across), (d0, a0) = ratios
    if down % d0 or across % a0:
        return [0] * 64
    down, across = down // d0, across // a0

    def mean(y: int, x: int) -> int:
        total = sum(
            first.sample(min(i, 8 * first.rows - 1), min(k, 8 * first.columns - 1))
            for i in range(y * down, (y + 1) * down)
            for k in range(x * across, (x + 1) * across)
        )
        return 16 * total // (down * across) - 2048

    square = [[mean(8 * r + y, 8 * c + x) for x in range(8)] for y in range(8)]
    between = [[(x + 2**11) >> 12 for x in row] for row in product(turned(MATRIX), square)]
    return [(x + 2**20) >> 21 for row in product(between, MATRIX) for x in row]


def near_sum(values: list, j: int) -> int:
    u, v = divmod(j, 8)
    return sum(
        values[8 * a + b]
        for a in range(max(u - 1, 0), min(u + 2, 8))
        for b in range(max(v - 1, 0), min(v + 2, 8))
    )


def take_block(words: Words, planes: list, ratios: list, r: int, c: int, share: int) -> None:
    """5, 6: one block of the last of `planes`."""
    p, plane = len(planes) - 1, planes[-1]
    w, steps = plane.w, plane.steps
    border, base, activity = border_of(plane, r, c)
    plane.base[r, c] = base
    places = around(r, c)
    known = [at in plane.coefficients for at in places]
    west, north, corner_w, corner_e = (
        [0, *(abs(x) for x in plane.coefficients[at][1:])] if at in plane.coefficients else [0] * 64
        for at in places
    )
    corners = [a + b for a, b in zip(corner_w, corner_e, strict=True)]
    luma, other = [0] * 64, [0] * 64
    if p:
        luma = list(plane.luma[r, c])
        sides = [plane.luma[at][0] for at, has in zip(places[:2], known[:2], strict=True) if has]
        luma[0] -= sum(sides) >> 1 if len(sides) == 2 else sum(sides)
        luma = [clip(x, -4095, 4095) for x in luma]
    if p == 2 and ratios[1] == ratios[2] and (r, c) in planes[1].coefficients:
        second = planes[1]
        other = [a * q for a, q in zip(second.coefficients[r, c], second.steps, strict=True)]
        other[0] -= 8 * (second.base[r, c] - 128)
        other = [clip(x, -4095, 4095) for x in other]
    sums = [
        sum(a * b for a, b in zip(w["from_border"][j], border, strict=True))
        + sum(a * b for a, b in zip(w["from_luma"][j], luma, strict=True))
        + sum(a * b for a, b in zip(w["from_other"][j], other, strict=True))
        for j in range(64)
    ]
    ls = [LOG_STEP[q] for q in steps]
    of_luma = [max(0, log(abs(x)) - s) if p else 0 for x, s in zip(luma, ls, strict=True)]
    of_other = [max(0, log(abs(x)) - s) if p else 0 for x, s in zip(other, ls, strict=True)]
    # 5.5
    ends = [
        max((DIAGONAL[j] for j in range(1, 64) if plane.coefficients[at][j]), default=0)
        if has
        else 0
        for at, has in zip(places, known, strict=True)
    ]
    inputs = [64 * has for has in known] + [8 * end for end in ends]
    inputs += [log(sum(one)) for one in (west, north, corners)]
    inputs += [
        log(sum(one[j] for j in range(64) if DIAGONAL[j] >= d))
        for one in (west, north)
        for d in (3, 5, 7, 9)
    ]
    inputs += [ls[9], ls[36] - ls[9], log(activity) - ls[9], log(activity) - ls[36]]
    inputs += [(base - 128) >> 1, share]
    inputs += [max(of_luma[j] for j in range(64) if DIAGONAL[j] >= d) for d in (1, 2, 4, 6, 8)]
    inputs += [8 * max((DIAGONAL[j] for j in range(64) if of_other[j] > 12), default=0)]
    inputs += [max(of_other[j] for j in range(64) if DIAGONAL[j] >= 2)]
    hidden = network(w, "diagonal_", inputs, layers=("hidden",))
    logits = [clip(o, -255, 255) for o in network(w, "diagonal_", hidden, layers=("output",))]
    parts = [EXP[max(logits) - one] for one in logits]
    last = words.take(lambda d: d + 65521 * sum(parts[:d]) // sum(parts), 15)

    def inputs_around(j: int) -> list:
        """5.4: the inputs that do not depend on the block itself"""
        known_inputs = {
            0: log(west[j]), 1: log(north[j]), 2: log(near_sum(west, j)),
            3: log(near_sum(north, j)), 4: log(corners[j]), 17: log(activity) - ls[j],
            28: of_luma[j],
            29: max(0, log(near_sum(absolute_luma, j)) - ls[j]) if p else 0,
            30: of_other[j],
            31: max(0, log(near_sum(absolute_other, j)) - ls[j]) if p else 0,
            19: ls[j], 20: ls[j] - ls[9],
        }  # fmt: skip
        return [clip(x, -128, 127) for x in known_inputs.values()]

    absolute_luma, absolute_other = [abs(x) for x in luma], [abs(x) for x in other]
    # 5.6
    scale_sums = [
        w["scale_bias"][last][j]
        + sum(a * b for a, b in zip(w["scale_from_around"][j], inputs_around(j), strict=True))
        + sum(a * b for a, b in zip(w["scale_from_block"][j], hidden, strict=True))
        for j in range(64)
    ]
    # 5.3, 5.4
    own, sizes, surprises = [0] * 64, [], []
    for place, j in enumerate(SCAN):
        if DIAGONAL[j] > last:
            break
        total = sums[j] + (8 * (base - 128) * 4096 if j == 0 else 0)
        prediction = clip((total * (65536 // steps[j]) + 2**22) >> 23, -65535, 65535)

        def earlier(u: int, v: int, place: int = place) -> int:
            inside = 0 <= u < 8 and 0 <= v < 8 and 0 < PLACE[8 * u + v] < place
            return abs(own[8 * u + v]) if inside else 0

        u, v = divmod(j, 8)
        on_diagonal = [own[i] for i in SCAN[:place] if DIAGONAL[i] == DIAGONAL[j] and i]
        ended = last == DIAGONAL[j]
        inputs = [
            log(west[j]), log(north[j]), log(near_sum(west, j)), log(near_sum(north, j)),
            log(corners[j]), log(sum(west) + sum(north)),
            log(earlier(u - 1, v)), log(earlier(u, v - 1)), log(earlier(u - 1, v - 1)),
            log(earlier(u + 1, v - 1) + earlier(u - 1, v + 1)),
            log(earlier(u - 2, v)), log(earlier(u, v - 2)),
            log(sum(sizes)), log(sum(sizes[-6:])), log(sum(surprises)), log(sum(surprises[-6:])),
            prediction >> 1 if j else 0,
            log(activity) - ls[j], (base - 128) >> 1, ls[j], ls[j] - ls[9],
            64 * known[0], 64 * known[1],
            16 * min(last - DIAGONAL[j], 6), 64 * ended, 64 * (ended and not any(on_diagonal)),
            8 * last, share,
            of_luma[j], max(0, log(near_sum(absolute_luma, j)) - ls[j]) if p else 0,
            of_other[j], max(0, log(near_sum(absolute_other, j)) - ls[j]) if p else 0,
        ]  # fmt: skip
        if DIAGONAL[j] < w["networks"][0]:
            mixture = Mixture(network(w, "", inputs, min(DIAGONAL[j], 7), j), prediction)
        else:
            alone = w["scale_alone"][j] if ended and not any(on_diagonal) else 0
            scale = clip((scale_sums[j] + alone + 128) >> 8, 0, 127)
            more, share_logit, less = w["scale_shape"][scale >> 2]
            middle = 4 * ((prediction * (64 - less) + 128) >> 8)
            mixture = Mixture([0, 0, scale, scale + more, share_logit], middle)
        own[j] = mixture.take(words)
        sizes.append(abs(own[j]) if j else 0)
        surprises.append((abs(32 * own[j] - prediction) + 16) >> 5)
        value = own[j] * steps[j] - (8 * (base - 128) if j == 0 else 0)
        value = clip(value, -4095, 4095)
        for k in range(64):
            sums[k] += w["from_earlier"][k][j] * value
            size, surprise = w["scale_from_earlier"][k][j]
            scale_sums[k] += size * log(sizes[-1]) + surprise * log(surprises[-1])
    plane.coefficients[r, c], plane.samples[r, c] = own, samples_of(own, steps)
