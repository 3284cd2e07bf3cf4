"""Training the profile `paper`: a stacked autoencoder for each class."""

from .options import TrainOptions
from .train import ClassReport, TrainResult, train_model

__all__ = ["ClassReport", "TrainOptions", "TrainResult", "train_model"]
