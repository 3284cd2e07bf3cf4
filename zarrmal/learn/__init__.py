"""The only room that imports torch; import it late."""

from .train import ClassReport, TrainOptions, TrainResult, as_json, train_model

__all__ = ["ClassReport", "TrainOptions", "TrainResult", "as_json", "train_model"]
