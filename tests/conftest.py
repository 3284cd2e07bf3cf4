"""Small cells, a small trained model, a small archive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from damaged import Archive, some_cells, write
from zarrmal_codecs import Model

from zarrmal.archive import WriteOptions, write_archive
from zarrmal.classify import LabelAssigner
from zarrmal.learn import TrainOptions, TrainResult, train_model
from zarrmal.models import shipped_model
from zarrmal.sources import Source, open_source
from zarrmal.sources.synthetic import synthetic_cells

SHARED = Path(__file__).parents[1].parent / "shared"
# Small networks gain nothing from a second thread, and lose much when another process has it.
torch.set_num_threads(1)

TINY = TrainOptions(hidden=(48, 24, 6), epochs=40, pretrain_epochs=2, seed=3)


@pytest.fixture(scope="session")
def cells() -> Source:
    """240 drawn grey cells of 24 x 24 on 6 slides."""
    drawn = synthetic_cells(240, n_slides=6, size=24, seed=5, channels=1)
    names = np.array([f"{label}/{i:04d}.png" for i, label in enumerate(drawn.label)])
    return open_source(drawn.cells, labels=drawn.label, groups=drawn.slide, names=names)


@pytest.fixture(scope="session")
def tiny() -> TrainOptions:
    """A network small enough for a second's training."""
    return TINY


@pytest.fixture(scope="session")
def trained(cells: Source) -> TrainResult:
    return train_model(cells, TINY)


@pytest.fixture(scope="session")
def model(trained: TrainResult) -> Model:
    return trained.model


@pytest.fixture(params=[3, 2], ids=["zarr3", "zarr2"])
def archive(request: pytest.FixtureRequest, tmp_path: Path, cells: Source, model: Model) -> Path:
    """An archive of the cells in chunks of 50."""
    place = tmp_path / "cells.zarr"
    write_archive(
        cells,
        str(place),
        model=model,
        assigner=LabelAssigner(cells, model.class_names),
        options=WriteOptions(chunk_cells=50, zarr_format=request.param),
    )
    return place


@pytest.fixture(scope="session", params=[("paper", 2), ("hybrid", 3)], ids=str)
def whole(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    cells: Source,
    model: Model,
) -> Archive:
    """40 cells in chunks of 16, in each profile and format."""
    profile, zarr_format = request.param
    chosen = model if profile == "paper" else shipped_model(1)
    place = tmp_path_factory.mktemp("whole") / "a.zarr"
    return write(some_cells(cells), place, chosen, zarr_format)


@pytest.fixture
def damaged(whole: Archive, tmp_path: Path) -> Archive:
    """A copy to be damaged."""
    return whole.copy(tmp_path / "a.zarr")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real images, where they are."""
    if not (SHARED / "data").is_dir():
        pytest.skip("the real images in ../shared/data are not here")
    return SHARED / "data"


@pytest.fixture(autouse=True)
def brief_timing(monkeypatch):
    """Tests do not need steady speeds."""
    monkeypatch.setattr("zarrmal.benchmark.timing.MIN_SECONDS", 0.0)
