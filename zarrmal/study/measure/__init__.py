"""Measurements of a study: costs of cells, mixtures, side information, rivals, a classifier."""
