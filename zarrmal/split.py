"""Keeping cells apart for validation: by slide, never by cell where slides are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def split_by_group(
    n_cells: int, groups: NDArray[np.str_] | None, share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to train on and rows to keep out, both ascending.

    Parameters
    ----------
    n_cells
        Number of cells.
    groups
        (cell,) slide of each; None splits by cell, as do fewer than two groups.
    share
        Of the groups (or cells) kept out, 0 <= share < 1; at least one group where share > 0.
    seed
        Of the draw.
    """
    generator = np.random.default_rng(seed)
    if groups is None:
        units = np.arange(n_cells)
    else:
        names, units = np.unique(np.asarray(groups), return_inverse=True)
        if len(names) < 2:
            units = np.arange(n_cells)
    n_units = int(units.max()) + 1 if n_cells else 0
    n_kept = min(n_units - 1, max(1, round(share * n_units))) if share > 0 else 0
    kept = np.isin(units, generator.permutation(n_units)[: max(n_kept, 0)])
    return np.flatnonzero(~kept), np.flatnonzero(kept)
