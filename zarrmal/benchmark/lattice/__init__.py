"""What of the cameras' own coefficients is found behind cells, and how much of it is right."""
