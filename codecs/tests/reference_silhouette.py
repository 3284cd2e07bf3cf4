"""Silhouettes, from FORMAT.md 4.7 alone; see reference_decoder.py."""

from __future__ import annotations

from math import exp, floor

from reference_base import clip, must

# 4.7.1


def between(k: int, spacing: int) -> tuple[int, int]:
    """The lattice points before and after row (column) k."""
    return k // spacing, -(-k // spacing)


def mask_of(points: list, spacing: int) -> list:
    n_rows, n_columns = ((n - 1) * spacing + 1 for n in (len(points), len(points[0])))
    return [
        [
            int(all(points[i][j] for i in between(y, spacing) for j in between(x, spacing)))
            for x in range(n_columns)
        ]
        for y in range(n_rows)
    ]


# 4.7.2


def weight(k: int, h: int, i: int, size: int, resampling: int) -> int:
    """Of row k of a mask of h rows in row i of a cell of `size` rows; columns likewise."""
    d, m = (2 * k + 1) * size - (2 * i + 1) * h, max(size, h)
    if resampling == 0:
        return int(k == i)
    if resampling == 1:
        return max(0, 2 * m - abs(d))
    if resampling == 2:
        return int(-m < d <= m)
    if resampling == 3:
        return max(0, min((i + 1) * h, (k + 1) * size) - max(i * h, k * size))
    if resampling == 4:
        middle = clip((2 * i + 1) * h, size, (2 * h - 1) * size)
        return max(0, 2 * size - abs((2 * k + 1) * size - middle))
    return int(k == (2 * i + 1) * h // (2 * size))


def weights(h: int, size: int, resampling: int) -> list:
    """Of each row of the cell: the rows of the mask that have weight, and their weights."""
    every = ([(k, weight(k, h, i, size, resampling)) for k in range(h)] for i in range(size))
    return [[(k, one) for k, one in row if one] for row in every]


def coverage_of(mask: list, height: int, width: int, resampling: int) -> list:
    rows = weights(len(mask), height, resampling)
    columns = weights(len(mask[0]), width, resampling)

    def covered(y: int, x: int) -> int:
        a = sum(v * u for k, v in rows[y] for j, u in columns[x] if mask[k][j])
        t = sum(v for _, v in rows[y]) * sum(u for _, u in columns[x])
        return max(1, (510 * a + t) // (2 * t)) if a else 0

    return [[covered(y, x) for x in range(width)] for y in range(height)]


# 4.7.3

OFFSETS = (
    (0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-1, 2), (-1, -2),
    (-2, -1), (-2, 1), (0, -3), (-1, 3), (-1, -3), (-2, 2), (-2, -2), (-3, 0),
)  # fmt: skip


def check_table(tensors: dict) -> list | None:
    """The class's tensor `silhouette`."""
    if "silhouette" not in tensors:
        return None
    dtype, shape, values = tensors["silhouette"]
    must(dtype == "int8" and len(shape) == 1, "4.7.3: silhouette")
    must(shape[0] in [2**n for n in range(17)], "4.7.3: silhouette")
    return values


def decode_points(words: object, table: list, n_rows: int, n_columns: int) -> list:
    """Rows of lattice points from the beginning of a stream."""
    offsets = OFFSETS[: len(table).bit_length() - 1]
    points = [[0] * n_columns for _ in range(n_rows)]

    def at(y: int, x: int) -> int:
        return points[y][x] if 0 <= y < n_rows and 0 <= x < n_columns else 0

    for y in range(n_rows):
        for x in range(n_columns):
            q = sum(at(y + dy, x + dx) << i for i, (dy, dx) in enumerate(offsets))
            f = clip(floor(65536 / (1 + exp(-table[q] / 12)) + 0.5), 4, 65532)
            points[y][x] = words.take((0, 65536 - f, 65536).__getitem__, 2)
    return points


# 4.3


def check_outlines(outlines: dict, classes: list, sizes: list) -> None:
    """Fill in the lattice points' `rows` and `columns` where the masks have the cells' sizes."""
    spacings = outlines["spacings"]
    if outlines["shapes"] is None:
        for spacing, size in zip(spacings, sizes, strict=True):
            must(all((n - 1) % spacing == 0 for n in size if spacing), "4.3: multiples of spacing")
        outlines["shapes"] = [
            tuple((n - 1) // spacing + 1 for n in size) if spacing else (0, 0)
            for spacing, size in zip(spacings, sizes, strict=True)
        ]
    n_points = 0
    for spacing, shape, k in zip(spacings, outlines["shapes"], classes, strict=True):
        if spacing == 0:
            continue
        must(spacing <= 15, "4.3: spacing")
        must(k != 255, "4.3: a blank cell has no silhouette")
        must(min(shape) >= 1, "4.3: rows and columns of lattice points")
        height, width = ((n - 1) * spacing + 1 for n in shape)
        must(max(height, width) <= 4096 and height * width <= 2**22, "4.3: size of a mask")
        n_points += shape[0] * shape[1]
    must(n_points <= 2**31 - 1, "4.3: lattice points")
