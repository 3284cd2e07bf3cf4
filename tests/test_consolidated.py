"""The consolidated copy, which xarray goes by: what it lacks is told, and read all the same."""

from __future__ import annotations

import json

import pytest
from damaged import remove_copies

import zarrmal
from zarrmal.archive import Target, archive_info, extract_archive, verify_archive


def remove_copy(archive, name):
    place = archive.place / ("zarr.json" if archive.v3 else ".zmetadata")
    tree = json.loads(place.read_text())
    copies = tree["consolidated_metadata"]["metadata"] if archive.v3 else tree["metadata"]
    for key in [key for key in copies if key.split("/")[0] == name]:
        del copies[key]
    place.write_text(json.dumps(tree))


def problems(archive):
    return verify_archive(Target(str(archive.place)), archive.source).problems


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
    target = Target(str(damaged.place))
    assert archive_info(target).n_cells == 40
    assert extract_archive(target, tmp_path / "out").n_cells == 40
    zarrmal.append(damaged.source, damaged.place)  # which stores the copy anew
    assert verify_archive(target).problems == ()
    assert archive_info(target).n_cells == 80


@pytest.mark.parametrize("name", [".zgroup", ".zattrs"])
def test_a_copy_that_lacks_a_document_of_the_group(damaged, name):
    if damaged.v3:
        pytest.skip("it is in the group's own document")
    remove_copy(damaged, name)
    (problem,) = problems(damaged)
    assert problem.startswith(f"the consolidated metadata lack {name}")
