"""The command line: one module a command."""

from . import (
    ablation,
    append,
    archive,
    benchmark,
    benchmark_loading,
    benchmark_segment,
    demo,
    inspect,
    scale,
    segment,
    study,
    train,
    train_classifier,
    train_lattice,
)  # they register their commands
from .app import app
from .console import escape_unprintable, quiet_libraries


def main() -> None:
    """Entry point of the console script."""
    escape_unprintable()
    with quiet_libraries():
        app()


__all__ = [
    "ablation",
    "app",
    "append",
    "archive",
    "benchmark",
    "benchmark_loading",
    "benchmark_segment",
    "demo",
    "inspect",
    "main",
    "scale",
    "segment",
    "study",
    "train",
    "train_classifier",
    "train_lattice",
]
