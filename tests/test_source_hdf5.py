"""HDF5 files with one data set of images, among them those that scPortrait and SPARCSpy write."""

from __future__ import annotations

import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import zarr
from pictures import noise, read_all, refusal

import zarrmal
from zarrmal import open_source
from zarrmal.errors import MissingError

h5py = pytest.importorskip("h5py", reason="h5py is not installed: the extra `hdf5`")

N = 7


def sc_portrait(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Two masks, then two channels, float16, as scPortrait lays them out; images and masks."""
    images = (noise(N, 2, 12, 12) / np.float16(255)).astype(np.float16)
    masks = noise(N, 2, 12, 12, seed=1) > 99
    with h5py.File(path, "w") as file:
        data = file.create_dataset(
            "obsm/single_cell_images",
            data=np.concatenate([masks.astype(np.float16), images], axis=1),
            chunks=(1, 1, 12, 12),
            compression="lzf",
        )
        data.attrs["channel_names"] = np.array([b"nucleus", b"cytosol", b"DNA", b"ER"])
        data.attrs["channel_mapping"] = np.array([b"mask"] * 2 + [b"image_channel"] * 2)
        data.attrs["n_masks"] = 2
        file["obs/cell_id"] = np.arange(100, 100 + N, dtype=np.uint64)
        label = file.create_group("obs/label")
        label["categories"] = np.array([b"ill", b"well"], "S4").astype(h5py.string_dtype())
        label["codes"] = np.arange(N, dtype=np.int8) % 2
        file["obs/score"] = np.arange(N)
        file["X"] = np.zeros((N, 4))
    return images, masks


def test_sc_portrait(tmp_path: Path) -> None:
    path = tmp_path / "single_cells.h5sc"
    images, masks = sc_portrait(path)
    source = open_source(path)
    assert (source.channel_first, source.dtype) == (True, np.float16)
    assert (source.channel_names, source.mask_names) == (("DNA", "ER"), ("nucleus", "cytosol"))
    assert source.names.tolist() == [str(k) for k in range(100, 100 + N)]
    assert [source.class_names[k] for k in source.labels] == ["ill", "well"] * 3 + ["ill"]
    np.testing.assert_array_equal(read_all(source), np.moveaxis(images, 1, 3))
    wanted = np.array([5, 0, 1, 5])
    np.testing.assert_array_equal(source.read(wanted), np.moveaxis(images, 1, 3)[wanted])
    np.testing.assert_array_equal(source.masks(wanted), masks[wanted])
    zarrmal.write(path, tmp_path / "a.zarr")
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    order = group["source_index"][:]
    np.testing.assert_array_equal(group["cells"][:], images[order])
    np.testing.assert_array_equal(group["mask"][:], masks[order])
    assert zarrmal.verify(tmp_path / "a.zarr", path).problems == ()
    whole = open_source(path, mask_channels=["none"])
    assert (whole.n_masks, whole.cell_shape) == (0, (12, 12, 4))
    assert open_source(path, mask_channels=["nucleus"]).channel_names == ("cytosol", "DNA", "ER")
    assert pickle.loads(pickle.dumps(source)).names.tolist() == source.names.tolist()


def test_what_is_no_mask(tmp_path: Path) -> None:
    path = tmp_path / "a.h5sc"
    sc_portrait(path)
    with h5py.File(path, "r+") as file:
        file["obsm/single_cell_images"][3, 1, 2, 2] = 0.5
    source = open_source(path)
    message = "channel cytosol of cell 3 holds 0.5, a mask holds 0 and 1: take it as an image"
    with pytest.raises(zarrmal.InputError, match=message):
        source.masks(np.arange(N))


def test_sparcspy(tmp_path: Path) -> None:
    """No attribute tells masks: the caller does."""
    cells = noise(N, 5, 12, 12).astype(np.float16)
    cells[:, :2] = noise(N, 2, 12, 12) > 99
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["single_cell_data"] = cells
        file["single_cell_index"] = np.stack([np.arange(N), np.arange(N) + 40], axis=1)
    source = open_source(tmp_path / "a.h5", mask_channels=["0", "1"])
    np.testing.assert_array_equal(read_all(source), np.moveaxis(cells[:, 2:], 1, 3))
    np.testing.assert_array_equal(source.masks(np.arange(N)), cells[:, :2] != 0)
    assert source.names.tolist()[:2] == ["40", "41"]
    assert "2 of the channels are masks" in source.description


def test_one_data_set_and_what_lies_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells, path = noise(N, 5, 6), tmp_path / "a.hdf5"
    with h5py.File(path, "w") as file:
        file["crops/images"] = cells
        file["crops/images"].dims[0].label = "cell"
        file["crops/slide"] = [f"s{k % 2}" for k in range(N)]
        file["crops/mask"] = cells > 99
        file["crops/height"], file["crops/width"] = np.full(N, 5), np.full(N, 6)
        file["crops/area"] = np.arange(N)
    source = open_source(path)
    np.testing.assert_array_equal(read_all(source), cells)
    np.testing.assert_array_equal(source.masks(np.arange(N))[:, 0], cells > 99)
    assert source.groups.tolist() == [f"s{k % 2}" for k in range(N)]
    assert "data sets not used: `area`" in source.description
    monkeypatch.chdir(tmp_path)
    named = pickle.dumps(open_source("a.hdf5::crops/images"))
    monkeypatch.chdir("/")
    np.testing.assert_array_equal(read_all(pickle.loads(named)), cells)
    del source  # which has the file open
    with h5py.File(path, "r+") as file:
        file["more"] = noise(N, 6, 7, 3)
    assert "2 data sets of images" in refusal(path)
    assert "a.hdf5::crops/images" in refusal(path)
    np.testing.assert_array_equal(read_all(open_source(f"{path}::more")), noise(N, 6, 7, 3))
    turned = open_source(f"{path}::more", axes="xyc")
    np.testing.assert_array_equal(read_all(turned), noise(N, 6, 7, 3).swapaxes(1, 2))
    assert "no data set 'other': it has crops/images, more" in refusal(f"{path}::other")


def test_files_that_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("text")
    assert "cannot be opened as HDF5" in refusal(tmp_path / "text.h5")
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file["x"] = np.arange(3)
    assert "holds no data sets of images" in refusal(tmp_path / "empty.h5")
    with h5py.File(tmp_path / "texts.h5", "w") as file:
        file["x"] = np.full((2, 3, 3), "text", object)
    assert "holds object, cells are numbers" in refusal(f"{tmp_path}/texts.h5::x")
    assert "copy it there first" in refusal("s3://bucket/a.h5")
    with pytest.raises(MissingError):
        open_source(tmp_path / "none.h5")


def test_it_is_read_by_slices(tmp_path: Path) -> None:
    """Neither opening nor reading some cells holds more than those."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("cells", (2000, 100, 100), np.uint8, chunks=(1, 100, 100))
        data[1999] = 7
    tracemalloc.start()
    try:
        source = open_source(tmp_path / "a.h5")
        assert source.read(np.array([1999, 3]))[0].min() == 7
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000
