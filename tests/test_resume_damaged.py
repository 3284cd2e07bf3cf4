"""What an interrupted run has stored is reused only if it decodes to the cells it should hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_append import Stopping
from zarrmal_codecs import Model
from zarrmal_codecs.chunk.header import header_bytes

import zarrmal
from zarrmal import AppendOptions, WriteOptions
from zarrmal.sources import Source, Subset


def damage(path: Path, at: int = -3) -> None:
    """A byte of the last stream; header and length stay."""
    data = bytearray(path.read_bytes())
    assert header_bytes(memoryview(data)) < len(data) + at
    data[at] ^= 0x10
    path.write_bytes(data)


@pytest.mark.parametrize("profile", ["paper", "hybrid"])
def test_a_new_archive(
    cells: Source, model: Model, hybrid: Model, tmp_path: Path, profile: str
) -> None:
    coded_with = model if profile == "paper" else hybrid
    options = {"chunk_cells": 32, "workers": 1}
    stopping = Stopping(cells, KeyboardInterrupt(), 5)
    with pytest.raises(KeyboardInterrupt):
        zarrmal.write(stopping, tmp_path / "a", model=coded_with, options=WriteOptions(**options))
    chunk = tmp_path / ".a.zarrmal-part/cells/c/1/0/0"
    damage(chunk)
    options["resume"] = True
    zarrmal.write(cells, tmp_path / "a", model=coded_with, options=WriteOptions(**options))
    assert zarrmal.verify(tmp_path / "a", cells).problems == ()


def test_appending(cells: Source, hybrid: Model, tmp_path: Path) -> None:
    options = WriteOptions(chunk_cells=32)
    first, more = (Subset(cells, np.arange(*ends)) for ends in ((0, 64), (64, 240)))
    zarrmal.write(first, tmp_path / "a", model=hybrid, options=options)
    with pytest.raises(KeyboardInterrupt):
        zarrmal.append(
            Stopping(more, KeyboardInterrupt(), 4),
            tmp_path / "a",
            options=AppendOptions(workers=1),
        )
    damage(tmp_path / "a/cells/c/2/0/0")
    zarrmal.append(more, tmp_path / "a", options=AppendOptions(resume=True))
    assert zarrmal.verify(tmp_path / "a", cells).problems == ()
