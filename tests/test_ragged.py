"""Cells of different sizes: each is stored on one canvas, and comes back at its own size."""

from __future__ import annotations

import json
import pickle
import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from damaged import flip, run
from every_moment import killed_at_store, moments
from facts import facts_of
from pictures import save
from PIL import Image
from test_every_moment import n_stores
from test_killed import bytes_of
from zarrmal_codecs import CorruptionError, Model

import zarrmal
from zarrmal import AppendOptions, Archive, InputError, WriteOptions, open_source
from zarrmal.archive import sheet as sheet_module
from zarrmal.archive.extract.report import UNSIZED
from zarrmal.archive.lock.journal import source_digest
from zarrmal.classify import ClassifierAssigner
from zarrmal.sources import ConcatSource, Source, Subset
from zarrmal.sources import sizes as sizes_module
from zarrmal.sources.preprocessing import Preprocessing
from zarrmal.sources.source import OnCanvas

LAYOUTS = {
    "zarr3": {},
    "zarr2": {"zarr_format": 2},
    "shards": {"chunk_cells": 4, "shard_cells": 8},
}
CANVAS = (20, 13)
N = 11
SIZES = [(8, 8), (20, 9), (9, 13), *((8 + 5 * k % 12, 8 + 3 * k % 6) for k in range(N - 3))]


def drawn(height: int, width: int, seed: int) -> np.ndarray:
    """Grey levels on black, which reaches the edges of some cells only."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    noise = np.random.default_rng(seed).integers(0, 9, (height, width))
    return np.where(y**2 + x**2 < 1 + seed % 3, 120 + 40 * y + noise, 0).astype(np.uint8)


ORIGINALS = [drawn(height, width, seed) for seed, (height, width) in enumerate(SIZES)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PNG files of eleven sizes, in two classes."""
    place = tmp_path_factory.mktemp("originals")
    for k, pixels in enumerate(ORIGINALS):
        save(place / f"{('parasitized', 'uninfected')[k % 2]}/{k:02}.png", pixels)
    return place


def write(source: object, place: object, model: Model, **options: object) -> None:
    given = WriteOptions(**({"chunk_cells": 4, "workers": 1} | options))
    zarrmal.write(source, place, model=model, options=given)


def append(source: object, place: object, **options: object) -> None:
    zarrmal.append(source, place, options=AppendOptions(workers=1, **options))


def pictures(folder: Path) -> dict[str, tuple[tuple[int, ...], bytes]]:
    """Shape and pixels of each image, by its path."""
    found = {}
    for path in folder.rglob("*.png"):
        pixels = np.asarray(Image.open(path))
        found[path.relative_to(folder).as_posix()] = (pixels.shape, pixels.tobytes())
    return found


def sound(place: object, source: object) -> None:
    assert zarrmal.verify(place, source).problems == ()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_originals_come_back(layout: str, folder: Path, hybrid: Model, tmp_path: Path) -> None:
    place = tmp_path / "a"
    write(folder, place, hybrid, **LAYOUTS[layout])
    group = zarr.open_group(place, mode="r")
    source = open_source(folder)
    order = group["source_index"][:]
    np.testing.assert_array_equal(group["cells"][:], source.read(order))
    assert group["cells"].shape == (N, *CANVAS)
    assert (group["height"].dtype, group["width"].dtype) == (np.uint16, np.uint16)
    assert group["height"].attrs["units"] == "pixel"
    sizes = np.stack([group["height"][:], group["width"][:]], axis=1)
    np.testing.assert_array_equal(sizes, source.sizes[order])
    sound(place, folder)
    archive = Archive.open(place)
    np.testing.assert_array_equal(archive.sizes, sizes)
    for position, k in enumerate(order.tolist()):
        np.testing.assert_array_equal(archive.cell(position), source.original(k))
        height, width = sizes[position]
        canvas = archive.read([position])[0]
        assert not canvas[height:].any()
        assert not canvas[:, width:].any()
    assert zarrmal.extract(place, tmp_path / "out").damaged == ()
    assert pictures(tmp_path / "out") == pictures(folder)
    dataset = zarrmal.open(place, source_order=True)
    np.testing.assert_array_equal(dataset.height, source.sizes[:, 0])
    np.testing.assert_array_equal(xr.open_zarr(place).width, sizes[:, 1])


def test_in_colour_and_one_channel_of_it(tmp_path: Path) -> None:
    for k, (height, width) in enumerate([(9, 12), (14, 8), (9, 9)]):
        pixels = np.random.default_rng(k).integers(0, 256, (height, width, 3), np.uint8)
        save(tmp_path / f"in/{k}.png", pixels)
    zarrmal.write(tmp_path / "in", tmp_path / "a")
    sound(tmp_path / "a", tmp_path / "in")
    zarrmal.extract(tmp_path / "a", tmp_path / "out")
    assert pictures(tmp_path / "out") == pictures(tmp_path / "in")
    zarrmal.write(tmp_path / "in", tmp_path / "b", channel="green")
    assert Archive.open(tmp_path / "b").cell(1).shape == (14, 8)
    sound(tmp_path / "b", tmp_path / "in")
    info = zarrmal.info(tmp_path / "a")
    assert (info.n_pixels, info.raw_bytes) == (9 * 12 + 14 * 8 + 81, 3 * (9 * 12 + 14 * 8 + 81))
    assert info.sizes_text == "9 to 14 x 8 to 12 x 3"
    assert info.bits_per_pixel == pytest.approx(8 * info.stored_bytes / info.n_pixels)


def test_what_the_archive_records(folder: Path, hybrid: Model, tmp_path: Path) -> None:
    write(folder, tmp_path / "a", hybrid)
    preprocessing = zarrmal.info(tmp_path / "a").preprocessing
    assert preprocessing == Preprocessing(native_heights=(8, 20), native_widths=(8, 13))
    assert {"height", "width"} <= set(facts_of(zarr.open_group(tmp_path / "a"))["arrays"])
    zarrmal.write(folder, tmp_path / "b", size=24, model=hybrid)
    assert not {"height", "width"} & set(facts_of(zarr.open_group(tmp_path / "b"))["arrays"])
    assert Archive.open(tmp_path / "b").sizes is None
    assert Archive.open(tmp_path / "b").cell(0).shape == (24, 24)


# Appending.


def test_cells_of_any_size_that_fits_are_appended(
    folder: Path, hybrid: Model, tmp_path: Path
) -> None:
    place, source = tmp_path / "a", open_source(folder)
    write(folder, place, hybrid)
    smaller = Subset(source, [0, 0, 3])
    one_size = open_source(
        np.stack([drawn(10, 11, 5)] * 2), names=["x.png", "y.png"], labels=["uninfected"] * 2
    )
    append(smaller, place)
    append(one_size, place)
    together = ConcatSource([source, smaller, one_size])
    sound(place, together)
    sound(place, [folder, smaller, one_size])
    write(together, tmp_path / "whole", hybrid)
    zarrmal.repack(place)
    assert bytes_of(place) == bytes_of(tmp_path / "whole")


def test_larger_cells_are_refused_before_anything_is_written(
    folder: Path, hybrid: Model, tmp_path: Path
) -> None:
    place = tmp_path / "a"
    write(folder, place, hybrid)
    before = bytes_of(place)
    large = open_source([drawn(8, 8, 1), drawn(24, 7, 1)], names=["a", "b"], labels=["x", "x"])
    with pytest.raises(InputError) as error:
        append(large, place)
    assert str(error.value) == (
        "cell b is 24 x 7, the archive's canvas is 20 x 13: write a new archive with --canvas "
        "24x13 or larger"
    )
    assert bytes_of(place) == before


def test_a_canvas_makes_room(folder: Path, hybrid: Model, tmp_path: Path) -> None:
    place = tmp_path / "a"
    write(folder, place, hybrid, canvas=(24, 16))
    assert Archive.open(place).cell_shape == (24, 16)
    sound(place, folder)
    large = open_source([drawn(24, 16, 1)], names=["b.png"], labels=["uninfected"])
    append(large, place)
    sound(place, [folder, large])
    with pytest.raises(InputError, match="is 9 x 13, the canvas is 8 x 9: give --canvas 20x13"):
        write(folder, tmp_path / "b", hybrid, canvas=(8, 9))
    one_size = np.stack([drawn(10, 11, 5)] * 2)
    write(one_size, tmp_path / "c", hybrid, canvas=(12, 12))
    assert Archive.open(tmp_path / "c").sizes.tolist() == [[10, 11]] * 2
    sound(tmp_path / "c", one_size)
    with pytest.raises(InputError, match="at least 1 pixel"):
        WriteOptions(canvas=(0, 4))


def test_an_archive_of_one_size_takes_no_other(hybrid: Model, tmp_path: Path) -> None:
    place = tmp_path / "a"
    ten = drawn(10, 10, 5)
    write(np.stack([ten] * 3), place, hybrid)
    assert "height" not in zarr.open_group(place)
    before = bytes_of(place)
    for source in (np.stack([drawn(9, 10, 5)] * 2), [ten, drawn(9, 9, 1)]):
        with pytest.raises(InputError, match=r"are 10 x 10, these are 9.*--canvas HEIGHTxWIDTH"):
            append(source, place)
        with pytest.raises(InputError, match="same --size and --channel"):
            zarrmal.verify(place, open_source(source))
    assert bytes_of(place) == before
    mixed = Subset(
        open_source([drawn(9, 12, 1), ten]), [1, 1]
    )  # of its own size, on a larger canvas
    append(mixed, place)
    sound(place, [np.stack([ten] * 3), mixed])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_killed_at_any_store(
    layout: str, folder: Path, hybrid: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new archive, and an append to it: resumed, or undone, to the same bytes."""
    source, options = open_source(folder), LAYOUTS[layout]
    first, second = Subset(source, range(7)), Subset(source, range(7, N))
    whole, canvas = tmp_path / "whole" / "a", (22, 14)

    def begin(place: object, **more: object) -> None:
        write(first, place, hybrid, **options, **more)

    n = n_stores(monkeypatch, lambda: begin(whole, canvas=canvas))
    begun = bytes_of(whole)
    for moment in moments(n, 5):
        place = tmp_path / f"new-{moment}" / "a"
        with killed_at_store(moment, monkeypatch):
            begin(place, canvas=canvas)
        begin(place, resume=True, canvas=canvas)
        assert bytes_of(place) == begun
    n = n_stores(monkeypatch, lambda: append(second, whole))
    expected = bytes_of(whole)
    for k, moment in enumerate(moments(n, 5)):
        place = tmp_path / f"append-{moment}" / "a"
        shutil.copytree(tmp_path / "new-0" / "a", place)
        with killed_at_store(moment, monkeypatch):
            append(second, place)
        if k % 2 and zarrmal.info(place).n_cells == 7:
            assert zarrmal.undo(place) == N - 7
            assert bytes_of(place) == begun
            append(second, place)
        else:
            append(second, place, resume=True)
        assert bytes_of(place) == expected
    sound(whole, source)


def test_a_planned_archive_keeps_its_canvas(
    folder: Path, hybrid: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--resume needs no --canvas: that of the interrupted run holds."""
    place = tmp_path / "in" / "a"
    n = n_stores(monkeypatch, lambda: write(folder, tmp_path / "b", hybrid, canvas=(22, 14)))
    with killed_at_store(n - 8, monkeypatch):
        write(folder, place, hybrid, canvas=(22, 14))
    write(folder, place, hybrid, resume=True)
    assert bytes_of(place) == bytes_of(tmp_path / "b")


# Sources.


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


# What looks at cells.


def test_a_classifier_sees_each_cell_at_its_own_size() -> None:
    class Seen:
        class_names = ("a", "b")

        def __init__(self) -> None:
            self.shapes: list[tuple[int, ...]] = []

        def predict(self, cells: np.ndarray) -> np.ndarray:
            self.shapes += [cells.shape[1:]] * len(cells)
            return np.stack([cells.mean((1, 2)) > 60, cells.mean((1, 2)) <= 60], 1).astype(float)

    source, seen = open_source(ORIGINALS), Seen()
    rows = np.arange(N)
    assigned = ClassifierAssigner(seen, ("b", "a"), source)(source.read(rows), rows)
    assert sorted(seen.shapes) == sorted(SIZES)
    expected = [int(pixels.mean() > 60) for pixels in ORIGINALS]
    assert assigned.predicted_class.tolist() == expected


@pytest.mark.training
def test_what_needs_one_size_asks_for_it() -> None:
    from zarrmal.learn import HybridOptions, TrainOptions

    for options, what in (
        (TrainOptions(), "training"),
        (HybridOptions(classes=2), "learning classes"),
        (HybridOptions(sae=1), "an autoencoder"),
    ):
        with pytest.raises(InputError, match=rf"8 to 20 x 8 to 13: {what}.*--size N"):
            zarrmal.train(ORIGINALS, options=options)


@pytest.mark.training
def test_a_model_is_trained_on_cells_of_all_sizes(tmp_path: Path) -> None:
    """The padding counts for nothing: the rate is that of the codec, over the cells' own pixels."""
    from zarrmal.learn import HybridOptions

    cells = [drawn(9 + k % 7, 12 - k % 5, k) for k in range(60)]
    result = zarrmal.train(cells, options=HybridOptions(effort="fast", steps=60, validation=0.0))
    assert result.report.sae == "none"
    head = 16 * len(cells) / sum(cell.size for cell in cells)  # of each stream
    assert result.report.int8_bits == pytest.approx(result.report.float_bits + head, rel=0.02)
    given = WriteOptions(chunk_cells=len(cells))
    zarrmal.write(cells, tmp_path / "a", model=result.model, options=given)
    info = zarrmal.info(tmp_path / "a")
    n_pixels = sum(cell.size for cell in cells)
    overhead = 8 * 60 * 6  # a stream's length, its last words, its size
    told = result.report.int8_bits * n_pixels
    assert told < 8 * info.payload_bytes < told + overhead
    assert zarrmal.verify(tmp_path / "a", [cells]).problems == ()


@pytest.mark.training
def test_data_sets_give_canvases(folder: Path, hybrid: Model, tmp_path: Path) -> None:
    from zarrmal.torch import CellDataset

    write(folder, tmp_path / "a", hybrid)
    cells = CellDataset(str(tmp_path / "a"))
    archive = Archive.open(tmp_path / "a")
    for position in (0, N - 1):
        pixels = np.asarray(cells[position][0]).reshape(CANVAS)
        np.testing.assert_array_equal(pixels, archive.read([position])[0])


def test_the_contact_sheet_shows_cells_without_padding(hybrid: Model, tmp_path: Path) -> None:
    cells = [np.full((4, 8), 200, np.uint8), np.full((8, 8), 100, np.uint8)]
    zarrmal.write(cells, tmp_path / "a", model=hybrid, assign=lambda _, rows: rows * 0)
    sheet = np.asarray(zarrmal.show(tmp_path / "a").image)[..., 0]
    edge = 80
    assert sheet_module._tile_shape((8, 8)) == (edge, edge)
    assert (sheet == 200).sum() >= 40 * edge
    assert (sheet == 100).sum() >= edge * edge
    assert not (sheet == 0).any()
    assert "4 to 8 x 8" in sheet_module._footer(Archive.open(tmp_path / "a"))[0]


# Other programs, and damage.


def copied(place: Path, copy: Path, **changes: object) -> None:
    """A copy by xarray, with other values in some cells."""
    dataset = xr.open_zarr(place).load()
    for name, (cell, value) in changes.items():
        dataset[name].values[cell] = value
    dataset.to_zarr(copy)


@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
@pytest.mark.parametrize("zarr_format", [3, 2])
def test_a_copy_by_xarray(zarr_format: int, folder: Path, hybrid: Model, tmp_path: Path) -> None:
    write(folder, tmp_path / "a", hybrid, zarr_format=zarr_format)
    xr.open_zarr(tmp_path / "a").to_zarr(tmp_path / "b", zarr_format=zarr_format)
    zarrmal.extract(tmp_path / "b", tmp_path / "out")
    assert pictures(tmp_path / "out") == pictures(folder)
    zarrmal.adopt(tmp_path / "b")
    sound(tmp_path / "b", folder)
    append(folder, tmp_path / "b")
    sound(tmp_path / "b", [folder, folder])


@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
def test_a_copy_without_the_sizes(folder: Path, hybrid: Model, tmp_path: Path) -> None:
    write(folder, tmp_path / "a", hybrid)
    xr.open_zarr(tmp_path / "a").drop_vars(["height", "width"]).to_zarr(tmp_path / "b")
    with pytest.raises(InputError, match="lacks the arrays `height` and `width`"):
        zarrmal.adopt(tmp_path / "b")
    xr.open_zarr(tmp_path / "a").drop_vars("width").to_zarr(tmp_path / "c")
    with pytest.raises(InputError, match="only `height` is there"):
        zarrmal.adopt(tmp_path / "c")


@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
def test_sizes_that_do_not_fit_the_pixels(folder: Path, hybrid: Model, tmp_path: Path) -> None:
    write(folder, tmp_path / "a", hybrid)
    height = int(zarr.open_group(tmp_path / "a")["height"][0])
    copied(tmp_path / "a", tmp_path / "b", height=(0, height - 6))
    report = zarrmal.verify(tmp_path / "b", folder)
    assert [finding.kind for finding in report.findings] == ["beyond"]
    assert any("holds pixels beyond the size of 1 of its cells: 0" in p for p in report.problems)
    assert any(
        line == f"`height` differs from the source: of cell 0 it is {height - 6}, there {height}"
        for line in report.problems
    )
    assert report.n_lost == 0
    with pytest.raises(CorruptionError, match="outside the `height`"):
        zarrmal.adopt(tmp_path / "b")
    with pytest.raises(CorruptionError, match="pixels outside its size"):
        zarrmal.extract(tmp_path / "b", tmp_path / "out")
    found = zarrmal.extract(tmp_path / "b", tmp_path / "out", skip_damaged=True, overwrite=True)
    assert [(cell.position, cell.state) for cell in found.damaged] == [(0, UNSIZED)]
    copied(tmp_path / "a", tmp_path / "c", width=(1, 99))
    assert any("`width` of cell 1 is 99" in p for p in zarrmal.verify(tmp_path / "c").problems)
    with pytest.raises(InputError, match="`width` of cell 1 is 99"):
        zarrmal.adopt(tmp_path / "c")


@pytest.mark.parametrize("kind", ["flipped", "gone"])
@pytest.mark.parametrize("zarr_format", [3, 2])
def test_damage_to_the_sizes(
    kind: str, zarr_format: int, folder: Path, hybrid: Model, tmp_path: Path
) -> None:
    """The pixels are all saved, on the canvas, and listed: where a cell ends is not known."""
    place = tmp_path / "a"
    write(folder, place, hybrid, zarr_format=zarr_format)
    chunk = place / "height" / ("c/0" if zarr_format == 3 else "0")
    if kind == "gone":
        chunk.unlink()
    else:
        chunk.write_bytes(flip(len(chunk.read_bytes()) // 2)(chunk.read_bytes()))
    report = zarrmal.verify(place, folder)
    assert any(line.startswith("`height`: chunk") for line in report.problems)
    assert report.n_lost == 0
    archive = Archive.open(place)
    for reading in (lambda: archive.sizes, lambda: archive.cell(0)):
        with pytest.raises(CorruptionError, match="height"):
            reading()
    assert archive.read([0]).shape == (1, *CANVAS)
    assert zarrmal.info(place).n_pixels == N * CANVAS[0] * CANVAS[1]
    assert zarrmal.show(place).n_lost == 0
    with pytest.raises(InputError, match="height"):
        open_source(place)
    with pytest.raises(CorruptionError, match="--skip-damaged"):
        zarrmal.extract(place, tmp_path / "strict")
    found = zarrmal.extract(place, tmp_path / "out", skip_damaged=True)
    assert (found.n_cells, found.n_lost) == (N, 0)
    assert {cell.state for cell in found.damaged} == {UNSIZED}
    assert len(found.damaged) == N
    saved = pictures(tmp_path / "out")
    assert {shape for shape, _ in saved.values()} == {CANVAS}
    for name, (shape, pixels) in pictures(folder).items():
        whole = np.frombuffer(saved[name][1], np.uint8).reshape(CANVAS)
        assert whole[: shape[0], : shape[1]].tobytes() == pixels
    assert "its size is lost" in (tmp_path / "out" / "damaged-cells.txt").read_text()


# The command line.


def test_on_the_command_line(folder: Path, tmp_path: Path) -> None:
    place, extracted = tmp_path / "a", tmp_path / "out"
    done = run("archive", folder, place, "--canvas", "24x16")
    assert done.exit_code == 0, done.stderr
    assert "cells of 8 to 20 x 8 to 13" in done.stderr
    assert "11 of 8 to 20 x 8 to 13" in done.stdout
    assert "24 x 16" in done.stdout
    assert f"{sum(h * w for h, w in SIZES):,}" in done.stdout
    assert run("append", folder, place).exit_code == 0
    assert run("verify", place, "--source", folder, "--source", folder).exit_code == 0
    info = json.loads(run("info", place, "--json").stdout)
    assert (info["heights"], info["widths"]) == ([8, 20], [8, 13])
    assert info["n_pixels"] == 2 * sum(height * width for height, width in SIZES)
    assert run("extract", place, extracted).exit_code == 0
    assert len(pictures(extracted)) == 2 * N
    square = run("archive", folder, tmp_path / "b", "--canvas", 32, "--json")
    assert json.loads(square.stdout)["cell_shape"] == [32, 32]
    for canvas, told in [
        ("8", "is 9 x 13, the canvas is 8 x 8"),
        ("a", "wants a height"),
        ("3x", "wants"),
    ]:
        refused = run("archive", folder, tmp_path / "c", "--canvas", canvas)
        assert refused.exit_code == 2
        assert told in refused.stderr
