"""Annotations of each cell: label, group, name, split; one check for every kind of source."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..limits import MAX_LABELS
from ..sizes import Sizes, sizes_text
from .strings import STRINGS, Strings, checked_strings, iterate_strings, unique_strings

MAX_EXAMPLES = 5  # listed in a message
MAX_NAME_LENGTH = 40  # of a label in a message

Column = Sequence[str] | NDArray[Any]
"""One value per cell, not yet checked."""


KEYS = {
    "labels": ("label",),
    "groups": ("source_group", "slide"),
    "names": ("source_name", "path"),
    "splits": ("split",),
}
"""Keys of annotations in .npz files and Zarr groups, by preference: the archive's own first."""

SIZE_KEYS = ("height", "width")
"""Keys of the size of each cell, where both are there."""

PACKED_KEYS = ("bits", "start")
"""Keys of masks: all of them by numpy.packbits, each from a byte of its own; where each begins and
the last ends, (cell + 1,). With them `height` and `width` are the size of each mask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawAnnotations:
    """Columns of strings or integers, (cell,), not yet checked; None where there are none."""

    labels: Column | None = None
    groups: Column | None = None
    names: Column | None = None
    splits: Column | None = None

    @classmethod
    def from_lookup(cls, lookup: Callable[[str], Column | None]) -> tuple[RawAnnotations, set[str]]:
        """Annotations of a file or Zarr group, by KEYS, and the keys that were used."""
        columns: dict[str, Column] = {}
        used = set()
        for kind, keys in KEYS.items():
            for key in keys:
                column = lookup(key)
                if column is not None:
                    columns[kind] = column
                    used.add(key)
                    break
        return cls(**columns), used


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotations:
    """Checked annotations; see Source for the fields."""

    class_names: tuple[str, ...] = ()
    labels: NDArray[np.uint8] | None = None
    groups: Strings | None = None
    names: Strings | None = None
    splits: Strings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationOptions:
    """The caller's annotations. They override those that the source stores.

    Parameters
    ----------
    given
        Columns given from Python.
    group_pattern
        Searched in a cell's name; the first group of the match, or else the whole match, is the
        cell's group. Used where the source stores no groups.

    Raises
    ------
    InputError
        If the pattern is no regular expression, or groups are given as well.
    """

    given: RawAnnotations
    group_pattern: str | None = None

    def __post_init__(self) -> None:
        if self.group_pattern is None:
            return
        if self.given.groups is not None:
            raise InputError("both groups and a group pattern are given: leave one out")
        try:
            re.compile(self.group_pattern)
        except re.error as error:
            raise InputError(
                f"the group pattern {self.group_pattern!r} is not a regular expression: {error}"
            ) from error

    def annotate(self, stored: RawAnnotations, n_cells: int, location: str) -> Annotations:
        """Merge given and stored annotations, check and convert them.

        Parameters
        ----------
        stored
            Annotations that the source stores.
        n_cells
            Number of cells.
        location
            Begins messages.

        Raises
        ------
        InputError
            If a column has not one value per cell, or holds anything but strings or integers; if
            a label, group or split is empty; if there are more than 255 different labels; if a
            name does not match the pattern.
        """

        def column(kind: str) -> Strings | None:
            values = getattr(self.given, kind)
            values = getattr(stored, kind) if values is None else values
            if values is None:
                return None
            strings = checked_strings(values, n_cells, f"{location}: the {kind}")
            n_empty = int((strings == "").sum())
            if n_empty and kind != "names":
                raise InputError(
                    f"{location}: the {kind} are empty for {n_empty:,} of {n_cells:,} cells: "
                    "fill them in, or leave the others out"
                )
            return strings

        label_names, groups, names = column("labels"), column("groups"), column("names")
        splits = column("splits")
        if groups is None and self.group_pattern is not None:
            if names is None:
                raise InputError(
                    f"{location}: a group pattern is searched in names, but the cells have none: "
                    "give names, or groups themselves"
                )
            groups = groups_from_names(names, self.group_pattern, location)
        if label_names is None:
            return Annotations(groups=groups, names=names, splits=splits)
        class_names, labels = unique_strings(label_names)
        if len(class_names) > MAX_LABELS:
            raise InputError(
                f"{location}: {len(class_names):,} different labels found ({class_names[0]}, "
                f"{class_names[1]}, ...), an archive holds at most {MAX_LABELS}: merge some, or "
                "leave out the labels"
            )
        return Annotations(
            class_names=tuple(class_names),
            labels=labels.astype(np.uint8),
            groups=groups,
            names=names,
            splits=splits,
        )


def groups_from_names(names: Strings, pattern: str, location: str) -> Strings:
    """Group of each cell, from a regular expression searched in its name.

    Raises
    ------
    InputError
        If a name does not match, or its group is empty.
    """
    expression = re.compile(pattern)
    groups = np.empty(len(names), STRINGS)
    for cell, name in enumerate(iterate_strings(names)):
        match = expression.search(name)
        group = match[1 if expression.groups else 0] if match else None
        if not group:
            raise InputError(
                f"{location}: the group pattern {pattern!r} finds no group in {name!r}: "
                "it must in every name"
            )
        groups[cell] = group
    return groups


def unused_notes(kind: str, names: Iterable[str]) -> list[str]:
    """A note on what a file or group holds and is not used; none if that is nothing.

    Parameters
    ----------
    kind
        "keys", "arrays" or "coordinates".
    names
        Of what is not used.
    """
    listed = [f"`{name}`" for name in sorted(names)]
    if not listed:
        return []
    more = f" and {len(listed) - MAX_EXAMPLES:,} more" if len(listed) > MAX_EXAMPLES else ""
    known = ", ".join(" or ".join(f"`{key}`" for key in keys) for keys in KEYS.values())
    return [
        f"{kind} not used: {', '.join(listed[:MAX_EXAMPLES])}{more}; annotations are read from "
        f"{known}, sizes from `height` and `width`"
    ]


def describe(
    location: str,
    n_cells: int,
    noun: str,
    annotations: Annotations,
    notes: Sequence[str] = (),
    sizes: Sizes | None = None,
) -> str:
    """One line for logs: location, number of cells, labels, splits, sizes where they differ, notes.

    Such as "folder cells/: 6 images, 2 classes (ill 3, well 3), cells of 8 to 20 x 13".
    """
    parts = [f"{location}: {n_cells:,} {noun}{'s' if n_cells != 1 else ''}", "no labels"]
    n_classes = len(annotations.class_names)
    if annotations.labels is not None:
        counts = np.bincount(annotations.labels, minlength=n_classes)
        parts[1] = f"{n_classes} class{'es' if n_classes != 1 else ''}"
        parts[1] += _with_counts(annotations.class_names, counts)
    if annotations.splits is not None:
        splits, indices = unique_strings(annotations.splits)
        parts.append(f"{len(splits)} split{'s' if len(splits) != 1 else ''}")
        parts[-1] += _with_counts(splits, np.bincount(indices, minlength=len(splits)))
    if sizes is not None:
        parts.append(f"cells of {sizes_text((), sizes)}")
    return ", ".join(parts) + (f" ({'; '.join(notes)})" if notes else "")


def _with_counts(names: Sequence[str], counts: NDArray[np.int64]) -> str:
    """The first few names with their numbers of cells, in brackets, on one line."""
    listed = []
    for name, count in zip(names[:MAX_EXAMPLES], counts[:MAX_EXAMPLES].tolist(), strict=True):
        line = " ".join(name.split())
        line = line if len(line) <= MAX_NAME_LENGTH else f"{line[: MAX_NAME_LENGTH - 1]}…"
        listed.append(f"{line} {count:,}")
    n_more = len(names) - len(listed)
    return f" ({', '.join(listed)}{f' and {n_more:,} more' if n_more else ''})"
