"""The only room that imports torch; import it late."""

from .hybrid import HybridOptions, HybridResult, train_hybrid
from .train import ClassReport, TrainOptions, TrainResult, train_model
from .wishes import as_json, train_any

__all__ = [
    "ClassReport",
    "HybridOptions",
    "HybridResult",
    "TrainOptions",
    "TrainResult",
    "as_json",
    "train_any",
    "train_hybrid",
    "train_model",
]
