"""Images out of an archive again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarrmal_codecs import CorruptionError, ZarrmalError
from zarrmal_codecs.coder import Coder

from ..classify.assignment import class_index
from ..errors import InputError
from ..progress import Progress, silent
from . import layout
from .chunks import CellsChunk, expect_stored, read_chunks
from .columns import read_column
from .copies import expect_promised, find_cells, is_changed
from .extract_into import fitting, refuse_inside, save
from .extract_names import FileNames, file_names
from .extract_report import (
    LISTING,
    LOST,
    NO_DIGEST,
    RECOVERED,
    RENAMED,
    UNNAMED,
    DamagedCell,
    ExtractReport,
    write_listing,
)
from .findings import cells_finding
from .layout import ArchiveFacts
from .meanwhile import State, read_state
from .target import Target


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
    a name are numbered as in the source, in one sub-folder a label where there are labels. Cells
    whose name is too long for the file system are called by their position in the archive, and
    listed. While cells are being appended, and after an append that was interrupted, the cells that
    were there before are written.

    Parameters
    ----------
    target
        The archive.
    folder
        Created if needed. No file in it is replaced unless ``overwrite``. A file that an earlier
        extraction has left for a cell that is lost now stays, and the list says so.
    class_name
        Only cells of this predicted class; where there is none of the name, of the only one but
        for its case.
    skip_damaged
        Save all that can be had of a damaged archive, and list the rest in the report and in
        ``folder``/damaged-cells.txt. Of a damaged chunk each cell is decoded alone, checked by its
        own CRC-16 only. Cells whose name is lost are called by their position in the archive.

    Raises
    ------
    InputError
        If the class is unknown, a file is there already, ``folder`` lies in the archive, or another
        process changes the archive meanwhile.
    ZarrmalError
        If the archive is damaged, and not ``skip_damaged``, or nothing can be had of it.
    """
    state = read_state(target, partly=skip_damaged)
    try:
        report = _extract(state, folder, class_name, overwrite, skip_damaged, progress)
    except ZarrmalError:
        state.expect_unmoved()
        raise
    if report.problems:
        state.expect_unmoved()
    return report


def _extract(
    state: State,
    folder: Path,
    class_name: str | None,
    overwrite: bool,
    skip_damaged: bool,
    progress: Progress,
) -> ExtractReport:
    group, facts = state.group, state.facts
    array, model, problem = find_cells(group, facts, prefer_copy=skip_damaged)
    if array.shape[-1] == 2 and array.ndim == 4:
        raise InputError("PNG cannot hold cells of 2 channels: read the archive with zarr")
    n_cells, problems = _number_of_cells(group, array, facts)
    expect_promised(n_cells, array, facts)
    expect_stored(group, array, facts, n_cells)
    problems += [] if problem is None else [problem]
    rows = np.arange(n_cells)
    if class_name is not None:
        rows = _rows_of_class(group, facts, n_cells, class_name)
    names = file_names(group, facts, n_cells)
    problems += names.problems
    if problems and not skip_damaged:
        raise _refused(problems[0], 0, overwrite)
    refuse_inside(state.target, folder, names.files)
    names, too_long = fitting(names, folder)
    paths = [folder / names.files[row] for row in rows.tolist()]
    if skip_damaged or too_long:
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
            damaged += _damaged_cells(chunk, mine, names, too_long, folder)
            for row in mine.tolist():
                file = folder / names.files[row]
                if chunk.salvage.good[row - chunk.start]:
                    save(file, chunk.salvage.pixels[row - chunk.start])
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
    place = class_index(class_name, facts.classes)
    if place is None:
        raise InputError(f"the archive has no class {class_name!r}: choose among "
                         f"{', '.join(facts.classes)}")  # fmt: skip
    column = read_column(group, facts, layout.PREDICTED_CLASS, n_cells)
    if column is None or not column.known.all():
        why = column.lines[0] if column else f"`{layout.PREDICTED_CLASS}` is missing"
        raise CorruptionError(f"{why}, so which cells are of a class is not known: extract without "
                              f"--class")  # fmt: skip
    return np.flatnonzero(column.values == place)


def _damaged_cells(
    chunk: CellsChunk,
    rows: NDArray[np.intp],
    names: FileNames,
    too_long: dict[int, str],
    folder: Path,
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
        elif row in too_long:
            state, reason = RENAMED, f"its name is {too_long[row]}"
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
