"""Which axis of an array is which: by name, by length, or as the caller says."""

import numpy as np
import pytest
import xarray as xr
import zarr
from pictures import noise, read_all, refusal

from zarrmal.sources import open_source

AXES = [
    ("cell", "y", "x"),
    ("y", "x", "cell"),
    ("Rows", "frame", "Columns"),
    ("x", "y", "image"),
    ("a", "cell", "b"),
    ("cell", "channel", "y", "x"),
    ("channel", "row", "col", "n"),
    ("c", "cell", "other", "x"),
]


@pytest.mark.parametrize("kind", ["xarray", "zarr", "v2", "group"])
@pytest.mark.parametrize("names", AXES, ids=",".join)
def test_axes_are_found_by_name(names, kind, tmp_path):
    """Roles of the axes as the names say, not by position."""
    sizes = {"cell": 6, "y": 5, "x": 4, "channel": 3}
    roles = {
        ("Rows", "frame", "Columns"): ("y", "cell", "x"),
        ("x", "y", "image"): ("x", "y", "cell"),
        ("a", "cell", "b"): ("y", "cell", "x"),
        ("channel", "row", "col", "n"): ("channel", "y", "x", "cell"),
        ("c", "cell", "other", "x"): ("channel", "cell", "y", "x"),
    }.get(names, names)
    stored = noise(*(sizes[role] for role in roles))
    order = [roles.index(role) for role in ("cell", "y", "x", "channel")[: len(roles)]]
    array = xr.DataArray(stored, dims=names)
    if kind == "xarray":
        source = open_source(array, labels=list("ababab"))
    else:
        label = xr.DataArray(np.array(list("ababab"), object), dims=names[order[0]])
        xr.Dataset({"cells": array, "label": label}).to_zarr(
            tmp_path / "a.zarr", zarr_format=2 if kind == "v2" else 3, consolidated=False
        )
        group = zarr.open_group(tmp_path / "a.zarr", mode="r")
        source = open_source(group["cells"] if kind == "zarr" else str(tmp_path / "a.zarr"))
        assert (source.labels is None) == (kind == "zarr")
    np.testing.assert_array_equal(read_all(source), stored.transpose(order))
    wanted = np.array([4, 0, 4])
    np.testing.assert_array_equal(source.read(wanted), stored.transpose(order)[wanted])
    assert source.channel_first == (len(roles) == 4 and roles.index("channel") < 2)
    is_kept = order in (sorted(order), [0, 2, 3, 1])
    assert ("axes reordered from" in source.description) != is_kept
    assert ("channels first" in source.description) == (order == [0, 2, 3, 1])


LENGTHS = {
    (6, 5, 4, 3): "nyxc",
    (6, 2, 5, 4): "nyxc",
    (6, 7, 8, 5): "nyxc",
    (6, 5, 7, 8): "ncyx",
    (6, 3, 9, 9): "ncyx",
}


@pytest.mark.parametrize("kind", ["array", "npy", "zarr"])
@pytest.mark.parametrize("shape", LENGTHS, ids=str)
def test_axes_are_found_by_length(shape, kind, tmp_path):
    stored = noise(*shape)
    first = LENGTHS[shape] == "ncyx"
    where = stored
    if kind == "npy":
        where = tmp_path / "a.npy"
        np.save(where, stored)
    elif kind == "zarr":
        where = zarr.create_array({}, data=stored)
    source = open_source(where)
    assert source.channel_first == first
    expected = np.moveaxis(stored, 1, 3) if first else stored
    np.testing.assert_array_equal(read_all(source), expected)
    np.testing.assert_array_equal(source.read(np.array([5, 0])), expected[[5, 0]])
    other = open_source(where, axes="yxc" if first else "cyx")
    np.testing.assert_array_equal(read_all(other), stored if first else np.moveaxis(stored, 1, 3))
    assert other.channel_first != first


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_axes_of_ome_zarr(version, tmp_path):
    """Of format 2 they are in the group's attributes alone."""
    stored = noise(4, 9, 4, 3)
    group = zarr.create_group(tmp_path / "a.zarr", zarr_format=2 if version == "0.4" else 3)
    array = group.create_array("0", shape=stored.shape, dtype="u1")
    array[:] = stored
    axes = [{"name": name, "type": "space"} for name in "tcyx"]
    multiscales = [{"axes": axes, "datasets": [{"path": "0"}]}]
    known = {"multiscales": multiscales}
    group.attrs.update(known if version == "0.4" else {"ome": {"version": version, **known}})
    source = open_source(tmp_path / "a.zarr/0")
    assert (source.channel_first, source.cell_shape) == (True, (4, 3, 9))
    np.testing.assert_array_equal(read_all(source), np.moveaxis(stored, 1, 3))


def test_axes_that_are_not_told():
    for shape in ((6, 5, 5, 7), (6, 8, 5, 8), (6, 70, 90, 90), (6, 9, 9, 9)):
        assert "give --axes cyx or --axes yxc" in refusal(noise(*shape))
    assert "letters y, x and c" in refusal(noise(4, 5, 5), axes="yz")
    assert "4 axes, --axes yx says 3" in refusal(noise(4, 5, 6, 7), axes="yx")
    turned = noise(5, 4, 7)
    source = open_source(turned, axes="xny")
    np.testing.assert_array_equal(read_all(source), turned.transpose(1, 2, 0))


@pytest.mark.parametrize(
    "names",
    [
        ("y", "x", "channel"),
        ("y", "x", "row"),
        ("a", "b", "c"),
        ("t", "z", "y", "x"),
        ("dim_2", "dim_0", "dim_1"),
        ("cell", "y", "x", "cells"),
    ],
    ids=",".join,
)
def test_names_that_do_not_say_which_axis_is_which(names, tmp_path):
    pixels = xr.DataArray(noise(*range(2, 2 + len(names))), dims=names)
    assert "do not say which axis is which: name them cell, y, x" in refusal(pixels)
    pixels.to_dataset(name="cells").to_zarr(tmp_path / "a.zarr", consolidated=False)
    for address in (tmp_path / "a.zarr", tmp_path / "a.zarr" / "cells"):
        assert "do not say" in refusal(address)


@pytest.mark.parametrize("names", [None, ("phony_dim_0", "phony_dim_1", "phony_dim_2")])
def test_axes_without_names_are_in_the_standard_order(names):
    cells = noise(6, 5, 4)
    np.testing.assert_array_equal(read_all(open_source(xr.DataArray(cells, dims=names))), cells)


@pytest.mark.parametrize("kind", ["numpy", "npy", "zarr", "channel first"])
def test_one_channel_is_grey(kind, tmp_path):
    cells = noise(6, 5, 4, 1)
    np.save(tmp_path / "c.npy", cells)
    zarr.save_array(tmp_path / "c.zarr", cells)
    first = xr.DataArray(np.moveaxis(cells, 3, 1), dims=("cell", "channel", "y", "x"))
    sources = {"numpy": cells, "npy": tmp_path / "c.npy", "zarr": tmp_path / "c.zarr"}
    source = open_source(sources.get(kind, first))
    assert source.cell_shape == (5, 4)
    np.testing.assert_array_equal(read_all(source), cells[..., 0])
    assert open_source(source, size=3).cell_shape == (3, 3)
    assert "grey cells, so there is no red" in refusal(cells, channel="red")
