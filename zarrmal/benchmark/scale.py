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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from zarrmal_codecs import Model

from ..archive import Target, WriteOptions, write_archive
from ..archive.runners import Runner
from ..classify import LabelAssigner
from ..sources.many import ManyCells


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
    source = ManyCells(n_cells)
    ready = Model.from_base64(model, digest)
    url = f"{place}/cells.zarr"
    with ExitStack() as stack:
        runner = stack.enter_context(_processes(n_workers, place)) if processes else None
        began = time.perf_counter()
        write_archive(
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
        stored_bytes=sum(Target(url).sizes().values()),
    )


@contextmanager
def _processes(n_workers: int, folder: str) -> Iterator[Runner]:
    """As many processes of one thread each; needs zarrmal[dask]."""
    from distributed import Client, LocalCluster

    from ..archive.cluster import ClusterRunner

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


def _drawing(source: ManyCells, n_sample: int = 2048) -> float:
    """Seconds a cell, as an archive's chunks ask for them: every other cell."""
    rows = np.arange(0, min(n_sample * 2, source.n_cells), 2)
    began = time.perf_counter()
    source.read(rows)
    return (time.perf_counter() - began) / len(rows)
