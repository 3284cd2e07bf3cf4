"""Write the golden archives: ``python codecs/vectors/write_archives.py --force``.

zarr and xarray must read the same cells from these archives with every later version. The package
``zarrmal`` writes them. Like the vectors they are rewritten only with --force, and only while
FORMAT.md calls its version a draft.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zarr

VECTORS = Path(__file__).parent
sys.path[:0] = [str(VECTORS), str(VECTORS.parent / "tests")]

from archive_cases import CELL, Case, cases  # noqa: E402
from write import DRAFT  # noqa: E402
from zarrmal_codecs.chunk.header import MODE_CELLS, parse_header  # noqa: E402

import zarrmal  # noqa: E402
from zarrmal.archive import WriteOptions  # noqa: E402
from zarrmal.classify import Assignment  # noqa: E402


def probably(cells: np.ndarray, rows: np.ndarray) -> Assignment:
    """Two classes by the index of a cell, with probabilities that are binary fractions."""
    return Assignment(
        predicted_class=(rows % 2).astype(np.uint8),
        probability=(0.5 + rows % 8 / 16).astype(np.float32),
    )


def described(values: np.ndarray) -> dict[str, Any]:
    """Expected dtype, shape, and digest of the bytes in C order; text in UTF-8."""
    if values.dtype.kind in "OUT":
        data, dtype = "\0".join(values.tolist()).encode(), "text"
    else:
        data, dtype = values.tobytes(), values.dtype.newbyteorder("<").str
    sha256 = hashlib.sha256(data).hexdigest()
    return {"dtype": dtype, "shape": list(values.shape), "sha256": sha256}


def chunks(array: Path) -> Iterator[bytes]:
    """The stored objects of an array, without its metadata."""
    for path in array.rglob("*"):
        if path.is_file() and path.suffix != ".json" and not path.name.startswith("."):
            yield path.read_bytes()


def write_case(case: Case, folder: Path) -> dict[str, Any]:
    """Write one archive, compare it with its source, and return its entry in the index."""
    assign = probably if case.probable else "auto"
    options = WriteOptions(
        chunk_cells=case.chunk_cells,
        shard_cells=case.shard_cells,
        shard_index="start",
        canvas=None if case.sizes is None else CELL,
        zarr_format=case.zarr_format,
        workers=1,
    )
    n_first = len(case.cells) - case.appended
    first, last = ({k: v[part] for k, v in case.columns().items()}
                   for part in (slice(n_first), slice(n_first, None)))  # fmt: skip
    cells: Any = case.cells
    if case.sizes is not None:
        cells = [c[:height, :width] for c, (height, width) in zip(cells, case.sizes, strict=True)]
    zarrmal.write(
        cells[:n_first], folder, model=case.model, assign=assign, options=options, **first
    )
    if case.appended:
        zarrmal.append(cells[n_first:], folder, assign=assign, **last)
    group = zarr.open_group(folder, mode="r")
    arrays = {name: np.asarray(array[:]) for name, array in sorted(group.arrays())}
    drawn = case.cells[arrays["source_index"]]
    if arrays["cells"].tobytes() != drawn.tobytes():
        sys.exit(f"{folder.name}: the cells are not those that were drawn")
    if case.shard_cells is None:
        modes = {parse_header(memoryview(chunk)).mode for chunk in chunks(folder / "cells")}
        if modes != {MODE_CELLS}:
            sys.exit(f"{folder.name}: a chunk is not coded in cells, but in modes {modes}")
    return {
        "shows": case.shows,
        "profile": case.model.profile,
        "zarr_format": case.zarr_format,
        "drawn_sha256": hashlib.sha256(case.cells.tobytes()).hexdigest(),
        "arrays": {name: described(values) for name, values in arrays.items()},
    }


def write(folder: Path, *, force: bool) -> None:
    """Write all archives and their index."""
    index_path = folder / "index.json"
    if index_path.exists():
        if DRAFT not in (VECTORS.parent / "FORMAT.md").read_text(encoding="utf-8"):
            sys.exit("this format version is released: its archives stay as they are")
        if not force:
            sys.exit("the archives exist: rewrite them with --force while the format is a draft")
        for name in json.loads(index_path.read_text(encoding="utf-8")):
            shutil.rmtree(folder / f"{name}.zarr", ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    index = {name: write_case(case, folder / f"{name}.zarr") for name, case in cases().items()}
    index_path.write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--folder", type=Path, default=VECTORS / "archives")
    arguments = parser.parse_args()
    write(arguments.folder, force=arguments.force)
