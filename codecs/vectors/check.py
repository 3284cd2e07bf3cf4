"""Decode all golden vectors and archives: ``python codecs/vectors/check.py``.

Needs an installed zarrmal-codecs, and only this folder of the tree. ``ZARRMAL_KERNEL=numpy`` checks
the NumPy implementation; ``--native`` fails unless the native kernel is used.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import zarr
import zarrmal_codecs
from zarrmal_codecs import Model
from zarrmal_codecs.chunk.chunk import decode_chunk
from zarrmal_codecs.chunk.coder import Coder
from zarrmal_codecs.hybrid.engine import chosen_level

VECTORS = Path(__file__).parent


def wrong_vectors() -> list[str]:
    """Names of the vectors that decode to other items."""
    wrong = []
    index = json.loads((VECTORS / "index.json").read_text(encoding="utf-8"))
    for name, entry in index.items():
        folder = VECTORS / name
        coder = Coder(Model.load(folder / "model.zmal")) if entry["model"] else None
        pixels = decode_chunk((folder / "chunk.bin").read_bytes(), coder)
        digest = hashlib.sha256(pixels.tobytes()).hexdigest()
        result = pixels.dtype.str, list(pixels.shape), digest
        if result != (entry["dtype"], entry["shape"], entry["pixels_sha256"]):
            wrong.append(name)
    print(f"{len(index)} vectors, {len(wrong)} wrong")
    return wrong


def wrong_archives() -> list[str]:
    """Names of the archives from which zarr reads other cells."""
    wrong = []
    index = json.loads((VECTORS / "archives" / "index.json").read_text(encoding="utf-8"))
    for name, entry in index.items():
        cells = zarr.open(VECTORS / "archives" / f"{name}.zarr", mode="r")["cells"][:]
        expected = entry["arrays"]["cells"]
        result = list(cells.shape), hashlib.sha256(cells.tobytes()).hexdigest()
        if result != (expected["shape"], expected["sha256"]):
            wrong.append(name)
    print(f"{len(index)} archives, {len(wrong)} wrong")
    return wrong


if __name__ == "__main__":
    if sys.argv[1:] == ["--native"] and chosen_level() == "numpy":
        sys.exit("the native kernel was not built, or does not load")
    print(f"{zarrmal_codecs.__file__}, kernel {chosen_level()}, zarr {zarr.__version__}")
    if wrong := wrong_vectors() + wrong_archives():
        sys.exit("decoded to something else: " + ", ".join(wrong))
