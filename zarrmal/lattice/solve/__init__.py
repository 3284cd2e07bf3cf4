"""Blocks of a plane → the coefficients that decode to exactly what is visible of them."""
