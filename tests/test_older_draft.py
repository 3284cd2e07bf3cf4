"""Archives of the older draft, with digests in the attribute; archives that lost their digests."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import zarr
from facts import facts_of, stored_digests
from zarrmal_codecs import CorruptionError

import zarrmal
from zarrmal.archive import Location
from zarrmal.errors import InputError
from zarrmal.sources import open_source


def as_older_draft(archive):
    digests = stored_digests(archive)
    shutil.rmtree(archive / "zarrmal_digests")
    is_v3 = (archive / "zarr.json").is_file()
    facts = facts_of(zarr.open_group(archive, mode="r"))
    del facts["arrays"], facts["preprocessing"], facts["backup"]
    (archive / "cells/zarrmal.json").unlink()
    facts |= {"digests": digests["objects"], "metadata_digests": digests["documents"]}
    for name in ("zarr.json",) if is_v3 else (".zattrs", ".zmetadata"):
        tree = json.loads((archive / name).read_text())
        inner = tree["metadata"][".zattrs"] if name == ".zmetadata" else tree
        (inner["attributes"] if is_v3 else inner)["zarrmal"] = facts
        (archive / name).write_text(json.dumps(tree))


def test_every_verb_reads_it(archive, cells, tmp_path):
    as_older_draft(archive)
    assert zarrmal.verify(archive, cells).problems == ()
    info = zarrmal.info(archive)
    assert (info.n_cells, info.preprocessing, info.pixels_notice) == (240, None, "")
    assert zarrmal.extract(archive, tmp_path / "out").n_cells == 240
    assert zarrmal.recover_cells(archive)[1].all()
    again = open_source(archive)
    assert again.n_cells == 240
    with pytest.raises(InputError, match="nothing to undo"):
        zarrmal.undo(archive)
    path = next(p for p in sorted((archive / "cells").rglob("*0*")) if p.is_file())
    path.unlink()
    assert "is missing" in zarrmal.verify(archive).problems[0]
    with pytest.raises(InputError, match="is missing"):
        open_source(archive).read(np.arange(240))


def test_an_append_rewrites_it(archive, cells):
    as_older_draft(archive)
    zarrmal.append(cells, archive)
    facts = facts_of(zarr.open_group(archive, mode="r"))
    assert len(facts["digests"]) == 64
    assert set(stored_digests(archive)["objects"]) == set(facts["arrays"])
    assert zarrmal.verify(archive, [cells, cells]).problems == ()


@pytest.mark.parametrize("lost", ["removed", "changed"])
def test_lost_digests(archive, cells, tmp_path, lost):
    """The cells are saved; nothing is appended to what nothing checks."""
    (path,) = (p for p in (archive / "zarrmal_digests").rglob("*0") if p.is_file())
    if lost == "removed":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes().replace(b"a", b"b"))
    report = zarrmal.verify(Location(str(archive)))
    assert report.problems[0].startswith("the archive's digests are lost: zarrmal_digests/")
    assert report.n_lost == 0
    with pytest.raises(CorruptionError, match="digests are lost"):
        zarrmal.append(cells, archive)
    with pytest.raises(CorruptionError, match="digests are lost"):
        zarrmal.extract(archive, tmp_path / "out")
    assert zarrmal.extract(archive, tmp_path / "out", skip_damaged=True).n_cells == 240
    with pytest.raises(InputError, match="digests are lost"):
        open_source(archive)


def test_two_states_have_digests(archive, cells):
    """That of now, and the one before, which somebody may still read."""
    for _ in range(3):
        zarrmal.append(cells, archive)
    assert len([p for p in (archive / "zarrmal_digests").iterdir() if p.is_dir()]) == 2
