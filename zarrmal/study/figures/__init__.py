"""Figures of a study: the paper's 7 to 10 on our coders, the cost of a model, cells bit by bit."""

from __future__ import annotations

from .draw import FIGURES, draw_all, drawing

__all__ = ["FIGURES", "draw_all", "drawing"]
