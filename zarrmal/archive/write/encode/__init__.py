"""From new cells to the bytes of one stored object."""
