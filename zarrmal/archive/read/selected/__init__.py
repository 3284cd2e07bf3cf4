"""Some cells of an archive: their streams are fetched by byte range, and decoded together."""
