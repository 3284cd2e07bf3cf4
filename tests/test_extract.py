"""extract: the images that were archived, under their names, and nowhere else."""

import json
import os
import shutil

import numpy as np
import pytest
from facts import change_facts, facts_of
from frozen_models import untrained
from PIL import Image
from typer.testing import CliRunner
from zarrmal_codecs import CorruptionError

import zarrmal
from zarrmal.archive import Location, WriteOptions
from zarrmal.cli import app
from zarrmal.errors import InputError
from zarrmal.sources import open_source
from zarrmal.sources.synthetic import synthetic_cells


def write_folder(folder, cells, names, **options):
    for name, cell in zip(names, cells, strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(cell).save(folder / name, **options)


def read_folder(folder):
    return {
        path.relative_to(folder).as_posix(): np.asarray(Image.open(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def write(source, place, model, **columns):
    options = WriteOptions(chunk_cells=16)
    zarrmal.write(source, place, model=model, options=options, **columns)
    return Location(str(place))


@pytest.fixture(scope="module")
def pixels(cells):
    return cells.read(np.arange(40))


def same_images(found, expected):
    assert sorted(found) == sorted(expected)
    for name, image in expected.items():
        assert found[name].dtype == image.dtype
        np.testing.assert_array_equal(found[name], image, err_msg=name)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_folder_comes_back(tmp_path, channels):
    drawn = synthetic_cells(40, size=16, channels=channels)
    names = [f"{label}/deep/{k:02d} ä.png" for k, label in enumerate(drawn.label)]
    write_folder(tmp_path / "in", drawn.cells, names)
    source = open_source(tmp_path / "in")
    model = untrained(source.cell_shape, source.class_names)
    target = write(source, tmp_path / "a", model)
    assert zarrmal.extract(target, tmp_path / "out").n_cells == 40
    same_images(read_folder(tmp_path / "out"), dict(zip(names, drawn.cells, strict=True)))


def test_jpeg_sources_come_out_as_png(tmp_path, pixels, model):
    names = [f"parasitized/{k}.jpg" for k in range(40)]
    write_folder(tmp_path / "in", pixels, names, quality=80)
    target = write(tmp_path / "in", tmp_path / "a", model)
    zarrmal.extract(target, tmp_path / "out")
    decoded = read_folder(tmp_path / "in")
    expected = {name.replace(".jpg", ".png"): decoded[name] for name in names}
    same_images(read_folder(tmp_path / "out"), expected)


def test_two_names_that_want_the_same_file(tmp_path, pixels, model):
    names = ["a.jpg", "a.bmp", "b.tif", "c", *map(str, range(36))]
    target = write(pixels, tmp_path / "a", model, names=names)
    zarrmal.extract(target, tmp_path / "out")
    files = ["a.jpg.png", "a.bmp.png", "b.tif", "c.png", *(f"{k}.png" for k in range(36))]
    same_images(read_folder(tmp_path / "out"), dict(zip(files, pixels, strict=True)))


def test_cells_of_one_name_are_told_apart(tmp_path, pixels, model):
    """As of two sources that were appended to one another."""
    target = write(pixels, tmp_path / "a", model, names=["a.png"] * 40)
    zarrmal.extract(target, tmp_path / "out")
    expected = {f"a-{k}.png": pixels[k] for k in range(40)}
    same_images(read_folder(tmp_path / "out"), expected)


def test_a_name_that_looks_like_one_told_apart(tmp_path, pixels, model):
    names = ["a.png", "a.png", "a-0.png", *(f"{k}.png" for k in range(3, 40))]
    target = write(pixels, tmp_path / "a", model, names=names)
    zarrmal.extract(target, tmp_path / "out")
    expected = dict(zip(["a-0-0.png", "a-1.png", *names[2:]], pixels, strict=True))
    same_images(read_folder(tmp_path / "out"), expected)


def test_a_name_that_some_disks_take_for_another_is_told(tmp_path, pixels, model):
    names = ["A.png", "a.png", "b.png"]
    write(pixels[:3], tmp_path / "a", model, names=names)
    done = CliRunner().invoke(app, ["extract", str(tmp_path / "a"), str(tmp_path / "out")])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "A-0.png", "a-1.png", "b.png"
    ]  # fmt: skip
    assert "2 of them have their number in the name" in done.stdout


def test_one_name_in_two_sources(tmp_path, pixels, model):
    """An undamaged archive: x-2.png is a name of the first source, and cell 2 is another x.png."""
    target = write(pixels[:2], tmp_path / "a", model, names=["x.png", "x-2.png"])
    zarrmal.append(open_source(pixels[2:3], names=["x.png"]), tmp_path / "a")
    zarrmal.extract(target, tmp_path / "out")
    expected = dict(zip(["x-0.png", "x-2.png", "x-2-2.png"], pixels, strict=False))
    same_images(read_folder(tmp_path / "out"), expected)


def test_one_name_in_two_sources_whose_order_is_lost(tmp_path, pixels, model):
    names = ["x.png", "y.png", "z.png"]
    target = write(pixels[:3], tmp_path / "a", model, names=names)
    zarrmal.append(open_source(pixels[:2], names=names[:2]), tmp_path / "a")
    place = zarrmal.open(tmp_path / "a").source_index.values.tolist().index
    (tmp_path / "a/source_index/c/0").write_bytes(b"damaged")
    found = zarrmal.extract(target, tmp_path / "out", skip_damaged=True)
    assert (found.n_cells, found.n_lost) == (5, 0)
    expected = {f"{'xyzxy'[k]}-position-{place(k)}.png": pixels[k % 3] for k in (0, 1, 3, 4)}
    same_images(read_folder(tmp_path / "out"), {**expected, "z.png": pixels[2]})


@pytest.mark.parametrize("labelled", [False, True])
def test_cells_without_names_are_numbered_as_in_the_source(tmp_path, pixels, model, labelled):
    labels = np.where(np.arange(40) % 3 == 0, "uninfected", "parasitized")
    target = write(pixels, tmp_path / "a", model, labels=labels if labelled else None)
    zarrmal.extract(target, tmp_path / "out")
    folders = [f"{label}/" for label in labels] if labelled else [""] * 40
    expected = {f"{f}cell-{k:02d}.png": pixels[k] for k, f in enumerate(folders)}
    same_images(read_folder(tmp_path / "out"), expected)


def test_one_class(archive, cells, tmp_path):
    target = Location(str(archive))
    rows = np.flatnonzero(cells.labels == cells.class_names.index("uninfected"))
    assert zarrmal.extract(target, tmp_path / "out", class_name="uninfected").n_cells == len(rows)
    expected = dict(zip(cells.names[rows].tolist(), cells.read(rows), strict=True))
    same_images(read_folder(tmp_path / "out"), expected)
    with pytest.raises(InputError, match="choose among parasitized, uninfected"):
        zarrmal.extract(target, tmp_path / "out", class_name="infected")


def test_a_class_without_cells(tmp_path, pixels, model):
    target = write(pixels, tmp_path / "a", model, labels=["parasitized"] * 40)
    assert zarrmal.extract(target, tmp_path / "out", class_name="uninfected").n_cells == 0


def test_no_file_is_replaced_unasked(archive, cells, tmp_path):
    target, out = Location(str(archive)), tmp_path / "out"
    taken = out / str(cells.names[200])
    taken.parent.mkdir(parents=True)
    taken.write_text("years of work")
    with pytest.raises(InputError, match="1 files exist already"):
        zarrmal.extract(target, out)
    assert taken.read_text() == "years of work"
    assert [path for path in out.rglob("*") if path.is_file()] == [taken]
    zarrmal.extract(target, out, overwrite=True)
    pixels = cells.read(np.arange(240))
    same_images(read_folder(out), dict(zip(cells.names.tolist(), pixels, strict=True)))


@pytest.mark.skipif(os.name == "nt", reason="there a colon is no part of a name")
def test_names_with_colons(tmp_path, pixels, model):
    names = [f"12:30:{k:02d}.png" for k in range(40)]
    write_folder(tmp_path / "in", pixels, names)
    target = write(tmp_path / "in", tmp_path / "a", model)
    zarrmal.extract(target, tmp_path / "out")
    same_images(read_folder(tmp_path / "out"), dict(zip(names, pixels, strict=True)))


@pytest.mark.parametrize(
    "name", ["../x.png", "/x.png", "C:\\x.png", "a/../../x.png", "..\\x.png", "a/..", "\\x", ".",
             "x\0.png", "C:x.png"]
)  # fmt: skip
def test_names_that_lead_out_of_the_folder(tmp_path, pixels, model, name):
    names = [*(f"{k}.png" for k in range(39)), name]
    target = write(pixels, tmp_path / "a", model, names=names)
    with pytest.raises(
        CorruptionError, match=r"1 of 40 .* not a file below the folder.*--skip-dam"
    ):
        zarrmal.extract(target, tmp_path / "deep" / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]
    position = zarrmal.open(tmp_path / "a").source_index.values.tolist().index(39)
    found = zarrmal.extract(target, tmp_path / "deep" / "out", skip_damaged=True)
    assert (found.n_cells, found.n_lost) == (40, 0)
    assert [cell.position for cell in found.damaged] == [position]
    files = [*names[:39], f"position-{position:02d}.png"]
    found.listing.unlink()
    same_images(read_folder(tmp_path / "deep/out"), dict(zip(files, pixels, strict=True)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "deep"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]


def test_an_empty_name(tmp_path, pixels, model):
    target = write(pixels, tmp_path / "a", model, names=["", *(f"{k}.png" for k in range(39))])
    with pytest.raises(CorruptionError, match="such as ''"):
        zarrmal.extract(target, tmp_path / "out")
    assert zarrmal.extract(target, tmp_path / "out", skip_damaged=True).n_cells == 40


def test_labels_that_lead_out_of_the_folder(tmp_path, pixels):
    labels = ["../../x"] * 40
    model = untrained((24, 24), ("../../x",))
    target = write(pixels, tmp_path / "a", model, labels=labels)
    with pytest.raises(CorruptionError, match="not a file below the folder"):
        zarrmal.extract(target, tmp_path / "deep" / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    zarrmal.extract(target, tmp_path / "deep" / "out", skip_damaged=True).listing.unlink()
    place = zarrmal.open(tmp_path / "a").source_index.values
    expected = {f"position-{k:02d}.png": pixels[place[k]] for k in range(40)}
    same_images(read_folder(tmp_path / "deep/out"), expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "deep"]
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]


def test_a_label_of_half_a_character(archive, tmp_path):
    """As a stranger may write it into the archive's facts."""
    (key,) = [key for key in ("zarr.json", ".zattrs") if (archive / key).exists()]
    shutil.rmtree(archive / "source_name")
    tree = json.loads((archive / key).read_text())
    tree.pop("consolidated_metadata", None)
    change_facts(
        tree.get("attributes", tree),
        lambda facts: facts.update(
            label_names=["\udc80", "uninfected"],
            arrays=[name for name in facts["arrays"] if name != "source_name"],
        ),
    )
    (archive / key).write_text(json.dumps(tree))
    facts = facts_of(tree.get("attributes", tree))
    (archive / "cells/zarrmal.json").write_text(json.dumps(facts))
    (archive / ".zmetadata").unlink(missing_ok=True)
    found = zarrmal.extract(Location(str(archive)), tmp_path / "out", skip_damaged=True)
    assert found.n_cells == 240
    assert len(list((tmp_path / "out").glob("position-*.png"))) == 120


@pytest.mark.parametrize("name", ["cells", "source_index", "source_name"])
def test_a_lost_chunk_gives_no_black_images(archive, name, tmp_path):
    inner = "/0/0" if name == "cells" else ""
    is_v3 = (archive / "zarr.json").exists()
    (archive / name / (f"c/0{inner}" if is_v3 else f"0{inner}".replace("/", "."))).unlink()
    with pytest.raises(CorruptionError):
        zarrmal.extract(Location(str(archive)), tmp_path / "out")
    assert not (tmp_path / "out").exists() or not read_folder(tmp_path / "out")
    report = zarrmal.extract(Location(str(archive)), tmp_path / "some", skip_damaged=True)
    if report.listing:
        report.listing.unlink()
    images = read_folder(tmp_path / "some")
    assert len(images) == (190 if name == "cells" else 240)
    assert all(image.any() for image in images.values())


def test_a_full_disk_leaves_no_half_image(archive, tmp_path, monkeypatch):
    saved = []

    def save(image, path, **options):
        saved.append(path)
        path.write_bytes(b"half")
        if len(saved) == 5:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", save)
    with pytest.raises(OSError, match="No space"):
        zarrmal.extract(Location(str(archive)), tmp_path / "out")
    left = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(left) == 4
    assert {path.suffix for path in left} == {".png"}


def test_two_channels_become_tiff(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 2), np.uint8)
    model = untrained((8, 8, 2))
    target = write(pixels, tmp_path / "a", model)
    zarrmal.extract(target, tmp_path / "out")
    back = open_source(tmp_path / "out")
    assert back.names[0] == "cell-00.tif"
    np.testing.assert_array_equal(back.read(np.arange(40)), pixels)


def test_the_command(archive, tmp_path):
    words = ["extract", str(archive), str(tmp_path / "out"), "--class", "parasitized"]
    done = CliRunner().invoke(app, [*words, "--json"])
    assert json.loads(done.stdout) == {
        "n_cells": 120, "folder": str(tmp_path / "out"),
        "n_lost": 0, "n_recovered": 0, "problems": [], "damaged": [], "pixels_notice": "",
        "n_masks": 0, "n_masks_saved": 0, "n_numbered": 0, "n_jpeg": 0,
            "n_jpeg_same": 0,
        "preprocessing": {
            "channel": None, "size": None, "resampling": None,
            "native_heights": [24, 24], "native_widths": [24, 24],
        },
    }  # fmt: skip
    again = CliRunner().invoke(app, words)
    assert (again.exit_code, again.stdout) == (2, "")
    assert again.stderr.startswith("error: 120 files exist already")
    assert CliRunner().invoke(app, [*words, "--overwrite"]).exit_code == 0


def test_a_file_and_a_folder_of_one_name(model, tmp_path):
    """A file system cannot hold both."""
    pixels = np.random.default_rng(1).integers(0, 256, (4, 24, 24), np.uint8)
    np.savez(tmp_path / "a.npz", cells=pixels, path=np.array(["a", "a/b", "a.png/c", "d.png"]))
    target = write(open_source(tmp_path / "a.npz"), tmp_path / "n.zarr", model)
    report = zarrmal.extract(target, tmp_path / "out")
    assert (report.n_cells, report.problems) == (4, ())
    found = read_folder(tmp_path / "out")
    assert set(found) == {"a-0.png", "a/b.png", "a.png/c.png", "d.png"}
    np.testing.assert_array_equal(found["a-0.png"], pixels[0])
