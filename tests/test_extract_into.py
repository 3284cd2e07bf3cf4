"""Where extract writes, and under which names."""

from __future__ import annotations

import os

import numpy as np
import pytest
from damaged import run
from PIL import Image

import zarrmal
from zarrmal.archive import Location, WriteOptions
from zarrmal.archive.extract.report import LISTING, RENAMED
from zarrmal.errors import InputError
from zarrmal.sources import open_source

N = 5


@pytest.fixture
def pixels(cells):
    return cells.read(np.arange(N))


def write(pixels, place, model, names):
    zarrmal.write(
        open_source(pixels, names=names),
        place,
        model=model,
        options=WriteOptions(chunk_cells=16),
    )
    return Location(str(place))


def everything(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("where", ["a.zarr", "a.zarr/images", "link", "a.zarr/../a.zarr/x"])
def test_the_archive_itself_is_no_folder_for_images(tmp_path, pixels, model, where):
    target = write(pixels, tmp_path / "a.zarr", model, [f"{k}.png" for k in range(N)])
    (tmp_path / "link").symlink_to("a.zarr")
    before = everything(tmp_path)
    for skip_damaged in (False, True):
        with pytest.raises(InputError, match="lies in the archive"):
            zarrmal.extract(target, tmp_path / where, overwrite=True, skip_damaged=skip_damaged)
    assert everything(tmp_path) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zarr", "link"]


def test_names_do_not_lead_into_the_archive(tmp_path, pixels, model):
    names = ["a.zarr/cells/x.png", *(f"{k}.png" for k in range(N - 1))]
    target = write(pixels, tmp_path / "a.zarr", model, names)
    before = everything(tmp_path)
    with pytest.raises(InputError, match="lies in the archive"):
        zarrmal.extract(target, tmp_path)
    assert everything(tmp_path) == before


def test_an_archive_in_the_folder(tmp_path, pixels, model):
    target = write(pixels, tmp_path / "a.zarr", model, [f"{k}.png" for k in range(N)])
    assert zarrmal.extract(target, tmp_path).n_cells == N
    assert (tmp_path / "0.png").exists()


@pytest.mark.skipif(os.name == "nt", reason="there names are counted in characters")
def test_long_names(tmp_path, pixels, model):
    """Of 255 bytes, as they came; of more, by position and listed with the name."""
    fits = ["a" * 244 + ".png", "b" * 251 + ".png", "ä" * 125 + "c.png"]
    too_long = ["d" * 252 + ".png", "e" * 252 + ".bmp"]
    target = write(pixels, tmp_path / "a.zarr", model, [*fits, *too_long])
    order = zarrmal.open(tmp_path / "a.zarr").source_index.values.tolist()
    report = zarrmal.extract(target, tmp_path / "out")
    assert (report.n_cells, report.n_lost, report.problems) == (N, 0, ())
    positions = sorted(order.index(k) for k in (3, 4))
    assert [(cell.position, cell.state) for cell in report.damaged] == [
        (position, RENAMED) for position in positions
    ]
    text = (tmp_path / "out" / LISTING).read_text()
    assert "d" * 252 + ".png" in text
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert files == {*fits, *(f"position-{k}.png" for k in positions), LISTING}
    for position, k in enumerate(order):
        name = fits[k] if k < 3 else f"position-{position}.png"
        with Image.open(tmp_path / "out" / name) as image:
            np.testing.assert_array_equal(np.asarray(image), pixels[k])
    assert run("extract", tmp_path / "a.zarr", tmp_path / "again").exit_code == 0


def test_a_class_by_its_name_in_other_letters(tmp_path, cells, pixels, model):
    zarrmal.write(pixels, tmp_path / "a.zarr", model=model, labels=["Parasitized"] * N)
    target = Location(str(tmp_path / "a.zarr"))
    assert zarrmal.extract(target, tmp_path / "out", class_name="PARASITIZED").n_cells == N
    with pytest.raises(InputError, match="choose among"):
        zarrmal.extract(target, tmp_path / "none", class_name="para")
