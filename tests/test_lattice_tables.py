"""Tables that agree but for a factor, and steps that few blocks tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from zarrmal_codecs.lattice.jpeg.picture import Camera

pytest.importorskip("numba", reason="the search needs the extra lattice")

from zarrmal.benchmark.lattice.drawn import (
    as_jpeg,
    draw_smear,
    odd_table,
    pixels_of,
    random_cell,
    smooth_table,
    with_clamped_pixels,
)
from zarrmal.benchmark.lattice.truth import Score
from zarrmal.lattice.factors import chance_bits, coarser_steps, common_factors, count_levels
from zarrmal.lattice.find import find_cell
from zarrmal.lattice.jpeg_file import JpegFile, read_jpeg
from zarrmal.lattice.preimage import own_planes
from zarrmal.lattice.series import STANDARD_CHROMA, STANDARD_LUMA, scaled_table
from zarrmal.lattice.solve.views import CellViews
from zarrmal.lattice.survey import survey
from zarrmal.lattice.told import told_steps

Pixels = NDArray[np.uint8]


def grey_camera(steps: NDArray[np.int64]) -> Camera:
    table = steps.reshape(1, 8, 8).astype(np.uint16)
    return Camera(tables=table, ratios=((1, 1),), colour="grey", fancy=True)


def test_factors_of_levels() -> None:
    levels = np.zeros((2, 3, 8, 8), np.int16)
    levels[0, 1, 2, 1], levels[1, 2, 2, 1] = -4, 6
    levels[0, 0, 0, 3] = 9
    tables = np.full((1, 8, 8), 40, np.uint16)
    factors = common_factors([levels], tables)
    assert factors[0, 2, 1] == 2
    assert factors[0, 0, 3] == 1, "a step of 360 is none of a baseline JPEG"
    assert (np.delete(factors.reshape(-1), 17) == 1).all()
    assert chance_bits(factors, count_levels([levels]))[0, 2, 1] == 4


def test_a_factor_may_be_chance() -> None:
    table = np.arange(5, 69)
    camera = grey_camera(table)
    factors, n_levels = np.ones((1, 8, 8), np.int64), np.zeros((1, 8, 8), np.int64)
    factors[0, 2, 1] = 2

    def is_coarser(cameras: list[Camera], n: int) -> bool:
        n_levels[0, 2, 1] = n
        return bool(coarser_steps(camera, cameras, factors, n_levels)[0, 2, 1])

    assert not is_coarser([camera], 1)
    assert not is_coarser([camera], 5)
    assert is_coarser([camera], 20)
    doubled = table.copy()
    doubled[17] *= 2
    others = [camera, *(grey_camera(doubled + (np.arange(64) > 60 - k)) for k in range(20))]
    assert is_coarser(others, 1), "of many cameras that have the coarser step"


def drawn_cells(seed: int, tables: list[list[int]], sampling: str, n: int) -> tuple[
    JpegFile, list[tuple[tuple[int, int], Pixels, NDArray[np.bool_]]]
]:  # fmt: skip
    rng = np.random.default_rng(seed)
    jpeg = as_jpeg(draw_smear(rng, 256, 256), tables=tables, sampling=sampling)
    pixels, cells = pixels_of(jpeg), []
    for _ in range(n):
        corner, mask = random_cell(rng, 256, 256)
        rows, columns = (slice(c, c + k) for c, k in zip(corner, mask.shape, strict=True))
        cells.append((corner, pixels[rows, columns] * mask[..., None], mask))
    return read_jpeg(jpeg), cells


@pytest.mark.parametrize("sampling", ["4:4:4", "4:2:0"])
@pytest.mark.parametrize("draw", [odd_table, smooth_table])
def test_fine_tables_of_no_standard(sampling: str, draw) -> None:  # type: ignore[no-untyped-def]
    """Small steps, which few blocks of a cell tell, and which a step of 1 would explain as well."""
    rng = np.random.default_rng(3)
    bases = (scaled_table(base, 97) for base in (STANDARD_LUMA, STANDARD_CHROMA))
    file, cells = drawn_cells(4, [draw(rng, base).tolist() for base in bases], sampling, 3)
    cameras = survey([(pixels, mask) for _, pixels, mask in cells])
    score = Score()
    for corner, pixels, mask in cells:
        score.add("cell", find_cell(pixels, mask, cameras), file, corner, mask)
    assert score.n_cells == 3
    assert (score.phase, score.sampling) == (3, 3), score.wrong
    assert score.tables >= 2, score.wrong
    assert score.values_equal + score.ambiguous >= 0.99 * score.blocks


def test_clamped_samples_do_not_mislead() -> None:
    """Where the decoder has clamped samples to 0, their transform is no multiple of the steps."""
    rng = np.random.default_rng(12)
    smear = draw_smear(rng, 192, 192).astype(np.float64)
    dark = (smear - np.percentile(smear.mean(axis=2), 25)).clip(0, 255).astype(np.uint8)
    jpeg = as_jpeg(dark, quality=80, sampling="grey")
    pixels = pixels_of(jpeg)[5:165, 11:171]
    assert 0.01 < (pixels == 0).mean() < 0.5
    mask = np.ones(pixels.shape, np.bool_)
    score = Score()
    score.add("cell", find_cell(np.ascontiguousarray(pixels), mask), read_jpeg(jpeg), (5, 11), mask)
    assert (score.n_found, score.phase, score.tables) == (1, 1, 1), score.wrong


def test_cells_of_a_coarser_camera_are_its_own() -> None:
    """Of steps that one camera has twice as large as another, each cell has its camera's."""
    rng = np.random.default_rng(6)
    fine = odd_table(rng, scaled_table(STANDARD_LUMA, 80))
    coarse = fine.copy()
    coarse[[1, 8, 9]] *= 2
    found = {}
    pair = [drawn_cells(7, [own.tolist()] * 2, "4:4:4", 1) for own in (fine, coarse)]
    first = find_cell(pair[0][1][0][1], pair[0][1][0][2])
    assert first is not None
    for name, (_, cells) in zip(("fine", "coarse"), pair, strict=True):
        found[name] = find_cell(cells[0][1], cells[0][2], [first.camera])
    for name, table in (("fine", fine), ("coarse", coarse)):
        cell = found[name]
        assert cell is not None
        assert (cell.camera.tables[0].reshape(-1)[[1, 8, 9]] == table[[1, 8, 9]]).all(), name


def test_cells_that_chance_sets_apart_are_of_one_camera() -> None:
    """A cell whose few levels of a frequency are all even does not make a camera."""
    rng = np.random.default_rng(8)
    table = odd_table(rng, scaled_table(STANDARD_LUMA, 85)).tolist()
    _, cells = drawn_cells(9, [table, table], "4:4:4", 6)
    cameras = survey([(pixels, mask) for _, pixels, mask in cells])
    assert len(cameras) == 1
    used = {}
    for _, pixels, mask in cells:
        cell = find_cell(pixels, mask, cameras)
        assert cell is not None
        used[cell.camera] = replace(cell.camera)
    assert len(used) == 1


@pytest.mark.parametrize("is_clamped", [False, True])
def test_several_wrong_steps_are_told_at_once(is_clamped: bool) -> None:
    """Also where many blocks have clamped pixels."""
    rng = np.random.default_rng(31)
    true = odd_table(rng, scaled_table(STANDARD_LUMA, 75))
    picture = draw_smear(rng, 128, 128)
    picture = with_clamped_pixels(picture) if is_clamped else picture
    jpeg = as_jpeg(picture, tables=[true.tolist()], sampling="grey")
    pixels, file = pixels_of(jpeg), read_jpeg(jpeg)
    view = CellViews(own_planes(pixels, np.ones(pixels.shape, np.bool_))).of(
        0, (1, 1), (0, 0), fancy=True
    )
    wrong = true.copy()
    high = (np.add.outer(np.arange(8), np.arange(8)) >= 4).reshape(-1)
    wrong[high] = np.rint(1.3 * true[high])
    levels = file.blocks[0].reshape(-1, 64)
    n_uses = (levels != 0).sum(axis=0)
    assert (n_uses[high] > 0).sum() > 8
    told = told_steps(view, wrong)
    is_told = n_uses >= 2
    factors = told[is_told] // true[is_told]
    assert (told[is_told] == factors * true[is_told]).all()
    assert (levels[:, is_told] % factors == 0).all()
