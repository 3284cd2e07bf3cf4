"""Speed of reading an archive on local disk through zarr.

Runs as a program, ``python -m zarrmal.benchmark.speed.reading ARCHIVE cells N_CELLS`` or
``… whole N_THREADS``, in a fresh process.
"""

from __future__ import annotations

import json
import statistics
import sys
import threading
import time
from dataclasses import asdict, dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from ...archive.format import HEIGHT, WIDTH
from .timing import exit_lossy, fastest, run_isolated, timed

N_SINGLE_CELLS = 50
MAX_SINGLE_SECONDS = 20.0
"""Enough for a median on a slow engine."""
N_ROUNDS = 2
MAX_READ_BYTES = 2**30
POOL_PREFIX = "zarr_pool"
"""Thread names of zarr's executor, the default one of its event loop; our codec uses it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Times of reading an archive.

    Parameters
    ----------
    chunk_cells, n_chunks
        Cells per chunk of the archive, and its chunks.
    n_single_cells
        Cells read alone, drawn from one chunk.
    cell_ms
        Median milliseconds of ``array[i]`` in a process that has read before.
    zarr_json_bytes
        Size of the metadata document of the array ``cells``, which holds the model.
    n_cells_read
        Cells of ``array[:n_cells_read]``: an even number of full chunks, so that two threads get
        equal work; the whole array where it has fewer than two. At most 1 GiB of the array, or
        two chunks.
    threads
        Number of threads given to zarr -> how many it used, their seconds and MB/s of the cells at
        their own sizes, and ``cores``:
        processor seconds per second. Two threads with less than 1.5 cores ran on a busy machine,
        or waited for each other.
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
        """Fields as a JSON object."""
        return asdict(self)


def measure_reading(archive: Path) -> Reading:
    """Read single cells, and all full chunks with one thread and with two.

    Raises
    ------
    LossyError
        If a cell read alone differs from the same cell read with its chunk.
    """
    single = run_isolated(__name__, archive, "cells", N_SINGLE_CELLS)
    n_pairs = single.pop("n_full_chunks") // 2
    threads: dict[str, dict[str, float]] = {}
    for _ in range(N_ROUNDS):  # in turns, so that other load on the machine slows both
        for n in ("1", "2"):
            times = run_isolated(__name__, archive, "whole", n)
            n_cells_read = times.pop("n_cells_read")
            if n not in threads or times["seconds"] < threads[n]["seconds"]:
                threads[n] = times
    ratio = threads["1"]["seconds"] / threads["2"]["seconds"]
    return Reading(
        **single,
        zarr_json_bytes=(archive / "cells" / "zarr.json").stat().st_size,
        n_cells_read=n_cells_read,
        threads=threads,
        two_threads_over_one=ratio if n_pairs else None,
    )


def _read_single_cells(archive: str, n: int) -> dict[str, float]:
    array: Any = zarr.open_group(archive, mode="r")["cells"]
    chunk_cells = array.chunks[0]
    n_chunks = -(-array.shape[0] // chunk_cells)
    start = n_chunks // 2 * chunk_cells
    chunk = array[start : start + chunk_cells]  # also warms up
    rows = np.random.default_rng(0).integers(0, len(chunk), n).tolist()
    array[start + rows[0]]
    times = []
    for row in rows:
        cell, seconds = timed(partial(array.__getitem__, start + row))
        times.append(seconds)
        if not np.array_equal(cell, chunk[row]):
            exit_lossy(f"cell {start + row} read alone differs from the cell read with its chunk")
        if sum(times) > MAX_SINGLE_SECONDS:
            break
    return {
        "chunk_cells": chunk_cells,
        "n_chunks": n_chunks,
        "n_full_chunks": array.shape[0] // chunk_cells,
        "n_single_cells": len(times),
        "cell_ms": 1000 * statistics.median(times),
    }


def _read_chunks(archive: str, n_threads: int) -> dict[str, float]:
    zarr.config.set({"threading.max_workers": n_threads})  # read when zarr's loop starts
    group = zarr.open_group(archive, mode="r")
    array: Any = group["cells"]
    array[0]  # builds the model's coder
    pair_bytes = 2 * prod(array.chunks)
    n_pairs = array.shape[0] // (2 * array.chunks[0])
    n_pairs = min(n_pairs, max(1, MAX_READ_BYTES // pair_bytes))
    n_cells = 2 * n_pairs * array.chunks[0] or array.shape[0]

    def read() -> None:
        array[:n_cells]

    start, start_cpu = time.perf_counter(), time.process_time()
    seconds = fastest(read, timed(read)[1])
    cores = (time.process_time() - start_cpu) / (time.perf_counter() - start)
    # The pool starts a thread only when all others are busy, so every thread was used.
    n_used = sum(thread.name.startswith(POOL_PREFIX) for thread in threading.enumerate())
    megabytes = _raw_bytes(group, n_cells) / 1e6
    return {
        "n_used": n_used,
        "n_cells_read": n_cells,
        "seconds": seconds,
        "mb_s": megabytes / seconds,
        "cores": cores,
    }


def _raw_bytes(group: zarr.Group, n_cells: int) -> int:
    """Of the first cells at their own sizes."""
    arrays: Any = group
    shape: tuple[int, ...] = arrays["cells"].shape
    if HEIGHT not in group:
        return n_cells * prod(shape[1:])
    heights, widths = (np.asarray(arrays[name][:n_cells], np.int64) for name in (HEIGHT, WIDTH))
    return int((heights * widths).sum()) * prod(shape[3:])


if __name__ == "__main__":
    path, task, number = sys.argv[1:]
    measure = _read_single_cells if task == "cells" else _read_chunks
    print(json.dumps(measure(path, int(number))))
