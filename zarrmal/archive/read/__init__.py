"""Read: chunks, cells and columns, sound or damaged."""
