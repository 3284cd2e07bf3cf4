"""Storage: where an archive is, and its objects byte for byte."""
