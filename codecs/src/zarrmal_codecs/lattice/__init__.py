"""Cells as the quantised coefficients of the JPEG picture that they were cut out of."""
