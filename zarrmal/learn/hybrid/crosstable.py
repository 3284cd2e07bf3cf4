"""What learned groups turned out to be: beside labels and slides, by stain and by size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...sources import Source
from .start import looks


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossTable:
    """Groups against something known of the cells.

    Parameters
    ----------
    of
        "label" or "slide".
    values, counts
        Names, and cells of each value in each group, (value, group).
    explained
        Share of the groups' entropy that the value tells, 0..1: 1 where it names the group.
    cramers_v
        0..1, of the same table.
    concentration
        Share of the cells that are in the largest group of their value.
    """

    of: str
    values: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    explained: float
    cramers_v: float
    concentration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Learned classes as the codec assigns the training cells.

    Parameters
    ----------
    wished
        What was asked for: "auto" or a number.
    n_cells
        Of each group, the largest first.
    n_dropped
        Groups that did not save what they cost: so many were too many.
    brightness
        Mean grey level of the foreground in each group, (group, plane).
    foreground
        Mean share of the cell's pixels that are not blank, (group,).
    brightness_explained, foreground_explained
        Share of their variance among cells that the group explains, 0..1; the planes' mean.
    tables
        Against labels and slides, where known.
    """

    wished: str
    names: tuple[str, ...]
    n_cells: tuple[int, ...]
    n_dropped: int
    brightness: tuple[tuple[float, ...], ...]
    foreground: tuple[float, ...]
    brightness_explained: float
    foreground_explained: float
    tables: tuple[CrossTable, ...]


def describe(
    wished: str,
    names: tuple[str, ...],
    groups: NDArray[np.int64],
    n_dropped: int,
    source: Source,
    rows: NDArray[np.int64],
    cells: NDArray[np.uint8],
) -> Groups:
    """Look at groups of cells.

    Parameters
    ----------
    groups
        int64 (cell,), 0 <= group < len(names).
    source, rows
        Where the cells come from, and their places there.
    cells
        uint8 (cell, y, x[, channel]).
    """
    mean, _, share = looks(cells)
    tables = []
    if source.labels is not None and source.class_names:
        values = np.array(source.class_names)[source.labels[rows]]
        tables.append(cross_table("label", values, groups, len(names)))
    if source.groups is not None:
        values = np.asarray(source.groups)[rows]
        tables.append(cross_table("slide", values, groups, len(names)))
    per_group = [groups == k for k in range(len(names))]
    by_plane = [_explained_variance(mean[:, p], groups) for p in range(mean.shape[1])]
    return Groups(
        wished=wished,
        names=names,
        n_cells=tuple(int(mine.sum()) for mine in per_group),
        n_dropped=n_dropped,
        brightness=tuple(
            tuple(float(v) for v in mean[mine].mean(axis=0)) if mine.any() else ()
            for mine in per_group
        ),
        foreground=tuple(float(share[mine].mean()) if mine.any() else 0.0 for mine in per_group),
        brightness_explained=float(np.mean(by_plane)),
        foreground_explained=_explained_variance(share, groups),
        tables=tuple(tables),
    )


def cross_table(
    of: str, values: NDArray[np.str_], groups: NDArray[np.int64], n_groups: int
) -> CrossTable:
    """Count values, (cell,), against groups."""
    names, places = np.unique(values, return_inverse=True)
    counts = np.bincount(places * n_groups + groups, minlength=len(names) * n_groups)
    counts = counts.reshape(len(names), n_groups)
    total = counts.sum()
    joint = counts / total
    by_value, by_group = joint.sum(axis=1, keepdims=True), joint.sum(axis=0, keepdims=True)
    expected = by_value * by_group
    seen = joint > 0
    mutual = float((joint[seen] * np.log2(joint[seen] / expected[seen])).sum())
    entropy = float(-(by_group[by_group > 0] * np.log2(by_group[by_group > 0])).sum())
    chance = expected > 0
    square = float(((joint - expected)[chance] ** 2 / expected[chance]).sum())
    least = min(len(names), int((by_group > 0).sum())) - 1
    return CrossTable(
        of=of,
        values=tuple(str(name) for name in names),
        counts=tuple(tuple(int(n) for n in row) for row in counts),
        explained=max(mutual, 0.0) / entropy if entropy > 0 else 0.0,
        cramers_v=float(np.sqrt(square / least)) if least > 0 else 0.0,
        concentration=float(counts.max(axis=1).sum() / total),
    )


def _explained_variance(values: NDArray[np.float32], groups: NDArray[np.int64]) -> float:
    """Share of the variance that lies between the groups."""
    whole = float(np.var(values.astype(np.float64)))
    if whole <= 1e-12:
        return 0.0
    inside = sum(
        float(np.var(values[groups == k].astype(np.float64))) * float((groups == k).mean())
        for k in np.unique(groups)
    )
    return max(0.0, 1 - inside / whole)
