"""Masks of cells that were cut out and then resampled, inferred from their edges; needs numba."""

from .rule import Rule, rule_of
from .source import InferMode, InferredSilhouettes, lacks_inference, with_inferred_masks

__all__ = [
    "InferMode",
    "InferredSilhouettes",
    "Rule",
    "lacks_inference",
    "rule_of",
    "with_inferred_masks",
]
