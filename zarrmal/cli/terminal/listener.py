"""Follows a write or an append on stderr."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zarrmal_codecs import Model

from ...api import open_cells as opened
from ...classify import CellClassifier, ClassifierReport
from ...listener import Listener, Origin
from ...progress import Progress
from ...sources import Source
from ...sources.source import kind_text
from .console import say

if TYPE_CHECKING:
    from ...segment import SegmentOptions


class ConsoleListener(Listener):
    """Prints what is found and chosen; remembers what the result needs."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(progress)
        self.unreadable: tuple[str, ...] = ()
        self.report: ClassifierReport | None = None

    def opened(self, source: Source) -> None:
        """See Listener."""
        say_source(source)
        self.unreadable = source.unreadable

    def training(self, source: Source) -> None:
        """See Listener."""
        say("no --model: training one on these cells (`zarrmal train` saves one for reuse)")

    def coding_with(self, model: Model | None, origin: Origin, source: Source) -> None:
        """See Listener."""
        if origin == "none":
            say(f"no shipped model is for cells of {kind_text(source)}: they are stored without "
                f"one, shuffled and deflated")  # fmt: skip
        if origin != "shipped" or model is None:
            return
        say(f"no --model: using the shipped one, {model!r}")
        if source.sizes is None:
            say("a model of your own cells is smaller on them: `zarrmal train SOURCE -o MODEL`")

    def not_searched(self) -> None:
        """See Listener."""
        say("pixels are not searched for the JPEG pictures that they were cut out of, which would "
            "make the archive smaller if there are any: that needs pip install "
            "'zarrmal[lattice]'")  # fmt: skip

    def not_inferred(self) -> None:
        """See Listener."""
        say("masks of these cells, which were cut out and then resampled, are not inferred, which "
            "would make the archive smaller: that needs pip install "
            "'zarrmal[lattice]'")  # fmt: skip

    def classifying_with(self, classifier: CellClassifier) -> None:
        """See Listener."""
        say(f"using the shipped classifier, trained on {classifier.trained_on} of the NIH malaria "
            f"images; on those very cells it does better than on unseen ones (--cross-fit learns "
            f"from your own labels)")  # fmt: skip

    def judged(self, report: ClassifierReport) -> None:
        """See Listener."""
        self.report = report


def open_cells(
    source: str,
    arguments: Mapping[str, Any],
    progress: Progress,
    slide: SegmentOptions | None = None,
) -> Source:
    """Open a source, with the arguments of ``SourceOptions``, and print what was found."""
    cells = opened(source, slide=slide, progress=progress, **arguments)
    say_source(cells)
    return cells


def say_source(source: Source) -> None:
    """What was found, and what was left out."""
    say(source.description)
    if source.unreadable:
        say(f"left out {len(source.unreadable)} unreadable files:")
        for name in source.unreadable:
            say(f"  {name}")
