"""Pictures of which little tells the grid, the steps, or the colours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from zarrmal_codecs.lattice.jpeg.colour import rgb

pytest.importorskip("numba", reason="the search needs the extra lattice")

from zarrmal.benchmark.lattice.drawn import (
    as_jpeg,
    draw_smear,
    odd_table,
    pixels_of,
    smooth_table,
)
from zarrmal.benchmark.lattice.truth import Score
from zarrmal.lattice.factors import likely_factors
from zarrmal.lattice.find import _common_line, find_cell
from zarrmal.lattice.jpeg_file import read_jpeg
from zarrmal.lattice.phase import rank_by_steps, rank_phases
from zarrmal.lattice.preimage import own_planes, with_luma, ycbcr_planes
from zarrmal.lattice.series import SERIES, STANDARD_CHROMA, STANDARD_LUMA, scaled_table
from zarrmal.lattice.solve.views import CellViews
from zarrmal.lattice.tables import TableEstimate
from zarrmal.lattice.trial import proven_steps, try_steps

Pixels = NDArray[np.uint8]


def score_of(
    picture: Pixels, corner: tuple[int, int], sides: tuple[int, int], **written: object
) -> Score:
    """A rectangle of a picture through JPEG, found and compared."""
    jpeg = as_jpeg(picture, **written)  # type: ignore[arg-type]
    area = tuple(slice(c, c + n) for c, n in zip(corner, sides, strict=True))
    cell = np.ascontiguousarray(pixels_of(jpeg)[area])
    visible = np.ones(sides, np.bool_)
    score = Score()
    score.add("cell", find_cell(cell, visible), read_jpeg(jpeg), corner, visible)
    return score


def assert_right(score: Score, share: float = 0.99) -> None:
    assert (score.n_cells, score.n_found, score.phase, score.sampling) == (1, 1, 1, 1), score.wrong
    assert score.tables == 1, score.missed
    assert score.values_equal + score.ambiguous >= share * score.blocks, score.missed


def test_steps_tell_the_grid_that_an_earlier_jpeg_hides() -> None:
    rng = np.random.default_rng(5)
    first = pixels_of(as_jpeg(draw_smear(rng, 160, 160), quality=60, sampling="grey"))
    picture = np.repeat(np.roll(first, (3, 5), (0, 1))[..., None], 3, axis=2)
    pixels = pixels_of(as_jpeg(picture, quality=97, sampling="grey"))[8:136, 8:136]
    phases, likelihoods = rank_by_steps(pixels, np.ones(pixels.shape, np.bool_))
    assert phases[0] == 0
    assert likelihoods[0] > 2 * likelihoods[1]
    assert_right(score_of(picture, (8, 8), (128, 128), quality=97, sampling="grey"))


def test_no_block_has_no_grid() -> None:
    known = np.indices((40, 40)).sum(axis=0) % 5 != 0
    pixels = draw_smear(np.random.default_rng(1), 40, 40)[..., 0]
    for rank in (rank_phases, rank_by_steps):
        phases, scores = rank(pixels, known)
        assert len(phases) == len(scores) == 0


def test_a_drawing_has_steps_at_no_single_grid() -> None:
    blocks = np.random.default_rng(3).integers(0, 256, (12, 12))
    drawing = np.kron(blocks, np.ones((8, 8))).astype(np.uint8)
    likelihoods = rank_by_steps(drawing, np.ones(drawing.shape, np.bool_))[1]
    assert likelihoods[0] < 1.1 * likelihoods[1]
    assert find_cell(drawing, np.ones(drawing.shape, np.bool_)) is None


@pytest.mark.parametrize("kind", ["odd", "smooth"])
def test_chroma_with_no_clear_block(kind: str) -> None:
    """A crop with a few blocks of chroma, all of which miss samples at an edge."""
    rng = np.random.default_rng(7)
    draw = odd_table if kind == "odd" else smooth_table
    tables = [
        draw(rng, scaled_table(base, 82)).tolist() for base in (STANDARD_LUMA, STANDARD_CHROMA)
    ]
    picture = draw_smear(rng, 160, 160)
    assert_right(score_of(picture, (16, 16), (50, 66), tables=tables, sampling="4:2:0"), 0.97)


def test_chroma_of_smooth_blocks() -> None:
    """Their means are rounded alike, and tell no step by themselves."""
    rng = np.random.default_rng(11)
    picture = draw_smear(rng, 160, 160).astype(np.float64)
    grey = picture.mean(axis=2, keepdims=True)
    y, x = np.mgrid[0:160, 0:160]
    tint = np.stack([9 * np.sin(x / 60), 4 * np.cos(y / 50), 12 * np.sin((x + y) / 70)], axis=-1)
    picture = np.clip(grey + tint, 0, 255).astype(np.uint8)
    tables = [
        smooth_table(rng, scaled_table(base, 90)).tolist()
        for base in (STANDARD_LUMA, STANDARD_CHROMA)
    ]
    score = score_of(picture, (8, 8), (96, 96), tables=tables, sampling="4:2:2")
    assert (score.n_found, score.phase, score.sampling) == (1, 1, 1), score.wrong
    assert score.values_equal + score.ambiguous >= 0.99 * score.blocks, score.missed


def test_clamped_colours_tell_a_first_table() -> None:
    """Hardly any block has no pixel at 0 or 255."""
    rng = np.random.default_rng(3)
    drawn = draw_smear(rng, 120, 120) + rng.normal(0, 9, (120, 120, 1))
    picture = np.clip((drawn - drawn.mean()) * 3 + 128, 0, 255).astype(np.uint8)
    assert_right(score_of(picture, (4, 6), (100, 104), quality=80, sampling="4:4:4"), 0.97)


def test_one_clamped_colour_is_solved_by_all_planes() -> None:
    """Y, Cb and Cr have several values behind it each, of which few go together."""
    rng = np.random.default_rng(4)
    picture = draw_smear(rng, 128, 128)
    picture[40:104, 40:104] = (0, 4, 5)
    tables = [
        smooth_table(rng, scaled_table(base, 80)).tolist()
        for base in (STANDARD_LUMA, STANDARD_CHROMA)
    ]
    tables[0][0], tables[1][0] = 11, 9
    assert_right(score_of(picture, (0, 0), (128, 128), tables=tables, sampling="4:4:4"), 0.995)


def test_luma_bounds_chroma_where_colours_are_clamped() -> None:
    rng = np.random.default_rng(2)
    luma, cb, cr = (rng.integers(0, 256, (40, 40), np.uint8) for _ in range(3))
    pixels = rgb(luma, cb, cr)
    everywhere = np.ones((40, 40), np.bool_)
    planes = ycbcr_planes(pixels, everywhere)
    narrowed = with_luma(planes, pixels, luma, everywhere)
    by_both = with_luma(planes, pixels, luma, everywhere, (cr, everywhere))
    clamped = ~planes.is_exact

    def widths(low: Pixels, high: Pixels) -> float:
        return float((high[1:].astype(int) - low[1:])[:, clamped].mean())

    for own in (narrowed, by_both):
        assert ((own.low[1] <= cb) & (cb <= own.high[1])).all()
        assert ((own.low[2] <= cr) & (cr <= own.high[2])).all()
    assert widths(narrowed.low, narrowed.high) < 0.7 * widths(planes.low, planes.high)
    assert widths(by_both.low, by_both.high) < 0.7 * widths(narrowed.low, narrowed.high)
    nowhere = with_luma(planes, pixels, luma, ~everywhere)
    np.testing.assert_array_equal(nowhere.low, planes.low)


def test_a_factor_of_all_levels_but_one() -> None:
    levels = np.zeros((6, 64), np.int16)
    levels[:5, 9] = 4, -4, 8, 4, 1
    levels[:2, 10] = 1, 2
    steps = np.full(64, 2)
    factors = {
        (j, factor): is_other.tolist() for j, factor, is_other in likely_factors(levels, steps)
    }
    assert factors[9, 4] == [False] * 4 + [True, False]
    assert max(factor for j, factor in factors if j == 9) == 4
    assert not any(j == 10 for j, _ in factors), "one multiple of 2 is chance"


def test_the_decoder_proves_that_blocks_are_alike() -> None:
    """A mean that no pixel tells is alike; one that a pixel tells is not."""
    grey = np.full((64, 64, 3), 100, np.uint8)
    grey[:, 32:] = draw_smear(np.random.default_rng(6), 64, 32)
    jpeg = as_jpeg(grey, tables=[[3] * 64], sampling="grey")
    pixels, file = pixels_of(jpeg), read_jpeg(jpeg)
    visible = np.ones(pixels.shape, np.bool_)
    found = find_cell(pixels, visible)
    assert found is not None
    for change, is_alike in ((1, True), (3, False)):
        levels = file.blocks[0].astype(np.int16).copy()
        mean = int(levels[2, 1, 0, 0])
        now = (3 * mean + 4) >> 3
        options = [
            m for m in (mean - change, mean + change) if ((3 * m + 4) >> 3 == now) == is_alike
        ]
        if not options:
            continue
        levels[2, 1, 0, 0] = options[0]
        object.__setattr__(found, "coefficients", (levels[:8, :8],))
        object.__setattr__(found.camera, "tables", file.camera.tables)
        object.__setattr__(found, "is_known", (np.ones((8, 8), np.bool_),))
        score = Score()
        score.add("cell", found, file, (0, 0), visible)
        assert score.values_equal == 63
        assert score.ambiguous == is_alike
        assert len(score.missed) == (not is_alike)


def test_steps_that_may_be_too_large_are_taken_smaller() -> None:
    rng = np.random.default_rng(0)
    picture = np.clip(draw_smear(rng, 96, 96) + rng.normal(0, 6, (96, 96, 3)), 0, 255)
    table = odd_table(rng, scaled_table(STANDARD_LUMA, 97)).ravel()
    jpeg = as_jpeg(picture.astype(np.uint8), tables=[table.tolist()], sampling="grey")
    cell, visible = pixels_of(jpeg), np.ones((96, 96), np.bool_)
    view = CellViews(own_planes(cell, visible)).of(0, (1, 1), (0, 0), fancy=True)
    too_large = table.copy()
    too_large[np.flatnonzero(table == 1)[1:4]] = 7
    estimate = TableEstimate(
        steps=too_large,
        cautious=table,
        is_determined=np.ones(64, np.bool_),
        is_standard=False,
        nearest=SERIES[20:28],
    )
    assert try_steps(view, too_large).share_exact < 0.2
    steps = proven_steps(view, estimate)
    assert steps is not None
    np.testing.assert_array_equal(steps, table)
    assert proven_steps(view, replace(estimate, cautious=too_large)) is None


def test_a_common_row_or_column_leaves_eight_phases() -> None:
    # Phase 8 r + c.
    in_column = _common_line(np.array([12, 44, 20, 4, 60, 5, 28]))
    assert in_column is not None
    assert in_column.tolist() == [True, True, True, True, True, False, True]
    in_row = _common_line(np.array([17, 19, 16, 23, 3]))
    assert in_row is not None
    assert in_row.tolist() == [True, True, True, True, False]
    assert _common_line(np.array([12, 44, 20, 5, 60])) is None
    assert _common_line(np.array([12, 44, 20])) is None
