"""Cells of different sizes: each is stored on one canvas, and comes back at its own size."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from damaged import run
from every_moment import killed_at_store, moments
from facts import facts_of
from pictures import save
from ragged import CANVAS, LAYOUTS, SIZES, N, append, drawn, pictures, save_originals, sound, write
from test_every_moment import n_stores
from test_killed import bytes_of
from zarrmal_codecs import Model

import zarrmal
from zarrmal import Archive, InputError, WriteOptions, open_source
from zarrmal.sources import ConcatSource, Subset
from zarrmal.sources.preprocessing import Preprocessing


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_originals(tmp_path_factory.mktemp("originals"))


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
        f"cell b is 24 x 7, the archive's canvas is 20 x 13: make room by `zarrmal repack {place}` "
        f"with --canvas 24x13 or larger"
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


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_canvas_that_has_become_too_small_grows(
    layout: str, folder: Path, hybrid: Model, tmp_path: Path
) -> None:
    """As if the archive had been written on the larger one at first."""
    place, options = tmp_path / "a", LAYOUTS[layout]
    write(folder, place, hybrid, **options)
    zarrmal.repack(place, canvas=(24, 16))
    write(folder, tmp_path / "b", hybrid, canvas=(24, 16), **options)
    assert bytes_of(place) == bytes_of(tmp_path / "b")
    large = open_source([drawn(24, 16, 1)], names=["b.png"], labels=["uninfected"])
    append(large, place)
    sound(place, [folder, large])
    before = bytes_of(place)
    with pytest.raises(InputError, match="the canvas is 9 x 30: give --canvas 24x30"):
        zarrmal.repack(place, canvas=(9, 30))
    assert bytes_of(place) == before
    zarrmal.repack(place, tmp_path / "c", canvas=(30, 30))
    sound(tmp_path / "c", [folder, large])
    assert Archive.open(tmp_path / "c").cell_shape == (30, 30)
    assert bytes_of(place) == before


def test_an_archive_of_one_size_gets_a_canvas(hybrid: Model, tmp_path: Path) -> None:
    place, tens = tmp_path / "a", np.stack([drawn(10, 10, 5), drawn(10, 10, 6)])
    write(tens, place, hybrid)
    zarrmal.repack(place, canvas=(10, 10))
    assert Archive.open(place).sizes.tolist() == [[10, 10]] * 2
    inode = place.stat().st_ino
    zarrmal.repack(place, canvas=(10, 10))
    assert place.stat().st_ino == inode  # nothing to do
    smaller = [drawn(9, 8, 1)]
    append(open_source(smaller), place)
    sound(place, [tens, open_source(smaller)])


def test_a_canvas_that_the_model_does_not_take(model: Model, tmp_path: Path) -> None:
    """Profile paper knows one size of cells."""
    cells = np.zeros((4, *model.cell_shape), np.uint8)
    write(cells, tmp_path / "a", model)
    before = bytes_of(tmp_path / "a")
    with pytest.raises(InputError, match=r"the model of .* takes no cells of 30 x 30"):
        zarrmal.repack(tmp_path / "a", canvas=(30, 30))
    assert bytes_of(tmp_path / "a") == before


@pytest.mark.parametrize("rerun", [None, (24, 16)])
def test_a_canvas_grows_after_an_interruption(
    folder: Path, hybrid: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rerun: object
) -> None:
    """Once the new archive is planned, its canvas needs no naming again."""
    write(folder, tmp_path / "a", hybrid)
    write(folder, tmp_path / "b", hybrid, canvas=(24, 16))
    shutil.copytree(tmp_path / "a", tmp_path / "c")
    n = n_stores(monkeypatch, lambda: zarrmal.repack(tmp_path / "c", canvas=(24, 16), workers=1))
    for moment in moments(n, 6):
        place = tmp_path / f"at-{moment}" / "a"
        shutil.copytree(tmp_path / "a", place)
        with killed_at_store(moment, monkeypatch):
            zarrmal.repack(place, canvas=(24, 16), workers=1)
        zarrmal.repack(place, canvas=rerun, workers=1)
        zarrmal.repack(place, canvas=(24, 16), workers=1)
        assert bytes_of(place) == bytes_of(tmp_path / "b")


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
