"""What is known of each cell beside its pixels: annotations, provenance, strings."""
