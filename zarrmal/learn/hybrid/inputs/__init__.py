"""What the networks see of a cell: levels, coverage, planes in turn, pixels coded before."""
