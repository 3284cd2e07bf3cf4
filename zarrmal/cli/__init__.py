"""The command line: one module a command, which registers itself when it is imported."""

from . import append, archive, inspect, segment
from .app import app
from .benchmark import command, loading, scale
from .benchmark import segment as benchmark_segment
from .demo import command as demo
from .study import command as study
from .terminal.console import escape_unprintable, quiet_libraries
from .train import ablation, classifier, lattice
from .train import command as train

COMMANDS = (
    *(append, archive, inspect, segment, command, loading, scale, benchmark_segment, demo, study),
    *(ablation, classifier, lattice, train),
)


def main() -> None:
    """Entry point of the console script."""
    escape_unprintable()
    with quiet_libraries():
        app()


__all__ = ["app", "main"]
