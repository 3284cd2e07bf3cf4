"""Model files <-> models: layers, their proofs, networks, the paper's autoencoder (FORMAT 2, 3)."""
