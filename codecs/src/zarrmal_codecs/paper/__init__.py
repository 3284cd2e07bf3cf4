"""Profile `paper`: cells of one class <-> Rice codes of residues (FORMAT 4.5)."""
