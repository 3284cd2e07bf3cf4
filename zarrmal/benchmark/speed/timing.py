"""Timing: repetitions, and programs in a process of their own.

A BLAS reads its number of threads when it is loaded, and zarr its own at the first use. So speeds
are measured in a fresh process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from ..measurement import LossyError

REPEATS = 3
MIN_SECONDS_VARIABLE = "ZARRMAL_BENCHMARK_MIN_SECONDS"
"""Passes MIN_SECONDS to an isolated process."""
MIN_SECONDS = float(os.environ.get(MIN_SECONDS_VARIABLE, "2.0"))
"""Quick work is repeated for this long: a processor's clock may drift by a factor of two."""
MAX_SECONDS = 10.0
"""Work that has taken this long is run twice only."""
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
EXIT_LOSSY = 3


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Result of the work, and its seconds."""
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def fastest(
    work: Callable[[], Any],
    first: float,
    repeats: int = REPEATS,
    *,
    min_seconds: float | None = None,
) -> float:
    """Seconds of the fastest run: the load of other processes only adds.

    Parameters
    ----------
    work
        Runs at least ``repeats`` times, the first run included, and until ``min_seconds`` have
        passed; twice where it is slow.
    first
        Seconds of a run that has already happened.
    min_seconds
        MIN_SECONDS by default.
    """
    min_seconds = MIN_SECONDS if min_seconds is None else min_seconds
    best, spent, n_runs = first, first, 1
    while n_runs < 2 or (spent <= MAX_SECONDS and (n_runs < repeats or spent < min_seconds)):
        seconds = timed(work)[1]
        best, spent, n_runs = min(best, seconds), spent + seconds, n_runs + 1
    return best


def run_isolated(
    module: str, *arguments: object, variables: Mapping[str, str] | None = None
) -> Any:
    """Run ``python -m module arguments`` with one BLAS thread, and parse the JSON that it prints.

    Raises
    ------
    LossyError
        If the program reports changed pixels.
    RuntimeError
        If it fails otherwise.
    """
    environment = os.environ | dict.fromkeys(THREAD_VARIABLES, "1") | dict(variables or {})
    process = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        env=environment | {MIN_SECONDS_VARIABLE: str(MIN_SECONDS)},
        capture_output=True,
        text=True,
    )
    if process.returncode == EXIT_LOSSY:
        raise LossyError(process.stdout.strip())
    if process.returncode:
        raise RuntimeError(f"{module} failed: {process.stderr.strip()[-2000:]}")
    return json.loads(process.stdout)


def exit_lossy(message: str) -> NoReturn:
    """End an isolated program because pixels came back changed."""
    print(message)
    sys.exit(EXIT_LOSSY)
