"""verify: the arrays beside the pixels, against each other and against the source."""

from __future__ import annotations

from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from ..sources import Source
from . import layout
from .columns import Column, read_column
from .layout import ArchiveFacts

Index = dict[str, Column]


def read_index(group: zarr.Group, facts: ArchiveFacts, n_cells: int) -> Index:
    """All arrays but ``cells``, by name."""
    names = sorted({*facts.digests, *layout.LONG_NAMES} - {layout.CELLS})
    columns = [read_column(group, facts, name, n_cells) for name in names]
    return {column.name: column for column in columns if column is not None}


def check_index(index: Index, facts: ArchiveFacts, problems: list[str]) -> None:
    """What the arrays promise each other, as far as they can be read."""
    order = index.get(layout.SOURCE_INDEX)
    if order is None or not _is_injective(order):
        problems.append(f"`{layout.SOURCE_INDEX}` does not name every cell of the source once")
        index.pop(layout.SOURCE_INDEX, None)
    classes = index.get(layout.PREDICTED_CLASS)
    if classes is None:
        problems.append(f"`{layout.PREDICTED_CLASS}` is missing")
    elif classes.known.all() and not classes_are_sorted(classes.values, facts):
        problems.append(f"`{layout.PREDICTED_CLASS}` is not sorted as the archive promises")


def classes_are_sorted(classes: NDArray[Any], facts: ArchiveFacts) -> bool:
    """Whether the cells of each segment lie class by class, where the archive says (FORMAT 6)."""
    if len(classes) != facts.n_cells:
        return False
    wanted = np.empty(facts.n_cells, np.int64)
    for k in range(len(facts.classes)):
        wanted[facts.cells_of(k)] = k
    return np.array_equal(classes, wanted)


def _is_injective(order: Column) -> bool:
    """Whether the places that are known are different ones of 0 … n - 1."""
    known = order.values[order.known]
    inside = (known >= 0) & (known < len(order.values))
    return bool(inside.all()) and len(np.unique(known)) == len(known)


def compare_index(index: Index, source: Source, facts: ArchiveFacts, problems: list[str]) -> None:
    """The arrays' values against the source's."""
    order = index.get(layout.SOURCE_INDEX)
    if order is None:
        return
    pairs: list[tuple[str, NDArray[Any] | None]] = [
        (layout.SOURCE_NAME, source.names),
        (layout.SOURCE_GROUP, source.groups),
    ]
    label = index.get(layout.LABEL)
    most = int(label.values[label.known].max(initial=-1)) if label is not None else -1
    if most >= len(facts.label_names):
        problems.append(f"`{layout.LABEL}` holds {most}, the archive names "
                        f"{len(facts.label_names)} labels")  # fmt: skip
    elif source.labels is not None:
        pairs.append((layout.LABEL, np.array(source.class_names)[source.labels]))
    for name, given in pairs:
        stored = index.get(name)
        if stored is None or given is None:
            continue
        rows = np.flatnonzero(order.known & stored.known)
        mine = stored.values[rows].tolist()
        if name == layout.LABEL:
            mine = [facts.label_names[k] for k in mine]
        if mine != np.asarray(given)[order.values[rows]].tolist():
            problems.append(f"`{name}` differs from the source")
