"""Images out of an archive again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
import zarr
from numpy.typing import NDArray
from PIL import Image
from zarrmal_codecs import CorruptionError

from ..errors import InputError
from ..progress import Progress, silent
from . import layout
from .info import cells_array
from .stored import stored_bytes, stored_digests
from .target import Target, find_array, read_facts


def extract_archive(
    target: Target,
    folder: Path,
    *,
    class_name: str | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> int:
    """Write cells as PNG files; returns how many.

    Files keep their original names below ``folder``, with the suffix .png; cells that came without
    a name are numbered as in the source, in one sub-folder a label where there are labels.

    Parameters
    ----------
    target
        The archive.
    folder
        Created if needed. No file in it is replaced unless ``overwrite``.
    class_name
        Only cells of this predicted class.

    Raises
    ------
    InputError
        If the class is unknown, or a file is there already.
    ZarrmalError
        If the archive is damaged.
    """
    group = target.open()
    facts = read_facts(group, target.url)
    cells = cells_array(group)
    if cells.shape[-1] == 2 and cells.ndim == 4:
        raise InputError("PNG cannot hold cells of 2 channels: read the archive with zarr")
    rows = np.arange(facts.n_cells)
    if class_name is not None:
        if class_name not in facts.classes:
            raise InputError(f"the archive has no class {class_name!r}: choose among "
                             f"{', '.join(facts.classes)}")  # fmt: skip
        k = facts.classes.index(class_name)
        rows = facts.cells_of(k)
    names = _file_names(group, facts)
    paths = [folder / names[row] for row in rows]
    taken = [] if overwrite else [path for path in paths if path.exists()]
    if taken:
        raise InputError(f"{len(taken)} files are there already, the first is {taken[0]}: choose "
                         f"an empty folder, or --overwrite")  # fmt: skip
    done = 0
    for block in _blocks(rows, cells.chunks[0]):
        coordinates = (int(block[0]) // cells.chunks[0], *[0] * (cells.ndim - 1))
        key = f"{cells.path}/{cells.metadata.encode_chunk_key(coordinates)}"
        if stored_bytes(group, key) is None:  # zarr would give zeros
            raise CorruptionError(f"chunk {key} is missing: see `zarrmal verify`")
        pixels = np.asarray(cells[int(block[0]) : int(block[-1]) + 1])
        for path, image in zip(paths[done : done + len(block)], pixels, strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(path.name + ".partial")
            Image.fromarray(image[..., 0] if image.shape[2:] == (1,) else image).save(
                partial, format="png"
            )
            partial.replace(path)
        done += len(block)
        progress("extracting", done, len(rows))
    return done


def _blocks(rows: NDArray[np.int64], chunk_cells: int) -> Iterator[NDArray[np.int64]]:
    """Runs of rows that lie in one chunk."""
    if len(rows):
        yield from np.split(rows, np.flatnonzero(np.diff(rows // chunk_cells)) + 1)


def _file_names(group: zarr.Group, facts: layout.ArchiveFacts) -> list[str]:
    """A relative path for each cell, in the archive's order, all different."""
    order = _values(group, facts, layout.SOURCE_INDEX)
    if order is None:
        raise CorruptionError(f"the archive has no array `{layout.SOURCE_INDEX}`")
    stored = _values(group, facts, layout.SOURCE_NAME)
    if stored is None:
        labels = _values(group, facts, layout.LABEL)
        width = len(str(facts.n_cells - 1))
        folders = (
            [""] * facts.n_cells
            if labels is None
            else [_safe(facts.label_names[k]) + "/" for k in labels.tolist()]
        )
        return [
            f"{folder}cell-{number:0{width}d}.png"
            for folder, number in zip(folders, order.tolist(), strict=True)
        ]
    names = [_safe(str(name)) for name in stored.tolist()]
    wanted = [str(PurePosixPath(name).with_suffix(".png")) for name in names]
    values, counts = np.unique(wanted, return_counts=True)
    shared = set(values[counts > 1].tolist())
    # a.jpg and a.bmp both want a.png: they become a.jpg.png and a.bmp.png.
    unique = [f"{n}.png" if w in shared else w for n, w in zip(names, wanted, strict=True)]
    if len(set(unique)) != len(unique):
        raise CorruptionError("the archive names two cells alike: read it with zarr instead")
    return unique


def _safe(name: str) -> str:
    """The name, if it stays below the folder; archives may come from strangers."""
    path = PurePosixPath(name.replace("\\", "/"))
    if (
        "\0" in name
        or path.is_absolute()
        or not path.name
        or ".." in path.parts
        or ":" in path.parts[0]
    ):
        raise CorruptionError(f"the archive names a cell {name!r}, which is not a file below the "
                              f"folder: read it with zarr instead")  # fmt: skip
    return str(path)


def _values(group: zarr.Group, facts: layout.ArchiveFacts, name: str) -> NDArray[np.generic] | None:
    """An index array, its chunks compared with their digests: a lost one would read as zeros."""
    array = find_array(group, name)
    if array is None:
        return None
    if array.shape != (facts.n_cells,) or stored_digests(array) != facts.digests.get(name):
        raise CorruptionError(f"the array `{name}` is damaged: see `zarrmal verify`")
    return np.asarray(array[:])
