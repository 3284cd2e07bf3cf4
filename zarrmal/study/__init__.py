"""The paper's experiment on misclassification and compression, repeated on real coders."""

from .results import RESULTS_NAME, StudyResults

__all__ = ["RESULTS_NAME", "StudyResults"]
