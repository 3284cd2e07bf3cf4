"""Archives in the hands of xarray: saved again, saved as netCDF, printed."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
import zarr

import zarrmal
from zarrmal.archive import WriteOptions
from zarrmal.errors import InputError
from zarrmal.models import shipped_model

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8)
SCREEN_LINES, SCREEN_CHARACTERS = 40, 20_000


def columns(n=40):
    return {
        "labels": ["parasitized", "uninfected"] * (n // 2),
        "names": [f"größe/{k}.png" for k in range(n)],
        "groups": [f"slide {k % 3}" for k in range(n)],
        "splits": ["train", "test"] * (n // 2),
    }


@pytest.fixture(params=[2, 3])
def archive(request, tmp_path):
    options = WriteOptions(zarr_format=request.param, chunk_cells=2, workers=1)
    zarrmal.write(PIXELS, tmp_path / "a.zarr", model=shipped_model(1), options=options, **columns())
    return tmp_path / "a.zarr"


OPENERS = [lambda url: zarrmal.open(url), xr.open_zarr]


@pytest.mark.parametrize("opened", OPENERS)
def test_to_netcdf(archive, opened, tmp_path):
    pytest.importorskip("h5netcdf", reason="h5netcdf is not installed")
    dataset = opened(archive)
    dataset.to_netcdf(tmp_path / "cells.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "cells.nc", engine="h5netcdf") as again:
        assert set(again.variables) == set(dataset.variables)
        for name in dataset.variables:
            assert again[name].values.tolist() == dataset[name].values.tolist()
        assert again["cells"].dtype == np.uint8
        assert again.attrs == dataset.attrs


@pytest.mark.parametrize("opened", OPENERS)
def test_xarray_saves_it_again(archive, opened, tmp_path):
    dataset = opened(archive)
    zarr_format = zarr.open_group(archive).metadata.zarr_format
    dataset.to_zarr(tmp_path / "b.zarr", zarr_format=zarr_format, consolidated=False)
    again = xr.open_zarr(tmp_path / "b.zarr", consolidated=False)
    for name in dataset.variables:
        assert again[name].values.tolist() == dataset[name].values.tolist()


@pytest.mark.parametrize("opened", OPENERS)
def test_it_prints_in_a_screenful(archive, opened):
    """Whatever the number of stored objects."""
    dataset = opened(archive)
    assert len(repr(dataset).splitlines()) < SCREEN_LINES
    assert all(len(str(value)) < 2_000 for value in dataset.attrs.values())
    with xr.set_options(display_style="html"):
        shown = dataset._repr_html_()
    empty = xr.Dataset(dataset.variables)._repr_html_()
    assert len(shown) - len(empty) < 4_000


def test_longer_texts_of_format_2(tmp_path):
    options = WriteOptions(zarr_format=2, workers=1)
    archive = tmp_path / "a.zarr"
    zarrmal.write(PIXELS[:2], archive, model=shipped_model(1), assign="shortest",
                  options=options, names=["a", "b" * 20])  # fmt: skip
    assert zarr.open_group(archive)["source_name"].dtype == "<U40"
    zarrmal.append(PIXELS[:1], archive, names=["c" * 40])
    with pytest.raises(InputError, match="of 40 characters at most"):
        zarrmal.append(PIXELS[:1], archive, names=["c" * 41])
    assert zarrmal.info(archive).n_cells == 3
    assert zarrmal.verify(archive, [PIXELS[:2], PIXELS[:1]]).problems == ()


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_digests_grow_and_the_attribute_does_not(tmp_path, zarr_format):
    def attribute(n_cells):
        archive = tmp_path / f"{n_cells}.zarr"
        options = WriteOptions(zarr_format=zarr_format, chunk_cells=1, workers=1)
        cells = np.zeros((n_cells, 4, 4), np.uint8)
        zarrmal.write(cells, archive, model=shipped_model(1), assign="shortest", options=options)
        return len(zarr.open_group(archive).attrs["zarrmal"])

    assert attribute(300) < attribute(10) + 20
