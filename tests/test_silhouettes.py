"""Silhouettes of sources, and archives whose cells are coded along them."""

from __future__ import annotations

from pathlib import Path

import hybrid_models
import numpy as np
import pytest
import zarr
from PIL import Image
from zarrmal_codecs import Model

import zarrmal
from zarrmal import Archive, InputError
from zarrmal.archive import WriteOptions
from zarrmal.archive.read.silhouettes import read_silhouettes
from zarrmal.sources import ConcatSource, Source, Subset, open_source

N = 30
NATIVE = (19, 16)
RESIZE = {
    "triangle": Image.Resampling.BILINEAR,
    "box": Image.Resampling.BOX,
    "nearest": Image.Resampling.NEAREST,
}


@pytest.fixture(scope="module")
def model() -> Model:
    """For cells (7, 5), with a table of masks."""
    return hybrid_models.cut_out()


def native_cells(n: int = N, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Cells cut out along discs, uint8 (cell, y, x), and their masks."""
    generator = np.random.default_rng(seed)
    y, x = np.ogrid[: NATIVE[0], : NATIVE[1]]
    middle = np.array(NATIVE)[:, None] / 2 + generator.uniform(-1, 1, (2, n))
    radius = generator.uniform(4, 7, n)[:, None, None]
    masks = (y - middle[0][:, None, None]) ** 2 + (x - middle[1][:, None, None]) ** 2 < radius**2
    cells = generator.integers(150, 170, (n, *NATIVE)) + 2 * x
    return np.where(masks, cells, 0).astype(np.uint8), masks


def resized(cells: np.ndarray, how: str = "triangle") -> np.ndarray:
    return np.stack([np.asarray(Image.fromarray(c).resize((5, 7), RESIZE[how])) for c in cells])


def packed(masks: np.ndarray) -> dict[str, np.ndarray]:
    """Masks as array files hold them."""
    bits = [np.packbits(mask) for mask in masks]
    return {
        "height": np.full(len(masks), masks.shape[1], np.uint16),
        "width": np.full(len(masks), masks.shape[2], np.uint16),
        "bits": np.concatenate(bits),
        "start": np.cumsum([0, *map(len, bits)]),
    }


def array_file(folder: Path, name: str = "cells.npz", seed: int = 0, how: str = "triangle") -> Path:
    cells, masks = native_cells(seed=seed)
    names = [f"s{i % 3}/c{seed}-{i}.png" for i in range(len(cells))]
    path = folder / name
    np.savez(path, cells=resized(cells, how), path=names, **packed(masks))
    return path


def masks_of(source: Source) -> list[np.ndarray]:
    silhouettes = source.silhouettes(np.arange(source.n_cells))
    assert silhouettes is not None
    masks = [mask for mask in silhouettes.masks if mask is not None]
    assert len(masks) == source.n_cells
    return masks


@pytest.mark.parametrize("how", RESIZE)
def test_masks_of_an_array_file(tmp_path: Path, how: str) -> None:
    source = open_source(array_file(tmp_path, how=how))
    _, masks = native_cells()
    np.testing.assert_array_equal(masks_of(source), masks)
    silhouettes = source.silhouettes(np.array([3, 1]))
    assert silhouettes is not None
    assert silhouettes.resampling == how
    np.testing.assert_array_equal(silhouettes.masks[0], masks[3])
    assert source.sizes is None  # height and width are those of the masks


def test_masks_of_cells_at_their_own_size(tmp_path: Path) -> None:
    cells, masks = native_cells()
    np.savez(tmp_path / "a.npz", cells=cells, **packed(masks))
    silhouettes = open_source(tmp_path / "a.npz").silhouettes(np.arange(N))
    assert silhouettes is not None
    assert silhouettes.resampling == "same"


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("start", np.arange(N + 1), "`start` does not tell where"),
        ("start", np.arange(N), "`start` of one more"),
        ("bits", np.zeros(9, np.uint8), "`start` does not tell where"),
        ("bits", np.zeros(9, np.int64), "`bits` of uint8"),
        ("height", np.ones(3, np.int64), "of each of 30 cells"),
        ("height", np.full((N, 1), 19), "of each of 30 cells"),
        ("start", np.arange(N + 1.0), "integers"),
        ("height", np.zeros(N, np.int64), "`start` does not tell where"),
    ],
)
def test_masks_that_do_not_fit_are_refused(
    tmp_path: Path, key: str, value: np.ndarray, says: str
) -> None:
    cells, masks = native_cells()
    np.savez(tmp_path / "a.npz", cells=resized(cells), **{**packed(masks), key: value})
    with pytest.raises(InputError, match=says):
        open_source(tmp_path / "a.npz")


def save_images(folder: Path, cells: np.ndarray) -> Path:
    for i, cell in enumerate(cells):
        path = folder / f"s{i % 3}" / f"c0-{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(cell).save(path)
    return folder


def test_masks_beside_cells(tmp_path: Path) -> None:
    """In a folder of images, or in a file that names the cells."""
    cells, masks = native_cells()
    images = save_images(tmp_path / "cells", cells)
    folder = save_images(tmp_path / "masks", masks.astype(np.uint8) * 255)
    order = np.random.default_rng(1).permutation(N)
    names = np.array([f"s{i % 3}/c0-{i}.png" for i in range(N)])[order]
    np.savez(tmp_path / "masks.npz", path=names, **packed(masks[order]))
    for given in (folder, tmp_path / "masks.npz"):
        source = open_source(images, masks=given)
        assert source.names is not None
        number = [int(name.rpartition("-")[2][:-4]) for name in source.names.tolist()]
        np.testing.assert_array_equal(masks_of(source), masks[number])


def test_masks_of_other_cells_are_refused(tmp_path: Path) -> None:
    cells, masks = native_cells()
    images = save_images(tmp_path / "cells", cells)
    folder = save_images(tmp_path / "masks", masks[:-2].astype(np.uint8))
    with pytest.raises(InputError, match=r"no mask of s\d/c0-\d+.png and 1 other cells"):
        open_source(images, masks=folder)
    with pytest.raises(InputError, match="there are no masks"):
        open_source(images, masks=tmp_path / "nowhere")
    np.savez(tmp_path / "few.npz", **packed(masks[:3]))
    with pytest.raises(InputError, match="holds 3 masks for 30 cells"):
        open_source(images, masks=tmp_path / "few.npz")
    np.savez(tmp_path / "square.npz", **{**packed(masks), "height": np.ones((N, 2))})
    with pytest.raises(InputError, match="masks need integers"):
        open_source(images, masks=tmp_path / "square.npz")
    np.savez(tmp_path / "paths.npz", path=["a"], **packed(masks))
    with pytest.raises(InputError, match="`path` has shape"):
        open_source(images, masks=tmp_path / "paths.npz")
    np.savez(tmp_path / "twice.npz", path=["a"] * N, **packed(masks))
    with pytest.raises(InputError, match="more than one mask of a"):
        open_source(images, masks=tmp_path / "twice.npz")
    save_images(tmp_path / "two", masks.astype(np.uint8))
    Image.fromarray(masks[0].astype(np.uint8)).save(tmp_path / "two" / "s0" / "c0-0.bmp")
    with pytest.raises(InputError, match="more than one mask of s0/c0-0"):
        open_source(images, masks=tmp_path / "two")
    np.savez(tmp_path / "none.npz", path=["a"])
    with pytest.raises(InputError, match="holds no height, width, bits, start"):
        open_source(images, masks=tmp_path / "none.npz")


def test_a_black_background_is_a_silhouette_where_cells_are_resampled(tmp_path: Path) -> None:
    cells, masks = native_cells()
    images = save_images(tmp_path / "cells", cells)
    for source in (open_source(images, size=9), open_source(cells, size=9)):
        silhouettes = source.silhouettes(np.arange(N))
        assert silhouettes is not None
        assert silhouettes.resampling == "triangle"
        assert source.silhouettes(np.arange(0)) is not None
    np.testing.assert_array_equal(silhouettes.masks, masks)
    assert open_source(images).silhouettes(np.arange(3)) is None  # the codec finds them


def test_masks_that_no_chunk_can_hold_are_left_out() -> None:
    cells = np.zeros((2, 4100, 3), np.uint8)
    cells[:, 1000:3000] = 200
    silhouettes = open_source(cells, size=9).silhouettes(np.arange(2))
    assert silhouettes is not None
    assert silhouettes.masks == [None, None]


def test_large_masks_in_a_file_are_left_out(tmp_path: Path) -> None:
    masks = np.zeros((2, 4100, 3), bool)
    masks[:, 1000:3000] = True
    np.savez(tmp_path / "a.npz", cells=np.full((2, 7, 5), 200, np.uint8), **packed(masks))
    silhouettes = open_source(tmp_path / "a.npz").silhouettes(np.arange(2))
    assert silhouettes is not None
    assert silhouettes.masks == [None, None]


def test_parts_of_sources_have_their_silhouettes(tmp_path: Path) -> None:
    first, second = (open_source(array_file(tmp_path, f"{k}.npz", seed=k)) for k in range(2))
    both = ConcatSource([first, second])
    _, masks = native_cells(seed=1)
    np.testing.assert_array_equal(masks_of(both)[N:], masks)
    np.testing.assert_array_equal(masks_of(Subset(both, [N + 4, 2]))[0], masks[4])
    boxed = open_source(array_file(tmp_path, "b.npz", how="box"))
    assert ConcatSource([first, boxed]).silhouettes(np.array([0, N])) is None
    assert ConcatSource([first, boxed]).silhouettes(np.array([0, 1])) is not None


LAYOUTS = {
    "zarr3": WriteOptions(chunk_cells=8),
    "zarr2": WriteOptions(chunk_cells=8, zarr_format=2),
    "shards": WriteOptions(chunk_cells=4, shard_cells=8),
}


def write(source: Source, path: Path, model: Model, layout: str) -> Archive:
    zarrmal.write(source, path, model=model, options=LAYOUTS[layout])
    return Archive.open(path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_archive_along_silhouettes(tmp_path: Path, model: Model, layout: str) -> None:
    source = open_source(array_file(tmp_path))
    archive = write(source, tmp_path / "a.zarr", model, layout)
    pixels = source.read(np.arange(N))
    positions = np.argsort(np.asarray(archive.dataset().source_index))
    np.testing.assert_array_equal(zarr.open(tmp_path / "a.zarr")["cells"][:][positions], pixels)
    np.testing.assert_array_equal(archive.read(positions), pixels)
    np.testing.assert_array_equal(archive.read(positions[[7, 2]]), pixels[[7, 2]])
    silhouettes = read_silhouettes(archive, positions)
    assert silhouettes is not None
    assert silhouettes.resampling == "triangle"
    np.testing.assert_array_equal(silhouettes.masks, native_cells()[1])
    assert not archive.verify(source).findings


@pytest.mark.parametrize("layout", LAYOUTS)
def test_appended_and_repacked_cells_keep_their_silhouettes(
    tmp_path: Path, model: Model, layout: str
) -> None:
    sources = [open_source(array_file(tmp_path, f"{k}.npz", seed=k)) for k in range(2)]
    write(sources[0], tmp_path / "a.zarr", model, layout)
    zarrmal.append(sources[1], tmp_path / "a.zarr")
    write(ConcatSource(sources), tmp_path / "whole.zarr", model, layout)
    zarrmal.repack(tmp_path / "a.zarr")
    n_same = 0
    for path in (tmp_path / "whole.zarr" / "cells").rglob("*"):
        if path.is_file() and not path.name.startswith((".z", "zarr.json")):
            repacked = tmp_path / "a.zarr" / path.relative_to(tmp_path / "whole.zarr")
            assert repacked.read_bytes() == path.read_bytes()
            n_same += 1
    assert n_same > 1
