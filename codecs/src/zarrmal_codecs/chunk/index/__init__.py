"""What the header of a chunk tells of each cell (FORMAT 4.3, FORMAT-lattice 9)."""
