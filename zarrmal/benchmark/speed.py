"""Speed of the codec on one thread: ``python -m zarrmal.benchmark.speed FOLDER all|decode``."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import Model
from zarrmal_codecs.chunk import decode_chunk, encode_chunk
from zarrmal_codecs.coder import coder_for
from zarrmal_codecs.constants import PROFILE_PAPER
from zarrmal_codecs.engine import VARIABLE, chosen_level

from .alone import end_lossy, run_alone
from .measure import fastest

REFERENCE = "numpy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Megabytes of raw pixels a second on one thread, the fastest of a few repetitions.

    Parameters
    ----------
    engine
        What coded: "numpy", or an instruction set of the native kernel.
    n_cells
        In the chunk.
    encode_mb_s
        With the classes given.
    encode_shortest_mb_s
        The codec choosing each cell's class.
    decode_mb_s
        By that engine.
    reference_decode_mb_s
        By the NumPy reference, which decoded the same bytes to the same pixels.
    """

    engine: str
    n_cells: int
    encode_mb_s: float
    encode_shortest_mb_s: float
    decode_mb_s: float
    reference_decode_mb_s: float

    def to_json(self) -> dict[str, Any]:
        """As a machine reads it."""
        return asdict(self)


def codec_speed(model: Model, cells: NDArray[np.uint8], classes: NDArray[np.uint8]) -> Speed:
    """Time encoding and decoding of one chunk in fresh processes with one BLAS thread.

    Parameters
    ----------
    model
        To code with.
    cells
        uint8 (cell, \\*cell_shape): one chunk.
    classes
        uint8 (cell,).

    Raises
    ------
    LossyError
        If the chunk came back changed.
    """
    engine = REFERENCE if model.profile == PROFILE_PAPER else chosen_level()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model.save(folder / "model")
        np.save(folder / "cells.npy", cells)
        np.save(folder / "classes.npy", classes)
        found = run_alone(__name__, folder, "all")
        reference = found["decode_mb_s"]
        if engine != REFERENCE:
            again = run_alone(__name__, folder, "decode", variables={VARIABLE: REFERENCE})
            reference = again["decode_mb_s"]
    return Speed(engine=engine, n_cells=len(cells), reference_decode_mb_s=reference, **found)


def _measure(folder: Path, what: str) -> dict[str, float]:
    coder = coder_for(Model.load(folder / "model"))
    cells, classes = np.load(folder / "cells.npy"), np.load(folder / "classes.npy")
    place = folder / "chunk"

    def speed(work: Callable[[], Any], repeats: int = 3) -> float:
        began = time.perf_counter()
        work()
        first = time.perf_counter() - began
        return float(cells.nbytes / fastest(work, first, repeats) / 1e6)

    found = {}
    if what == "all":
        found["encode_mb_s"] = speed(lambda: encode_chunk(cells, coder, classes=classes))
        found["encode_shortest_mb_s"] = speed(lambda: encode_chunk(cells, coder))
        place.write_bytes(encode_chunk(cells, coder, classes=classes))
    data = place.read_bytes()
    if not np.array_equal(decode_chunk(data, coder), cells):
        end_lossy("the codec is not lossless on these cells")
    found["decode_mb_s"] = speed(lambda: decode_chunk(data, coder))
    return found


if __name__ == "__main__":
    print(json.dumps(_measure(Path(sys.argv[1]), sys.argv[2])))
