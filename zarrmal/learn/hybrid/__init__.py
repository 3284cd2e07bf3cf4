"""Training the profile `hybrid`: a small autoencoder and a causal context network together."""

from .groups.report import CrossTable, Groups
from .options import EFFORTS, Effort, HybridOptions
from .train import HybridReport, HybridResult, train_hybrid

__all__ = [
    "EFFORTS",
    "CrossTable",
    "Effort",
    "Groups",
    "HybridOptions",
    "HybridReport",
    "HybridResult",
    "train_hybrid",
]
