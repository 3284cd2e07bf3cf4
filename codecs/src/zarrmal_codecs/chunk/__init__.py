"""Any array <-> the bytes of one chunk (FORMAT 4)."""
