"""A FIFO in a Zarr directory is an error: opening one waits for a writer."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr
from damaged import PER_CHUNK, Archive, N, run

import zarrmal

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs"),
    pytest.mark.usefixtures("no_hang"),
]


def replace_by_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


VERBS: dict[str, Callable[[Path, Path], object]] = {
    "open": lambda place, out: zarrmal.open(place),
    "info": lambda place, out: zarrmal.info(place),
    "verify": lambda place, out: zarrmal.verify(place),
    "extract": lambda place, out: zarrmal.extract(place, out),
    "append": lambda place, out: zarrmal.append(np.zeros((1, 24, 24), np.uint8), place),
    "source": lambda place, out: zarrmal.open_source(place),
}


@pytest.mark.parametrize("verb", VERBS)
def test_in_place_of_the_groups_document(damaged: Archive, tmp_path: Path, verb: str) -> None:
    replace_by_fifo(damaged.place / ("zarr.json" if damaged.v3 else ".zgroup"))
    with pytest.raises((OSError, ValueError), match="FIFO"):
        VERBS[verb](damaged.place, tmp_path / "out")


def test_in_place_of_a_chunk(damaged: Archive, tmp_path: Path) -> None:
    source = zarrmal.open_source(damaged.place)
    replace_by_fifo(damaged.path(1))
    assert zarrmal.info(damaged.place).n_cells == N
    archive = zarrmal.Archive.open(damaged.place)
    for rows in ([3, PER_CHUNK], range(N)):
        with pytest.raises(OSError, match="is a FIFO, not a file"):
            archive.read(rows)
    assert archive.read([3]).shape == (1, 24, 24)
    with pytest.raises((OSError, ValueError), match="FIFO"):
        source.read(np.arange(N))
    (finding,) = zarrmal.verify(damaged.place).findings
    assert (finding.chunk, finding.lost) == (damaged.key(1), ((16, 31),))
    assert "cannot be read: is a FIFO, not a file" in finding.line
    report = zarrmal.extract(damaged.place, tmp_path / "out", skip_damaged=True)
    assert (report.n_cells, report.n_lost) == (N - 16, 16)
    told = run("extract", damaged.place, tmp_path / "strict")
    assert told.exit_code == 1
    assert "FIFO" in told.stderr


def test_in_place_of_a_column(damaged: Archive) -> None:
    replace_by_fifo(damaged.path(0, "source_name"))
    (problem,) = zarrmal.verify(damaged.place).problems
    assert "is a FIFO, not a file" in problem


def test_in_place_of_a_chunk_of_any_array(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a.zarr", data=np.ones((4, 5, 5), np.uint8), chunks=(2, 5, 5))
    source = zarrmal.open_source(tmp_path / "a.zarr")
    replace_by_fifo(tmp_path / "a.zarr" / "c" / "1" / "0" / "0")
    assert source.read(np.arange(2)).all()
    with pytest.raises(OSError, match="is a FIFO, not a file"):
        source.read(np.arange(4))
