"""Classes of cells: by label, by the shortest code, by a classifier, or by a user's function.

A trained classifier runs in NumPy. Training one needs torch: see ``zarrmal.learn.classifier``.
"""

from .assigners import (
    ClassifierAssigner,
    EvaluatedClassifierAssigner,
    LabelAssigner,
    ShortestAssigner,
)
from .assignment import Assigner, Assignment, checked_assignment
from .network import CellClassifier
from .report import ClassifierReport

__all__ = [
    "Assigner",
    "Assignment",
    "CellClassifier",
    "ClassifierAssigner",
    "ClassifierReport",
    "EvaluatedClassifierAssigner",
    "LabelAssigner",
    "ShortestAssigner",
    "checked_assignment",
]
