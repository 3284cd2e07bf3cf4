"""Ours beside other coders, in one run, checked lossless."""

from .measure import LossyError, Measurement, measure_rival
from .ours import Ours
from .rivals import Rival, all_rivals, named_rivals
from .run import BenchmarkResult, refuse_unfit, run_benchmark, split_source

__all__ = [
    "BenchmarkResult",
    "LossyError",
    "Measurement",
    "Ours",
    "Rival",
    "all_rivals",
    "measure_rival",
    "named_rivals",
    "refuse_unfit",
    "run_benchmark",
    "split_source",
]
