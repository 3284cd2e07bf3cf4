"""The command that shows the main jobs."""
