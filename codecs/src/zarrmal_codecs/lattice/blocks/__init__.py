"""What is known of a block: of coefficients, or of samples (FORMAT-lattice 5, 8)."""
