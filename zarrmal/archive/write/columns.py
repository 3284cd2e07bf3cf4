"""Writing the arrays beside the cells: one value per cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numcodecs
import numpy as np
import zarr
from numpy.typing import NDArray

from ...errors import InputError
from ...sources import Source
from ...sources.columns.provenance import SLIDE
from ...sources.columns.strings import refuse_surrogates
from ...sources.limits import MAX_LABELS
from .. import format as layout
from ..opened import OpenArchive
from ..storage.objects import stored_digests
from .commit import resized
from .order import CellOrder

Values = NDArray[Any]
MIN_TEXT_WIDTH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class NewColumns:
    """Values of new cells, in the archive's order.

    Parameters
    ----------
    values
        Array name -> (cell,).
    label_names
        What ``label`` refers to: the archive's names, then new ones.
    """

    values: dict[str, Values]
    label_names: tuple[str, ...]

    @property
    def attributes(self) -> dict[str, dict[str, Any]]:
        """Array name -> attributes that follow from the values."""
        return {layout.LABEL: layout.flag_attributes(self.label_names)} if self.label_names else {}


def new_columns(
    source: Source, order: CellOrder, *, n_stored: int = 0, label_names: tuple[str, ...] = ()
) -> NewColumns:
    """What the source tells of the cells, in their new order.

    Parameters
    ----------
    n_stored
        Cells that the archive holds already: indices in the source continue from there.
    label_names
        That the archive holds already.

    Raises
    ------
    InputError
        If there are too many labels, or texts that cannot be stored.
    """
    for what, texts in (
        ("labels", source.class_names),
        ("groups", () if source.groups is None else source.groups.tolist()),
        ("splits", () if source.splits is None else source.splits.tolist()),
        ("names", () if source.names is None else source.names.tolist()),
        ("slides", source.columns[SLIDE].tolist() if SLIDE in source.columns else ()),
    ):
        refuse_surrogates(texts, f"{source.description}: the {what}")
    rows = order.source_index
    values: dict[str, Values] = {layout.PREDICTED_CLASS: order.predicted_class}
    if order.probability is not None:
        values[layout.CLASS_PROBABILITY] = order.probability
    if source.labels is not None:
        names = (*label_names, *(n for n in source.class_names if n not in label_names))
        if len(names) > MAX_LABELS:
            raise InputError(f"with these cells the archive would have {len(names)} labels, at "
                             f"most {MAX_LABELS} are possible")  # fmt: skip
        indices = np.array([names.index(name) for name in source.class_names], np.uint8)
        values[layout.LABEL] = indices[source.labels[rows]]
        label_names = names
    values[layout.SOURCE_INDEX] = rows + n_stored
    if source.names is not None:
        values[layout.SOURCE_NAME] = source.names[rows]
    if source.groups is not None:
        values[layout.SOURCE_GROUP] = source.groups[rows]
    if source.splits is not None:
        values[layout.SPLIT] = source.splits[rows]
    if source.sizes is not None:
        values[layout.HEIGHT], values[layout.WIDTH] = source.sizes[rows].astype(np.uint16).T
    for name, column in source.columns.items():
        values[name] = column[rows]
    return NewColumns(values=values, label_names=label_names)


def matching_columns(columns: NewColumns, archive: OpenArchive) -> NewColumns:
    """The columns that an archive has; InputError if it has one that the new cells lack.

    Further columns of the new cells are dropped. A missing probability becomes NaN, which CF takes
    for a missing value too.
    """
    names = archive.array_names - set(layout.WITH_CELLS)
    values = {name: v for name, v in columns.values.items() if name in names}
    if layout.CLASS_PROBABILITY in names - values.keys():
        n_cells = len(values[layout.SOURCE_INDEX])
        values[layout.CLASS_PROBABILITY] = np.full(n_cells, np.nan, np.float32)
    if missing := sorted(names - values.keys()):
        what = ", ".join(f"{layout.LONG_NAMES[name]} (`{name}`)" for name in missing)
        raise InputError(f"{archive.location.url} holds for each cell its {what}; these cells come "
                         f"without: append cells that have it")  # fmt: skip
    for name, new in values.items():
        width = _fixed_width(archive, name)
        if width is not None and (longest := longest_text(new)) > width:
            raise InputError(
                f"{archive.location.url} holds {layout.LONG_NAMES[name]} (`{name}`) of {width} "
                f"characters at most, as Zarr format 2 has it, these have {longest}: shorten them, "
                f"or write an archive of format 3"
            )
    label_names = columns.label_names if layout.LABEL in names else ()
    return NewColumns(values=values, label_names=label_names)


def _fixed_width(archive: OpenArchive, name: str) -> int | None:
    """Characters that a string of an array may have; None where there is no such limit."""
    array = archive.array(name)
    if array is None or array.dtype.kind != "U":
        return None
    return int(array.dtype.itemsize) // 4


def create_column(
    group: zarr.Group,
    name: str,
    values: Values,
    attributes: Mapping[str, Any],
    n_chunk: int | None = None,
) -> None:
    """Create an empty array for such values, in chunks of INDEX_CHUNK_CELLS or so many cells."""
    is_text = values.dtype.kind in "UT"
    dtype: Any = str if is_text else values.dtype
    extra: dict[str, Any] = {}
    if group.metadata.zarr_format == 2:
        # Or xarray would take zeros for missing values.
        extra["fill_value"] = None
        if is_text:  # of strings of any length xarray cannot save a copy
            dtype = f"<U{text_width(values)}"
            # Most of a chunk is zeros, of which zarr's default, LZ4, makes 34 kB at least.
            extra["compressors"] = numcodecs.Zstd(level=9)
    create_array(
        group,
        name,
        shape=(0,),
        chunks=(n_chunk or layout.INDEX_CHUNK_CELLS,),
        dtype=dtype,
        attributes=dict(attributes),
        **extra,
    )


def text_width(values: Values) -> int:
    """Characters of a string array of format 2: twice the longest, as later ones may be longer."""
    return max(MIN_TEXT_WIDTH, 2 * longest_text(values))


def longest_text(values: Values) -> int:
    """Characters of the longest string."""
    return int(np.strings.str_len(values).max(initial=0))


def create_array(
    group: zarr.Group, name: str, *, channel_first: bool = False, **arguments: Any
) -> zarr.Array[Any]:
    """Create an array with its dimension names and attributes, in either format."""
    arguments.pop("zarr_format", None)  # the group's
    arguments.setdefault("config", {"write_empty_chunks": True})
    names = layout.dimensions(name, len(arguments["shape"]), channel_first=channel_first)
    attributes = arguments.pop("attributes", {}) | {"long_name": layout.LONG_NAMES[name]}
    if group.metadata.zarr_format == 2:
        attributes["_ARRAY_DIMENSIONS"] = list(names)
    else:
        arguments["dimension_names"] = names
    return group.create_array(name, attributes=attributes, **arguments)


def write_columns(archive: OpenArchive, columns: NewColumns) -> dict[str, dict[str, str]]:
    """Store the values of new cells behind those of the archive; all digests of these arrays.

    Until the commit readers see no change.
    """
    first = archive.facts.n_cells
    digests = {}
    for name, values in columns.values.items():
        array = archive.group[name]
        assert isinstance(array, zarr.Array)
        longer = resized(array, first + len(values))
        if values.dtype.kind in "UT":
            values = values.astype(array.dtype if array.dtype.kind == "U" else object)
        longer[first:] = values
        new = stored_digests(longer, first // array.chunks[0])
        digests[name] = {**archive.digests.of(name), **new}
    return digests


def stored_order(archive: OpenArchive, n_new: int) -> CellOrder | None:
    """The order that an interrupted run has stored behind the cells of the archive.

    None if what is stored there is not an order: each cell once, sorted by class.
    """
    n_stored, n_classes = archive.facts.n_cells, len(archive.class_names)

    def column(name: str) -> Values | None:
        array = archive.array(name)
        if array is None:
            return None
        return np.asarray(resized(array, n_stored + n_new)[n_stored:])

    index, classes = column(layout.SOURCE_INDEX), column(layout.PREDICTED_CLASS)
    if (
        index is None
        or classes is None
        or not np.array_equal(np.sort(index), n_stored + np.arange(n_new))
    ):
        return None
    if (np.diff(classes.astype(np.int64)) < 0).any() or classes.max(initial=0) >= n_classes:
        return None
    return CellOrder(
        source_index=index - n_stored,
        predicted_class=classes,
        probability=column(layout.CLASS_PROBABILITY),
        n_classes=n_classes,
    )
