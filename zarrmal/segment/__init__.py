"""From slides to cells: slides read by tile, cells found, cut out and told apart."""

from .blood_cells import BloodCells, Segmented, Segmenter
from .find import SegmentOptions, find_objects
from .judge import Verdict
from .objects import Objects
from .slides import open_slide
from .source import SlideSource, open_slide_cells

__all__ = [
    "BloodCells",
    "Objects",
    "SegmentOptions",
    "Segmented",
    "Segmenter",
    "SlideSource",
    "Verdict",
    "find_objects",
    "open_slide",
    "open_slide_cells",
]
