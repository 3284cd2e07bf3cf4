"""Cells as one array: in memory, in a file, in HDF5, in Zarr."""
