"""Progress of long work: the interface, and one that shows nothing."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """A function that shows progress. It is called often, so it must return quickly."""

    def __call__(self, task: str, done: int, total: int, note: str = "") -> None:
        """Show that ``done`` of ``total`` steps of ``task`` are finished."""


def silent(task: str, done: int, total: int, note: str = "") -> None:
    """Show nothing."""
