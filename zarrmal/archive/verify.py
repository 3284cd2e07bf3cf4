"""Re-reading an archive and checking everything that can be checked."""

from __future__ import annotations

from zarrmal_codecs.coder import Coder

from ..errors import InputError
from ..progress import Progress, silent
from ..sources import Source
from . import layout
from .chunks import expect_stored
from .copies import expect_promised, find_cells
from .findings import VerifyReport
from .journal import journal_problem, read_journal
from .layout import ArchiveFacts
from .target import Target, read_facts
from .verify_cells import check_cells
from .verify_index import check_index, compare_index, read_index
from .verify_metadata import check_metadata


def verify_archive(
    target: Target, source: Source | None = None, progress: Progress = silent
) -> VerifyReport:
    """Check every stored byte, decode every cell, and compare with the source if it is given.

    Damage is told, chunk by chunk, with the cells that are really lost when the others of the
    chunk are read one by one.

    Raises
    ------
    InputError
        If there is no archive at all, or the source is not the one of the archive.
    ZarrmalError
        If the metadata are too damaged to go on.
    """
    group = target.open(consolidated=False)  # each document itself
    facts = read_facts(group, target.url, incomplete=True)
    problems: list[str] = []
    if not facts.complete:
        problems.append("the archive is marked as incomplete: its writing was interrupted")
    journal = read_journal(target)
    if journal is not None:
        problems.append(journal_problem(journal))
    array, model, problem = find_cells(group, facts)
    problems += [] if problem is None else [problem]
    n_cells = max(array.shape[0], facts.n_cells)
    expect_promised(n_cells, array, facts)
    expect_stored(group, array, facts, n_cells)
    if source is not None:
        _expect_same_size(source, facts, array.shape[1:])
    if (model.class_names, model.profile) != (facts.classes, facts.profile):
        problems.append("the model has other classes, or another profile, than the archive says")
    if model.digest != facts.sha256:
        problems.append(f"the model has sha256 {model.digest}, the archive promises {facts.sha256}")
    if array.shape[0] != facts.n_cells:
        problems.append(f"`{layout.CELLS}` holds {array.shape[0]} cells, the archive promises "
                        f"{facts.n_cells}")  # fmt: skip
    check_metadata(group, facts, problems)
    index = read_index(group, facts, array.shape[0])
    findings = [finding for column in index.values() for finding in column.findings]
    problems += [line for column in index.values() for line in column.lines]
    n_chunks = sum(column.n_chunks for column in index.values())
    check_index(index, facts, problems)
    for chunk, found in check_cells(group, array, Coder(model), facts, index, source):
        findings += found
        problems += [finding.line for finding in found]
        n_chunks += 1
        progress("verifying cells", chunk.stop, array.shape[0])
    order = index.get(layout.SOURCE_INDEX)
    if source is not None:
        compare_index(index, source, facts, problems)
    return VerifyReport(
        problems=tuple(problems),
        n_cells=facts.n_cells,
        n_chunks=n_chunks,
        compared=source is not None and order is not None and bool(order.known.all()),
        findings=tuple(findings),
    )


def _expect_same_size(source: Source, facts: ArchiveFacts, cell_shape: tuple[int, ...]) -> None:
    """InputError if the source cannot be the archive's."""
    if source.cell_shape != cell_shape:
        raise InputError(
            f"the source has {source.n_cells} cells of {source.cell_shape}, the archive "
            f"{facts.n_cells} of {cell_shape}: give the same --size and --channel as when "
            f"it was written"
        )
    if source.n_cells != facts.n_cells:
        raise InputError(
            f"the source has {source.n_cells} cells, the archive {facts.n_cells}: give --source "
            f"once for each source that was appended, in order, and --skip-unreadable if it was "
            f"used"
        )
