"""The split of each cell: stored where it is known, read back, appended, verified."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from PIL import Image

import zarrmal
from zarrmal.archive import WriteOptions
from zarrmal.errors import InputError
from zarrmal.models import shipped_model
from zarrmal.sources import open_source

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (6, 8, 8), np.uint8)
SPLITS = ["train", "test", "train", "validation", "test", "train"]


def write(source, archive, zarr_format=3, **columns):
    options = WriteOptions(zarr_format=zarr_format, chunk_cells=4, workers=1)
    zarrmal.write(
        source, archive, model=shipped_model(1), assign="shortest", options=options, **columns
    )


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_they_are_an_array_of_the_archive(tmp_path, zarr_format):
    archive = tmp_path / "cells.zarr"
    write(PIXELS, archive, zarr_format, splits=SPLITS)
    dataset = xr.open_zarr(archive)
    order = dataset["source_index"].values
    assert dataset["split"].dims == ("cell",)
    assert dataset["split"].values.tolist() == [SPLITS[k] for k in order]
    assert "split" in dataset["split"].attrs["long_name"]
    assert open_source(archive).splits.tolist() == dataset["split"].values.tolist()
    assert zarrmal.verify(archive, PIXELS, splits=SPLITS).problems == ()
    problems = zarrmal.verify(archive, PIXELS, splits=["train"] * 6).problems
    assert problems == ("`split` differs from the source",)


def test_folders_of_splits(tmp_path):
    for name in ("train/a/0.png", "train/b/1.png", "test/a/2.png"):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(PIXELS[0]).save(tmp_path / "images" / name)
    write(tmp_path / "images", tmp_path / "cells.zarr")
    dataset = zarrmal.open(tmp_path / "cells.zarr", source_order=True)
    assert dataset["split"].values.tolist() == open_source(tmp_path / "images").splits.tolist()
    assert set(dataset["split"].values.tolist()) == {"train", "test"}
    report = zarrmal.extract(tmp_path / "cells.zarr", tmp_path / "out")
    assert report.n_cells == 3
    assert (tmp_path / "out" / "train" / "a" / "0.png").is_file()


def test_appended_cells_need_one(tmp_path):
    archive = tmp_path / "cells.zarr"
    write(PIXELS, archive, splits=SPLITS)
    with pytest.raises(InputError, match="split"):
        zarrmal.append(PIXELS, archive)
    zarrmal.append(PIXELS, archive, splits=SPLITS)
    assert zarrmal.open(archive, source_order=True)["split"].values.tolist() == SPLITS * 2
