"""Cells, and masks of cells, as image files."""
