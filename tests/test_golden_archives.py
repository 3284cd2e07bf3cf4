"""The golden archives of codecs/vectors under this package: opened, verified, taken apart."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import zarrmal
from zarrmal.archive import Location

VECTORS = Path(__file__).parents[1] / "codecs" / "vectors"
ARCHIVES = VECTORS / "archives"
INDEX = json.loads((ARCHIVES / "index.json").read_text(encoding="utf-8"))


@pytest.fixture(params=INDEX)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_they_are_sound(name: str) -> None:
    report = zarrmal.verify(Location(str(ARCHIVES / f"{name}.zarr")))
    assert report.problems == ()
    assert report.n_cells == INDEX[name]["arrays"]["cells"]["shape"][0]


def test_opened_in_the_order_of_the_source(name: str) -> None:
    dataset = zarrmal.open(ARCHIVES / f"{name}.zarr", source_order=True)
    drawn = np.ascontiguousarray(dataset.cells.values)
    assert hashlib.sha256(drawn.tobytes()).hexdigest() == INDEX[name]["drawn_sha256"]


def test_info(name: str) -> None:
    info = zarrmal.info(Location(str(ARCHIVES / f"{name}.zarr")))
    assert info.profile == INDEX[name]["profile"]


def test_the_writer_still_writes_such_archives(tmp_path: Path) -> None:
    """Every array of the index is the same; the writer itself compares with what was drawn."""
    write = [sys.executable, str(VECTORS / "write_archives.py"), "--folder", str(tmp_path)]
    subprocess.run(write, check=True)
    assert json.loads((tmp_path / "index.json").read_text(encoding="utf-8")) == INDEX
    again = subprocess.run(write, capture_output=True, text=True)
    assert again.returncode != 0
    assert "--force" in again.stderr
