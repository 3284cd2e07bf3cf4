"""Damage beside the pixels: names, labels, order, and the metadata documents."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from damaged import N, documents, flip, positions, remove_copies, some_cells, write
from facts import change_facts
from PIL import Image
from zarrmal_codecs import CorruptionError, ZarrmalError

import zarrmal
from zarrmal.archive import Location
from zarrmal.archive.extract.report import UNNAMED
from zarrmal.errors import InputError
from zarrmal.sources import open_source


@pytest.mark.parametrize("fault", ["missing", "changed", "no array", "metadata"])
@pytest.mark.parametrize("name", ["source_name", "source_index", "label", "predicted_class"])
def test_a_damaged_index_array(damaged, tmp_path, name, fault):
    if fault == "missing":
        damaged.path(0, name).unlink()
    elif fault == "changed":
        damaged.edit(0, flip(-3), name)
    elif fault == "no array":
        shutil.rmtree(damaged.place / name)
    else:
        (damaged.place / name / ("zarr.json" if damaged.v3 else ".zarray")).write_text("{")
    target = Location(str(damaged.place))
    report = zarrmal.verify(target)
    assert any(f"`{name}`" in problem for problem in report.problems)
    assert report.n_lost == 0
    if fault in ("missing", "changed"):
        (finding,) = report.findings
        assert (finding.array, finding.chunk, finding.kind) == (name, damaged.key(0, name), fault)
        assert finding.lost == ((0, N - 1),)
    expected = {name: k for k, name in enumerate(damaged.names)}
    if name == "source_name" and fault != "metadata":
        expected = {f"position-{k:02d}.png": k for k in range(N)}
    if name in ("source_name", "source_index"):
        with pytest.raises(CorruptionError, match="--skip-damaged"):
            zarrmal.extract(target, tmp_path / "strict")
        assert not (tmp_path / "strict").exists()
    found = zarrmal.extract(target, tmp_path / "out", skip_damaged=True)
    damaged.check_files(tmp_path / "out", expected)
    assert found.n_lost == 0
    assert positions(found, UNNAMED) == (
        set(range(N)) if name == "source_name" and fault != "metadata" else set()
    )
    if name == "predicted_class" and fault != "metadata":
        with pytest.raises(CorruptionError, match="extract without --class"):
            zarrmal.extract(target, tmp_path / "class", class_name="uninfected", skip_damaged=True)


@pytest.mark.parametrize("name", ["label", "source_index"])
def test_numbers_where_there_are_no_names(cells, model, tmp_path, name):
    source = some_cells(cells)
    unnamed = open_source(
        source.read(np.arange(N)), labels=np.array(source.class_names)[source.labels]
    )
    archive = write(unnamed, tmp_path / "a.zarr", model, 3)
    archive.path(0, name).unlink()
    report = zarrmal.extract(Location(str(archive.place)), tmp_path / "out", skip_damaged=True)
    assert len(positions(report, UNNAMED)) == N
    archive.check_files(tmp_path / "out", {f"position-{k:02d}.png": k for k in range(N)})


@pytest.mark.parametrize("where", ["array", "array without a copy", "archive"])
@pytest.mark.parametrize("n_cells", [38, 41, 1_000_000_000])
def test_a_wrong_number_of_cells(damaged, tmp_path, where, n_cells):
    """The other document tells the right one, or nothing is written."""
    name = {True: "zarr.json", False: ".zattrs" if where == "archive" else ".zarray"}[damaged.v3]
    path = damaged.place / name if where == "archive" else damaged.place / "cells" / name
    tree = json.loads(path.read_text())
    if where == "archive":
        attributes = tree["attributes"] if damaged.v3 else tree
        change_facts(attributes, lambda facts: facts.update(n_cells=n_cells))
    else:
        tree["shape"][0] = n_cells
    path.write_text(json.dumps(tree))
    if where == "array without a copy":
        remove_copies(damaged)
    if where == "archive":  # its segments contradict it
        with pytest.raises(CorruptionError, match="segments"):
            zarrmal.extract(Location(str(damaged.place)), tmp_path / "out", skip_damaged=True)
        assert not (tmp_path / "out").exists()
        return
    found = zarrmal.extract(Location(str(damaged.place)), tmp_path / "out", skip_damaged=True)
    assert found.damaged == ()
    assert len(found.problems) == 1
    damaged.check_files(tmp_path / "out", {name: k for k, name in enumerate(damaged.names)})


def test_every_metadata_document(damaged, tmp_path):
    """Whatever byte of them is damaged: told, and no image is ever a wrong one."""
    rng = np.random.default_rng(4)
    expected = {name: k for k, name in enumerate(damaged.names)}
    target, n_images = Location(str(damaged.place)), 0
    for n, path in enumerate(documents(damaged)):
        data = path.read_bytes()
        at = int(rng.integers(0, len(data)))
        path.write_bytes(flip(at)(data))
        out = tmp_path / f"{n}-{at}"
        told = problems_or_error(target, out)
        assert told, (path, at)
        assert "\n" not in told
        for image in out.rglob("*.png"):
            position = expected.get(image.relative_to(out).as_posix())
            if position is None:
                position = int(image.stem.removeprefix("position-"))
            with Image.open(image) as picture:
                np.testing.assert_array_equal(picture, damaged.pixels[position])
            n_images += 1
        path.write_bytes(data)
    assert n_images > 3 * N


def problems_or_error(target, out):
    try:
        problems = zarrmal.verify(target).problems
        zarrmal.extract(target, out, skip_damaged=True)
    except (ZarrmalError, InputError) as error:
        return str(error)
    return "; ".join(problems)


@pytest.mark.parametrize("fault", ["damaged", "missing", "model"])
def test_the_pixels_metadata_are_kept_twice(damaged, tmp_path, fault):
    """The model stands in the consolidated metadata too: without it nothing could be read."""
    path = damaged.place / "cells" / ("zarr.json" if damaged.v3 else ".zarray")
    text = path.read_text()
    at = text.index('"model"') + 2_000
    changed = {"damaged": text[:-5], "model": text[:at] + "AAAA" + text[at + 4 :]}
    path.write_text(changed.get(fault, ""))
    if fault == "missing":
        path.unlink()
    problems = zarrmal.verify(Location(str(damaged.place)), damaged.source).problems
    assert "the consolidated copy of its metadata is used" in problems[0]
    assert not any("chunk" in problem for problem in problems)
    with pytest.raises(CorruptionError, match="--skip-damaged"):
        zarrmal.extract(Location(str(damaged.place)), tmp_path / "strict")
    found = zarrmal.extract(Location(str(damaged.place)), tmp_path / "out", skip_damaged=True)
    assert found.damaged == ()
    damaged.check_files(tmp_path / "out", {name: k for k, name in enumerate(damaged.names)})
    assert zarrmal.recover_cells(damaged.place)[1].all()


@pytest.mark.parametrize("name", ["cells", "source_name", "source_index", "label"])
def test_a_document_that_the_disk_does_not_give(damaged, tmp_path, name):
    """As without the right to read it; the consolidated copy has all of it."""
    path = damaged.place / name / ("zarr.json" if damaged.v3 else ".zarray")
    path.unlink()
    path.symlink_to(path.name)  # a loop: an OSError whoever reads it
    problems = zarrmal.verify(Location(str(damaged.place)), damaged.source).problems
    assert f"{name}/{path.name} cannot be read" in problems
    assert any("the consolidated copy of its metadata is used" in line for line in problems)
    assert not any("chunk" in line for line in problems)
    found = zarrmal.extract(Location(str(damaged.place)), tmp_path / "out", skip_damaged=True)
    assert found.damaged == ()
    damaged.check_files(tmp_path / "out", {name: k for k, name in enumerate(damaged.names)})
    assert zarrmal.recover_cells(damaged.place)[1].all()


def test_a_consolidated_copy_that_the_disk_does_not_give(whole, tmp_path):
    archive = whole.copy(tmp_path / "a.zarr")
    if archive.v3:
        pytest.skip("it is in the group's own document")
    path = archive.place / ".zmetadata"
    path.unlink()
    path.symlink_to(path.name)
    (problem,) = zarrmal.verify(Location(str(archive.place))).problems
    assert "the consolidated metadata cannot be read" in problem


@pytest.mark.parametrize(("of", "to"), [("source_name", "source_index"), ("label", "source_name")])
def test_the_document_of_another_array(damaged, tmp_path, of, to):
    """It makes numbers of texts, or texts of numbers: the copy is used."""
    document = "zarr.json" if damaged.v3 else ".zarray"
    shutil.copy(damaged.place / of / document, damaged.place / to / document)
    target = Location(str(damaged.place))
    assert any(f"the metadata of `{to}` are wrong" in p for p in zarrmal.verify(target).problems)
    found = zarrmal.extract(target, tmp_path / "out", skip_damaged=True)
    assert found.n_lost == 0
    damaged.check_files(tmp_path / "out", {name: k for k, name in enumerate(damaged.names)})
