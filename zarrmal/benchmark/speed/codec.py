"""Speed of the codec on one thread.

Runs as a program, ``python -m zarrmal.benchmark.speed.codec FOLDER all|decode RAW_BYTES``, in a
fresh process.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import Model
from zarrmal_codecs.chunk.chunk import decode_chunk, encode_chunk
from zarrmal_codecs.chunk.coder import coder_for
from zarrmal_codecs.constants import PROFILE_PAPER
from zarrmal_codecs.hybrid.engine import VARIABLE, chosen_level
from zarrmal_codecs.silhouette.silhouettes import Silhouettes

from .coefficients import Coefficients
from .timing import exit_lossy, fastest, run_isolated, timed

REFERENCE = "numpy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Megabytes of raw pixels per second on one thread, the fastest of several repetitions.

    Parameters
    ----------
    engine
        "numpy", or an instruction set of the native kernel.
    n_cells
        Cells in the chunk.
    encode_mb_s
        With given classes; looking for coefficients included.
    encode_shortest_mb_s
        With the codec's own choice of each cell's class.
    decode_mb_s
        By this engine.
    reference_decode_mb_s
        By the NumPy reference, which decodes the same bytes to the same pixels.
    """

    engine: str
    n_cells: int
    encode_mb_s: float
    encode_shortest_mb_s: float
    decode_mb_s: float
    reference_decode_mb_s: float

    def to_json(self) -> dict[str, Any]:
        """Fields as a JSON object."""
        return asdict(self)


def codec_speed(
    model: Model,
    cells: NDArray[np.uint8],
    classes: NDArray[np.uint8],
    raw_bytes: int | None = None,
    coefficients: Coefficients | None = None,
    silhouettes: Silhouettes | None = None,
) -> Speed:
    """Time encoding and decoding of one chunk in fresh processes with one BLAS thread.

    Parameters
    ----------
    model
        Codes the chunk.
    cells
        uint8 (cell, \\*cell_shape), one chunk.
    classes
        uint8 (cell,).
    raw_bytes
        Of the cells at their own sizes; None: they fill the array.
    coefficients
        Of the cells; None: they have none.
    silhouettes
        Of the cells; None: those that the pixels show.

    Raises
    ------
    LossyError
        If the chunk comes back changed.
    """
    engine = REFERENCE if model.profile == PROFILE_PAPER else chosen_level()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model.save(folder / "model")
        np.save(folder / "cells.npy", cells)
        np.save(folder / "classes.npy", classes)
        if coefficients is not None:
            coefficients.save(folder / "coefficients")
        if silhouettes is not None:
            _save(silhouettes, folder / "silhouettes.npz")
        n_bytes = cells.nbytes if raw_bytes is None else raw_bytes
        speeds = run_isolated(__name__, folder, "all", n_bytes)
        reference = speeds["decode_mb_s"]
        if engine != REFERENCE:
            numpy_speeds = run_isolated(
                __name__, folder, "decode", n_bytes, variables={VARIABLE: REFERENCE}
            )
            reference = numpy_speeds["decode_mb_s"]
    return Speed(engine=engine, n_cells=len(cells), reference_decode_mb_s=reference, **speeds)


def _save(silhouettes: Silhouettes, path: Path) -> None:
    """Masks as arrays, of a cell without one an empty array."""
    masks = {
        str(i): np.zeros((0, 0), bool) if mask is None else mask
        for i, mask in enumerate(silhouettes.masks)
    }
    np.savez(path, allow_pickle=False, resampling=np.array(silhouettes.resampling), **masks)


def _load(path: Path) -> Silhouettes | None:
    if not path.exists():
        return None
    with np.load(path) as file:
        masks = [file[str(i)] for i in range(len(file.files) - 1)]
        return Silhouettes(
            masks=[mask if mask.size else None for mask in masks],
            resampling=file["resampling"].item(),
        )


def _measure(folder: Path, task: str, raw_bytes: int) -> dict[str, float]:
    coder = coder_for(Model.load(folder / "model"))
    cells, classes = np.load(folder / "cells.npy"), np.load(folder / "classes.npy")
    coefficients, chunk_path = Coefficients.load(folder / "coefficients"), folder / "chunk"
    silhouettes = _load(folder / "silhouettes.npz")

    def encode(classes: NDArray[np.uint8] | None = None) -> bytes:
        jpeg = None if coefficients is None else coefficients.of_cells(cells)
        return encode_chunk(cells, coder, classes=classes, silhouettes=silhouettes, jpeg=jpeg)

    def speed(work: Callable[[], Any]) -> float:
        return float(raw_bytes / fastest(work, timed(work)[1]) / 1e6)

    speeds = {}
    if task == "all":
        speeds["encode_mb_s"] = speed(lambda: encode(classes))
        speeds["encode_shortest_mb_s"] = speed(encode)
        chunk_path.write_bytes(encode(classes))
    data = chunk_path.read_bytes()
    if not np.array_equal(decode_chunk(data, coder), cells):
        exit_lossy("the codec is not lossless on these cells")
    speeds["decode_mb_s"] = speed(lambda: decode_chunk(data, coder))
    return speeds


if __name__ == "__main__":
    print(json.dumps(_measure(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
