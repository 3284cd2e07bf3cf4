"""Extract: cells as image files."""
