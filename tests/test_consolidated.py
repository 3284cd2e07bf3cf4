"""The consolidated copy, which xarray goes by: what it lacks is told, and read all the same."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import zarr
from damaged import remove_copies
from facts import facts_of

import zarrmal
from zarrmal.archive import AppendOptions, Location
from zarrmal.archive import format as layout


def remove_copy(archive, name):
    place = archive.place / ("zarr.json" if archive.v3 else ".zmetadata")
    tree = json.loads(place.read_text())
    copies = tree["consolidated_metadata"]["metadata"] if archive.v3 else tree["metadata"]
    for key in [key for key in copies if key.split("/")[0] == name]:
        del copies[key]
    place.write_text(json.dumps(tree))


def problems(archive):
    return zarrmal.verify(Location(str(archive.place)), archive.source).problems


def test_a_copy_that_is_missing(damaged):
    remove_copies(damaged)
    (problem,) = problems(damaged)
    assert problem.startswith("the consolidated metadata are missing")


@pytest.mark.parametrize("name", ["cells", "label"])
def test_a_copy_that_lacks_an_array(damaged, tmp_path, name):
    remove_copy(damaged, name)
    documents = ("zarr.json",) if damaged.v3 else (".zarray", ".zattrs")
    told = problems(damaged)
    assert len(told) == len(documents)
    for document, line in zip(documents, told, strict=True):
        assert line.startswith(f"the consolidated metadata lack {name}/{document}")
    target = Location(str(damaged.place))
    assert zarrmal.info(target).n_cells == 40
    assert zarrmal.extract(target, tmp_path / "out").n_cells == 40
    zarrmal.append(damaged.source, damaged.place)  # which stores the copy anew
    assert zarrmal.verify(target).problems == ()
    assert zarrmal.info(target).n_cells == 80


@pytest.mark.parametrize("name", [".zgroup", ".zattrs"])
def test_a_copy_that_lacks_a_document_of_the_group(damaged, name):
    if damaged.v3:
        pytest.skip("it is in the group's own document")
    remove_copy(damaged, name)
    (problem,) = problems(damaged)
    assert problem.startswith(f"the consolidated metadata lack {name}")


@pytest.fixture
def quality(damaged):
    """With an array of the user's own, and a group."""
    group = zarr.open_group(damaged.place, mode="r+", use_consolidated=False)
    group["quality"] = np.arange(40, dtype=np.float32)
    group.create_group("sub")["more"] = np.arange(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", zarr.errors.ZarrUserWarning)  # it is no part of format 3
        zarr.consolidate_metadata(damaged.place)
    return damaged


def interrupted(archive):
    """An append that stops before its end."""

    def stopping(*args, **options):
        raise OSError("the network is gone")

    with pytest.raises(OSError, match="network"):
        zarrmal.append(archive.source, archive.place, options=AppendOptions(runner=stopping))


@pytest.mark.parametrize("undone", [False, True])
def test_an_array_of_the_users_own_stays(quality, undone):
    before = problems_alone(quality)
    if undone:
        interrupted(quality)
        zarrmal.undo(Location(str(quality.place)))
    else:
        zarrmal.append(quality.source, quality.place)
    group = zarr.open_group(quality.place, mode="r")
    assert group.metadata.consolidated_metadata is not None
    assert group["quality"][:].tolist() == list(range(40))
    assert group["sub/more"][:].tolist() == [0, 1, 2]
    assert group["cells"].shape[0] == (40 if undone else 80)
    assert problems_alone(quality) == before  # of what zarr makes of a group in a group


def test_a_copy_that_outgrows_its_limit_is_kept_up_to_date(damaged, monkeypatch):
    monkeypatch.setattr(layout, "MAX_CONSOLIDATED_MODEL_BYTES", 0)
    zarrmal.append(damaged.source, damaged.place)
    for consolidated in (None, True, False):
        group = zarr.open_group(damaged.place, mode="r", use_consolidated=consolidated)
        assert group["cells"].shape[0] == group["source_index"].shape[0] == 80
        assert facts_of(group)["n_cells"] == 80
    assert problems_alone(damaged) == ()


def test_no_copy_comes_beyond_the_limit(damaged, monkeypatch):
    monkeypatch.setattr(layout, "MAX_CONSOLIDATED_MODEL_BYTES", 0)
    remove_copies(damaged)
    zarrmal.append(damaged.source, damaged.place)
    group = zarr.open_group(damaged.place, mode="r")
    assert group.metadata.consolidated_metadata is None
    assert group["cells"].shape[0] == 80
    assert problems_alone(damaged) == ()


@pytest.mark.parametrize("where", ["", "cells", "label"])
@pytest.mark.parametrize("how", ["append", "resume", "undo"])
def test_numbers_that_json_has_not(damaged, where, how):
    if where == "label" and damaged.source.labels is None:
        pytest.skip("no labels")
    target = Location(str(damaged.place))
    if how != "append":
        interrupted(damaged)
    node = zarr.open(damaged.place, path=where, mode="r+", use_consolidated=False)
    node.attrs.update({"offset": float("nan"), "limits": [float("-inf"), float("inf")]})
    if how == "undo":
        zarrmal.undo(target)
    else:
        options = AppendOptions(resume=how == "resume")
        zarrmal.append(damaged.source, damaged.place, options=options)
    assert problems_alone(damaged) == ()
    found = zarr.open(damaged.place, mode="r")
    attributes = (found[where] if where else found).attrs
    assert np.isnan(attributes["offset"])
    assert attributes["limits"] == [float("-inf"), float("inf")]


def problems_alone(archive):
    return zarrmal.verify(Location(str(archive.place))).problems
