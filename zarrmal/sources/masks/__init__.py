"""Masks of cells: packed, as planes of an array, by name."""
