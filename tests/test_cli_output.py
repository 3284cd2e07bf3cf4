"""What the commands print, wherever they print it."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import zarrmal
from zarrmal.archive import Location
from zarrmal.errors import InputError
from zarrmal.sources import open_source


def test_a_terminal_that_knows_ascii_only(tmp_path, cells, model):
    source = open_source(cells.read(np.arange(4)), names=[f"ä{k}.png" for k in range(4)])
    zarrmal.write(source, tmp_path / "a.zarr", model=model)
    (tmp_path / "a.zarr/cells/c/0/0/0").unlink()
    words = ["-c", "from zarrmal.cli import main; main()", "verify", str(tmp_path / "a.zarr")]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    found = subprocess.run([sys.executable, *words], capture_output=True, env=environment)
    assert (found.returncode, found.stderr) == (1, b"")
    assert rb"\xe4" in found.stdout


def test_a_source_of_fewer_cells(archive, cells):
    """As where an archive was appended to, and one of the sources was given."""
    some = open_source(
        cells.read(np.arange(100)), labels=np.array(cells.class_names)[cells.labels[:100]]
    )
    with pytest.raises(InputError, match=r"--source once for each .*in order.*--skip-unreadable"):
        zarrmal.verify(Location(str(archive)), some)
    other = open_source(np.zeros((240, 9, 9), np.uint8))
    with pytest.raises(InputError, match="same --size and --channel"):
        zarrmal.verify(Location(str(archive)), other)
