"""The lock: one writer at a time, and an archive that is whole or absent."""
