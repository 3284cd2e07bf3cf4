"""The page of a study: one HTML file with every figure and number."""

from __future__ import annotations

from .document import PAGE_NAME, write_page

__all__ = ["PAGE_NAME", "write_page"]
