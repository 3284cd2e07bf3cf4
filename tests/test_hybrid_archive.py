"""Archives of the models that ship: read with zarr and xarray, with the kernel and without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from every_moment import crossed
from zarrmal_codecs import array_arguments
from zarrmal_codecs.hybrid.engine import VARIABLE, levels

import zarrmal
from zarrmal.models import shipped_model
from zarrmal.sources.synthetic import synthetic_cells

READ = """
import sys, numpy, zarr
cells = zarr.open(sys.argv[1], mode="r")["cells"]
assert "zarrmal" not in sys.modules and "torch" not in sys.modules
numpy.savez(sys.argv[2], all=cells[:], one=cells[17])
"""


@pytest.fixture(scope="module", params=[1, 3], ids=["grey", "rgb"])
def drawn(request: pytest.FixtureRequest) -> np.ndarray:
    return synthetic_cells(30, n_slides=3, size=20, channels=request.param, seed=6).cells


@pytest.fixture
def archive(drawn: np.ndarray, tmp_path: Path) -> Path:
    zarrmal.write(drawn, tmp_path / "a.zarr", options=None)
    return tmp_path / "a.zarr"


@pytest.mark.parametrize(
    ("reader", "level"), crossed(["this", "codecs only"], ["numpy", levels()[-1]])
)
def test_plain_zarr(
    drawn: np.ndarray, archive: Path, tmp_path: Path, reader: str, level: str
) -> None:
    python = sys.executable
    if reader == "codecs only":
        python = os.environ.get("ZARRMAL_READER_PYTHON", "")
        if not Path(python).is_file():
            pytest.skip("ZARRMAL_READER_PYTHON names no Python: `make test` makes one")
    done = subprocess.run(
        [python, "-W", "error", "-c", READ, str(archive), str(tmp_path / "read.npz")],
        env=os.environ | {VARIABLE: level},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    order = zarr.open_group(archive, mode="r")["source_index"][:]
    with np.load(tmp_path / "read.npz") as read:
        np.testing.assert_array_equal(read["all"], drawn[order])
        np.testing.assert_array_equal(read["one"], drawn[order[17]])


def test_rewrites_through_xarray(drawn: np.ndarray, archive: Path, tmp_path: Path) -> None:
    dims = xr.open_zarr(archive).cells.dims
    changed = {
        "transposed": lambda c: c.transpose(*dims[::-1]),
        "sliced": lambda c: c[3:20, 2:17, ::2],
        "rechunked": lambda c: c.chunk({dims[0]: 7, dims[1]: 10, dims[2]: 20}),
        "flat": lambda c: c[:, 10],
    }
    model = shipped_model(1 if drawn.ndim == 3 else 3)
    assert model is not None
    for name, change in changed.items():
        before = change(xr.open_zarr(archive).cells).rename(name)
        before.encoding = {}
        dataset = before.to_dataset()
        encoding = array_arguments(model, library="xarray")
        dataset.to_zarr(tmp_path / f"{name}.zarr", encoding={name: encoding}, consolidated=False)
        after = xr.open_zarr(tmp_path / f"{name}.zarr", consolidated=False)[name]
        assert after.dims == before.dims
        np.testing.assert_array_equal(after.values, before.values)
