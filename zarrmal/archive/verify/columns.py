"""verify: the arrays beside the cells, against each other and against the source."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...sources import Source
from .. import format as layout
from ..format import ArchiveFacts
from ..opened import OpenArchive
from ..read.columns.values import StoredColumn, read_column

Columns = dict[str, StoredColumn]


def read_columns(archive: OpenArchive) -> Columns:
    """All arrays but ``cells``, by name."""
    names = sorted({*archive.facts.arrays, *layout.BASE_NAMES} - set(layout.PLANES))
    columns = [read_column(archive, name, archive.n_cells) for name in names]
    return {column.name: column for column in columns if column is not None}


def check_columns(columns: Columns, facts: ArchiveFacts, problems: list[str]) -> None:
    """Check the arrays against each other, as far as they can be read."""
    order = columns.get(layout.SOURCE_INDEX)
    if order is None or not _is_injective(order):
        problems.append(f"`{layout.SOURCE_INDEX}` does not name every cell of the source once")
        columns.pop(layout.SOURCE_INDEX, None)
    classes = columns.get(layout.PREDICTED_CLASS)
    if classes is None:
        problems.append(f"`{layout.PREDICTED_CLASS}` is missing")
    elif classes.known.all() and not classes_are_sorted(classes.values, facts):
        problems.append(f"`{layout.PREDICTED_CLASS}` is not sorted as the archive promises")


def classes_are_sorted(classes: NDArray[Any], facts: ArchiveFacts) -> bool:
    """The cells of each segment lie class by class, where the archive says (ARCHIVE 3)."""
    if len(classes) != facts.n_cells:
        return False
    expected = np.empty(facts.n_cells, np.int64)
    for k in range(len(facts.classes)):
        expected[facts.cells_of(k)] = k
    return np.array_equal(classes, expected)


def _is_injective(order: StoredColumn) -> bool:
    """The known indices are distinct and in 0 … n - 1."""
    known = order.values[order.known]
    inside = (known >= 0) & (known < len(order.values))
    return bool(inside.all()) and len(np.unique(known)) == len(known)


def compare_columns(
    columns: Columns, source: Source, facts: ArchiveFacts, problems: list[str]
) -> None:
    """Compare the arrays' values with the source's."""
    order = columns.get(layout.SOURCE_INDEX)
    if order is None:
        return
    pairs: list[tuple[str, NDArray[Any] | None]] = [
        (layout.SOURCE_NAME, source.names),
        (layout.SOURCE_GROUP, source.groups),
        (layout.SPLIT, source.splits),
    ]
    pairs += source.columns.items()
    if source.sizes is not None:
        pairs += zip(layout.SIZES, source.sizes.T, strict=True)
    label = columns.get(layout.LABEL)
    most = int(label.values[label.known].max(initial=-1)) if label is not None else -1
    if most >= len(facts.label_names):
        problems.append(f"`{layout.LABEL}` holds {most}, the archive names "
                        f"{len(facts.label_names)} labels")  # fmt: skip
    elif source.labels is not None:
        pairs.append((layout.LABEL, np.array(source.class_names)[source.labels]))
    for name, given in pairs:
        stored = columns.get(name)
        if stored is None or given is None:
            continue
        rows = np.flatnonzero(order.known & stored.known)
        values = stored.values[rows].tolist()
        if name == layout.LABEL:
            values = [facts.label_names[k] for k in values]
        expected = np.asarray(given)[order.values[rows]].tolist()
        if values == expected:
            continue
        line = f"`{name}` differs from the source"
        if name in layout.SIZES:
            k = next(
                k for k, pair in enumerate(zip(values, expected, strict=True)) if pair[0] != pair[1]
            )
            line += f": of cell {rows[k]} it is {values[k]}, there {expected[k]}"
        problems.append(line)
