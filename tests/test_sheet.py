"""Contact sheets: which cells are on them, and that what they show is so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from damaged import flip, run
from frozen_models import untrained
from PIL import Image
from zarrmal_codecs import Model

import zarrmal
from zarrmal import Archive, ExistsError, InputError, WriteOptions, open_source
from zarrmal.archive import sheet as module
from zarrmal.sources import Source, Subset


@pytest.fixture
def place(cells: Source, model: Model, tmp_path: Path) -> Path:
    """60 cells of two classes; five have the label of the other class."""
    source = Subset(cells, np.arange(60))
    labels = np.array(source.class_names)[source.labels]
    classes = (np.arange(60) >= 30).astype(np.uint8)
    labels[:] = np.where(classes == 0, *model.class_names)
    labels[:5] = model.class_names[1]
    told = open_source(source.read(np.arange(60)), labels=labels)
    zarrmal.write(
        told,
        tmp_path / "a",
        model=model,
        assign=lambda _, rows: classes[rows],
        options=WriteOptions(chunk_cells=16),
    )
    return tmp_path / "a"


def tiles(image: Image.Image, cell: np.ndarray) -> int:
    """How often a cell's enlarged pixels are on the sheet."""
    height, width = module._tile_shape(cell.shape)
    tile = np.asarray(module._tile(cell).resize((width, height), Image.Resampling.NEAREST))
    sheet = np.asarray(image)
    windows = np.lib.stride_tricks.sliding_window_view(sheet[..., 0], (height, width))
    windows, tile = windows[:, :: module.GAP], tile[..., 0]
    middle = height // 2  # this row first: few windows have the same
    windows = windows[(windows[:, :, middle] == tile[middle]).all(axis=2)]
    return int((windows == tile).all(axis=(1, 2)).sum())


def test_cells_of_each_class_are_shown_as_they_are(place: Path) -> None:
    sheet = zarrmal.show(place, per_class=3)
    assert (sheet.n_shown, sheet.n_lost) == (6, 0)
    archive = Archive.open(place)
    shown = archive.read([0, 14, 29, 30, 44, 59])
    assert [tiles(sheet.image, cell) for cell in shown] == [1] * 6
    assert tiles(sheet.image, archive.read([7])[0]) == 0
    assert zarrmal.show(place, per_class=100).n_shown == 60


def test_a_label_that_is_not_the_class_is_red(place: Path) -> None:
    red = np.array([0xB0, 0x00, 0x20])

    def n_red(per_class: int) -> int:
        image = zarrmal.show(place, per_class=per_class).image
        return int((np.asarray(image) == red).all(axis=2).sum())

    assert n_red(1) > 0  # of each class the first cell
    assert n_red(60) == 5 * n_red(1)


@pytest.mark.parametrize("labelled", [False, True])
def test_no_class_is_claimed_that_nothing_tells(
    cells: Source, model: Model, labelled: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = np.full(12, model.class_names[0]) if labelled else None
    source = open_source(cells.read(np.arange(12)), labels=labels)
    zarrmal.write(source, tmp_path / "a", model=model, assign=lambda _, rows: 0 * rows)
    assert zarrmal.info(tmp_path / "a").are_classes_told == labelled
    shown = model.class_names[0] if labelled else "class not told apart"
    other = model.class_names[1] if labelled else model.class_names[0]
    table = run("info", tmp_path / "a").stdout
    assert f"{shown} │ 12 " in " ".join(table.split())
    assert labelled or other not in table
    titles = []
    monkeypatch.setattr(
        module.ImageDraw.ImageDraw, "text", lambda _, where, text, *__: titles.append(text)
    )
    zarrmal.show(tmp_path / "a")
    assert f"{shown}: 12 cells" in titles


def test_damaged_cells_are_crossed_out(place: Path, tmp_path: Path) -> None:
    chunk = place / "cells" / "c" / "0" / "0" / "0"
    data = chunk.read_bytes()
    chunk.write_bytes(flip(len(data) // 2)(data))
    sheet = zarrmal.show(place, per_class=60)
    assert (sheet.n_shown, sheet.n_lost) == (60, 1)
    result = run("show", place, "-o", tmp_path / "b.png", "--per-class", 60)
    assert result.exit_code == 1
    assert "1 of them are damaged" in result.stdout


@pytest.mark.parametrize("shape", [(5, 9), (3, 4, 2), (3, 4, 3), (7, 3, 4), (700, 30)])
def test_cells_of_any_shape(shape: tuple[int, ...], tmp_path: Path) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (4, *shape), dtype=np.uint8)
    zarrmal.write(pixels, tmp_path / "a", model=untrained(shape))
    sheet = zarrmal.show(tmp_path / "a")
    assert sheet.n_shown == 4
    assert sheet.image.width <= module.SHEET_WIDTH + 2 * module.TILE_EDGES[1]
    assert sheet._repr_png_().startswith(b"\x89PNG")


def test_on_the_command_line(place: Path, tmp_path: Path) -> None:
    picture = tmp_path / "s.png"
    result = run("show", place, "-o", picture)
    assert (result.exit_code, result.stdout) == (0, f"48 cells in {picture}\n")
    with Image.open(picture) as image:
        assert image.mode == "RGB"
    before = picture.read_bytes()
    again = run("show", place, "-o", picture, "--per-class", 1)
    assert again.exit_code == 2
    assert "exists already" in again.stderr
    assert picture.read_bytes() == before
    assert run("show", place, "-o", picture, "--per-class", 1, "--overwrite").exit_code == 0
    assert picture.read_bytes() != before
    with pytest.raises(ExistsError):
        zarrmal.show(place).save(picture)
    with pytest.raises(InputError, match="at least 1"):
        zarrmal.show(place, per_class=0)
    assert run("show", tmp_path / "none").exit_code == 2


def test_it_says_that_pixels_were_resampled(cells: Source, model: Model, tmp_path: Path) -> None:
    source = open_source(cells.read(np.arange(8)).repeat(2, axis=1).repeat(2, axis=2), size=24)
    zarrmal.write(source, tmp_path / "a", model=model, assign="shortest")
    archive = Archive.open(tmp_path / "a")
    assert any("NOT in the archive" in line for line in module._footer(archive))
