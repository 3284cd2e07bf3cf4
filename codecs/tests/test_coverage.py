"""Coverage of pixels and lattices of masks (FORMAT 4.7.1, 4.7.2)."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from masks import MASKS, NATIVE, masks_of
from zarrmal_codecs.silhouette.coverage import FULL, RESAMPLINGS, coverage
from zarrmal_codecs.silhouette.lattice import expand, find_spacing
from zarrmal_codecs.silhouette.outlined import Outlines


def slow_weights(n: int, n_from: int, resampling: str) -> list[list[Fraction]]:
    """Of each row of the mask in each row of pixels, from lengths in rows of the mask."""
    scale = Fraction(n_from, n)
    widened = max(Fraction(1), scale)
    half, rows = Fraction(1, 2), []
    for i in range(n):
        middle = (i + half) * scale
        inside = max(half, min(n_from - half, middle))
        row = []
        for k in range(n_from):
            distance = (k + half - middle) / widened
            row.append(
                {
                    "triangle": max(Fraction(0), 1 - abs(distance)),
                    "box": Fraction(-half < distance <= half),
                    "area": max(Fraction(0), min((i + 1) * scale, k + 1) - max(i * scale, k)),
                    "linear": max(Fraction(0), 1 - abs(k + half - inside)),
                    "nearest": Fraction(k == floor(middle)),
                    "same": Fraction(k == i),
                }[resampling]
            )
        rows.append(row)
    return rows


def slow_coverage(mask: np.ndarray, shape: tuple[int, int], resampling: str) -> np.ndarray:
    down, across = (slow_weights(n, m, resampling) for n, m in zip(shape, mask.shape, strict=True))
    out = np.zeros(shape, np.uint8)
    for y, of_row in enumerate(down):
        for x, of_column in enumerate(across):
            covered = sum(
                of_row[k] * of_column[j] for k, j in np.argwhere(mask).tolist()
            )  # fmt: skip
            share = covered / (sum(of_row) * sum(of_column))
            out[y, x] = max(1, floor(FULL * share + Fraction(1, 2))) if covered else 0
    return out


def both_coverages(mask: np.ndarray, shape: tuple[int, int], resampling: str) -> list[np.ndarray]:
    """By each engine."""
    spacing = find_spacing(mask)
    points = [np.ascontiguousarray(mask[::spacing, ::spacing])]
    outlines = Outlines(
        resampling=resampling,
        spacings=np.array([spacing], np.uint8),
        shapes=np.array([points[0].shape], np.uint16),
    )
    return [outlines.coverage(points, shape, None, native=each)[0] for each in NATIVE]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(MASKS, st.tuples(st.integers(1, 9), st.integers(1, 9)), st.sampled_from(RESAMPLINGS))
def test_coverage_is_that_of_the_format(mask, shape, resampling):
    shape = mask.shape if resampling == "same" else shape
    expected = slow_coverage(mask, shape, resampling)
    np.testing.assert_array_equal(coverage(mask, shape, resampling), expected)
    for each in both_coverages(mask, shape, resampling):
        np.testing.assert_array_equal(each, expected)


@pytest.mark.parametrize("resampling", RESAMPLINGS[1:])
@pytest.mark.parametrize(
    ("rows", "n"), [(1, 1), (1, 40), (40, 1), (45, 15), (46, 15), (29, 30), (130, 20), (20, 97)]
)
def test_coverage_of_one_row_or_column(resampling, rows, n):
    # Each row of the mask alone: where it has weight, and how much.
    for k in {0, rows // 2, rows - 1}:
        mask = np.arange(rows)[:, None] == k
        expected = slow_coverage(mask, (n, 1), resampling)
        for each in both_coverages(mask, (n, 1), resampling):
            np.testing.assert_array_equal(each, expected)
        for each in both_coverages(mask.T, (1, n), resampling):
            np.testing.assert_array_equal(each, expected.T)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(MASKS, st.tuples(st.integers(1, 12), st.integers(1, 12)), st.sampled_from(RESAMPLINGS[1:]))
def test_coverage_is_0_exactly_where_no_pixel_of_the_mask_has_weight(mask, shape, resampling):
    down, across = (slow_weights(n, m, resampling) for n, m in zip(shape, mask.shape, strict=True))
    has = np.array([[w > 0 for w in row] for row in down]).astype(int)
    reached = has @ mask @ np.array([[w > 0 for w in row] for row in across]).astype(int).T
    np.testing.assert_array_equal(coverage(mask, shape, resampling) > 0, reached > 0)


@pytest.mark.parametrize("shape", [(12, 9), (50, 50), (33, 17), (7, 80), (1, 1), (46, 31)], ids=str)
def test_triangle_is_bilinear_of_pillow(shape):
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    for mask in masks_of(5, [(46, 31), (31, 46), (140, 133), (1, 50), (8, 8)]):
        drawn = image.fromarray(mask * np.uint8(255))
        resized = np.asarray(drawn.resize(shape[::-1], image.Resampling.BILINEAR)).astype(int)
        assert np.abs(resized - coverage(mask, shape, "triangle").astype(int)).max() <= 1


def test_coverage_of_the_largest_masks():
    board = np.arange(4096)[:, None] % 2 == np.arange(1024) % 2
    for mask, middle in ((np.ones((4096, 1024), bool), FULL), (board, 128)):
        for resampling in RESAMPLINGS[1:]:
            for shape in ((1, 1), (3, 2)):
                first, *others = both_coverages(mask, shape, resampling)
                if resampling != "nearest":
                    assert np.abs(first.astype(int) - middle).max() <= 1
                for other in others:
                    np.testing.assert_array_equal(first, other)


# Lattice


@settings(max_examples=150, deadline=None, derandomize=True)
@given(MASKS)
def test_points_give_the_mask_back(mask):
    spacing = find_spacing(mask)
    assert 1 <= spacing <= 15
    np.testing.assert_array_equal(expand(mask[::spacing, ::spacing], spacing), mask)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(MASKS, st.integers(1, 15))
def test_a_mask_drawn_on_a_lattice_is_found(points, spacing):
    mask = expand(points, spacing)
    assert mask.shape == tuple(spacing * (n - 1) + 1 for n in points.shape)
    for y, x in np.ndindex(mask.shape):
        rows, columns = {y // spacing, -(-y // spacing)}, {x // spacing, -(-x // spacing)}
        assert mask[y, x] == all(points[row, column] for row in rows for column in columns)
    assert find_spacing(mask) >= spacing
