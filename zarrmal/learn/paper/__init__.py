"""Training the profile `paper`: a stacked autoencoder for each class."""

from .train import ClassReport, TrainOptions, TrainResult, train_model

__all__ = ["ClassReport", "TrainOptions", "TrainResult", "train_model"]
