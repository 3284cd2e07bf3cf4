"""zarrmal beside other lossless coders, in one run, every result checked for equality."""

from .measurement import LossyError, Measurement
from .rivals import Rival, all_rivals, measure_rival, named_rivals
from .run import BenchmarkResult, refuse_unfit, run_benchmark, split_source

__all__ = [
    "BenchmarkResult",
    "LossyError",
    "Measurement",
    "Rival",
    "all_rivals",
    "measure_rival",
    "named_rivals",
    "refuse_unfit",
    "run_benchmark",
    "split_source",
]
