"""Cells for training and cells for validation, no group in both."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..split import split_by_group

Positions = NDArray[np.int64]


def split_groups(
    n_cells: int, groups: NDArray[np.str_] | None, validation_share: float, seed: int
) -> tuple[Positions, Positions]:
    """Positions for training and for validation, both ascending.

    Parameters
    ----------
    groups
        (cell,); None splits by cell.
    validation_share
        Share of the groups, 0 < share < 1.

    Raises
    ------
    InputError
        If the share is not in this range, or fewer than two groups are there to be divided.
    """
    if not 0 < validation_share < 1:
        raise InputError(f"the share for validation is between 0 and 1, not {validation_share}")
    n_groups = n_cells if groups is None else len(np.unique(groups))
    if n_groups < 2:
        raise InputError(
            f"{n_groups} group cannot be divided into training and validation: write the archive "
            f"with groups, or choose other cells for validation"
        )
    return split_by_group(n_cells, groups, validation_share, seed)
