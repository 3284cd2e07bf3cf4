"""The page of a study."""

from __future__ import annotations

from pathlib import Path

from .results import StudyResults


def write_page(results: StudyResults, folder: Path) -> Path:
    """Write the page; its place."""
    return folder / "index.html"
