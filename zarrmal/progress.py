"""How long work tells how far it is; the command line draws it, others may pass their own."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called often; must be quick."""

    def __call__(self, task: str, done: int, total: int, note: str = "") -> None:
        """``done`` of ``total`` steps of ``task`` are finished."""


def silent(task: str, done: int, total: int, note: str = "") -> None:
    """Progress that shows nothing."""
