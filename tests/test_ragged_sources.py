"""Cells of different sizes from every kind of source."""

from __future__ import annotations

import pickle
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import zarr
from pictures import save
from ragged import CANVAS, ORIGINALS, SIZES, N, save_originals, sound, write
from zarrmal_codecs import Model

import zarrmal
from zarrmal import Archive, InputError, WriteOptions, open_source
from zarrmal.archive.lock.journal import source_digest
from zarrmal.sources import Source, Subset
from zarrmal.sources import sizes as sizes_module
from zarrmal.sources.source import OnCanvas


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_originals(tmp_path_factory.mktemp("originals"))


def npz(path: Path, **changes: object) -> Path:
    source = open_source(ORIGINALS)
    arrays = {
        "cells": source.read(np.arange(N)),
        "height": source.sizes[:, 0],
        "width": source.sizes[:, 1],
    } | changes
    np.savez(path, **{name: values for name, values in arrays.items() if values is not None})
    return path


def same_originals(source: Source) -> None:
    assert source.n_cells == N
    for k, original in enumerate(ORIGINALS):
        np.testing.assert_array_equal(source.original(k), original)
    assert source.cell_shape == CANVAS
    np.testing.assert_array_equal(source.sizes, SIZES)
    assert source.sizes.dtype == np.uint16
    assert "cells of 8 to 20 x 8 to 13" in source.description


def test_from_a_list_a_file_a_group_and_an_archive(hybrid: Model, tmp_path: Path) -> None:
    same_originals(open_source(ORIGINALS))
    path = npz(tmp_path / "c.npz")
    same_originals(open_source(path))
    assert "not used" not in open_source(path).description
    group = zarr.create_group(tmp_path / "g.zarr")
    with np.load(path) as arrays:
        for name, values in arrays.items():
            group[name] = values.astype(np.int32) if name != "cells" else values
    same_originals(open_source(tmp_path / "g.zarr"))
    write(ORIGINALS, tmp_path / "a", hybrid, canvas=CANVAS)
    archived = open_source(tmp_path / "a")
    order = np.argsort(zarr.open_group(tmp_path / "a")["source_index"][:])
    same_originals(open_source(Subset(archived, order)))
    dataset = zarrmal.open(tmp_path / "a", source_order=True).set_coords(["height", "width"])
    same_originals(open_source(dataset.cells))
    for source in (path, tmp_path / "g.zarr", archived):
        place = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        write(source, place, hybrid)
        sound(place, source)
    sound(tmp_path / "a", [ORIGINALS])


def test_a_size_resamples_each_cell_alone(folder: Path, tmp_path: Path) -> None:
    expected = open_source(folder, size=7)
    assert expected.sizes is None
    places = [int(Path(name).stem) for name in expected.names]
    expected = expected.read(np.argsort(places))
    for source in (ORIGINALS, npz(tmp_path / "c.npz"), open_source(ORIGINALS)):
        resampled = open_source(source, size=7)
        assert resampled.preprocessing.size == 7
        assert resampled.preprocessing.native_heights == (8, 20)
        np.testing.assert_array_equal(resampled.read(np.arange(N)), expected)


@pytest.mark.parametrize(
    ("name", "cell", "value", "told"),
    [
        ("height", 2, 0, "`height` of cell 2 is 0"),
        ("width", 1, 14, "`width` of cell 1 is 14"),
        ("height", 0, -1, "`height` of cell 0 is -1"),
        ("width", 4, 1, "has pixels beyond that"),
    ],
)
def test_sizes_that_are_wrong(name: str, cell: int, value: int, told: str, tmp_path: Path) -> None:
    values = np.array(SIZES)[:, ("height", "width").index(name)]
    values[cell] = value
    path = npz(tmp_path / "c.npz", **{name: values})
    with pytest.raises(InputError, match=f"(?s)(cell {cell}|of cell).*") as error:
        open_source(path).read(np.arange(N))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_other_columns_of_these_names_are_not_used(tmp_path: Path) -> None:
    assert open_source(npz(tmp_path / "a.npz", width=None)).sizes is None
    assert "`height`" in open_source(tmp_path / "a.npz").description
    assert open_source(npz(tmp_path / "b.npz", width=np.full(N, 2.5))).sizes is None
    with pytest.raises(InputError, match="one value per cell"):
        open_source(npz(tmp_path / "c.npz", width=np.arange(3)))


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ([], "holds 0 cells"),
        ([np.ones((3, 3)), ORIGINALS[0]], "array 1 holds uint8, array 0 float64"),
        ([ORIGINALS[0], np.ones((3, 3, 3), np.uint8)], "have the same channels"),
        ([np.ones(3, np.uint8)], "a cell is"),
        ([np.ones((3, 0), np.uint8)], "a cell is"),
        ([np.ma.masked_less(ORIGINALS[0], 3)], "masked"),
    ],
)
def test_lists_that_are_refused(cells: list[np.ndarray], told: str) -> None:
    with pytest.raises(InputError, match=told):
        open_source(cells)


def test_grey_and_rgb_do_not_mix(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "b")
    save(tmp_path / "b" / "uninfected" / "rgb.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(InputError, match="1 are RGB"):
        open_source(tmp_path / "b")


def test_an_image_that_changes_its_size(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "b")
    source = open_source(tmp_path / "b")
    save(tmp_path / "b" / source.names[3], np.zeros((4, 4), np.uint8))
    with pytest.raises(InputError, match=r"has changed.*\(4, 4\)"):
        source.read(np.array([3]))


def test_the_digest_of_a_source_tells_sizes_apart() -> None:
    black = [np.zeros((height, 9), np.uint8) for height in (5, 6, 7)]
    other = [black[1], black[0], black[2]]
    assert source_digest(open_source(black)) != source_digest(open_source(other))


def test_sources_go_to_other_processes(folder: Path) -> None:
    for source in (
        open_source(folder),
        open_source(ORIGINALS),
        Subset(open_source(ORIGINALS), [2]),
    ):
        for each in (source, OnCanvas(source, (30, 30))):
            assert source_digest(pickle.loads(pickle.dumps(each))) == source_digest(each)


class Untidy(Source):
    """A cell whose canvas is not black beyond it."""

    n_cells, cell_shape, sizes = 1, (9, 9), np.array([[5, 5]], np.uint16)
    location = "untidy"

    def read(self, indices: np.ndarray) -> np.ndarray:
        return np.ones((len(indices), 9, 9), np.uint8)


def test_a_source_with_pixels_beyond_its_sizes(hybrid: Model, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="untidy: cell 0 is 5 x 5, but has pixels beyond"):
        write(Untidy(), tmp_path / "a", hybrid)
    assert not (tmp_path / "a").exists()


class Huge(Source):
    """Cells of 4 MB, drawn when they are read."""

    cell_shape = (2048, 2048)

    def __init__(self, n_cells: int) -> None:
        self.n_cells = n_cells
        self.sizes = np.full((n_cells, 2), 2048, np.uint16)
        self.most = 0

    def read(self, indices: np.ndarray) -> np.ndarray:
        self.most = max(self.most, len(indices))
        return np.zeros((len(indices), *self.cell_shape), np.uint8)


def test_few_large_canvases_are_read_at_a_time(hybrid: Model, tmp_path: Path) -> None:
    source = Huge(60)
    most = sizes_module.BLOCK_BYTES // 2048**2
    assert most == 16
    tracemalloc.start()
    try:
        zarrmal.write(
            source,
            tmp_path / "a",
            model=hybrid,
            assign=lambda cells, rows: np.zeros(len(rows), np.uint8),
            options=WriteOptions(workers=1),
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert Archive.open(tmp_path / "a").grid.chunk_cells == 16
    assert source.most == most
    assert peak < 5 * sizes_module.BLOCK_BYTES
