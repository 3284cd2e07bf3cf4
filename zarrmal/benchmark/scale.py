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
    """One archive.

    Parameters
    ----------
    n_workers
        Threads, or processes of one thread each, that encode.
    processes
        They are processes, of a dask cluster on this machine, which is up before the clock starts.
    seconds
        Of writing the archive, reading it back not counted; cells are drawn meanwhile.
    draw_seconds
        What drawing all cells once would take one thread.
    peak_bytes
        Greatest resident memory of the process that writes, the interpreter and its libraries
        included.
    stored_bytes
        Of the whole archive.
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
        """As a machine reads it."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Speedup:
    """How many times as fast as one thread.

    Parameters
    ----------
    n_workers, processes
        See ScalePoint.
    times
        Of each run, against the run of one thread in the same round; at least one.
    """

    n_workers: int
    processes: bool
    times: tuple[float, ...]

    @property
    def median(self) -> float:
        """Of all rounds."""
        return median(self.times)

    def to_json(self) -> dict[str, Any]:
        """As a machine reads it."""
        return asdict(self) | {"median": self.median}


def speedups(points: Sequence[ScalePoint]) -> list[Speedup]:
    """Of each kind of worker, from rounds in which one thread and the others take turns.

    Parameters
    ----------
    points
        As measured; the k-th run of a kind and the k-th of one thread are a round, if they are of
        as many cells.
    """
    of_kind: dict[tuple[bool, int, int], list[float]] = {}
    for p in points:
        of_kind.setdefault((p.processes, p.n_workers, p.n_cells), []).append(p.seconds)
    out = []
    for (processes, n_workers, n_cells), seconds in of_kind.items():
        ones = of_kind.get((False, 1, n_cells), [])
        if ones and (processes, n_workers) != (False, 1):
            times = tuple(one / other for one, other in zip(ones, seconds))
            out.append(Speedup(n_workers=n_workers, processes=processes, times=times))
    return out


def typical(points: Sequence[ScalePoint]) -> list[ScalePoint]:
    """Of repeated runs that one of median time, with the greatest memory of them all."""

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
    """Archive drawn cells, each time in a process of its own, and throw the archive away.

    Parameters
    ----------
    sizes
        (cells, workers, whether these are processes) of each archive.
    shard_cells
        See WriteOptions.
    folder
        Where to write; a temporary one by default.
    """
    context = multiprocessing.get_context("spawn")
    for n_cells, n_workers, processes in sizes:
        with (
            tempfile.TemporaryDirectory(dir=folder) as place,
            ProcessPoolExecutor(1, mp_context=context) as pool,
        ):
            known = (model.to_base64(), model.digest)
            one = pool.submit(_one, n_cells, n_workers, processes, *known, shard_cells, place)
            yield one.result()


def _one(
    n_cells: int,
    n_workers: int,
    processes: bool,
    model: str,
    digest: str,
    shard_cells: int | None,
    place: str,
) -> ScalePoint:
    source = SyntheticSource(n_cells)
    ready = Model.from_base64(model, digest)
    url = f"{place}/cells.zarr"
    with ExitStack() as stack:
        runner = stack.enter_context(_processes(n_workers, place)) if processes else None
        began = time.perf_counter()
        archive = Archive.write(
            source,
            url,
            model=ready,
            assigner=LabelAssigner(source, ready.class_names),
            options=WriteOptions(workers=n_workers, shard_cells=shard_cells, runner=runner),
        )
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return ScalePoint(
        n_cells=n_cells,
        raw_bytes=n_cells * source.cell_shape[0] * source.cell_shape[1],
        n_workers=n_workers,
        processes=processes,
        seconds=seconds,
        draw_seconds=_drawing(source) * n_cells,
        peak_bytes=peak * (1 if sys.platform == "darwin" else 1024),
        stored_bytes=sum(archive.location.sizes().values()),
    )


@contextmanager
def _processes(n_workers: int, folder: str) -> Iterator[Runner]:
    """As many processes of one thread each; needs zarrmal[dask]."""
    from distributed import Client, LocalCluster

    from ..archive.write.cluster import ClusterRunner

    with (
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            dashboard_address=None,
            local_directory=folder,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield ClusterRunner(client)


def _drawing(source: SyntheticSource, n_sample: int = 2048) -> float:
    """Seconds a cell, as an archive's chunks ask for them: every other cell."""
    rows = np.arange(0, min(n_sample * 2, source.n_cells), 2)
    began = time.perf_counter()
    source.read(rows)
    return (time.perf_counter() - began) / len(rows)
