"""What a caller may follow of a write or an append; the command line prints it."""

from __future__ import annotations

from typing import Literal

from zarrmal_codecs import Model

from .classify import CellClassifier, ClassifierReport
from .progress import Progress, silent
from .sources import Source

Origin = Literal["given", "resumed", "shipped", "trained", "none"]


class Listener:
    """Does nothing; override what you want to follow.

    Parameters
    ----------
    progress
        Called often; see Progress.
    """

    def __init__(self, progress: Progress = silent) -> None:
        self.progress = progress

    def opened(self, source: Source) -> None:
        """The cells are found."""

    def training(self, source: Source) -> None:
        """A model is trained on the cells first."""

    def coding_with(self, model: Model | None, origin: Origin, source: Source) -> None:
        """The model that codes the cells, and where it comes from; None: they are deflated."""

    def not_searched(self) -> None:
        """The model codes JPEG coefficients; numba, which finds them in pixels, is missing."""

    def not_inferred(self) -> None:
        """Cells look cut out and then resampled; numba, which infers their masks, is missing."""

    def classifying_with(self, classifier: CellClassifier) -> None:
        """A shipped classifier assigns classes."""

    def judged(self, report: ClassifierReport) -> None:
        """How well a classifier did on labelled cells that it had not seen."""
