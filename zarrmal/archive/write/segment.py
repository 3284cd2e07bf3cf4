"""A segment: the cells that one write or append adds to an archive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import zarr
from numpy.typing import NDArray
from zarrmal_codecs.paper.golomb_rice import RiceChoice

from ...progress import Progress
from ...sources import Source
from ...version import SOFTWARE
from .. import format as layout
from ..contents import Contents
from ..format import ArchiveFacts
from ..lock.writer_lock import WriterLock
from ..opened import OpenArchive
from ..preprocessing import merged_record
from ..storage.local import PARTIAL
from ..storage.objects import join_key
from .columns import NewColumns, write_columns
from .commit import commit, resized, store_longer
from .encode.lattice import LatticeSearch
from .encode.saving import measured_saving
from .encode.task import Task, TaskResult
from .order import CellOrder
from .runners import Runner, ThreadRunner

DOCUMENTS = ("zarr.json", ".zarray", ".zattrs")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segment:
    """Cells to be added.

    Parameters
    ----------
    source
        Of the pixels.
    order
        Of the cells in the archive.
    columns
        One for each array of the archive but those of WITH_CELLS.
    lattice
        How coefficients of JPEG pictures behind the cells are had; None: they are not used.
    rice
        How Rice parameters are chosen.
    """

    source: Source
    order: CellOrder
    columns: NewColumns
    lattice: LatticeSearch | None = None
    rice: RiceChoice = "mean"


def write_segment(
    archive: OpenArchive,
    segment: Segment,
    *,
    lock: WriterLock,
    runner: Runner,
    reuse: bool,
    progress: Progress,
    contents: Contents | None = None,
) -> ArchiveFacts:
    """Store the cells behind those of the archive, and commit.

    Until the commit readers see the archive as it was. An interrupted run leaves objects behind its
    end, which another run with ``reuse`` finds.

    Parameters
    ----------
    archive
        Open for writing, by each array's own documents.
    reuse
        An earlier run was interrupted: reuse the objects that it has stored.
    contents
        Gets what the headers of the objects' chunks tell.
    """
    facts, order, columns = archive.facts, segment.order, segment.columns
    n_cells = facts.n_cells + order.n_cells
    with_cells = arrays_with_cells(archive)
    names = [*with_cells, *columns.values]
    lock.begin_changes()
    if archive.location.owner_commits and archive.location.replaces_objects:
        store_longer(archive, names, n_cells)  # Icechunk takes no chunk beyond an array's end
    column_digests = write_columns(archive, columns)
    lock.enter("planned")
    results: dict[int, TaskResult] = {}
    n_done = 0
    tasks = segment_tasks(archive, segment)
    for result in runner(archive, segment.source, tasks, reuse=reuse):
        results[result.number] = result
        n_done += result.n_cells
        if contents is not None:
            contents.add(result.contents)
        lock.expect_not_lost()
        progress("writing cells", n_done, order.n_cells)
    lock.expect_held()
    grid = archive.grid
    digests = {name: column_digests.get(name, {}) for name in names}
    for name in with_cells:
        array = archive.group[name]
        assert isinstance(array, zarr.Array)
        digests[name] = dict(archive.digests.of(name)) | {
            grid.key(array, number): results[number].sha256_of(name) for number in sorted(results)
        }
    if reuse or not isinstance(runner, ThreadRunner):  # a worker that dies leaves a partial file
        remove_leftovers(archive, names, n_cells)
    from_pictures = [number for number in sorted(results) if results[number].contents.cameras]
    edges = tuple(facts.n_cells + edge for edge in order.class_offsets)
    return commit(
        archive,
        replace(
            facts,
            complete=True,
            n_cells=n_cells,
            segments=(*facts.segments, edges),
            label_names=columns.label_names,
            preprocessing=merged_record(facts.preprocessing, segment.source, archive.location.url),
            software=SOFTWARE,
            lattice=facts.lattice + measured_saving(archive, from_pictures),
        ),
        digests,
        columns.attributes,
    )


def planes_of(archive: OpenArchive) -> list[str]:
    """Names of the arrays with planes of each cell that the archive has."""
    return [layout.CELLS] if archive.mask_array is None else [*layout.PLANES]


def arrays_with_cells(archive: OpenArchive) -> list[str]:
    """Names of the arrays that are stored object by object with the cells."""
    has_frames = archive.array(layout.JPEG_FRAME) is not None
    return [*planes_of(archive), *([layout.JPEG_FRAME] if has_frames else [])]


def stored_classes(archive: OpenArchive) -> NDArray[np.uint8]:
    """uint8: classes of the stored cells of the last object of ``cells``, where it is not full."""
    n_cells = archive.facts.n_cells
    first = n_cells - n_cells % archive.grid.object_cells
    array = archive.group[layout.PREDICTED_CLASS]
    assert isinstance(array, zarr.Array)
    return np.asarray(resized(array, n_cells)[first:])


def segment_tasks(archive: OpenArchive, segment: Segment) -> Iterator[Task]:
    """One task for each object that holds new cells; the first may hold stored cells too."""
    n_stored, grid, order = archive.facts.n_cells, archive.grid, segment.order
    n_cells = n_stored + order.n_cells
    before = stored_classes(archive)
    for k in range(n_stored // grid.object_cells, grid.n_objects(n_cells)):
        first, last = k * grid.object_cells, min((k + 1) * grid.object_cells, n_cells)
        new = slice(max(first - n_stored, 0), last - n_stored)
        n_here = max(n_stored - first, 0)
        classes = order.predicted_class[new]
        yield Task(
            number=k,
            n_stored=n_here,
            rows=order.source_index[new],
            classes=np.concatenate([before, classes]) if n_here else classes,
            lattice=segment.lattice,
            rice=segment.rice,
        )


def remove_leftovers(archive: OpenArchive, names: list[str], n_cells: int) -> None:
    """Remove what interrupted runs left below the archive's arrays, and no reader sees."""
    stored = archive.location.sizes()
    needed = {layout.BACKUP}
    for name in names:
        array = archive.group[name]
        assert isinstance(array, zarr.Array)
        grid = layout.Grid.of(array)
        keys = [grid.key(array, k) for k in range(grid.n_objects(n_cells))]
        needed |= {join_key(name, key) for key in (*keys, *DOCUMENTS)}
    folders = tuple(f"{name}/" for name in names)
    archive.location.delete(
        key
        for key in stored
        if (key.startswith(folders) and key not in needed)
        or ("/" not in key and key.endswith(PARTIAL))
    )
