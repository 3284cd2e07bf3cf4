"""Every array's metadata document is under a digest: no change to one goes unseen."""

from __future__ import annotations

from pathlib import Path

import pytest
from facts import stored_digests

import zarrmal
from zarrmal.archive import Location

DOCUMENTS = ("zarr.json", ".zarray", ".zattrs")


def documents(archive: Path) -> list[Path]:
    return [
        path
        for path in sorted(archive.glob("*/*"))
        if path.name in DOCUMENTS and path.parent.name != "zarrmal_digests"
    ]


def test_every_document_of_every_array_has_a_digest(archive: Path) -> None:
    group = Location(str(archive)).open_group()
    keys = {path.relative_to(archive).as_posix() for path in documents(archive)}
    assert set(stored_digests(archive)["documents"]) == keys
    assert {key.split("/")[0] for key in keys} == set(group.array_keys())


@pytest.mark.parametrize("name", ["cells", "label", "source_name"])
def test_a_harmless_looking_change_is_named(archive: Path, name: str) -> None:
    for path in documents(archive):
        if path.parent.name != name:
            continue
        whole = path.read_bytes()
        path.write_bytes(whole + b"\n")
        (problem,) = zarrmal.verify(Location(str(archive))).problems
        assert problem == f"{name}/{path.name} was changed after the archive was written"
        path.write_bytes(whole)
    assert zarrmal.verify(Location(str(archive))).problems == ()
