"""Verify: every stored byte checked."""
