"""Verifying an archive: read every stored byte and check everything that can be checked."""

from __future__ import annotations

import numpy as np

from ...errors import InputError
from ...progress import Progress
from ...sources import Source
from ...sources.sizes import sizes_text
from ...sources.source import OnCanvas
from .. import format as layout
from ..foreign import longer_problem
from ..lock.journal import journal_problem, read_journal
from ..opened import OpenArchive, shape_text
from ..preprocessing import merged_record
from ..read.chunks.chunks import expect_stored
from ..read.columns.sizes import sizes_of
from ..read.consolidated import with_sound_cells
from ..read.copied import COPIED, EMPTIED, attribute_problem, copied_state
from ..read.stable import with_ends_during
from .cells import check_cells
from .columns import check_columns, compare_columns, read_columns
from .files import check_files
from .masks import check_masks, find_masks
from .metadata import check_metadata
from .report import VerifyReport


def verify_archive(archive: OpenArchive, source: Source | None, progress: Progress) -> VerifyReport:
    """See Archive.verify; ``archive`` goes by each array's own documents."""
    problems: list[str] = []
    if not archive.facts.complete:
        problems.append("the archive is marked as incomplete: its writing was interrupted")
    journal = read_journal(archive.location)
    if journal is not None:
        problems.append(journal_problem(journal))
        archive = with_ends_during(journal, archive)
    elif (problem := attribute_problem(archive)) is not None:
        problems.append(problem)
        archive = copied_state(archive) or archive
    if journal is None and (problem := longer_problem(archive)) is not None:
        problems.append(problem)
    facts = archive.facts
    archive = with_sound_cells(archive)
    problems += archive.problems
    expect_stored(archive)
    if source is not None:
        source = _on_canvas(source, archive)
        _expect_alike(source, archive)
    model = archive.model
    profile, digest = ("", "") if model is None else (model.profile, model.digest)
    if (archive.class_names, profile) != (facts.classes, facts.profile):
        problems.append("the model has other classes, or another profile, than the archive says")
    if digest != facts.sha256:
        problems.append(f"the model has sha256 {digest or 'none'}, the archive promises "
                        f"{facts.sha256 or 'none'}")  # fmt: skip
    if not archive.is_rewritten:
        check_metadata(archive, problems)
    columns = read_columns(archive)
    findings = [finding for column in columns.values() for finding in column.findings]
    problems += [line for column in columns.values() for line in column.lines]
    n_chunks = sum(column.n_chunks for column in columns.values())
    check_columns(columns, facts, [] if archive.is_rewritten else problems)
    sizes = sizes_of(archive, columns)
    if sizes is not None:
        problems += [line for line in sizes.lines if line not in problems]
    n_missing = 0
    for chunk, chunk_findings in check_cells(archive, columns, sizes, source):
        if any(finding.kind == "missing" for finding in chunk_findings):
            n_missing += chunk.stop - chunk.start
        findings += chunk_findings
        problems += [finding.line for finding in chunk_findings]
        n_chunks += 1
        progress("verifying cells", chunk.stop, archive.n_cells)
    for n_done, lines in check_files(archive, columns, source):
        problems += lines
        progress("verifying JPEG files", min(n_done, archive.n_cells), archive.n_cells)
    if (masks := find_masks(archive, problems)) is not None:
        for chunk, chunk_findings in check_masks(archive, masks, columns, sizes, source):
            findings += chunk_findings
            problems += [finding.line for finding in chunk_findings]
            n_chunks += 1
            progress("verifying masks", chunk.stop, archive.n_cells)
    is_emptied = facts.n_cells > 0 and n_missing == facts.n_cells
    problems = [EMPTIED if is_emptied and line == COPIED else line for line in problems]
    order = columns.get(layout.SOURCE_INDEX)
    if source is not None:
        compare_columns(columns, source, facts, problems)
    return VerifyReport(
        problems=tuple(problems),
        n_cells=facts.n_cells,
        n_chunks=n_chunks,
        compared=source is not None and order is not None and bool(order.known.all()),
        findings=tuple(findings),
        preprocessing=facts.preprocessing,
    )


def _on_canvas(source: Source, archive: OpenArchive) -> Source:
    """The source on the archive's canvas, if its cells fit there; else the source itself."""
    canvas = (archive.cell_shape[0], archive.cell_shape[1])
    sizes = source.sizes
    if sizes is None:
        sizes = np.array([source.cell_shape[:2]], np.int64)
    has_sizes = layout.HEIGHT in archive.facts.arrays
    fits = (sizes <= canvas).all() if has_sizes else (sizes == canvas).all()
    if not fits or (source.sizes is None and not has_sizes):
        return source
    return OnCanvas(source, canvas)


def _expect_alike(source: Source, archive: OpenArchive) -> None:
    """InputError if the source cannot be the archive's."""
    n_cells, cell_shape = archive.facts.n_cells, archive.cell_shape
    is_on_canvas = source.sizes is None or isinstance(source, OnCanvas)
    if source.dtype != archive.dtype:
        raise InputError(f"the source holds {source.dtype}, the archive {archive.dtype}: give the "
                         f"source that it was written from")  # fmt: skip
    if archive.n_masks and source.n_masks not in (0, archive.n_masks):
        raise InputError(f"the source has {source.n_masks} masks of each cell, the archive "
                         f"{archive.n_masks}: give the same --mask-channel as when it was "
                         f"written")  # fmt: skip
    if source.cell_shape != cell_shape or not is_on_canvas:
        raise InputError(
            f"the source has {source.n_cells} cells of "
            f"{sizes_text(source.cell_shape, source.sizes)}, the archive {n_cells} of "
            f"{shape_text(cell_shape)}: give the same --size and --channel as when it was written"
        )
    merged_record(archive.facts.preprocessing, source, archive.location.url)
    if source.n_cells != n_cells:
        raise InputError(
            f"the source has {source.n_cells} cells, the archive {n_cells}: give --source once for "
            f"each source that was appended, in order, and --skip-unreadable if it was used"
        )
