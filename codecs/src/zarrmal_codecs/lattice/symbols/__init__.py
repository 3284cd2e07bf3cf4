"""Symbols and their distributions ↔ streams (FORMAT-lattice 3, 6, 8)."""
