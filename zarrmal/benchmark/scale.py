"""Time and memory of archiving against the number of cells."""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from zarrmal_codecs import Model

from ..archive import Archive, Runner, WriteOptions
from ..classify import LabelAssigner
from ..sources.synthetic import SyntheticSource


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalePoint:
    """Time and memory of writing one archive.

    Parameters
    ----------
    n_workers
        Threads, or processes of one thread each, that encode.
    processes
        Whether the workers are processes of a dask cluster on this machine. The cluster starts
        before the clock.
    seconds
        Time of writing the archive, drawing the cells included, reading it back not.
    draw_seconds
        Time that one thread needs to draw all cells once.
    peak_bytes
        Peak resident memory of the process that writes, interpreter and libraries included.
    stored_bytes
        Size of the whole archive.
    """

    n_cells: int
    raw_bytes: int
    n_workers: int
    processes: bool
    seconds: float
    draw_seconds: float
    peak_bytes: int
    stored_bytes: int

    def to_json(self) -> dict[str, Any]:
        """Fields as a JSON object."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Speedup:
    """Speed over that of one thread.

    Parameters
    ----------
    n_workers, processes
        See ScalePoint.
    times
        Ratio in each round, at least one.
    """

    n_workers: int
    processes: bool
    times: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median of all rounds."""
        return median(self.times)

    def to_json(self) -> dict[str, Any]:
        """Fields as a JSON object."""
        return asdict(self) | {"median": self.median}


def speedups(points: Sequence[ScalePoint]) -> list[Speedup]:
    """Speedup of each kind of worker, from rounds in which one thread and the others take turns.

    Parameters
    ----------
    points
        In the order of measurement. The k-th run of a kind and the k-th run of one thread over the
        same number of cells form a round.
    """
    seconds_by_kind: dict[tuple[bool, int, int], list[float]] = {}
    for p in points:
        seconds_by_kind.setdefault((p.processes, p.n_workers, p.n_cells), []).append(p.seconds)
    out = []
    for (processes, n_workers, n_cells), seconds in seconds_by_kind.items():
        one_thread = seconds_by_kind.get((False, 1, n_cells), [])
        if one_thread and (processes, n_workers) != (False, 1):
            times = tuple(base / other for base, other in zip(one_thread, seconds))
            out.append(Speedup(n_workers=n_workers, processes=processes, times=times))
    return out


def typical(points: Sequence[ScalePoint]) -> list[ScalePoint]:
    """Reduce repeated runs to the run of median time, with the largest memory of all runs."""

    def kind(p: ScalePoint) -> tuple[int, bool, int]:
        return p.n_cells, p.processes, p.n_workers

    out = []
    for _, group in groupby(sorted(points, key=kind), kind):
        runs = sorted(group, key=lambda p: p.seconds)
        peak = max(p.peak_bytes for p in runs)
        out.append(replace(runs[(len(runs) - 1) // 2], peak_bytes=peak))
    return out


def measure_scale(
    sizes: Sequence[tuple[int, int, bool]],
    model: Model,
    *,
    shard_cells: int | None = None,
    folder: Path | None = None,
) -> Iterator[ScalePoint]:
    """Archive drawn cells, each time in a process of its own, and delete the archive.

    Parameters
    ----------
    sizes
        (n_cells, n_workers, processes) of each archive; see ScalePoint.
    shard_cells
        See WriteOptions.
    folder
        Parent of the temporary archives; the system's temporary folder by default.
    """
    context = multiprocessing.get_context("spawn")
    for n_cells, n_workers, processes in sizes:
        with (
            tempfile.TemporaryDirectory(dir=folder) as path,
            ProcessPoolExecutor(1, mp_context=context) as pool,
        ):
            encoded_model = (model.to_base64(), model.digest)
            future = pool.submit(
                _write_drawn, n_cells, n_workers, processes, *encoded_model, shard_cells, path
            )
            yield future.result()


def _write_drawn(
    n_cells: int,
    n_workers: int,
    processes: bool,
    model_base64: str,
    digest: str,
    shard_cells: int | None,
    folder: str,
) -> ScalePoint:
    source = SyntheticSource(n_cells)
    model = Model.from_base64(model_base64, digest)
    url = f"{folder}/cells.zarr"
    with ExitStack() as stack:
        runner = stack.enter_context(_processes(n_workers, folder)) if processes else None
        start = time.perf_counter()
        archive = Archive.write(
            source,
            url,
            model=model,
            assigner=LabelAssigner(source, model.class_names),
            options=WriteOptions(workers=n_workers, shard_cells=shard_cells, runner=runner),
        )
        seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return ScalePoint(
        n_cells=n_cells,
        raw_bytes=n_cells * source.cell_shape[0] * source.cell_shape[1],
        n_workers=n_workers,
        processes=processes,
        seconds=seconds,
        draw_seconds=_draw_seconds(source) * n_cells,
        peak_bytes=peak * (1 if sys.platform == "darwin" else 1024),
        stored_bytes=sum(archive.location.sizes().values()),
    )


@contextmanager
def _processes(n_workers: int, folder: str) -> Iterator[Runner]:
    """Start a cluster of single-threaded processes; needs zarrmal[dask]."""
    from distributed import Client, LocalCluster

    from ..archive.write.cluster import ClusterRunner

    with (
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            dashboard_address=":0",  # any port; None is 8787, where another cluster may be
            local_directory=folder,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield ClusterRunner(client)


def _draw_seconds(source: SyntheticSource, n_sample: int = 2048) -> float:
    """Seconds per cell, read like a chunk of one class: every other cell."""
    rows = np.arange(0, min(n_sample * 2, source.n_cells), 2)
    start = time.perf_counter()
    source.read(rows)
    return (time.perf_counter() - start) / len(rows)
