"""How fast an archive on local disk is read through zarr.

``python -m zarrmal.benchmark.reading ARCHIVE cells N_CELLS`` or ``… whole N_THREADS``.
"""

from __future__ import annotations

import json
import statistics
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from .alone import end_lossy, run_alone
from .measure import fastest

N_SINGLE_CELLS = 50
MAX_SINGLE_SECONDS = 20.0
"""Enough for a median, however slow the engine."""
N_ROUNDS = 2
POOL_PREFIX = "zarr_pool"
"""Names of the threads of zarr's executor, which is its loop's default one: our codec's too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What reading an archive took.

    Parameters
    ----------
    chunk_cells, n_chunks
        Of the archive.
    n_single_cells
        Cells read alone, drawn from one chunk.
    cell_ms
        Median milliseconds of ``array[i]`` in a process that has read before.
    zarr_json_bytes
        Of the metadata document of the array ``cells``, the model in it.
    n_cells_read
        Of ``array[:n_cells_read]``: an even number of full chunks, so that no thread is without
        work because of where the array ends; the whole array where it has fewer than two.
    threads
        Number of threads given to zarr -> how many it used, seconds and MB/s of that, and
        ``cores``: processor seconds a second. Two threads with less than 1.5 of them met a busy
        machine, or waited for each other.
    two_threads_over_one
        Ratio of their speeds; None where there are fewer than two full chunks.
    """

    chunk_cells: int
    n_chunks: int
    n_single_cells: int
    cell_ms: float
    zarr_json_bytes: int
    n_cells_read: int
    threads: dict[str, dict[str, float]]
    two_threads_over_one: float | None

    def to_json(self) -> dict[str, Any]:
        """As a machine reads it."""
        return asdict(self)


def measure_reading(archive: Path) -> Reading:
    """Read one cell at a time, and all full chunks with one thread and with two.

    Raises
    ------
    LossyError
        If a cell read alone differs from the same cell read with its chunk.
    """
    single = run_alone(__name__, archive, "cells", N_SINGLE_CELLS)
    n_pairs = single.pop("n_full_chunks") // 2
    threads: dict[str, dict[str, float]] = {}
    for _ in range(N_ROUNDS):  # in turns, so that what else the machine does meets both
        for n in ("1", "2"):
            found = run_alone(__name__, archive, "whole", n)
            n_cells_read = found.pop("n_cells_read")
            if n not in threads or found["seconds"] < threads[n]["seconds"]:
                threads[n] = found
    ratio = threads["1"]["seconds"] / threads["2"]["seconds"]
    return Reading(
        **single,
        zarr_json_bytes=(archive / "cells" / "zarr.json").stat().st_size,
        n_cells_read=n_cells_read,
        threads=threads,
        two_threads_over_one=ratio if n_pairs else None,
    )


def _cells(archive: str, n: int) -> dict[str, float]:
    array: Any = zarr.open_group(archive, mode="r")["cells"]
    chunk_cells = array.chunks[0]
    n_chunks = -(-array.shape[0] // chunk_cells)
    start = n_chunks // 2 * chunk_cells
    whole = array[start : start + chunk_cells]  # also warms up
    rows = np.random.default_rng(0).integers(0, len(whole), n).tolist()
    array[start + rows[0]]
    times = []
    for row in rows:
        began = time.perf_counter()
        cell = array[start + row]
        times.append(time.perf_counter() - began)
        if not np.array_equal(cell, whole[row]):
            end_lossy(f"cell {start + row} read alone is another than with its chunk")
        if sum(times) > MAX_SINGLE_SECONDS:
            break
    return {
        "chunk_cells": chunk_cells,
        "n_chunks": n_chunks,
        "n_full_chunks": array.shape[0] // chunk_cells,
        "n_single_cells": len(times),
        "cell_ms": 1000 * statistics.median(times),
    }


def _whole(archive: str, n_threads: int) -> dict[str, float]:
    zarr.config.set({"threading.max_workers": n_threads})  # read when zarr's loop starts
    array: Any = zarr.open_group(archive, mode="r")["cells"]
    array[0]  # builds the model's coder
    n_pairs = array.shape[0] // (2 * array.chunks[0])
    n_cells = 2 * n_pairs * array.chunks[0] or array.shape[0]

    def work() -> None:
        array[:n_cells]

    began, began_cpu = time.perf_counter(), time.process_time()
    work()
    seconds = fastest(work, time.perf_counter() - began)
    cores = (time.process_time() - began_cpu) / (time.perf_counter() - began)
    # The pool starts a thread only when all others are busy: those that are there were used.
    used = sum(thread.name.startswith(POOL_PREFIX) for thread in threading.enumerate())
    megabytes = array.nbytes / array.shape[0] * n_cells / 1e6
    return {
        "n_used": used,
        "n_cells_read": n_cells,
        "seconds": seconds,
        "mb_s": megabytes / seconds,
        "cores": cores,
    }


if __name__ == "__main__":
    place, what, number = sys.argv[1:]
    print(json.dumps(_cells(place, int(number)) if what == "cells" else _whole(place, int(number))))
