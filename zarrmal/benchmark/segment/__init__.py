"""How well and how fast cells are found on slides."""

from .measure import FieldScore, SegmentScore, measure

__all__ = ["FieldScore", "SegmentScore", "measure"]
