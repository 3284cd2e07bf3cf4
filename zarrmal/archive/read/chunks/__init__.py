"""Chunks of the cells: where their bytes are, what can be recovered of them, what is wrong."""
