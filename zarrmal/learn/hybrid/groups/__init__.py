"""Learned classes: cells that one model codes in fewer bits than the others."""
