"""Which class each cell gets: by label, by the shorter code, or by any callable.

The trained classifiers need torch and live in ``zarrmal.learn.classifier``.
"""

from .assignment import Assigner, Assignment, checked
from .labels import LabelAssigner
from .report import ClassifierReport
from .shortest import ShortestAssigner

__all__ = [
    "Assigner",
    "Assignment",
    "ClassifierReport",
    "LabelAssigner",
    "ShortestAssigner",
    "checked",
]
