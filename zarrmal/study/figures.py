"""Figures of a study."""

from __future__ import annotations

from pathlib import Path

from .results import StudyResults


def draw_all(results: StudyResults, folder: Path) -> list[Path]:
    """Draw every figure; the files written."""
    return []
