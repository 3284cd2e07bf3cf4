"""Split of cells for validation: by slide where slides are known, so that none is in both parts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def split_by_group(
    n_cells: int, groups: NDArray[np.str_] | None, share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows for training and rows for validation, both ascending.

    Parameters
    ----------
    n_cells
        Number of cells.
    groups
        (cell,): slide of each cell. With None, or fewer than two groups, cells are split singly.
    share
        Share of the groups (or cells) for validation, 0 <= share < 1; at least one group if
        share > 0.
    seed
        The same seed gives the same split.
    """
    generator = np.random.default_rng(seed)
    if groups is None:
        units = np.arange(n_cells)
    else:
        names, units = np.unique(np.asarray(groups), return_inverse=True)
        if len(names) < 2:
            units = np.arange(n_cells)
    n_units = int(units.max()) + 1 if n_cells else 0
    n_validation = min(n_units - 1, max(1, round(share * n_units))) if share > 0 else 0
    chosen = generator.permutation(n_units)[: max(n_validation, 0)]
    is_validation = np.isin(units, chosen)
    return np.flatnonzero(~is_validation), np.flatnonzero(is_validation)
