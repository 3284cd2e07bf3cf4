"""The command line: one module a command."""

from . import (
    append,
    archive,
    benchmark,
    demo,
    inspect,
    scale,
    study,
    train,
    train_classifier,
)  # they register their commands
from .app import app
from .console import quiet_libraries, say_anything


def main() -> None:
    """Entry point of the console script."""
    say_anything()
    with quiet_libraries():
        app()


__all__ = [
    "app",
    "append",
    "archive",
    "benchmark",
    "demo",
    "inspect",
    "main",
    "scale",
    "study",
    "train",
    "train_classifier",
]
