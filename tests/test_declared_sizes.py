"""Documents that declare more than there can be: a named error or little work, no memory."""

from __future__ import annotations

import json
import shutil
import tracemalloc

import numpy as np
import pytest
from damaged import run
from facts import change_facts
from zarrmal_codecs import CorruptionError

import zarrmal
from zarrmal.archive import Location, WriteOptions
from zarrmal.archive.read.chunks.recover import recover_chunk
from zarrmal.errors import InputError


@pytest.fixture
def place(tmp_path):
    cells = np.full((4, 1, 1), 9, np.uint8)
    zarrmal.write(cells, tmp_path / "a.zarr", options=WriteOptions(chunk_cells=2))
    return tmp_path / "a.zarr"


def declare(place, cells, facts=lambda tree: None, beside=lambda tree: None):
    """Change what the documents of the arrays say, their copies and the archive's facts."""
    path = place / "zarr.json"
    tree = json.loads(path.read_text())
    for name, copy in tree["consolidated_metadata"]["metadata"].items():
        one = place / name / "zarr.json"
        mine = json.loads(one.read_text())
        for document in (mine, copy):
            (cells if name == "cells" else beside)(document)
        one.write_text(json.dumps(mine))
    change_facts(tree["attributes"], facts)
    path.write_text(json.dumps(tree))
    (place / "cells/zarrmal.json").write_text(json.dumps(tree["attributes"]["zarrmal"]))


def chunks_of(n):
    return lambda tree: tree["chunk_grid"]["configuration"]["chunk_shape"].__setitem__(0, n)


def test_a_chunk_of_many_cells_of_which_few_are_declared(place):
    n = 2**24
    declare(place, chunks_of(n))
    shutil.rmtree(place / "cells/c")
    tracemalloc.start()
    report = zarrmal.verify(Location(str(place)))
    pixels, good = zarrmal.recover_cells(place)
    found = zarrmal.extract(Location(str(place)), place.parent / "out", skip_damaged=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < n  # a byte a declared cell is too much already
    assert (report.n_lost, found.n_lost, good.tolist()) == (4, 4, [False] * 4)
    assert pixels.shape == (4, 1, 1)


def test_nothing_is_told_of_padding():
    assert len(recover_chunk(None, None, (1000, 1, 1), None, 3).reasons) == 3
    assert len(recover_chunk(b"none", None, (1000, 1, 1), None, 3).reasons) == 3


@pytest.mark.parametrize("n", [2**31, 2**50])
def test_chunks_beyond_the_limit(place, n):
    declare(place, chunks_of(n))
    for read in readers(place, "info"):
        with pytest.raises(CorruptionError, match="2,147,483,647 bytes at most"):
            read()


def test_more_cells_than_the_bytes_can_hold(place):
    n = 2**31 - 1

    def longer(tree):
        tree["shape"][0] = n

    def cells(tree):
        longer(tree)
        chunks_of(n)(tree)

    def facts(tree):
        first = tree["segments"][0]
        tree.update(n_cells=n, segments=[[*first[:-1], n]])

    declare(place, cells, facts, longer)
    for read in readers(place):
        with pytest.raises(CorruptionError, match=r"declares 2,147,483,647 cells.* cannot hold"):
            read()
    for command in ("info", "verify"):
        result = run(command, place)
        assert (result.exit_code, "cannot hold" in result.output) == (1, True)


def readers(place, *but):
    target = Location(str(place))
    found = {
        "info": lambda: zarrmal.info(target),
        "verify": lambda: zarrmal.verify(target),
        "extract": lambda: zarrmal.extract(target, place.parent / "out", skip_damaged=True),
        "read_cells": lambda: zarrmal.recover_cells(place),
    }
    return [read for name, read in found.items() if name not in but]


def test_more_pixels_than_memory(place, monkeypatch):
    def full(*_):
        raise MemoryError

    monkeypatch.setattr("zarrmal.archive.read.cells.np.zeros", full)
    with pytest.raises(InputError, match="some of them at a time"):
        zarrmal.recover_cells(place)
