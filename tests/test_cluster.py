"""A dask cluster writes the same bytes as threads do, and a worker's death loses nothing."""

import os
import pickle
import signal
import threading
import time

import numpy as np
import pytest
from test_killed import bytes_of
from typer.testing import CliRunner

import zarrmal
from zarrmal.archive import AppendOptions, WriteOptions
from zarrmal.benchmark.scale import ScalePoint, measure_scale, speedups, typical
from zarrmal.cli import app
from zarrmal.errors import InputError
from zarrmal.sources import Subset

pytest.importorskip("distributed", reason="dask.distributed is not installed")
from zarrmal.archive.write.cluster import ClusterRunner


@pytest.fixture
def client(dask_client):
    return dask_client


def write(source, place, model, runner=None, **wishes):
    options = WriteOptions(chunk_cells=16, runner=runner, **wishes)
    zarrmal.write(source, place, model=model, assign="labels", options=options)


@pytest.mark.parametrize("wishes", [{}, {"shard_cells": 48}, {"zarr_format": 2}])
def test_the_same_bytes_as_threads(client, cells, model, wishes, tmp_path):
    first, second = (Subset(cells, range(*ends)) for ends in ((0, 100), (100, 240)))
    for place, runner in (
        (tmp_path / "threads", None),
        (tmp_path / "cluster", ClusterRunner(client)),
    ):
        write(first, place, model, runner, **wishes)
        zarrmal.append(second, place, options=AppendOptions(runner=runner))
    assert bytes_of(tmp_path / "cluster") == bytes_of(tmp_path / "threads")


class Slow(Subset):
    """Takes a while, so that a worker can be killed at work."""

    def read(self, indices):
        time.sleep(0.1)
        return super().read(indices)


def test_a_worker_is_killed(client, cells, model, tmp_path):
    write(cells, tmp_path / "threads", model)
    before = set(client.run(os.getpid).values())
    chunks = tmp_path / ".cluster.zarrmal-part" / "cells" / "c"

    def kill():
        while len(list(chunks.glob("*"))) < 3:
            time.sleep(0.05)
        os.kill(min(before), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    write(Slow(cells, range(240)), tmp_path / "cluster", model, ClusterRunner(client))
    killer.join()
    assert bytes_of(tmp_path / "cluster") == bytes_of(tmp_path / "threads")
    assert min(before) not in client.run(os.getpid).values()


def test_an_error_on_a_worker_is_the_callers(client, cells, model, tmp_path):
    class Broken(Subset):
        def read(self, indices):
            if len(indices) == 16:
                raise InputError("an image has changed")
            return super().read(indices)

    with pytest.raises(InputError, match="has changed"):
        write(Broken(cells, range(240)), tmp_path / "a", model, ClusterRunner(client))
    assert list(tmp_path.iterdir()) == []


def test_no_worker_stores_anything_after_a_run_has_failed(client, cells, model, tmp_path):
    class Failing(Subset):
        def read(self, indices):
            if 0 in indices and len(indices) == 16:
                raise OSError("disk")
            time.sleep(0.5 if len(indices) == 16 else 0.0)
            return super().read(indices)

    with pytest.raises(OSError, match="disk"):
        write(Failing(cells, range(240)), tmp_path / "a", model, ClusterRunner(client))
    left = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    time.sleep(1.5)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == left


def test_no_scheduler_there():
    with pytest.raises(InputError, match=r"no dask scheduler answers at tcp://127.0.0.1:9"):
        ClusterRunner.connect("tcp://127.0.0.1:9", seconds=1)


def test_workers_open_an_address_themselves(client, cells, model, tmp_path):
    """On the command line; what is sent to a worker is the address, not the pixels."""
    rows = np.arange(240)
    path = tmp_path / "cells.npz"
    labels = np.array(cells.class_names)[cells.labels]
    np.savez(path, cells=cells.read(rows), label=labels, slide=cells.groups.tolist())
    assert len(pickle.dumps(zarrmal.open_source(str(path)))) < 2000
    model.save(tmp_path / "m.zmal")
    for place, more in (("a", []), ("b", ["--dask", client.scheduler.address])):
        arguments = [
            "archive",
            str(path),
            str(tmp_path / place),
            "--model",
            str(tmp_path / "m.zmal"),
        ]
        result = CliRunner().invoke(app, [*arguments, "--chunk-cells", "16", *more])
        assert result.exit_code == 0, result.output
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")


def test_what_many_cells_take_by_threads_and_by_processes(hybrid, tmp_path):
    sizes = [(100, 1, False), (100, 1, True)]
    threads, processes = measure_scale(sizes, hybrid, folder=tmp_path)
    assert (threads.processes, processes.processes) == (False, True)
    assert threads.raw_bytes == 100 * 50 * 50
    assert processes.stored_bytes == threads.stored_bytes < threads.raw_bytes
    assert list(tmp_path.iterdir()) == []


def test_speed_is_told_against_one_thread_of_the_same_round():
    def run(seconds, n_workers=1, processes=False, n_cells=8, peak=1):
        return ScalePoint(
            n_cells=n_cells,
            raw_bytes=1,
            n_workers=n_workers,
            processes=processes,
            seconds=seconds,
            draw_seconds=0.0,
            peak_bytes=peak,
            stored_bytes=1,
        )

    rounds = [[run(a), run(b, 2), run(c, 2, True)] for a, b, c in ((6, 3, 4), (8, 5, 8), (9, 6, 3))]
    points = [point for points in rounds for point in points]
    larger = run(99.0, 2, n_cells=16, peak=7)
    threads, processes = speedups([*points, larger])
    assert (threads.times, threads.median) == ((2.0, 1.6, 1.5), 1.6)
    assert (processes.times, processes.median) == ((1.5, 1.0, 3.0), 1.5)
    told = typical([*points[:3], run(7.0, peak=5), *points[3:], larger])
    assert [(p.n_cells, p.n_workers, p.processes, p.seconds, p.peak_bytes) for p in told] == [
        (8, 1, False, 7.0, 5),
        (8, 2, False, 5, 1),
        (8, 2, True, 4, 1),
        (16, 2, False, 99.0, 7),
    ]
