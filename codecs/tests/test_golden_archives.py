"""Golden archives: every version must read the same cells from them with zarr and xarray.

Written by ``codecs/vectors/write_archives.py``; nothing of the package zarrmal is needed to read.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from golden_archives import ARCHIVES, INDEX, meets
from zarrmal_codecs.hybrid.engine import VARIABLE, levels


@pytest.fixture(params=INDEX)
def name(request) -> str:
    return request.param


@pytest.fixture
def archive(name) -> Path:
    return ARCHIVES / f"{name}.zarr"


@pytest.fixture
def entry(name) -> dict:
    return INDEX[name]


def test_plain_zarr(archive, entry):
    group = zarr.open(archive, mode="r")
    assert isinstance(group, zarr.Group)
    assert group.metadata.zarr_format == entry["zarr_format"]
    for name, expected in entry["arrays"].items():
        meets(group[name][:], expected)
    assert set(group.array_keys()) == set(entry["arrays"])


def test_without_consolidated_metadata(archive, entry):
    group = zarr.open_group(archive, mode="r", use_consolidated=False)
    meets(group["cells"][:], entry["arrays"]["cells"])


def test_xarray(archive, entry):
    dataset = xr.open_zarr(archive)
    for name, expected in entry["arrays"].items():
        meets(dataset[name].values, expected)
    cells = dataset.cells
    assert cells.dims == ("cell", "y", "x", "channel")[: cells.ndim]
    assert all(dataset[name].dims == ("cell",) for name in entry["arrays"] if name != "cells")
    assert cells.dtype == np.uint8
    np.testing.assert_array_equal(cells[5:7].values, cells.values[5:7])


def test_single_cells_and_parts(archive):
    cells = zarr.open(archive, mode="r")["cells"]
    everything = cells[:]
    for row in (0, 7, 8, -1):
        np.testing.assert_array_equal(cells[row], everything[row])
    np.testing.assert_array_equal(cells[1:-1:3, 1:3], everything[1:-1:3, 1:3])


def test_source_order_gives_the_cells_that_were_drawn(archive, entry):
    group = zarr.open(archive, mode="r")
    drawn = group["cells"][:][np.argsort(group["source_index"][:])]
    assert hashlib.sha256(drawn.tobytes()).hexdigest() == entry["drawn_sha256"]


READ = """
import hashlib, pathlib, sys, zarr
for place in sorted(pathlib.Path(sys.argv[1]).glob("*.zarr")):
    cells = zarr.open(place, mode="r")["cells"][:]
    print(place.stem, hashlib.sha256(cells.tobytes()).hexdigest())
"""


@pytest.mark.parametrize("level", [levels()[0], levels()[-1]])  # test_kernel has all
def test_a_fresh_process_reads_them_without_an_import(level, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, level)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", READ, str(ARCHIVES)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    expected = {f"{name} {entry['arrays']['cells']['sha256']}" for name, entry in INDEX.items()}
    assert set(done.stdout.splitlines()) == expected


def test_they_cover_formats_profiles_and_columns():
    kinds = {(entry["profile"], entry["zarr_format"]) for entry in INDEX.values()}
    assert kinds == {(p, f) for p in ("paper", "hybrid") for f in (2, 3)}
    for zarr_format in (2, 3):
        held = [set(e["arrays"]) for e in INDEX.values() if e["zarr_format"] == zarr_format]
        assert set.union(*held) == {
            "cells", "predicted_class", "class_probability", "label",
            "source_index", "source_name", "source_group", "split", "height", "width",
        }  # fmt: skip
    assert {path.stem for path in ARCHIVES.glob("*.zarr")} == set(INDEX)
    files = [path for path in ARCHIVES.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 250_000


@pytest.mark.skipif(
    "read_missing_chunks" not in zarr.config.get("array"),
    reason=f"zarr {zarr.__version__} reads missing chunks as fill values, always",
)
@pytest.mark.parametrize("cells", [slice(None), slice(0, 1)])
def test_a_missing_chunk_is_an_error_where_one_asks_for_it(archive, tmp_path, cells):
    copy = tmp_path / "cells.zarr"
    shutil.copytree(archive, copy)
    files = [path for path in (copy / "cells").rglob("*") if path.is_file()]
    chunks = [path for path in files if path.name[0] != "." and path.name != "zarr.json"]
    min(chunks).unlink()
    with zarr.config.set({"array.read_missing_chunks": False}):
        array = zarr.open(copy, mode="r")["cells"]
        with pytest.raises(zarr.errors.ChunkNotFoundError):
            array[cells]
