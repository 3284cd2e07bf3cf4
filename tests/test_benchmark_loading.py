"""The benchmark of loading compares pixels before it times, and names what it measures."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import zarrmal.benchmark.loading as loading
from zarrmal.benchmark import LossyError
from zarrmal.classify import LabelAssigner
from zarrmal.cli import app


@pytest.fixture(autouse=True)
def brief(monkeypatch):
    monkeypatch.setattr(loading, "N_ROUNDS", 1)
    monkeypatch.setattr(loading, "WORKERS", (0,))
    monkeypatch.setattr(loading, "ZARR_CHUNKS", (16, 64))


def test_the_command(tmp_path, cells, hybrid):
    labels = np.array(cells.class_names)[cells.labels]
    np.savez(tmp_path / "cells.npz", cells=cells.read(np.arange(240)), label=labels)
    hybrid.save(tmp_path / "model.zmal")
    arguments = ["benchmark-loading", str(tmp_path / "cells.npz"), "-o", str(tmp_path), "--json"]
    result = CliRunner().invoke(app, [*arguments, "--model", str(tmp_path / "model.zmal")])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    kinds = {speed["store"].split(":")[0] for speed in report["speeds"]}
    assert kinds == {"zarrmal", "png", "zarr"}
    for speed in report["speeds"]:
        assert min(speed["random_cells_s"], speed["epoch_cells_s"], speed["order_cells_s"]) > 0
        assert speed["stored_bytes"] > 0
    assert {p.name for p in tmp_path.iterdir()} == {"cells.npz", "model.zmal"}


def test_other_pixels_void_it(tmp_path, cells, hybrid, monkeypatch):
    read = loading.PngFiles.__getitem__

    def damaged(self, position):
        pixels, label, row = read(self, position)
        return (pixels ^ 1 if position == 77 else pixels), label, row

    monkeypatch.setattr(loading.PngFiles, "__getitem__", damaged)
    with pytest.raises(LossyError, match="png"):
        loading.measure_loading(
            cells,
            tmp_path,
            model=hybrid,
            assigner=LabelAssigner(cells, hybrid.class_names),
        )
