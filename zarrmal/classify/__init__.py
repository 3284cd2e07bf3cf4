"""Which class each cell gets: by label, by the shorter code, or by any callable.

A trained classifier runs in NumPy; training one needs torch and is ``zarrmal.learn.classifier``.
"""

from .assignment import Assigner, Assignment, checked
from .labels import LabelAssigner
from .network import CellClassifier
from .report import ClassifierReport
from .shortest import ShortestAssigner
from .trained import ClassifierAssigner, JudgedClassifier

__all__ = [
    "Assigner",
    "Assignment",
    "CellClassifier",
    "ClassifierAssigner",
    "ClassifierReport",
    "JudgedClassifier",
    "LabelAssigner",
    "ShortestAssigner",
    "checked",
]
