"""Profile `hybrid`: cells of one class <-> rANS streams (FORMAT 6)."""
