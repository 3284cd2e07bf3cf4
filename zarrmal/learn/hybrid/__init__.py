"""Training the profile `hybrid`: a small autoencoder and a causal context network together."""

from .options import EFFORTS, Effort, HybridOptions
from .train import HybridReport, HybridResult, train_hybrid

__all__ = ["EFFORTS", "Effort", "HybridOptions", "HybridReport", "HybridResult", "train_hybrid"]
