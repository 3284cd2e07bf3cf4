"""What is known of each cell: label, group, name; checked once, for every kind of source."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

MAX_CLASSES = 256  # a label is one byte

Column = Sequence[str] | NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Labels, groups, names as found or given: strings or integers, (cell,); None if unknown."""

    labels: Column | None = None
    groups: Column | None = None
    names: Column | None = None

    @classmethod
    def found(cls, lookup: Callable[[str], Column | None]) -> Columns:
        """The columns of a file or group, by the names that archives and NIH files use."""

        def first(*keys: str) -> Column | None:
            columns = (lookup(key) for key in keys)
            return next((column for column in columns if column is not None), None)

        return cls(
            labels=first("label"),
            groups=first("source_group", "slide"),
            names=first("source_name", "path"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotations:
    """Checked columns; the fields are those of Source."""

    class_names: tuple[str, ...] = ()
    labels: NDArray[np.uint8] | None = None
    groups: NDArray[np.str_] | None = None
    names: NDArray[np.str_] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotator:
    """What the caller gives; it goes before what a file holds.

    Parameters
    ----------
    given
        Columns from Python.
    group_pattern
        Searched in a cell's name; the first group of the match, or the whole match, is the cell's
        group. Used where the file holds no groups.

    Raises
    ------
    InputError
        If the pattern is not a regular expression, or groups are given as well.
    """

    given: Columns
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

    def annotate(self, found: Columns, n_cells: int, where: str) -> Annotations:
        """Merge, check and convert.

        Raises
        ------
        InputError
            If a column has not one value per cell, holds anything but strings or integers, an
            empty label or group, more than 256 classes, or if a name does not match the pattern.
            The message begins with `where`.
        """

        def column(kind: str) -> NDArray[np.str_] | None:
            values = getattr(self.given, kind)
            values = getattr(found, kind) if values is None else values
            if values is None:
                return None
            text = strings(values, n_cells, f"{where}: the {kind}")
            n_empty = int((text == "").sum())
            if n_empty and kind != "names":
                raise InputError(
                    f"{where}: the {kind} are empty for {n_empty:,} of {n_cells:,} cells: "
                    "fill them in, or leave the others out"
                )
            return text

        label_names, groups, names = column("labels"), column("groups"), column("names")
        if groups is None and self.group_pattern is not None:
            if names is None:
                raise InputError(
                    f"{where}: a group pattern is searched in names, but the cells have none: "
                    "give names, or groups themselves"
                )
            groups = groups_of(names, self.group_pattern, where)
        if label_names is None:
            return Annotations(groups=groups, names=names)
        classes, labels = np.unique(label_names, return_inverse=True)
        if len(classes) > MAX_CLASSES:
            raise InputError(
                f"{where}: {len(classes):,} classes found ({classes[0]}, {classes[1]}, ...), at "
                f"most {MAX_CLASSES} are allowed: merge classes, or leave out the labels"
            )
        return Annotations(
            class_names=tuple(classes.tolist()),
            labels=labels.astype(np.uint8),
            groups=groups,
            names=names,
        )


def strings(column: Column, n_cells: int, what: str) -> NDArray[np.str_]:
    """A column as '<U' (cell,); integers become their decimal digits.

    Raises
    ------
    InputError
        If it is not one string or integer per cell, or a string is none of Unicode.
    """
    array = np.asarray(column)
    if array.shape != (n_cells,):
        raise InputError(
            f"{what} have shape {array.shape}, there are {n_cells:,} cells: one value per cell"
        )
    if array.dtype.kind == "S":
        try:
            array = np.char.decode(array, "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{what} are bytes, but not UTF-8: {error}") from error
    if array.dtype.kind in "OT":
        odd = [value for value in array.tolist() if not isinstance(value, str)]
        if odd:
            raise InputError(f"{what} hold {odd[0]!r}: strings or integers are allowed")
        array = np.array(array.tolist(), np.str_)
    if array.dtype.kind not in "Uiu":
        raise InputError(f"{what} are {array.dtype}: strings or integers are allowed")
    text: NDArray[np.str_] = array.astype(np.str_)
    refuse_surrogates(text.tolist(), what)
    return text


def refuse_surrogates(texts: Sequence[str], what: str) -> None:
    """InputError if one holds half a character, as names of files that are not UTF-8 do.

    It could be stored nowhere.
    """
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        odd = next(text for text in texts if half in text)
        raise InputError(
            f"{what} hold {odd!a}, which cannot be stored as UTF-8: change it"
        ) from error


def groups_of(names: NDArray[np.str_], pattern: str, where: str) -> NDArray[np.str_]:
    """Group of each cell, '<U' (cell,), by a regular expression searched in its name.

    Raises
    ------
    InputError
        If a name does not match, or gives an empty group.
    """
    expression = re.compile(pattern)
    groups = []
    for name in names.tolist():
        match = expression.search(name)
        group = match[1 if expression.groups else 0] if match else None
        if not group:
            raise InputError(
                f"{where}: the group pattern {pattern!r} finds no group in {name!r}: "
                "it must in every name"
            )
        groups.append(group)
    return np.array(groups, np.str_)


def describe(kind: str, n_cells: int, noun: str, annotations: Annotations) -> str:
    """One line for logs, such as "folder cells/: 3,742 images, 2 classes"."""
    n_classes = len(annotations.class_names)
    classes = {0: "no labels", 1: "1 class"}.get(n_classes, f"{n_classes} classes")
    return f"{kind}: {n_cells:,} {noun}{'s' if n_cells != 1 else ''}, {classes}"
