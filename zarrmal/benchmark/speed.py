"""Speed of the codec on one thread: ``python -m zarrmal.benchmark.speed MODEL CELLS CLASSES``.

It is a program of its own because a BLAS reads its number of threads when it is loaded.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import Model
from zarrmal_codecs.chunk import decode_chunk, encode_chunk
from zarrmal_codecs.coder import coder_for

REPEATS = 3
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Megabytes of raw pixels a second on one thread, medians."""

    encode_mb_s: float
    decode_mb_s: float


def codec_speed(model: Model, cells: NDArray[np.uint8], classes: NDArray[np.uint8]) -> Speed:
    """Time encoding and decoding of one chunk in a fresh process with one BLAS thread.

    Parameters
    ----------
    model
        To code with.
    cells
        uint8 (cell, \\*cell_shape): one chunk.
    classes
        uint8 (cell,).
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model.save(folder / "model")
        np.save(folder / "cells.npy", cells)
        np.save(folder / "classes.npy", classes)
        done = subprocess.run(
            [sys.executable, "-m", __name__, *map(str, _inputs(folder))],
            env=os.environ | dict.fromkeys(THREAD_VARIABLES, "1"),
            capture_output=True,
            text=True,
            check=True,
        )
    return Speed(**json.loads(done.stdout))


def _inputs(folder: Path) -> list[Path]:
    return [folder / "model", folder / "cells.npy", folder / "classes.npy"]


def _time(model_path: str, cells_path: str, classes_path: str) -> Speed:
    coder = coder_for(Model.load(model_path))
    cells, classes = np.load(cells_path), np.load(classes_path)
    data = encode_chunk(cells, coder, classes=classes)  # also warms up
    if not np.array_equal(decode_chunk(data, coder), cells):
        raise RuntimeError("the codec is not lossless on these cells")
    encode, decode = [], []
    for _ in range(REPEATS):
        began = time.perf_counter()
        encode_chunk(cells, coder, classes=classes)
        middle = time.perf_counter()
        decode_chunk(data, coder)
        encode.append(middle - began)
        decode.append(time.perf_counter() - middle)
    megabytes = cells.nbytes / 1e6
    return Speed(
        encode_mb_s=megabytes / statistics.median(encode),
        decode_mb_s=megabytes / statistics.median(decode),
    )


if __name__ == "__main__":
    speed = _time(*sys.argv[1:4])
    print(json.dumps({"encode_mb_s": speed.encode_mb_s, "decode_mb_s": speed.decode_mb_s}))
