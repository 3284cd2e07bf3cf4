"""Data sets for training on archives; needs torch (``pip install 'zarrmal[torch]'``)."""

try:
    import torch as _torch  # noqa: F401
except ImportError as error:
    raise ImportError("zarrmal.torch needs torch: pip install 'zarrmal[torch]'") from error

from .cell_dataset import CellDataset
from .shuffled_cells import ShuffledCells

__all__ = ["CellDataset", "ShuffledCells"]
