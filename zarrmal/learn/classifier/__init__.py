"""Training a classifier of cells, which then runs in NumPy (``zarrmal.classify``)."""

from .cross_fit import CrossFittedClassifier, TrainedClassifier
from .train import ClassifierOptions, ClassifierResult, train_classifier

__all__ = [
    "ClassifierOptions",
    "ClassifierResult",
    "CrossFittedClassifier",
    "TrainedClassifier",
    "train_classifier",
]
