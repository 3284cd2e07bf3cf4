"""The codec for zarr and for numcodecs (FORMAT 5)."""
