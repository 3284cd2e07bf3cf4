"""The arrays beside the cells: one value a cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from ..errors import InputError
from ..sources import Source
from ..sources.strings import refuse_surrogates
from . import layout
from .commit import extended
from .layout import ArchiveFacts
from .plan import Plan
from .stored import stored_digests
from .target import find_array

Values = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Values of new cells, in the archive's order.

    Parameters
    ----------
    values
        Array name -> (cell,).
    label_names
        What ``label`` refers to: the archive's, then new ones.
    """

    values: dict[str, Values]
    label_names: tuple[str, ...]

    @property
    def attributes(self) -> dict[str, dict[str, Any]]:
        """Array name -> attributes that follow from the values."""
        return {layout.LABEL: layout.flag_attributes(self.label_names)} if self.label_names else {}


def columns_of(
    source: Source, plan: Plan, *, n_stored: int, label_names: tuple[str, ...]
) -> Columns:
    """What is known of the cells of a plan.

    Parameters
    ----------
    n_stored
        Cells of the archive before: places in the source are counted on from there.
    label_names
        Of the archive before.

    Raises
    ------
    InputError
        If there are too many labels, or texts that cannot be stored.
    """
    for what, texts in (
        ("labels", source.class_names),
        ("groups", () if source.groups is None else source.groups.tolist()),
        ("names", () if source.names is None else source.names.tolist()),
    ):
        refuse_surrogates(texts, f"{source.description}: the {what}")
    order = plan.order
    values: dict[str, Values] = {layout.PREDICTED_CLASS: plan.predicted_class}
    if plan.probability is not None:
        values[layout.CLASS_PROBABILITY] = plan.probability
    if source.labels is not None:
        names = (*label_names, *(n for n in source.class_names if n not in label_names))
        if len(names) > layout.MAX_LABELS:
            raise InputError(f"with these cells the archive would have {len(names)} labels, at "
                             f"most {layout.MAX_LABELS} are possible")  # fmt: skip
        places = np.array([names.index(name) for name in source.class_names], np.uint8)
        values[layout.LABEL] = places[source.labels[order]]
        label_names = names
    values[layout.SOURCE_INDEX] = order + n_stored
    if source.names is not None:
        values[layout.SOURCE_NAME] = source.names[order]
    if source.groups is not None:
        values[layout.SOURCE_GROUP] = source.groups[order]
    return Columns(values=values, label_names=label_names)


def same_columns(columns: Columns, held: set[str], url: str) -> Columns:
    """The columns that an archive has; InputError if it has one that the new cells lack.

    What the new cells have more is left out. A probability that is missing becomes NaN, which CF
    calls a missing value too.
    """
    values = {name: v for name, v in columns.values.items() if name in held}
    if layout.CLASS_PROBABILITY in held - values.keys():
        n_cells = len(values[layout.SOURCE_INDEX])
        values[layout.CLASS_PROBABILITY] = np.full(n_cells, np.nan, np.float32)
    missing = held - values.keys() - {layout.CELLS}
    if missing:
        what = ", ".join(f"{layout.LONG_NAMES[name]} (`{name}`)" for name in sorted(missing))
        raise InputError(f"{url} knows of each cell its {what}; these cells come without: append "
                         f"cells of which as much is known")  # fmt: skip
    label_names = columns.label_names if layout.LABEL in held else ()
    return Columns(values=values, label_names=label_names)


def create_column(
    group: zarr.Group, name: str, values: Values, attributes: Mapping[str, Any]
) -> None:
    """An empty array for such values."""
    is_text = values.dtype.kind in "UT"
    extra: dict[str, Any] = {}
    if group.metadata.zarr_format == 2:
        # Or xarray would take zeros for missing values.
        extra["fill_value"] = "" if is_text else None
    create_array(
        group,
        name,
        shape=(0,),
        chunks=(layout.INDEX_CHUNK_CELLS,),
        dtype=str if is_text else values.dtype,
        attributes=dict(attributes),
        **extra,
    )


def write_columns(
    group: zarr.Group, columns: Columns, facts: ArchiveFacts
) -> dict[str, dict[str, str]]:
    """Store the values of new cells behind those of the archive; all digests of these arrays.

    Readers of the archive as it was see no change.
    """
    digests = {}
    for name, values in columns.values.items():
        array = group[name]
        assert isinstance(array, zarr.Array)
        longer = extended(array, facts.n_cells + len(values))
        longer[facts.n_cells :] = values.astype(object) if values.dtype.kind in "UT" else values
        first = facts.n_cells // array.chunks[0]
        digests[name] = {**facts.digests.get(name, {}), **stored_digests(longer, first)}
    return digests


def stored_plan(group: zarr.Group, facts: ArchiveFacts, n_new: int, n_classes: int) -> Plan | None:
    """The plan that an interrupted run has stored behind the cells of the archive.

    None if what is there is none: not each cell once, or not sorted by class.
    """

    def column(name: str) -> Values | None:
        array = find_array(group, name)
        if array is None:
            return None
        return np.asarray(extended(array, facts.n_cells + n_new)[facts.n_cells :])

    order, classes = column(layout.SOURCE_INDEX), column(layout.PREDICTED_CLASS)
    if (
        order is None
        or classes is None
        or not np.array_equal(np.sort(order), facts.n_cells + np.arange(n_new))
    ):
        return None
    if (np.diff(classes.astype(np.int64)) < 0).any() or classes.max(initial=0) >= n_classes:
        return None
    return Plan(
        order=order - facts.n_cells,
        predicted_class=classes,
        probability=column(layout.CLASS_PROBABILITY),
        n_classes=n_classes,
    )


def create_array(group: zarr.Group, name: str, **arguments: Any) -> zarr.Array[Any]:
    """Create an array with its dimension names and attributes, in either format."""
    arguments.pop("zarr_format", None)  # the group's
    arguments.setdefault("config", {"write_empty_chunks": True})
    names = layout.dimensions(len(arguments["shape"]))
    attributes = arguments.pop("attributes", {}) | {"long_name": layout.LONG_NAMES[name]}
    if group.metadata.zarr_format == 2:
        attributes["_ARRAY_DIMENSIONS"] = list(names)
    else:
        arguments["dimension_names"] = names
    return group.create_array(name, attributes=attributes, **arguments)
