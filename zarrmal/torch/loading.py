"""Batches of a data set, as a training loop gets them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch.utils.data import DataLoader


def batches(
    data: Any, *, batch_cells: int, workers: int = 0, positions: Sequence[int] | None = None
) -> DataLoader[Any]:
    """A DataLoader.

    Parameters
    ----------
    positions
        Of a map-style data set, in the order in which they are read; None reads it in its own.
    """
    sampler = None if positions is None else list(positions)
    return DataLoader(data, batch_size=batch_cells, num_workers=workers, sampler=sampler)
