"""Write the golden archives: ``python codecs/vectors/write_archives.py --force``.

An archive is a promise as the vectors are: plain zarr and xarray read these cells from it for ever.
It needs the package ``zarrmal``, whose archives they are. Like the vectors they are rewritten only
with --force, and only while FORMAT.md still calls its version a draft.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr

VECTORS = Path(__file__).parent
sys.path[:0] = [str(VECTORS), str(VECTORS.parent / "tests")]

import hybrid_models  # noqa: E402
import models  # noqa: E402
from write import DRAFT, masked  # noqa: E402
from zarrmal_codecs import Model  # noqa: E402

import zarrmal  # noqa: E402
from zarrmal.archive import WriteOptions  # noqa: E402
from zarrmal.classify import Assignment  # noqa: E402


@dataclass(frozen=True, kw_only=True)
class Case:
    """One archive.

    Parameters
    ----------
    shows
        What it is there for.
    cells
        uint8 (cell, y, x[, channel]), drawn.
    labels, groups, names
        Whether the cells have them.
    probable
        Whether the classes come with probabilities.
    chunk_cells
        Cells in a chunk; the last one is padded.
    """

    shows: str
    cells: np.ndarray
    model: Model
    zarr_format: Literal[2, 3]
    labels: bool = True
    groups: bool = True
    names: bool = True
    probable: bool = False
    chunk_cells: int = 8

    def columns(self) -> dict[str, Any]:
        """What stands beside the cells."""
        n_cells, names = len(self.cells), self.model.class_names
        labels = np.array([names[k % 3 % len(names)] for k in range(n_cells)])
        given: dict[str, Any] = {"labels": labels} if self.labels else {}
        if self.groups:
            given["groups"] = np.array([f"slide {k % 4}" for k in range(n_cells)])
        if self.names:
            given["names"] = np.array([f"{labels[k]}/größe {k:03d}.png" for k in range(n_cells)])
        return given


def probably(cells: np.ndarray, rows: np.ndarray) -> Assignment:
    """Two classes by the place of a cell, with probabilities that binary fractions hold."""
    return Assignment(
        predicted_class=(rows % 2).astype(np.uint8),
        probability=(0.5 + rows % 8 / 16).astype(np.float32),
    )


def cases() -> dict[str, Case]:
    """Name -> archive."""
    grey, two = masked(models.pixels(71, (21, 6, 5))), models.two_classes()
    other, latent = masked(models.pixels(72, (19, 7, 5))), hybrid_models.grey_latent()
    colour = masked(models.pixels(73, (11, 5, 4, 3)))
    grey[5] = other[5] = colour[5] = 0  # a black cell, stored as blank
    return {
        "paper-3": Case(shows="profile paper, format 3, everything beside the cells",
                        cells=grey, model=two, zarr_format=3, probable=True),
        "paper-2": Case(shows="profile paper, format 2, everything beside the cells",
                        cells=grey, model=two, zarr_format=2, probable=True),
        "hybrid-3": Case(shows="profile hybrid, format 3, by label",
                         cells=other, model=latent, zarr_format=3),
        "hybrid-2": Case(shows="profile hybrid, format 2, by label",
                         cells=other, model=latent, zarr_format=2),
        "hybrid-colour-3": Case(shows="three channels, one class, one chunk of all cells",
                                cells=colour, model=hybrid_models.colour_latent(),
                                zarr_format=3, labels=False, names=False, chunk_cells=1024),
        "hybrid-bare-2": Case(shows="nothing beside the cells, whose classes are chosen by length",
                              cells=other, model=latent, zarr_format=2,
                              labels=False, groups=False, names=False, chunk_cells=5),
    }  # fmt: skip


def described(values: np.ndarray) -> dict[str, Any]:
    """What a reader must find: dtype, shape, digest of the bytes in C order; texts in UTF-8."""
    if values.dtype.kind in "OUT":
        data, dtype = "\0".join(values.tolist()).encode(), "text"
    else:
        data, dtype = values.tobytes(), values.dtype.newbyteorder("<").str
    sha256 = hashlib.sha256(data).hexdigest()
    return {"dtype": dtype, "shape": list(values.shape), "sha256": sha256}


def write_case(case: Case, folder: Path) -> dict[str, Any]:
    """Write one archive; its entry in the index, checked against what was drawn."""
    zarrmal.write(
        case.cells,
        folder,
        model=case.model,
        assign=probably if case.probable else "auto",
        options=WriteOptions(chunk_cells=case.chunk_cells, zarr_format=case.zarr_format, workers=1),
        **case.columns(),
    )
    group = zarr.open_group(folder, mode="r")
    arrays = {name: np.asarray(array[:]) for name, array in sorted(group.arrays())}
    drawn = case.cells[arrays["source_index"]]
    if arrays["cells"].tobytes() != drawn.tobytes():
        sys.exit(f"{folder.name}: the cells are not those that were drawn")
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
