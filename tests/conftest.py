"""Small cells, small models, a small archive."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import short_columns  # noqa: F401  (for what it changes)
from damaged import Archive, some_cells, write
from every_moment import EXHAUSTIVE
from frozen_models import drawn_cells, frozen_hybrid, frozen_paper
from zarrmal_codecs import Model

from zarrmal.archive import Archive as StoredArchive
from zarrmal.archive import WriteOptions
from zarrmal.classify import LabelAssigner
from zarrmal.models import shipped_model
from zarrmal.sources import Source

SHARED = Path(__file__).parents[1].parent / "shared"
# Small networks gain nothing from a second thread, and lose much when another process has it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

NEEDS_TORCH = (
    "test_ablation.py",
    "test_classifier.py",
    "test_learn.py",
    "test_learn_classifier.py",
    "test_learn_hybrid.py",
    "test_learned_classes.py",
    "test_study.py",
    "test_torch_datasets.py",
    "test_benchmark_loading.py",
)
"""Modules that train networks, or compare with one of torch's; of others see `training`."""


def import_torch() -> Any:
    """Skip what needs torch where it is not installed."""
    return pytest.importorskip("torch", reason="torch is not installed: the extra `torch`")


class TorchModule(pytest.Module):
    """A module of tests that imports torch."""

    def collect(self) -> Iterable[Any]:
        import_torch()
        return super().collect()


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    if module_path.name not in NEEDS_TORCH:
        return None
    return TorchModule.from_parent(parent, path=module_path)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "training: needs torch")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("training"):
        import_torch()


@pytest.fixture(scope="session")
def cells() -> Source:
    """240 drawn grey cells of 24 x 24 on 6 slides."""
    return drawn_cells()


@pytest.fixture(scope="session")
def model() -> Model:
    """Trained on the cells, in profile `paper`."""
    return frozen_paper()


@pytest.fixture(scope="session")
def hybrid() -> Model:
    """Trained on the cells, in profile `hybrid`."""
    return frozen_hybrid()


@pytest.fixture(scope="session", params=[3, 2], ids=["zarr3", "zarr2"])
def written(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    cells: Source,
    model: Model,
) -> Path:
    """An archive of the cells in chunks of 50, which no test may change."""
    path = tmp_path_factory.mktemp("written") / "cells.zarr"
    StoredArchive.write(
        cells,
        str(path),
        model=model,
        assigner=LabelAssigner(cells, model.class_names),
        options=WriteOptions(chunk_cells=50, zarr_format=request.param),
    )
    return path


@pytest.fixture
def archive(written: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(written, tmp_path / "cells.zarr"))


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
def dask_client() -> Iterator[Any]:
    """Of a dask cluster on this machine: two processes of one thread each."""
    distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,  # as on the command line
    ):
        yield client


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real images, where they are."""
    if not (SHARED / "data").is_dir():
        pytest.skip("the real images in ../shared/data are not here")
    return SHARED / "data"


@pytest.fixture
def no_hang() -> Iterator[None]:
    """Opening a FIFO waits for a writer: an alarm ends the test instead."""

    def refuse(*_: object) -> None:
        raise AssertionError("reading waits for another process")

    signal.signal(signal.SIGALRM, refuse)
    signal.alarm(20)
    yield
    signal.alarm(0)


@pytest.fixture(autouse=True)
def brief_timing(monkeypatch):
    """Tests do not need steady speeds."""
    monkeypatch.setattr("zarrmal.benchmark.speed.timing.MIN_SECONDS", 0.0)
    monkeypatch.setattr("zarrmal.benchmark.speed.reading.N_ROUNDS", 1)


@pytest.fixture(autouse=True, scope="session")
def no_waiting_for_the_disk() -> Iterator[None]:
    """No power fails: fsync checks what it is asked for, and returns. See test_power.py."""

    def check(descriptor: int) -> None:
        os.fstat(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        if not EXHAUSTIVE:
            patch.setattr(os, "fsync", check)
        yield


@pytest.fixture(autouse=True, scope="session")
def one_process_compiles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Others wait for its code, which numba keeps on disk, instead of compiling the same.

    That takes three quarters of a minute where nothing was compiled before.
    """
    try:
        import fcntl

        from numba.core.dispatcher import Dispatcher
    except ImportError:
        yield
        return
    of_all_workers = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        of_all_workers = of_all_workers.parent
    compile_now, of_threads = Dispatcher.compile, threading.RLock()
    depth = 0

    def compile_alone(self: Any, *arguments: Any) -> Any:
        nonlocal depth
        with of_threads:
            if not depth:
                fcntl.flock(file, fcntl.LOCK_EX)
            depth += 1
            try:
                return compile_now(self, *arguments)
            finally:
                depth -= 1
                if not depth:
                    fcntl.flock(file, fcntl.LOCK_UN)

    with (of_all_workers / "compiling").open("w") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr(Dispatcher, "compile", compile_alone)
        yield
