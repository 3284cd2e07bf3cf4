"""The page of a study: one file that opens from disk, with every figure and number inside."""

from __future__ import annotations

from .document import PAGE_NAME, write_page

__all__ = ["PAGE_NAME", "write_page"]
