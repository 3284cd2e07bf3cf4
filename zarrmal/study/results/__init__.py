"""Results of a study: the numbers in ``results.json``, and how to look them up."""

from .study_results import RESULTS_NAME, TRAINING, UNSEEN, StudyResults

__all__ = ["RESULTS_NAME", "TRAINING", "UNSEEN", "StudyResults"]
