"""How fast the codec codes, an archive is read, and coefficients are found."""
