"""Masks that lie beside the cells, whose background is kept: the array ``mask`` of an archive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from pictures import noise, save
from PIL import Image
from typer.testing import CliRunner
from zarrmal_codecs import CorruptionError, Model

import zarrmal
from zarrmal import AppendOptions, Archive, InputError, WriteOptions, open_source
from zarrmal.archive.lock.journal import source_digest
from zarrmal.archive.write.encode import objects
from zarrmal.cli import app
from zarrmal.sources import Subset
from zarrmal.sources.source import OnCanvas

N = 11
SIZES = [(8 + 5 * k % 7, 9 + 3 * k % 5) for k in range(N)]


def inside(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return y**2 + x**2 < 1


def images(place: Path, dtype: str) -> Path:
    """Images of several sizes with a background, and their masks, in two folders."""
    for k, (height, width) in enumerate(SIZES):
        cell = 50 + noise(height, width, seed=k).astype(dtype) // 2
        save(place / f"cells/{k:02}.png", cell)
        save(place / f"masks/{k:02}.tif", inside(height, width).astype(np.uint8) * 255)
    return place


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Those of 16 bits."""
    return images(tmp_path_factory.mktemp("originals"), "uint16")


def write(folder: Path, place: Path, model: Model | None = None, **options: object) -> None:
    given = WriteOptions(chunk_cells=4, workers=1, **options)
    zarrmal.write(folder / "cells", place, model=model, options=given, masks=folder / "masks")


LAYOUTS = {"zarr3": {}, "zarr2": {"zarr_format": 2}, "shards": {"shard_cells": 8}}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_they_come_back(layout: str, folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "a"
    write(folder, place, **LAYOUTS[layout])
    zarrmal.append(
        folder / "cells", place, options=AppendOptions(workers=1), masks=folder / "masks"
    )
    source = open_source(folder / "cells", masks=folder / "masks")
    order = zarr.open_group(place, mode="r")["source_index"][:]
    expected = source.masks(order % N)[:, 0]
    dataset = xr.open_zarr(place)
    assert dataset.mask.dims == ("cell", "y", "x")
    assert dataset.mask.dtype == bool
    np.testing.assert_array_equal(dataset.mask, expected)
    np.testing.assert_array_equal(Archive.open(place).masks([3, 14]), expected[[3, 14]])
    assert zarrmal.verify(place, [source, source]).problems == ()
    if layout == "zarr3":
        assert zarrmal.verify(place, [folder / "cells"] * 2).problems == ()  # none to compare
        zarrmal.repack(place)
        assert zarrmal.verify(place, [source, source]).problems == ()


def test_beside_cells_that_a_model_codes(tmp_path: Path) -> None:
    folder = images(tmp_path, "uint8")
    write(folder, tmp_path / "a")
    info = zarrmal.info(tmp_path / "a")
    assert (info.profile, info.n_masks, info.n_cells) == ("hybrid", 1, N)
    assert 0 < info.mask_bytes < info.stored_bytes
    assert zarrmal.verify(tmp_path / "a", folder / "cells", masks=folder / "masks").problems == ()


def test_extracted_they_are_masks_again(folder: Path, tmp_path: Path) -> None:
    write(folder, tmp_path / "a")
    words = ["extract", str(tmp_path / "a"), str(tmp_path / "out")]
    done = CliRunner().invoke(app, [*words, "--masks", str(tmp_path / "masks")])
    assert done.exit_code == 0, done.stderr
    assert f"masks of {N} cells" in done.stdout
    image = np.asarray(Image.open(tmp_path / "masks/03.png"))
    np.testing.assert_array_equal(image, inside(*SIZES[3]) * np.uint8(255))
    given = open_source(folder / "cells", masks=folder / "masks")
    back = open_source(tmp_path / "out", masks=tmp_path / "masks")
    assert source_digest(back) == source_digest(given)
    again = CliRunner().invoke(app, [*words, "--masks", str(tmp_path / "masks")])
    assert (again.exit_code, f"{2 * N} files exist" in again.stderr) == (2, True)
    done = CliRunner().invoke(app, [*words, "--overwrite"])
    assert "holds masks too" in done.stdout


def test_damage_and_differences(folder: Path, tmp_path: Path) -> None:
    write(folder, tmp_path / "a")
    other = [inside(*size) for size in SIZES]
    other[6] = ~other[6]
    for k, mask in enumerate(other):
        save(tmp_path / f"masks/{k:02}.png", mask.astype(np.uint8))
    report = zarrmal.verify(tmp_path / "a", folder / "cells", masks=tmp_path / "masks")
    assert len(report.problems) == 1
    assert "`mask`: chunk c/1/0/0" in report.problems[0]
    assert "differs from the source in 1 of its masks" in report.problems[0]
    assert report.n_lost == 0
    path = tmp_path / "a/mask/c/0/0/0"
    path.write_bytes(path.read_bytes()[:-1])
    (problem,) = zarrmal.verify(tmp_path / "a").problems
    assert "`mask`: chunk c/0/0/0" in problem
    with pytest.raises(CorruptionError):
        zarrmal.extract(tmp_path / "a", tmp_path / "out", masks=tmp_path / "out masks")
    document = tmp_path / "a/mask/zarr.json"
    text = document.read_text()
    document.write_text(text.replace('"bool"', '"bull"'))
    problems = zarrmal.verify(tmp_path / "a").problems
    assert any("metadata of `mask`" in p and "copy of its metadata is used" in p for p in problems)
    assert any("`mask`: chunk c/0/0/0" in p for p in problems)
    assert zarrmal.info(tmp_path / "a").n_cells == N
    document.write_text(text)
    report = zarrmal.extract(
        tmp_path / "a",
        tmp_path / "out",
        masks=tmp_path / "out masks",
        skip_damaged=True,
        overwrite=True,
    )
    assert (report.n_cells, report.n_masks_saved) == (N, N - 4)


def test_an_append_that_was_killed_is_taken_back(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from every_moment import killed_at_store

    place = tmp_path / "a"
    write(folder, place)
    before = zarr.open_group(place, mode="r")["mask"][:]
    options = AppendOptions(workers=1)
    with killed_at_store(9, monkeypatch):
        zarrmal.append(folder / "cells", place, options=options, masks=folder / "masks")
    assert zarrmal.undo(place) == N
    np.testing.assert_array_equal(zarr.open_group(place, mode="r")["mask"][:], before)
    assert zarrmal.verify(place, folder / "cells", masks=folder / "masks").problems == ()
    zarrmal.append(folder / "cells", place, options=options, masks=folder / "masks")


def test_cells_without_masks_are_not_appended(folder: Path, tmp_path: Path) -> None:
    write(folder, tmp_path / "a")
    with pytest.raises(InputError, match=r"holds 1 mask of .* these cells come with none"):
        zarrmal.append(folder / "cells", tmp_path / "a")


def test_silhouettes_are_not_stored_twice(tmp_path: Path) -> None:
    """Of cells that were cut out along their masks a model that codes silhouettes holds these."""
    for k, size in enumerate(SIZES):
        mask = inside(*size)
        save(tmp_path / f"cells/{k:02}.png", np.where(mask, 1 + noise(*size) // 2, 0).astype("u1"))
        save(tmp_path / f"masks/{k:02}.png", mask.astype(np.uint8))
    source = open_source(tmp_path / "cells", masks=tmp_path / "masks")
    assert (source.n_masks, source.has_background) == (1, False)
    zarrmal.write(source, tmp_path / "a")
    info = zarrmal.info(tmp_path / "a")
    assert info.n_masks == (0 if info.n_silhouettes else 1)
    deep = tmp_path / "deep"
    for k, size in enumerate(SIZES):
        save(deep / f"{k:02}.png", np.where(inside(*size), 999, 0).astype(np.uint16))
    zarrmal.write(deep, tmp_path / "c", masks=tmp_path / "masks")
    assert zarrmal.info(tmp_path / "c").n_masks == 1  # no model codes them, so nothing else does


def test_masks_of_another_size_are_not_kept(folder: Path) -> None:
    source = open_source(folder / "cells", masks=folder / "masks", size=8)
    assert source.n_masks == 0
    assert "which are not those of the cells as they are" in source.description


def test_several_masks_of_each_cell(tmp_path: Path) -> None:
    cells = noise(N, 4, 9, 8)
    cells[:, 1], cells[:, 3] = noise(N, 9, 8) > 99, (noise(N, 9, 8) > 200) * 255
    array = xr.DataArray(
        cells, dims=("cell", "c", "y", "x"), coords={"c": ["DNA", "nucleus", "ER", "cytosol"]}
    )
    place = tmp_path / "a"
    zarrmal.write(array, place, mask_channels=["nucleus", 3], options=WriteOptions(chunk_cells=4))
    group = zarr.open_group(place, mode="r")
    np.testing.assert_array_equal(group["cells"][:], cells[:, [0, 2]])
    np.testing.assert_array_equal(group["mask"][:], cells[:, [1, 3]] != 0)
    assert group["mask"].attrs["mask_names"] == ["nucleus", "cytosol"]
    assert xr.open_zarr(place).mask.dims == ("cell", "mask_plane", "y", "x")
    assert zarrmal.verify(place, array, mask_channels=["1", "3"]).problems == ()
    zarrmal.write(str(place), tmp_path / "b")
    zarrmal.repack(place, tmp_path / "c")
    for name in "bc":
        again = zarr.open_group(tmp_path / name, mode="r")["mask"]
        np.testing.assert_array_equal(again[:], group["mask"][:])
        assert again.attrs["mask_names"] == ["nucleus", "cytosol"]
    zarrmal.extract(place, tmp_path / "out", masks=tmp_path / "masks")
    saved = np.asarray(Image.open(tmp_path / "masks/cytosol/cell-02.png"))
    np.testing.assert_array_equal(saved, cells[2, 3])


def test_masks_among_the_images(folder: Path, tmp_path: Path) -> None:
    """By a pattern of names: those files are no cells."""
    given = open_source(folder / "cells", masks=folder / "masks")
    for k, size in enumerate(SIZES):
        cell, mask = given.original(k), inside(*size).astype(np.uint8)
        save(tmp_path / f"a/x/{k:02}.png", cell)
        save(tmp_path / f"a/x/{k:02}_mask.png", mask)
        save(tmp_path / f"b/{k:02}.tif", cell)
        save(tmp_path / f"b/{k:02}.png", mask * (1 + k))
        save(tmp_path / f"masks/x/{k:02}-m.bmp", mask)
    cases = [
        ("a", "{name}_mask.png"),
        ("b", "{name}.png"),
        ("a", f"{tmp_path}/masks/{{name}}-m.bmp"),
    ]
    for name, pattern in cases[:2]:
        source = open_source(tmp_path / name, masks=pattern)
        assert source.n_cells == N
        np.testing.assert_array_equal(source.masks(np.arange(N)), given.masks(np.arange(N)))
    (tmp_path / "a/x/03_mask.png").unlink()
    with pytest.raises(InputError, match=r"no mask of x/03.png: .* as in x_mask.png for x.png"):
        open_source(tmp_path / "a", masks=cases[0][1])
    for path in (tmp_path / "a/x").glob("*_mask.png"):
        path.unlink()
    source = open_source(tmp_path / "a", masks=cases[2][1])
    np.testing.assert_array_equal(source.masks(np.arange(N)), given.masks(np.arange(N)))
    save(tmp_path / "b/05.png", np.arange(np.prod(SIZES[5])).reshape(SIZES[5]).astype(np.uint8))
    assert "hold several values" in open_source(tmp_path / "b", masks="{name}.png").description


@pytest.mark.parametrize("background", [9, 0])
def test_packed_masks_of_the_size_of_the_cells(background: int, tmp_path: Path) -> None:
    mask = np.stack([inside(8, 9)] * 5)
    cells = np.where(mask, 100 + noise(5, 8, 9) // 2, background).astype(np.uint8)
    bits = [np.packbits(each) for each in mask]
    start = np.cumsum([0, *map(len, bits)])
    sizes = {"height": np.full(5, 8), "width": np.full(5, 9)}
    np.savez(tmp_path / "a.npz", cells=cells, bits=np.concatenate(bits), start=start, **sizes)
    source = open_source(tmp_path / "a.npz")
    assert (source.n_masks, source.has_background) == (1, background > 0)
    np.testing.assert_array_equal(source.masks(np.array([3, 1]))[:, 0], mask[[3, 1]])
    np.testing.assert_array_equal(source.silhouettes(np.array([3])).masks[0], mask[3])
    assert open_source(tmp_path / "a.npz", size=4).n_masks == 0


def test_masks_go_with_their_cells(folder: Path) -> None:
    source = open_source(folder / "cells", masks=folder / "masks")
    some = OnCanvas(Subset(source, [5, 2]), (20, 20))
    masks = some.masks(np.array([1, 0]))
    assert masks.shape == (2, 1, 20, 20)
    for mask, k in zip(masks[:, 0], (2, 5), strict=True):
        np.testing.assert_array_equal(mask[: SIZES[k][0], : SIZES[k][1]], inside(*SIZES[k]))
        assert mask.sum() == inside(*SIZES[k]).sum()


def test_a_failing_disk_shows(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects of cells and of masks are stored one after the other; none may be left out."""
    stored = []
    put = objects.put_bytes

    def failing(store: object, key: str, data: bytes) -> None:
        stored.append(key)
        if key.startswith("mask/c/1"):
            raise OSError(28, "No space left on device")
        put(store, key, data)

    monkeypatch.setattr(objects, "put_bytes", failing)
    with pytest.raises(OSError, match="No space"):
        write(folder, tmp_path / "a")
    monkeypatch.setattr(objects, "put_bytes", put)
    write(folder, tmp_path / "a", resume=True)
    assert any(key.startswith("cells/c/1") for key in stored)
    assert zarrmal.verify(tmp_path / "a", folder / "cells", masks=folder / "masks").problems == ()
