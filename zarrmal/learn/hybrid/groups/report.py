"""Report on learned groups: against labels and slides, by stain and by size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ....sources import Source
from ..data import TrainingData
from .kmeans import foreground_statistics


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossTable:
    """Learned groups against another variable of the cells.

    Parameters
    ----------
    variable
        "label" or "slide".
    values, counts
        Values of the variable, and numbers of cells, (value, group).
    explained
        Share of the groups' entropy that the variable explains, 0..1 (uncertainty coefficient).
    cramers_v
        Cramér's V, 0..1.
    concentration
        Share of the cells that are in the largest group of their value, 0..1.
    """

    variable: str
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
    requested
        Number of groups as in the options: "auto" or a number.
    n_cells
        Of each group, the largest first.
    n_dropped
        Groups that did not save what they cost, and are not in the model.
    brightness
        Mean grey level of the foreground in each group, (group, plane).
    foreground
        Mean share of the cell's pixels that are not blank, (group,).
    brightness_explained, foreground_explained
        Share of their variance that the group explains, 0..1; the mean over planes.
    tables
        Against labels and slides, where these are known.
    """

    requested: str
    names: tuple[str, ...]
    n_cells: tuple[int, ...]
    n_dropped: int
    brightness: tuple[tuple[float, ...], ...]
    foreground: tuple[float, ...]
    brightness_explained: float
    foreground_explained: float
    tables: tuple[CrossTable, ...]


def describe(
    source: Source,
    data: TrainingData,
    names: tuple[str, ...],
    groups: NDArray[np.int64],
    n_trained: int,
) -> Groups:
    """Report on the groups of the training cells of a source.

    Parameters
    ----------
    names
        Of the groups that are in the model.
    groups
        int64 (cell,), 0 <= group < len(names).
    n_trained
        Number of groups before some were dropped.
    """
    assert data.cells is not None
    rows = data.rows
    mean, _, share = foreground_statistics(data.cells)
    tables = []
    if source.labels is not None and source.class_names:
        values = np.array(source.class_names)[source.labels[rows]]
        tables.append(cross_table("label", values, groups, len(names)))
    if source.groups is not None:
        values = np.asarray(source.groups)[rows]
        tables.append(cross_table("slide", values, groups, len(names)))
    members = [groups == k for k in range(len(names))]
    by_plane = [_explained_variance(mean[:, p], groups) for p in range(mean.shape[1])]
    return Groups(
        requested=str(data.options.classes),
        names=names,
        n_cells=tuple(int(group.sum()) for group in members),
        n_dropped=n_trained - len(names),
        brightness=tuple(
            tuple(float(v) for v in mean[group].mean(axis=0)) if group.any() else ()
            for group in members
        ),
        foreground=tuple(float(share[group].mean()) if group.any() else 0.0 for group in members),
        brightness_explained=float(np.mean(by_plane)),
        foreground_explained=_explained_variance(share, groups),
        tables=tuple(tables),
    )


def cross_table(
    variable: str, values: NDArray[np.str_], groups: NDArray[np.int64], n_groups: int
) -> CrossTable:
    """Count values (cell,) of a variable against groups int64 (cell,)."""
    names, indices = np.unique(values, return_inverse=True)
    counts = np.bincount(indices * n_groups + groups, minlength=len(names) * n_groups)
    counts = counts.reshape(len(names), n_groups)
    total = counts.sum()
    joint = counts / total
    by_value, by_group = joint.sum(axis=1, keepdims=True), joint.sum(axis=0, keepdims=True)
    expected = by_value * by_group
    nonzero = joint > 0
    information = joint[nonzero] * np.log2(joint[nonzero] / expected[nonzero])
    mutual = float(information.sum())
    entropy = float(-(by_group[by_group > 0] * np.log2(by_group[by_group > 0])).sum())
    possible = expected > 0
    chi_square = float(((joint - expected)[possible] ** 2 / expected[possible]).sum())
    freedom = min(len(names), int((by_group > 0).sum())) - 1
    return CrossTable(
        variable=variable,
        values=tuple(str(name) for name in names),
        counts=tuple(tuple(int(n) for n in row) for row in counts),
        explained=max(mutual, 0.0) / entropy if entropy > 0 else 0.0,
        cramers_v=float(np.sqrt(chi_square / freedom)) if freedom > 0 else 0.0,
        concentration=float(counts.max(axis=1).sum() / total),
    )


def _explained_variance(values: NDArray[np.float32], groups: NDArray[np.int64]) -> float:
    """Share of the variance that lies between the groups."""
    variance = float(np.var(values.astype(np.float64)))
    if variance <= 1e-12:
        return 0.0
    inside = sum(
        float(np.var(values[groups == k].astype(np.float64))) * float((groups == k).mean())
        for k in np.unique(groups)
    )
    return max(0.0, 1 - inside / variance)
