"""A segment: cells that come to an archive in one go, the first ones or appended ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import zarr
from numpy.typing import NDArray

from ..progress import Progress, silent
from ..sources import Source
from ..version import SOFTWARE
from . import layout
from .commit import commit, extended
from .grid import Grid
from .index_arrays import Columns, write_columns
from .layout import ArchiveFacts
from .leftovers import remove_leftovers
from .objects import Task
from .plan import Plan
from .runners import Runner, ThreadRunner
from .target import Target
from .writing import Writing


def write_segment(
    place: Target,
    group: zarr.Group,
    facts: ArchiveFacts,
    source: Source,
    plan: Plan,
    columns: Columns,
    *,
    writing: Writing,
    runner: Runner,
    look: bool,
    progress: Progress = silent,
) -> ArchiveFacts:
    """Store the cells of a plan behind those of the archive, and commit.

    Until the commit readers see the archive as it was. An interrupted run leaves objects behind its
    end, which another run with ``look`` finds and keeps.

    Parameters
    ----------
    facts
        Of the archive before.
    columns
        One for each array of the archive but ``cells``.
    look
        An earlier run was interrupted: look for what it has stored.
    """
    n_stored, n_new = facts.n_cells, len(plan.order)
    n_cells = n_stored + n_new
    writing.begins()
    digests = write_columns(group, columns, facts)
    writing.enters("planned")
    cells = group[layout.CELLS]
    assert isinstance(cells, zarr.Array)
    grid = Grid.of(cells)
    digest_of: dict[int, str] = {}
    done = 0
    tasks = segment_tasks(grid, facts, plan, stored_classes(group, facts, grid))
    for written in runner(place, group, source, tasks, look=look):
        digest_of[written.number] = written.sha256
        done += written.n_cells
        writing.go_on()
        progress("writing cells", done, n_new)
    writing.check()
    mine = dict(facts.digests.get(layout.CELLS, {})) | {
        grid.key(cells, number): digest_of[number] for number in sorted(digest_of)
    }
    names = [layout.CELLS, *columns.values]
    if look or not isinstance(runner, ThreadRunner):  # a worker that dies leaves half a file
        remove_leftovers(place, group, names, n_cells)
    return commit(
        group,
        replace(
            facts,
            complete=True,
            n_cells=n_cells,
            segments=(
                *facts.segments,
                tuple(int(n_stored + edge) for edge in plan.class_offsets),
            ),
            label_names=columns.label_names,
            digests={name: (digests | {layout.CELLS: mine})[name] for name in names},
            software=SOFTWARE,
        ),
        {name: extended(group[name], n_cells) for name in names},  # type: ignore[arg-type]
        columns.attributes,
    )


def stored_classes(group: zarr.Group, facts: ArchiveFacts, grid: Grid) -> NDArray[np.uint8]:
    """uint8: classes of the stored cells of the last object, where it is not full."""
    first = facts.n_cells - facts.n_cells % grid.object_cells
    array = group[layout.PREDICTED_CLASS]
    assert isinstance(array, zarr.Array)
    return np.asarray(extended(array, facts.n_cells)[first:])


def segment_tasks(
    grid: Grid, facts: ArchiveFacts, plan: Plan, before: NDArray[np.uint8]
) -> Iterator[Task]:
    """One task for each object that the new cells lie in; the first may hold stored ones too."""
    n_stored, n_cells = facts.n_cells, facts.n_cells + len(plan.order)
    for k in range(n_stored // grid.object_cells, grid.n_objects(n_cells)):
        first, last = k * grid.object_cells, min((k + 1) * grid.object_cells, n_cells)
        new = slice(max(first - n_stored, 0), last - n_stored)
        here = max(n_stored - first, 0)
        classes = plan.predicted_class[new]
        yield Task(
            number=k,
            n_stored=here,
            rows=plan.order[new],
            classes=np.concatenate([before, classes]) if here else classes,
        )
