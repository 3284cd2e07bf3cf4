"""Ours beside other coders, in one run, checked lossless."""

from .measure import LossyError, Measurement, measure_rival
from .rivals import Rival, all_rivals
from .run import BenchmarkResult, run_benchmark, split_source
from .speed import codec_speed

__all__ = [
    "BenchmarkResult",
    "LossyError",
    "Measurement",
    "Rival",
    "all_rivals",
    "codec_speed",
    "measure_rival",
    "run_benchmark",
    "split_source",
]
