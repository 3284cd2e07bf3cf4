"""Real red blood cells, where they lie beside the repository."""

import csv
import json
import shutil

import numpy as np
import pytest
import xarray as xr
import zarr
from PIL import Image
from typer.testing import CliRunner

import zarrmal
from zarrmal.archive import Location, WriteOptions
from zarrmal.cli import app
from zarrmal.sources import open_source

N_CELLS = 60


def run(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.stderr or done.exception
    return done


@pytest.fixture(scope="module")
def folder(shared, tmp_path_factory):
    """The first 60 images of each class of nih-native."""
    place = tmp_path_factory.mktemp("nih") / "cells"
    with (shared / "nih-native" / "MANIFEST.csv").open() as file:
        paths = [row["path"] for row in csv.DictReader(file)]
    for label in ("Parasitized", "Uninfected"):
        (place / label).mkdir(parents=True)
        mine = sorted(path for path in paths if path.startswith(label))[:N_CELLS]
        assert len(mine) == N_CELLS
        for path in mine:
            shutil.copy(shared / "nih-native" / path, place / path)
    return place


def test_segmented_cells_through_the_command_line(folder, tmp_path):
    shaped = ("--size", 50, "--channel", "red", "--group-pattern", "C[0-9]+P[0-9]+")
    place = tmp_path / "a.zarr"
    info = json.loads(run("archive", folder, place, *shaped, "--json").stdout)
    assert info["n_cells"] == 2 * N_CELLS
    assert info["classes"] == {"parasitized": N_CELLS, "uninfected": N_CELLS}
    assert info["cells_bits_per_pixel_without_model"] < 2.5
    found = run("verify", place, "--source", folder, *shaped)
    assert "are sound, equal to the" in found.stdout
    assert "(bilinear) to 50 x 50 pixels" in found.stdout
    run("extract", place, tmp_path / "out")
    extracted = sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file())
    originals = sorted(folder.rglob("*.png"))
    assert [p.relative_to(tmp_path / "out") for p in extracted] == [
        p.relative_to(folder) for p in originals
    ]
    for mine, original in zip(extracted, originals, strict=True):
        with Image.open(original) as image:
            resized = image.resize((50, 50), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(np.asarray(Image.open(mine)), np.asarray(resized)[..., 0])


def test_originals_through_the_command_line(folder, tmp_path):
    """No --size: every file comes back, pixel for pixel."""
    originals = sorted(folder.rglob("*.png"))[:: N_CELLS // 5]
    few, place, out = tmp_path / "few", tmp_path / "a.zarr", tmp_path / "out"
    for path in originals:
        copy = few / path.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    info = json.loads(run("archive", few, place, "--json").stdout)
    pixels = [np.asarray(Image.open(path)) for path in originals]
    assert info["n_pixels"] == sum(height * width for height, width, _ in map(np.shape, pixels))
    assert len(set(map(np.shape, pixels))) > len(pixels) // 2
    found = run("verify", place, "--source", few)
    assert "are sound, equal to the source" in found.stdout
    run("extract", place, out)
    for path, expected in zip(originals, pixels, strict=True):
        extracted = np.asarray(Image.open(out / path.relative_to(folder)))
        np.testing.assert_array_equal(extracted, expected)


@pytest.fixture(scope="module")
def colour(shared):
    """150 RGB cells of many slides, and a small model."""
    from zarrmal.learn import TrainOptions, train_model

    with np.load(shared / "nih50-rgb.npz") as held:
        rows = np.linspace(0, len(held["cells"]) - 1, 150).astype(int)
        columns = {"labels": held["label"][rows], "groups": held["slide"][rows]}
        source = open_source(held["cells"][rows], **columns)
    options = TrainOptions(hidden=(40, 8), epochs=2, pretrain_epochs=0, seed=0)
    return source, train_model(source, options).model


@pytest.mark.training
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_colour_cells(colour, zarr_format, tmp_path):
    source, model = colour
    place = tmp_path / "rgb.zarr"
    options = WriteOptions(chunk_cells=64, zarr_format=zarr_format)
    info = zarrmal.write(source, place, model=model, options=options)
    assert info.cell_shape == (50, 50, 3)
    assert not zarrmal.verify(Location(str(place)), source).problems
    pixels = source.read(np.arange(150))

    group = zarr.open(place, mode="r")
    order = group["source_index"][:]
    np.testing.assert_array_equal(group["cells"][:], pixels[order])
    dataset = xr.open_zarr(place)
    assert dataset["cells"].dtype == np.uint8
    assert dataset["cells"].dims == ("cell", "y", "x", "channel")
    np.testing.assert_array_equal(dataset["cells"].values, pixels[order])
    names = np.array(dataset["label"].attrs["flag_meanings"].split())[dataset["label"].values]
    assert names.tolist() == np.array(source.class_names)[source.labels][order].tolist()
    one = int(np.flatnonzero(order == 123)[0])
    np.testing.assert_array_equal(dataset["cells"][one].values, pixels[123])
