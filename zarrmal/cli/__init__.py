"""The command line: one module a command."""

from . import (
    archive,
    benchmark,
    demo,
    inspect,
    study,
    train,
    train_classifier,
)  # they register their commands
from .app import app
from .console import quiet_libraries


def main() -> None:
    """Entry point of the console script."""
    with quiet_libraries():
        app()


__all__ = [
    "app",
    "archive",
    "benchmark",
    "demo",
    "inspect",
    "main",
    "study",
    "train",
    "train_classifier",
]
