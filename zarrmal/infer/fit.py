"""The mask of given size whose coverage explains a cell's pixels best: points changed one by one.

A mask that was drawn on a lattice (FORMAT 4.7.1) is given by its lattice points. Its pixels between
two points belong to it where both do, those amid four where all four do; so each kind is one entry
of a mask of spacing 2, and its weight for the rows and columns of pixels the sum of its pixels'.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.silhouette.coverage import Resampling, weights

from ..lattice.compiled import compiled
from .brightness import Field

Points = NDArray[np.uint8]
Spans = NDArray[np.int64]

PER_LEVEL: Final = 4
"""Errors are told apart by quarters of a level."""

ERROR_BITS: Final = np.round(
    np.minimum(1.3 * np.log2(1 + np.arange(256 * PER_LEVEL + PER_LEVEL) / (2 * PER_LEVEL)), 9), 6
).astype(np.float64)
"""About how many more bits a pixel takes the more it differs from what is expected of it."""

SIDE_BITS: Final = 0.5
"""For each pair of neighbouring points of which one is in the mask, half for diagonal ones."""

LOST_BITS: Final = 50.0
"""For a pixel that is not 0 and gets no coverage: the mask cannot be."""

INSIDE_SHARE: Final = 0.45
"""Of its brightness that a place must have to lie in the mask that a fit begins with."""

NOTHING: Final = 1e-6
"""Coverage below it is none."""

AROUND: Final = np.array(
    [(0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, -1), (-1, 1)], np.int64
)
"""(down, across) of the points around one, the four beside it first."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Axis:
    """How lattice points, and what lies between them, weigh in rows of pixels; or in columns.

    Parameters
    ----------
    n_points
        Lattice points.
    spacing
        Of the lattice.
    shares
        float64 (entry, row): of each row of pixels that an entry covers. Entries are the points
        and, of spacings above 1, what lies between two of them.
    spans
        int64 (entry, 2): the first row of pixels that an entry weighs in, and the row after the
        last.
    """

    n_points: int
    spacing: int
    shares: Field
    spans: Spans


@lru_cache(maxsize=4096)
def axis(n_pixels: int, n_points: int, spacing: int, resampling: Resampling) -> Axis:
    """Of so many rows of pixels, or columns."""
    side = spacing * (n_points - 1) + 1
    own = weights(n_pixels, side, resampling).astype(np.float64)
    own = np.ascontiguousarray((own / own.sum(axis=1, keepdims=True)).T)
    if spacing > 1:
        entries = np.zeros((2 * n_points - 1, n_pixels))
        entries[::2] = own[::spacing]
        for k in range(n_points - 1):
            for row in own[spacing * k + 1 : spacing * (k + 1)]:
                entries[2 * k + 1] += row
        own = entries
    reached = own > 0
    firsts = reached.argmax(axis=1)
    stops = own.shape[1] - reached[:, ::-1].argmax(axis=1)
    stops[~reached.any(axis=1)] = 0
    spans = np.stack([firsts, stops], axis=1).astype(np.int64)
    return Axis(n_points=n_points, spacing=spacing, shares=own, spans=spans)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """Lattice points and how well they explain the pixels.

    Parameters
    ----------
    points
        uint8 (row, column): 0 or 1.
    covered
        float64 (y, x): coverage of each pixel, 0..1.
    bits
        About how many the errors and the mask take.
    """

    points: Points
    covered: Field
    bits: float


def fit(
    pixels: Field,
    bright: Field,
    down: Axis,
    across: Axis,
    *,
    n_rounds: int,
    points: Points | None = None,
    pairs: bool = False,
) -> Fit:
    """The mask of a size that explains the pixels best, as far as small changes lead.

    Parameters
    ----------
    pixels
        float64 (y, x), 0..255.
    bright
        See brightness.
    n_rounds
        At most so often all points are looked at.
    points
        To begin with; None takes those where the pixels are bright.
    pairs
        Change two points at once, too.
    """
    if points is None:
        points = bright_points(pixels, bright, down.n_points, across.n_points, down.spacing)
    else:
        points = points.copy()
    covered = np.zeros_like(pixels)
    bits = improve(
        pixels,
        bright,
        points,
        covered,
        down.shares,
        down.spans,
        across.shares,
        across.spans,
        down.spacing,
        n_rounds,
        pairs,
        ERROR_BITS,
    )
    return Fit(points=points, covered=covered, bits=bits)


@compiled
def bright_points(
    pixels: Field, bright: Field, n_rows: int, n_columns: int, spacing: int
) -> Points:
    """Points at places that have much of their brightness, uint8 (row, column)."""
    height, width = pixels.shape
    down = height / (spacing * (n_rows - 1) + 1)
    across = width / (spacing * (n_columns - 1) + 1)
    points = np.zeros((n_rows, n_columns), np.uint8)
    for j in range(n_rows):
        y = min(max((spacing * j + 0.5) * down - 0.5, 0.0), height - 1.0)
        top = min(int(y), height - 2)
        lower = y - top
        for i in range(n_columns):
            x = min(max((spacing * i + 0.5) * across - 0.5, 0.0), width - 1.0)
            left = min(int(x), width - 2)
            right = x - left
            share = 0.0
            for b in range(2):
                for a in range(2):
                    part = (lower if b else 1 - lower) * (right if a else 1 - right)
                    full = max(bright[top + b, left + a], 1.0)
                    share += part * pixels[top + b, left + a] / full
            points[j, i] = share >= INSIDE_SHARE
    return points


@compiled
def change(
    pixels: Field,
    bright: Field,
    points: Points,
    covered: Field,
    rows: Field,
    row_spans: Spans,
    columns: Field,
    column_spans: Spans,
    spacing: int,
    error_bits: Field,
    j: int,
    i: int,
    added: Field,
) -> tuple[float, int, int, int, int]:
    """Bits that changing one point would add, the window of pixels, and what coverage it adds.

    ``added`` (y, x) is written within the window (top, bottom, left, right).
    """
    n_rows, n_columns = points.shape
    own = points[j, i]
    bits = 0.0
    for k in range(8):
        jj, ii = j + AROUND[k, 0], i + AROUND[k, 1]
        other = points[jj, ii] if 0 <= jj < n_rows and 0 <= ii < n_columns else 0
        side = SIDE_BITS if k < 4 else SIDE_BITS / 2
        bits += side if other == own else -side
    if spacing == 1:
        first_row, last_row, first_column, last_column = j, j + 1, i, i + 1
    else:
        first_row, last_row = max(2 * j - 1, 0), min(2 * j + 2, 2 * n_rows - 1)
        first_column, last_column = max(2 * i - 1, 0), min(2 * i + 2, 2 * n_columns - 1)
    top, bottom = row_spans[first_row, 0], row_spans[first_row, 1]
    for a in range(first_row, last_row):
        top, bottom = min(top, row_spans[a, 0]), max(bottom, row_spans[a, 1])
    left, right = column_spans[first_column, 0], column_spans[first_column, 1]
    for b in range(first_column, last_column):
        left, right = min(left, column_spans[b, 0]), max(right, column_spans[b, 1])
    for y in range(top, bottom):
        for x in range(left, right):
            added[y, x] = 0.0
    sign = -1.0 if own else 1.0
    for a in range(first_row, last_row):
        for b in range(first_column, last_column):
            belongs = True
            if spacing > 1:
                for jj in range(a // 2, (a + 1) // 2 + 1):
                    for ii in range(b // 2, (b + 1) // 2 + 1):
                        if not (jj == j and ii == i) and not points[jj, ii]:
                            belongs = False
            if belongs:
                for y in range(row_spans[a, 0], row_spans[a, 1]):
                    share = sign * rows[a, y]
                    for x in range(column_spans[b, 0], column_spans[b, 1]):
                        added[y, x] += share * columns[b, x]
    most = len(error_bits) - 1
    for y in range(top, bottom):
        for x in range(left, right):
            before, after = covered[y, x], covered[y, x] + added[y, x]
            old = abs(pixels[y, x] - before * bright[y, x])
            new = abs(pixels[y, x] - after * bright[y, x])
            bits += error_bits[min(int(new * PER_LEVEL + 0.5), most)]
            bits -= error_bits[min(int(old * PER_LEVEL + 0.5), most)]
            if pixels[y, x] > 0 and (before > NOTHING) != (after > NOTHING):
                bits += LOST_BITS if before > NOTHING else -LOST_BITS
    return bits, top, bottom, left, right


@compiled
def is_at_edge(points: Points, j: int, i: int) -> bool:
    """Whether a point beside this one differs from it; those beyond the mask are 0."""
    n_rows, n_columns = points.shape
    for k in range(4):
        jj, ii = j + AROUND[k, 0], i + AROUND[k, 1]
        other = points[jj, ii] if 0 <= jj < n_rows and 0 <= ii < n_columns else 0
        if other != points[j, i]:
            return True
    return False


@compiled
def improve(
    pixels: Field,
    bright: Field,
    points: Points,
    covered: Field,
    rows: Field,
    row_spans: Spans,
    columns: Field,
    column_spans: Spans,
    spacing: int,
    n_rounds: int,
    pairs: bool,
    error_bits: Field,
) -> float:
    """Change points while that saves bits; points and coverage are written; bits of the whole."""
    n_rows, n_columns = points.shape
    height, width = pixels.shape
    cover(points, covered, rows, row_spans, columns, spacing)
    added, second = np.zeros((height, width)), np.zeros((height, width))
    pending = np.ones((n_rows, n_columns), np.uint8)
    for _ in range(n_rounds):
        n_changed = 0
        for j in range(n_rows):
            for i in range(n_columns):
                if not pending[j, i]:
                    continue
                pending[j, i] = 0
                if not is_at_edge(points, j, i):
                    continue
                bits, top, bottom, left, right = change(
                    pixels, bright, points, covered, rows, row_spans, columns, column_spans,
                    spacing, error_bits, j, i, added,
                )  # fmt: skip
                other_j, other_i = -1, -1
                if bits >= -NOTHING and pairs:
                    # Take the change and look for a second one that makes it worth while.
                    points[j, i] = 1 - points[j, i]
                    covered[top:bottom, left:right] += added[top:bottom, left:right]
                    best = -NOTHING
                    for jj in range(max(j - 2, 0), min(j + 3, n_rows)):
                        for ii in range(max(i - 2, 0), min(i + 3, n_columns)):
                            if (jj == j and ii == i) or not is_at_edge(points, jj, ii):
                                continue
                            more, _, _, _, _ = change(
                                pixels, bright, points, covered, rows, row_spans, columns,
                                column_spans, spacing, error_bits, jj, ii, second,
                            )  # fmt: skip
                            if bits + more < best:
                                best, other_j, other_i = bits + more, jj, ii
                    if other_j < 0:
                        points[j, i] = 1 - points[j, i]
                        covered[top:bottom, left:right] -= added[top:bottom, left:right]
                        continue
                    _, top, bottom, left, right = change(
                        pixels, bright, points, covered, rows, row_spans, columns, column_spans,
                        spacing, error_bits, other_j, other_i, second,
                    )  # fmt: skip
                    points[other_j, other_i] = 1 - points[other_j, other_i]
                    covered[top:bottom, left:right] += second[top:bottom, left:right]
                elif bits < -NOTHING:
                    points[j, i] = 1 - points[j, i]
                    covered[top:bottom, left:right] += added[top:bottom, left:right]
                else:
                    continue
                n_changed += 1
                for jj in range(max(j - 4, 0), min(j + 5, n_rows)):
                    for ii in range(max(i - 4, 0), min(i + 5, n_columns)):
                        pending[jj, ii] = 1
        if n_changed == 0:
            break
    return error_sum(pixels, bright, covered, error_bits) + side_bits(points)


@compiled
def cover(
    points: Points, covered: Field, rows: Field, row_spans: Spans, columns: Field, spacing: int
) -> None:
    """Write the coverage of each pixel, which was 0."""
    width = covered.shape[1]
    step = 1 if spacing == 1 else 2
    before = np.zeros((len(columns) + 1, width))
    for b in range(len(columns)):
        for x in range(width):
            before[b + 1, x] = before[b, x] + columns[b, x]
    entries = np.zeros(len(columns) + 1, np.uint8)  # the last one is 0 and ends a run
    line = np.zeros(width)
    for a in range(len(rows)):
        upper, lower = points[a // step], points[(a + step - 1) // step]
        for i in range(points.shape[1]):
            entries[step * i] = upper[i] & lower[i]
        if step == 2:
            for i in range(points.shape[1] - 1):
                entries[2 * i + 1] = entries[2 * i] & entries[2 * i + 2]
        line[:] = 0.0
        first, is_run = 0, False
        for b in range(len(entries)):
            if entries[b] and not is_run:
                first, is_run = b, True
            elif is_run and not entries[b]:
                is_run = False
                for x in range(width):
                    line[x] += before[b, x] - before[first, x]
        for y in range(row_spans[a, 0], row_spans[a, 1]):
            share = rows[a, y]
            for x in range(width):
                covered[y, x] += share * line[x]


@compiled
def error_sum(pixels: Field, bright: Field, covered: Field, error_bits: Field) -> float:
    """Bits of all errors."""
    total, most = 0.0, len(error_bits) - 1
    for y in range(pixels.shape[0]):
        for x in range(pixels.shape[1]):
            error = abs(pixels[y, x] - covered[y, x] * bright[y, x])
            total += error_bits[min(int(error * PER_LEVEL + 0.5), most)]
            if pixels[y, x] > 0 and covered[y, x] <= NOTHING:
                total += LOST_BITS
    return total


@compiled
def side_bits(points: Points) -> float:
    """Bits of all pairs of neighbouring points of which one is in the mask."""
    n_rows, n_columns = points.shape
    own = np.zeros((n_rows + 2, n_columns + 2), np.uint8)
    own[1:-1, 1:-1] = points
    n_beside, n_diagonal = 0, 0
    for j in range(n_rows + 1):
        for i in range(n_columns + 1):
            n_beside += (own[j, i] ^ own[j, i + 1]) + (own[j, i] ^ own[j + 1, i])
            n_diagonal += (own[j, i] ^ own[j + 1, i + 1]) + (own[j, i + 1] ^ own[j + 1, i])
    return SIDE_BITS * n_beside + SIDE_BITS / 2 * n_diagonal
