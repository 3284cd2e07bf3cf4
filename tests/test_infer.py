"""Masks that are inferred from the edges of cells, which were cut out and then resampled."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from PIL import Image
from zarrmal_codecs import Model
from zarrmal_codecs.silhouette.coverage import coverage
from zarrmal_codecs.silhouette.lattice import expand
from zarrmal_codecs.silhouette.silhouettes import Silhouettes

import zarrmal
from zarrmal.choose import without_useless_masks
from zarrmal.errors import InputError
from zarrmal.infer import InferredSilhouettes, lacks_inference, with_inferred_masks
from zarrmal.infer import source as infer_source
from zarrmal.infer.brightness import brightness, surely_inside
from zarrmal.infer.fit import axis, fit
from zarrmal.infer.rule import Rule, rule_of
from zarrmal.infer.search import Inferred, infer_mask, plane_of
from zarrmal.infer.survey import has_mixed_edge, survey
from zarrmal.listener import Listener
from zarrmal.models import SHIPPED
from zarrmal.sources import Source, open_source

pytest.importorskip("numba")

SIDE, SPACING, N_CELLS = 32, 3, 32
RULE = Rule(resampling="triangle", spacing=SPACING, usual=(22, 38), widest=(12, 50))

Masks = list[NDArray[np.bool_]]


def outline(rng: np.random.Generator) -> NDArray[np.bool_]:
    """Lattice points of a round cell with bays, bool (row, column), that touch all four sides."""
    rows, columns = rng.integers(24, 36, 2).tolist()
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    angle = np.arctan2(y, x)
    waves = sum(
        rng.uniform(0.0, 0.05) * np.cos(k * angle + rng.uniform(0, 2 * np.pi)) for k in (2, 3, 5)
    )
    points: NDArray[np.bool_] = np.hypot(y, x) < 1.02 + waves
    inside = np.ix_(points.any(axis=1), points.any(axis=0))
    return points[inside]


def drawn(n_cells: int = N_CELLS, seed: int = 0) -> tuple[NDArray[np.uint8], Masks]:
    """Cells uint8 (cell, y, x), cut out and then resampled by Pillow, and their lattice points."""
    rng = np.random.default_rng(seed)
    cells, outlines = [], []
    for _ in range(n_cells):
        points = outline(rng)
        mask = expand(points, SPACING)
        y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
        slope = rng.uniform(-0.2, 0.2, 2)
        pixels = 170 + slope[0] * y + slope[1] * x + rng.normal(0, 2, mask.shape)
        cut = np.where(mask, np.clip(np.rint(pixels), 1, 255), 0).astype(np.uint8)
        small = Image.fromarray(cut).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        cells.append(np.asarray(small))
        outlines.append(points)
    return np.stack(cells), outlines


@pytest.fixture(autouse=True)
def few_suffice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources of these tests are small."""
    monkeypatch.setattr(infer_source, "LEAST_CELLS", 1)


def test_of_few_cells_none_is_inferred(
    cells: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(infer_source, "LEAST_CELLS", len(cells) + 1)
    few = open_source(cells)
    assert with_inferred_masks(few) is few
    monkeypatch.setattr(infer_source, "LEAST_CELLS", len(cells))
    assert isinstance(with_inferred_masks(few), InferredSilhouettes)


@pytest.fixture(scope="module")
def cells() -> NDArray[np.uint8]:
    return drawn()[0]


@pytest.fixture
def surveyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What these cells have in common is found once for all tests: it takes most of their time."""
    monkeypatch.setattr("zarrmal.infer.survey.survey", lambda *_: rule_in_common())


@cache
def rule_in_common() -> Rule | None:
    return survey([plane_of(cell) for cell in drawn()[0]])


@pytest.fixture(scope="module")
def model() -> Model:
    (shipped,) = (each for each in SHIPPED if each.name == "nih50-red-masks.zmal")
    loaded = shipped.load()
    assert loaded is not None
    return loaded


def test_coverage_of_a_fit_is_that_of_the_format() -> None:
    cells, outlines = drawn(1)
    plane, points = plane_of(cells[0]), outlines[0]
    down, across = (axis(SIDE, n, SPACING, "triangle") for n in points.shape)
    bright = brightness(plane, surely_inside(plane))
    fitted = fit(plane, bright, down, across, n_rounds=0, points=points.astype(np.uint8))
    expected = coverage(expand(points, SPACING), (SIDE, SIDE), "triangle")
    assert np.abs(255 * fitted.covered - expected).max() <= 1


def test_bits_of_a_fit_are_those_of_its_points() -> None:
    """What changes are worth, summed up, is what the whole gains."""
    cells, outlines = drawn(1)
    plane = plane_of(cells[0])
    down, across = (axis(SIDE, n, SPACING, "triangle") for n in outlines[0].shape)
    bright = brightness(plane, surely_inside(plane))
    better = fit(plane, bright, down, across, n_rounds=3, pairs=True)
    again = fit(plane, bright, down, across, n_rounds=0, points=better.points)
    assert again.bits == pytest.approx(better.bits)
    np.testing.assert_allclose(again.covered, better.covered, atol=1e-9)
    assert better.bits < fit(plane, bright, down, across, n_rounds=0).bits


def test_masks_are_found_again() -> None:
    cells, outlines = drawn()
    found = [infer_mask(plane_of(cell), RULE) for cell in cells]
    exact = [
        mask is not None and np.array_equal(mask.points, points)
        for mask, points in zip(found, outlines, strict=True)
    ]
    assert np.mean(exact) > 0.8


@pytest.mark.parametrize("resampling", [Image.Resampling.BILINEAR, Image.Resampling.BOX])
def test_the_survey_finds_kernel_and_lattice(resampling: Image.Resampling) -> None:
    rng = np.random.default_rng(3)
    planes = []
    for _ in range(12):
        mask = expand(outline(rng), SPACING)
        cut = np.where(mask, rng.normal(150, 2, mask.shape).clip(1, 255), 0).astype(np.uint8)
        small = Image.fromarray(cut).resize((SIDE, SIDE), resampling)
        planes.append(plane_of(np.asarray(small)))
    rule = survey(planes)
    assert rule is not None
    assert rule.spacing == SPACING
    alike = {Image.Resampling.BILINEAR: {"triangle"}, Image.Resampling.BOX: {"box", "area"}}
    assert rule.resampling in alike[resampling]
    assert rule.widest[0] <= rule.usual[0] <= rule.usual[1] <= rule.widest[1]


def test_known_masks_tell_the_rule() -> None:
    _, outlines = drawn(12)
    masks = [expand(points, SPACING) for points in outlines]
    rule = rule_of(Silhouettes(masks=[*masks, None], resampling="box"))
    assert rule is not None
    assert (rule.resampling, rule.spacing) == ("box", SPACING)
    sizes = [n for points in outlines for n in points.shape]
    assert rule.widest[0] <= rule.usual[0] <= min(sizes) + 1
    assert max(sizes) - 1 <= rule.usual[1] <= rule.widest[1]


def test_few_masks_and_those_of_the_pixels_tell_none() -> None:
    _, outlines = drawn(12)
    masks = [expand(points, SPACING) for points in outlines]
    assert rule_of(None) is None
    assert rule_of(Silhouettes(masks=masks, resampling="same")) is None
    assert rule_of(Silhouettes(masks=masks[:3], resampling="box")) is None
    noise = [np.random.default_rng(k).random((40, 40)) > 0.5 for k in range(12)]
    assert rule_of(Silhouettes(masks=noise, resampling="box")) is None


def test_masks_that_are_kept_are_packed(cells: NDArray[np.uint8]) -> None:
    source = with_inferred_masks(open_source(cells))
    assert isinstance(source, InferredSilhouettes)
    steps: list[tuple[str, int, int]] = []
    source._progress = lambda task, done, total, note="": steps.append((task, done, total))
    first, again = source.silhouettes(np.arange(9)), source.silhouettes(np.arange(9))
    assert first is not None
    assert again is not None
    for mask, same in zip(first.masks, again.masks, strict=True):
        assert mask is not None
        assert mask.dtype == bool
        np.testing.assert_array_equal(mask, same)
    kept = [each for each in source._kept.values() if each is not None]
    assert max(len(each.packed) for each in kept) < 200
    assert steps[0] == ("looking for masks", 0, 4)
    assert steps[-1] == ("looking for masks", 4, 4)


def test_cells_that_were_not_resampled_have_no_mask_inferred(cells: NDArray[np.uint8]) -> None:
    sharp = np.where(cells > 128, np.uint8(150), np.uint8(0))
    assert not any(has_mixed_edge(plane_of(cell)) for cell in sharp)
    assert with_inferred_masks(open_source(sharp)).silhouettes(np.arange(3)) is None
    filled = np.maximum(cells, 1)
    assert with_inferred_masks(open_source(filled)).silhouettes(np.arange(3)) is None


def test_noise_on_black_has_no_masks_in_common() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (12, SIDE, SIDE)).astype(np.uint8)
    noise[:, :4] = 0
    assert with_inferred_masks(open_source(noise)).silhouettes(np.arange(3)) is None


def written(
    cells: NDArray[np.uint8], path: Path, model: Model, **options: object
) -> zarrmal.ArchiveInfo:
    info = zarrmal.write(cells, path, model=model, **options)  # type: ignore[arg-type]
    assert not zarrmal.verify(path, cells).problems
    return info


def test_an_archive_with_inferred_masks_is_smaller_and_lossless(
    tmp_path: Path, cells: NDArray[np.uint8], model: Model
) -> None:
    inferred = written(cells, tmp_path / "inferred.zarr", model)
    without = written(cells, tmp_path / "without.zarr", model, infer_masks="off")
    assert inferred.n_silhouettes == len(cells)
    assert inferred.payload_bytes < 0.8 * without.payload_bytes
    group: Any = zarr.open_group(tmp_path / "inferred.zarr", mode="r")
    order = np.asarray(group["source_index"][:])
    np.testing.assert_array_equal(group["cells"][:], cells[order])
    assert "mask" not in group
    assert inferred.n_masks == 0


def test_the_same_cells_give_the_same_bytes(
    tmp_path: Path, cells: NDArray[np.uint8], model: Model
) -> None:
    for name in ("a", "b"):
        written(cells[:12], tmp_path / name, model)
    chunks = [next((tmp_path / name / "cells").rglob("c/0*")) for name in ("a", "b")]
    files = [[path for path in [c, *c.rglob("*")] if path.is_file()] for c in chunks]
    assert [f.read_bytes() for f in files[0]] == [f.read_bytes() for f in files[1]]


@pytest.mark.usefixtures("surveyed")
def test_append_and_repack_keep_inferred_masks(
    tmp_path: Path, cells: NDArray[np.uint8], model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cells.zarr"
    written(cells[:20], path, model)
    monkeypatch.setattr(infer_source, "LEAST_CELLS", len(cells))
    monkeypatch.setattr("zarrmal.infer.survey.survey", None)  # the archive's masks tell the rule
    info = zarrmal.append(cells[20:], path)
    assert info.n_silhouettes == len(cells)
    assert not zarrmal.verify(path, cells).problems
    zarrmal.repack(path)
    assert zarrmal.info(path).n_silhouettes == len(cells)
    assert not zarrmal.verify(path, cells).problems


@pytest.mark.usefixtures("surveyed")
def test_a_mask_that_the_pixels_contradict_is_not_taken(
    tmp_path: Path, cells: NDArray[np.uint8], model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_small(plane: NDArray[np.float64], rule: Rule) -> Inferred:
        points = np.zeros((24, 24), bool)
        points[10:14, 10:14] = True
        return Inferred(points=points, bits=0.0, share=0.0)

    source = with_inferred_masks(open_source(cells))
    assert isinstance(source, InferredSilhouettes)
    assert source.rule is not None
    monkeypatch.setattr("zarrmal.infer.search.infer_mask", too_small)
    silhouettes = source.silhouettes(np.arange(len(cells)))
    assert silhouettes is not None
    for mask, cell in zip(silhouettes.masks, cells, strict=True):
        np.testing.assert_array_equal(mask, cell > 0)
    covered = silhouettes.coverage((SIDE, SIDE))
    np.testing.assert_array_equal(covered, np.where(cells > 0, 255, 0))
    written(cells, tmp_path / "cells.zarr", model)


def test_a_subset_and_a_channel_of_rgb_have_inferred_masks(cells: NDArray[np.uint8]) -> None:
    rgb = np.stack([cells, cells // 2, cells], axis=3)
    source = with_inferred_masks(open_source(rgb))
    silhouettes = source.silhouettes(np.array([5, 2]))
    grey = with_inferred_masks(open_source(cells)).silhouettes(np.array([5, 2]))
    assert silhouettes is not None
    assert grey is not None
    assert [mask is not None for mask in silhouettes.masks] == [True, True]
    assert silhouettes.resampling == grey.resampling


class Masked(Source):
    """Cells whose masks are known."""

    def __init__(self, cells: NDArray[np.uint8]) -> None:
        self._cells = cells
        self.n_cells, self.cell_shape = len(cells), cells.shape[1:]

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        return self._cells[indices]

    def silhouettes(self, indices: NDArray[np.int64]) -> Silhouettes:
        return Silhouettes(masks=[None] * len(indices), resampling="box")


def test_known_masks_stay(cells: NDArray[np.uint8]) -> None:
    source = Masked(cells)
    assert with_inferred_masks(source) is source


def test_modes(cells: NDArray[np.uint8]) -> None:
    source = open_source(cells)
    assert with_inferred_masks(source, "off") is source
    with pytest.raises(InputError, match="infer_masks is auto or off, not 'yes'"):
        with_inferred_masks(source, "yes")  # type: ignore[arg-type]
    deep = open_source(cells.astype(np.uint16))
    assert with_inferred_masks(deep) is deep
    ragged = open_source([cells[0], cells[1, :20]])
    assert with_inferred_masks(ragged) is ragged


def test_without_numba_a_note_says_what_is_missed(
    tmp_path: Path, cells: NDArray[np.uint8], model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Notes(Listener):
        n_notes = 0

        def not_inferred(self) -> None:
            self.n_notes += 1

    monkeypatch.setattr(infer_source, "IS_AVAILABLE", False)
    source = open_source(cells)
    assert with_inferred_masks(source) is source
    assert lacks_inference(source, "auto")
    assert not lacks_inference(source, "off")
    assert not lacks_inference(Masked(cells), "auto")
    notes = Notes()
    info = written(cells, tmp_path / "cells.zarr", model, listener=notes)
    assert notes.n_notes == 1
    assert info.n_cells == len(cells)


@pytest.mark.usefixtures("surveyed")
def test_masks_that_make_no_cell_shorter_are_left_out(
    tmp_path: Path, cells: NDArray[np.uint8], model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = with_inferred_masks(open_source(cells))
    assert without_useless_masks(source, model) is source
    assert without_useless_masks(source, None) is source

    def full(self: InferredSilhouettes, indices: NDArray[np.int64]) -> Silhouettes:
        return Silhouettes(masks=[np.ones((90, 90), bool)] * len(indices), resampling="triangle")

    monkeypatch.setattr(InferredSilhouettes, "silhouettes", full)
    useless = with_inferred_masks(open_source(cells))
    assert isinstance(useless, InferredSilhouettes)
    assert without_useless_masks(useless, model) is useless.source
    assert written(cells, tmp_path / "cells.zarr", model).n_cells == len(cells)
