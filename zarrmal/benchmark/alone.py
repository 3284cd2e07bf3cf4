"""A measuring program in a process of its own, with one BLAS thread.

A BLAS reads its number of threads when it is loaded, and zarr its own at the first use.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from .measure import LossyError

THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
EXIT_LOSSY = 3


def run_alone(module: str, *arguments: object, variables: Mapping[str, str] | None = None) -> Any:
    """What ``python -m module arguments`` prints, as JSON.

    Raises
    ------
    LossyError
        If the program says that pixels came back changed.
    RuntimeError
        If it fails otherwise.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        env=os.environ | dict.fromkeys(THREAD_VARIABLES, "1") | dict(variables or {}),
        capture_output=True,
        text=True,
    )
    if done.returncode == EXIT_LOSSY:
        raise LossyError(done.stdout.strip())
    if done.returncode:
        raise RuntimeError(f"{module} failed: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout)


def end_lossy(what: str) -> NoReturn:
    """End such a program because pixels came back changed."""
    print(what)
    sys.exit(EXIT_LOSSY)
