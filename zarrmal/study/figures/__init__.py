"""Figures of a study: the paper's 7 to 10, the cost of a model, and example cells bit by bit."""

from __future__ import annotations

from .draw import FIGURES, draw_all, drawing

__all__ = ["FIGURES", "draw_all", "drawing"]
