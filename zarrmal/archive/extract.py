"""Images out of an archive again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from PIL import Image
from zarrmal_codecs import CorruptionError
from zarrmal_codecs.coder import Coder

from ..errors import InputError
from ..progress import Progress, silent
from . import layout
from .chunks import CellsChunk, read_chunks
from .columns import read_column
from .copies import expect_promised, find_cells, is_changed
from .extract_names import FileNames, file_names
from .extract_report import (
    LISTING,
    LOST,
    NO_DIGEST,
    RECOVERED,
    UNNAMED,
    DamagedCell,
    ExtractReport,
    write_listing,
)
from .findings import cells_finding
from .layout import ArchiveFacts
from .target import Target, read_facts


def extract_archive(
    target: Target,
    folder: Path,
    *,
    class_name: str | None = None,
    overwrite: bool = False,
    skip_damaged: bool = False,
    progress: Progress = silent,
) -> ExtractReport:
    """Write cells as PNG files.

    Files keep their original names below ``folder``, with the suffix .png; cells that came without
    a name are numbered as in the source, in one sub-folder a label where there are labels.

    Parameters
    ----------
    target
        The archive.
    folder
        Created if needed. No file in it is replaced unless ``overwrite``. A file that an earlier
        extraction has left for a cell that is lost now stays, and the list says so.
    class_name
        Only cells of this predicted class.
    skip_damaged
        Save all that can be had of a damaged archive, and list the rest in the report and in
        ``folder``/damaged-cells.txt. Of a damaged chunk each cell is decoded alone, checked by its
        own CRC-16 only. Cells whose name is lost are called by their position in the archive.

    Raises
    ------
    InputError
        If the class is unknown, or a file is there already.
    ZarrmalError
        If the archive is damaged, and not ``skip_damaged``, or nothing can be had of it.
    """
    group = target.open(consolidated=False)  # each document itself
    facts = read_facts(group, target.url)
    array, model, problem = find_cells(group, facts, prefer_copy=skip_damaged)
    if array.shape[-1] == 2 and array.ndim == 4:
        raise InputError("PNG cannot hold cells of 2 channels: read the archive with zarr")
    n_cells, problems = _number_of_cells(group, array, facts)
    expect_promised(n_cells, array, facts)
    problems += [] if problem is None else [problem]
    rows = np.arange(n_cells)
    if class_name is not None:
        rows = _rows_of_class(group, facts, n_cells, class_name)
    names = file_names(group, facts, n_cells)
    problems += names.problems
    if problems and not skip_damaged:
        raise _refused(problems[0], 0, overwrite)
    paths = [folder / names.files[row] for row in rows.tolist()]
    if skip_damaged:
        paths.append(folder / LISTING)
    taken = [] if overwrite else [path for path in paths if path.exists()]
    if taken:
        raise InputError(f"{len(taken)} files are there already, the first is {taken[0]}: choose "
                         f"an empty folder, or --overwrite")  # fmt: skip
    damaged: list[DamagedCell] = []
    done = n_saved = 0
    starts = np.unique(rows // array.chunks[0] * array.chunks[0]).tolist()
    try:
        for chunk in read_chunks(group, array, Coder(model), facts, starts, n_cells):
            low, high = np.searchsorted(rows, [chunk.start, chunk.stop]).tolist()
            mine = rows[low:high]
            if chunk.salvage.kind is not None:
                problems.append(cells_finding(chunk, names.source_index, names.files).line)
                if not skip_damaged:
                    raise _refused(problems[-1], n_saved, overwrite)
            damaged += _damaged_cells(chunk, mine, names, folder)
            for row in mine.tolist():
                file = folder / names.files[row]
                if chunk.salvage.good[row - chunk.start]:
                    _save(file, chunk.salvage.pixels[row - chunk.start])
                    n_saved += 1
            done += len(mine)
            progress("extracting", done, len(rows))
    finally:  # what was saved so far is told, even if the rest is interrupted
        listing = write_listing(folder, damaged) if damaged else None
    if skip_damaged and overwrite and listing is None:
        (folder / LISTING).unlink(missing_ok=True)  # of an earlier extraction
    return ExtractReport(
        n_cells=n_saved, damaged=tuple(damaged), problems=tuple(problems), listing=listing
    )


def _refused(problem: str, n_saved: int, overwrite: bool) -> CorruptionError:
    so_far = f"{n_saved:,} images were written before. " if n_saved else ""
    how = "--skip-damaged --overwrite" if n_saved or overwrite else "--skip-damaged"
    return CorruptionError(
        f"{problem}. {so_far}`zarrmal verify` tells all; {how} extracts the rest"
    )


def _number_of_cells(
    group: zarr.Group, array: zarr.Array[Any], facts: ArchiveFacts
) -> tuple[int, list[str]]:
    """How many cells there are, by the array or the archive: by which of them is undamaged."""
    n_cells = array.shape[0]
    if n_cells == facts.n_cells:
        return n_cells, []
    if is_changed(group, facts):
        n_cells = facts.n_cells
    return n_cells, [f"`{layout.CELLS}` holds {array.shape[0]} cells, the archive promises "
                     f"{facts.n_cells}"]  # fmt: skip


def _rows_of_class(
    group: zarr.Group, facts: ArchiveFacts, n_cells: int, class_name: str
) -> NDArray[np.intp]:
    if class_name not in facts.classes:
        raise InputError(f"the archive has no class {class_name!r}: choose among "
                         f"{', '.join(facts.classes)}")  # fmt: skip
    column = read_column(group, facts, layout.PREDICTED_CLASS, n_cells)
    if column is None or not column.known.all():
        why = column.lines[0] if column else f"`{layout.PREDICTED_CLASS}` is missing"
        raise CorruptionError(f"{why}, so which cells are of a class is not known: extract without "
                              f"--class")  # fmt: skip
    return np.flatnonzero(column.values == facts.classes.index(class_name))


def _damaged_cells(
    chunk: CellsChunk, rows: NDArray[np.intp], names: FileNames, folder: Path
) -> list[DamagedCell]:
    """Those of the rows that must be listed, which all lie in the chunk."""
    found = chunk.salvage
    listed = []
    for row in rows.tolist():
        at = row - chunk.start
        if not found.good[at]:
            state, reason = LOST, found.reasons[at]
            if (folder / names.files[row]).exists():
                reason += "; the file of that name is of an earlier extraction"
        elif not found.certain:
            state, reason = RECOVERED, f"the chunk {found.fault}"
        elif found.kind == "no digest":
            state, reason = NO_DIGEST, f"the chunk {found.fault}"
        elif not names.named[row]:
            state, reason = UNNAMED, "the array that holds its name is damaged"
        else:
            continue
        listed.append(
            DamagedCell(
                position=row,
                source_index=int(names.source_index[row]),
                file=names.files[row],
                state=state,
                chunk=chunk.key,
                reason=reason,
            )
        )
    return listed


def _save(path: Path, image: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    picture = Image.fromarray(image[..., 0] if image.shape[2:] == (1,) else image)
    try:
        picture.save(partial, format="png")
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
