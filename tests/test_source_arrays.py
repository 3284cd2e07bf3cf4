"""Cells in array files, Zarr, xarray and memory: read lazily, or refused with a reason."""

import gc
import tempfile
import zipfile

import dask.array
import fsspec
import numpy as np
import pytest
import xarray as xr
import zarr
from pictures import noise, read_all, refusal

from zarrmal.errors import AccessError, InputError, MissingError, UnreachableError
from zarrmal.sources import ConcatSource, Subset, open_source

# Array files


def test_npz_with_columns(tmp_path):
    cells = noise(4, 5, 5)
    path = tmp_path / "c.npz"
    columns = {"label": ["b", "a", "b", "c"], "path": ["s1/x", "s1/y", "s2/x", "s2/y"]}
    np.savez_compressed(path, cells=cells, **columns)
    source = open_source(path, group_pattern=r"s\d")
    assert source.class_names == ("a", "b", "c")
    assert source.labels.tolist() == [1, 0, 1, 2]
    assert source.names.tolist() == columns["path"]
    assert source.groups.tolist() == ["s1", "s1", "s2", "s2"]
    assert source.description == f"file {path}: 4 cells, 3 classes (a 1, b 2, c 1)"
    np.testing.assert_array_equal(read_all(source), cells)
    np.savez(path, cells=cells, slide=["u", "u", "v", "v"], label=np.array([7, 7, 0, 3]))
    source = open_source(path, group_pattern=r"s\d")
    assert source.groups.tolist() == ["u", "u", "v", "v"]
    assert source.class_names == ("0", "3", "7")
    assert source.labels.tolist() == [2, 2, 0, 1]


def test_splits_of_files_and_groups(tmp_path):
    np.savez(tmp_path / "c.npz", cells=noise(4, 5, 5), split=list("ttvv"))
    group = zarr.create_group(tmp_path / "g.zarr")
    group["cells"] = noise(4, 5, 5)
    group["split"] = np.array(list("ttvv"), np.dtypes.StringDType())
    for name in ("c.npz", "g.zarr"):
        assert open_source(tmp_path / name).splits.tolist() == list("ttvv")
    assert "splits are empty for 1 of 4" in refusal(tmp_path / "c.npz", splits=["a", "", "b", "c"])


def test_a_pattern_without_names(tmp_path):
    np.save(tmp_path / "c.npy", noise(4, 5, 5))
    assert "the cells have none" in refusal(tmp_path / "c.npy", group_pattern="x")


def test_keys_that_are_not_used_are_named(tmp_path):
    columns = {"labels": list("abab"), "slide": list("uuvv"), "source_group": list("xxyy")}
    np.savez(tmp_path / "c.npz", cells=noise(4, 5, 5), **columns)
    source = open_source(tmp_path / "c.npz")
    assert source.labels is None
    assert source.groups.tolist() == list("xxyy")
    assert source.description.endswith(
        "4 cells, no labels (keys not used: `labels`, `slide`; annotations are read from `label`, "
        "`source_group` or `slide`, `source_name` or `path`, `split`, sizes from `height` and "
        "`width`)"
    )
    group = zarr.create_group(tmp_path / "g.zarr")
    group["cells"], group["labels"] = noise(4, 5, 5), np.arange(4)
    assert "(arrays not used: `labels`; " in open_source(tmp_path / "g.zarr").description
    many = {f"k{i:02}": np.arange(4) for i in range(8)}
    np.savez(tmp_path / "m.npz", cells=noise(4, 5, 5), **many)
    description = open_source(tmp_path / "m.npz").description
    assert "keys not used: `k00`, `k01`, `k02`, `k03`, `k04` and 3 more; " in description


def test_arrays_of_an_archive_are_all_known(archive):
    assert "not used" not in open_source(archive).description
    zarr.open_group(archive)["area"] = np.arange(240)
    assert "arrays not used: `area`;" in open_source(archive).description


@pytest.mark.parametrize("suffix", ["npz", "npy"])
def test_files_are_mapped_and_temporary_files_removed(suffix, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    cells, path = noise(4, 5, 5), tmp_path / f"c.{suffix}"
    np.savez_compressed(path, cells=cells) if suffix == "npz" else np.save(path, cells)
    source = open_source(path)
    assert len(list((tmp_path / "temporary").iterdir())) == (suffix == "npz")
    path.unlink()
    np.testing.assert_array_equal(read_all(Subset(source, [1, 0])), cells[[1, 0]])
    del source
    gc.collect()
    assert not list((tmp_path / "temporary").iterdir())


def test_python_objects_are_never_unpickled(tmp_path):
    objects = np.array([{"a": 1}] * 3, object)
    np.save(tmp_path / "c.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "c.npz", cells=objects)
    np.savez_compressed(tmp_path / "d.npz", cells=objects)
    np.savez(tmp_path / "e.npz", cells=noise(3, 2, 2), label=objects)
    for name in ("c.npy", "c.npz", "d.npz", "e.npz"):
        assert "never unpickled" in refusal(tmp_path / name)


def test_damaged_array_files(tmp_path):
    for name in ("text.npy", "text.npz"):
        (tmp_path / name).write_text("text")
        assert "no array file, or damaged" in refusal(tmp_path / name)
    np.save(tmp_path / "cut.npy", noise(9, 9, 9))
    np.savez(tmp_path / "cut.npz", cells=noise(9, 9, 9))
    np.savez_compressed(tmp_path / "flipped.npz", cells=noise(9, 9, 9))
    flipped = bytearray((tmp_path / "flipped.npz").read_bytes())
    flipped[500] ^= 1
    (tmp_path / "flipped.npz").write_bytes(flipped)
    for name in ("cut.npy", "cut.npz"):
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-200])
    for name in ("cut.npy", "cut.npz", "flipped.npz"):
        assert "no array file, or damaged" in refusal(tmp_path / name)
    np.savez(tmp_path / "other.npz", images=noise(3, 3, 3))
    assert "holds images, but no `cells`" in refusal(tmp_path / "other.npz")
    zipfile.ZipFile(tmp_path / "nothing.npz", "w").close()
    assert "holds nothing" in refusal(tmp_path / "nothing.npz")
    np.savez(tmp_path / "short.npz", cells=noise(3, 3, 3), label=["a", "b"])
    assert "labels have shape (2,), there are 3 cells" in refusal(tmp_path / "short.npz")


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (np.zeros((2, 3, 3), "M8[s]"), "datetime64"),
        (np.zeros((2, 3), np.uint8), "(2, 3)"),
        (np.zeros((2, 3, 3, 3, 3), np.uint8), "(2, 3, 3, 3, 3)"),
        (np.zeros((2, 3, 3, 5), np.uint8), "(2, 3, 3, 5)"),
        (np.zeros((2, 3, 3, 0), np.uint8), "(2, 3, 3, 0)"),
        (np.zeros((2, 0, 3), np.uint8), "(2, 0, 3)"),
        (np.zeros((0, 3, 3), np.uint8), "0 cells"),
    ],
)
def test_arrays_that_are_no_cells(cells, found, tmp_path):
    np.save(tmp_path / "c.npy", cells)
    zarr.save_array(tmp_path / "c.zarr", cells)
    for where in (cells, xr.DataArray(cells), tmp_path / "c.npy", tmp_path / "c.zarr"):
        assert found in refusal(where)


# Zarr and xarray


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("root", ["memory://zarrmal-tests", "{tmp_path}"])
def test_zarr_groups(root, zarr_format, tmp_path):
    cells = noise(7, 5, 4)
    address = root.format(tmp_path=tmp_path) + f"/{zarr_format}.zarr"
    xr.Dataset(
        {
            "cells": (("cell", "y", "x"), cells),
            "label": ("cell", np.array(list("abacaba"), object)),
            "slide": ("cell", np.arange(7) // 4),
            "path": ("other", np.arange(3)),
        }
    ).to_zarr(
        address,
        zarr_format=zarr_format,
        consolidated=False,
        encoding={"cells": {"chunks": (3, 5, 4)}},
    )
    source = open_source(address)
    assert source.class_names == ("a", "b", "c")
    assert source.labels.tolist() == [0, 1, 0, 2, 0, 1, 0]
    assert source.groups.tolist() == ["0"] * 4 + ["1"] * 3
    assert source.names is None
    np.testing.assert_array_equal(read_all(source), cells)
    np.testing.assert_array_equal(source.read(np.array([6, 0, 6, 2])), cells[[6, 0, 6, 2]])
    np.testing.assert_array_equal(read_all(open_source(address + "/cells")), cells)
    assert open_source(address + "/cells").labels is None


def test_flags_of_a_zarr_group(tmp_path):
    group = zarr.create_group(tmp_path / "g.zarr")
    group["cells"] = noise(4, 3, 3)
    group["label"] = np.array([2, 0, 2, 9], np.uint8)
    label = group["label"]
    label.attrs["flag_meanings"] = "well ill unused odd"
    assert "holds 9, flag_values allow [0, 1, 2, 3]" in refusal(tmp_path / "g.zarr")
    label.attrs["flag_values"] = [2, 0, 1, 9]
    source = open_source(tmp_path / "g.zarr")
    assert source.class_names == ("ill", "odd", "well")
    assert source.labels.tolist() == [2, 0, 2, 1]
    label.attrs["flag_values"] = [0]
    assert "1 flag_values and 4 flag_meanings" in refusal(tmp_path / "g.zarr")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_column_of_another_length_in_a_zarr_group(zarr_format, tmp_path):
    group = zarr.create_group(tmp_path / "g.zarr", zarr_format=zarr_format)
    group["cells"] = noise(4, 3, 3)
    group["label"] = np.array([2, 0, 2], np.uint8)
    assert "labels have shape (3,), there are 4 cells" in refusal(tmp_path / "g.zarr")
    given = open_source(tmp_path / "g.zarr", labels=list("abab"))
    assert given.labels.tolist() == [0, 1, 0, 1]


def test_only_the_chunks_of_the_cells_are_read(tmp_path):
    array = zarr.create_array(tmp_path / "a.zarr", data=noise(9, 4, 4), chunks=(3, 4, 4))
    (tmp_path / "a.zarr" / "c" / "1" / "0" / "0").write_bytes(b"damaged")
    source = open_source(tmp_path / "a.zarr")
    assert source.read(np.array([8, 0])).shape == (2, 4, 4)
    assert open_source(array).n_cells == 9


def test_xarray_and_zarr_objects(tmp_path):
    cells = noise(6, 4, 4, 3)
    lazy = xr.DataArray(
        dask.array.from_array(cells, chunks=(2, 4, 4, 3)), dims=("n", "y", "x", "c"), name="v"
    )
    source = open_source(lazy, labels=list("aabbab"), groups=[1, 1, 2, 2, 3, 3], channel="red")
    assert source.labels.tolist() == [0, 0, 1, 1, 0, 1]
    assert source.groups.tolist() == ["1", "1", "2", "2", "3", "3"]
    assert source.description == "xarray variable v: 6 cells, 2 classes (a 3, b 3)"
    np.testing.assert_array_equal(read_all(source), cells[..., 0])
    stored = zarr.create_array(tmp_path / "a.zarr", data=cells, chunks=(4, 4, 4, 3))
    source = open_source(stored, names=[f"n{i}" for i in range(6)])
    assert source.names[5] == "n5"
    np.testing.assert_array_equal(read_all(source), cells)


def test_coordinates_along_the_cells_are_annotations():
    array = xr.DataArray(
        noise(6, 4, 5),
        dims=("frame", "y", "x"),
        name="v",
        coords={
            "frame": np.arange(6),
            "label": ("frame", np.array([0, 0, 1, 1, 0, 1]), {"flag_meanings": "ill well"}),
            "slide": ("frame", list("aabbcc")),
            "path": ("frame", np.array([f"n{k}" for k in range(6)], object)),
            "split": ("y", list("abcd")),
            "time": ("frame", np.arange(6.0)),
            "plate": 3,
        },
    )
    source = open_source(array)
    assert source.class_names == ("ill", "well")
    assert source.labels.tolist() == [0, 0, 1, 1, 0, 1]
    assert source.groups.tolist() == list("aabbcc")
    assert source.names.tolist() == [f"n{k}" for k in range(6)]
    assert source.splits is None
    assert "coordinates not used: `plate`, `split`, `time`; " in source.description
    assert open_source(array, labels=list("xxxyyy")).class_names == ("x", "y")
    moved = open_source(array.transpose("y", "x", "frame"))
    assert moved.labels.tolist() == source.labels.tolist()
    assert "not used" not in open_source(array.drop_vars(["split", "time", "plate"])).description


DTYPES = ["?", "i1", "<u2", ">u2", "u4", "<i8", "<f2", ">f4", "f8", "c8"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_numbers_of_any_dtype(dtype, tmp_path):
    cells = (noise(3, 4, 5) / 3).astype(dtype)
    np.savez(tmp_path / "a.npz", cells=cells)
    for where in (cells, tmp_path / "a.npz", list(cells), xr.DataArray(cells)):
        source = open_source(where)
        assert source.dtype.isnative
        np.testing.assert_array_equal(read_all(source), cells)
    if dtype == "<u2":
        resized = open_source(cells * 257, size=4).read(np.arange(3))
        assert resized.dtype == np.uint16
        assert resized.max() > 256
    if dtype == "u4":
        assert "--size resamples uint8" in refusal(cells, size=4)
    other = np.zeros((4, 5), "f4" if dtype == "i1" else "i1")
    assert "cells of one archive have one dtype" in refusal([cells[0], other])


def test_masks_beside_cells(tmp_path):
    cells, mask = noise(3, 4, 5), noise(3, 4, 5) > 99
    np.savez(tmp_path / "a.npz", cells=cells, mask=mask)
    group = zarr.create_group(tmp_path / "a.zarr")
    group["cells"], group["mask"] = cells, np.stack([mask, ~mask], axis=1)
    for name, expected in (("a.npz", mask[:, None]), ("a.zarr", group["mask"][:])):
        source = open_source(tmp_path / name)
        assert "not used" not in source.description
        np.testing.assert_array_equal(source.masks(np.arange(3)), expected)
        some = Subset(source, [2, 0])
        np.testing.assert_array_equal(some.masks(np.arange(2)), expected[[2, 0]])
        whole = ConcatSource([some, source])
        np.testing.assert_array_equal(whole.masks(np.array([4, 1])), expected[[2, 0]])
        assert "which --size does not resample" in refusal(tmp_path / name, size=3)
    np.savez(tmp_path / "b.npz", cells=cells, mask=mask[:2])
    assert "`mask` is bool of shape (2, 4, 5)" in refusal(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", cells=cells, mask=cells)
    assert "`mask`; annotations" in open_source(tmp_path / "c.npz").description


def test_masked_arrays_are_refused_not_unmasked():
    cells = np.ma.MaskedArray(noise(6, 5, 4), mask=np.zeros((6, 5, 4), bool))
    np.testing.assert_array_equal(read_all(open_source(cells)), cells.data)
    cells[2, 1] = np.ma.masked
    assert "array: 4 of 120 values are masked" in refusal(cells)
    for kind in ("labels", "groups", "names"):
        column = np.ma.MaskedArray(list("ababab"), mask=[0, 0, 1, 0, 0, 1])
        assert f"the {kind}: 2 of 6 values are masked" in refusal(cells.data, **{kind: column})
        column.mask = False
        assert open_source(cells.data, **{kind: column}).n_cells == 6


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_array_files_at_a_url(suffix, tmp_path, monkeypatch):
    cells, local = noise(4, 5, 5), tmp_path / f"c.{suffix}"
    np.savez_compressed(local, cells=cells) if suffix == "npz" else np.save(local, cells)
    url = f"memory://zarrmal-tests/c.{suffix}"
    with fsspec.open(url, "wb") as file:
        file.write(local.read_bytes())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    source = open_source(url)
    np.testing.assert_array_equal(read_all(source), cells)
    np.testing.assert_array_equal(read_all(open_source(f"file://{local}")), cells)
    del source
    gc.collect()
    assert not list((tmp_path / "temporary").iterdir())
    with fsspec.open(url, "wb") as file:
        file.write(b"text")
    assert "no array file, or damaged" in refusal(url)
    assert not list((tmp_path / "temporary").iterdir())


def test_addresses_with_nothing(tmp_path):
    assert "no such file" in refusal(tmp_path / "missing")
    assert "no such file" in refusal(tmp_path / "missing.npy")
    assert "holds no PNG" in refusal(tmp_path)
    (tmp_path / "notes.txt").write_text("text")
    assert "ending in .txt is no source" in refusal(tmp_path / "notes.txt")
    assert "no Zarr array or group" in refusal("memory://zarrmal-tests/missing.zarr")
    assert "cannot be fetched" in refusal("memory://zarrmal-tests/missing.npy")
    assert "cannot be fetched" in refusal("nonsense://missing.npy")
    assert "no Zarr array or group" in refusal("nonsense://missing")
    zarr.create_group(tmp_path / "g.zarr").create_array("images", shape=(1,), dtype="u1")
    assert "holds images, but no `cells`" in refusal(tmp_path / "g.zarr")
    (tmp_path / "b.zarr").mkdir()
    (tmp_path / "b.zarr" / "zarr.json").write_text("{")
    assert "no Zarr array or group" in refusal(tmp_path / "b.zarr")
    with pytest.raises(TypeError, match="list"):
        open_source([1, 2])


def test_a_member_that_is_no_array(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("cells", b"abc")
    with pytest.raises(InputError, match="but no `cells`"):
        open_source(tmp_path / "a.npz")


@pytest.mark.parametrize(
    "address", ["{tmp_path}/a", "{tmp_path}/a.npy", "memory://no/a.npy", "memory://no/a.zarr"]
)
def test_what_is_missing_is_a_file_not_found(address, tmp_path):
    with pytest.raises(MissingError):
        open_source(address.format(tmp_path=tmp_path))


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/a.npy", "http://127.0.0.1:9/a.zarr"])
def test_a_server_that_does_not_answer(address):
    pytest.importorskip("aiohttp")
    with pytest.raises(UnreachableError):
        open_source(address)


def test_a_file_that_must_not_be_read(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    np.save(tmp_path / "a.npy", noise(2, 3, 3))
    monkeypatch.setattr(np, "load", refuse)
    with pytest.raises(AccessError, match="cannot be read: Permission denied"):
        open_source(tmp_path / "a.npy")
