"""The paper's experiment on misclassification and compression, done again on real coders."""

from .results import RESULTS_NAME, StudyResults

__all__ = ["RESULTS_NAME", "StudyResults"]
