"""Class by the shorter code: it can never lose to a classifier in bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import Model
from zarrmal_codecs.coder import coder_for

from .assignment import Assignment


class ShortestAssigner:
    """Gives each cell the class whose model codes it in fewer bits.

    Parameters
    ----------
    model
        The model that the cells will be written with.
    """

    def __init__(self, model: Model) -> None:
        self._coder = coder_for(model)

    def __call__(self, cells: NDArray[np.uint8], rows: NDArray[np.int64]) -> Assignment:
        """See Assigner."""
        return Assignment(predicted_class=self._coder.shortest(cells))
