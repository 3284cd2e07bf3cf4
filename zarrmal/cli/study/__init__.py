"""The command that does the paper's experiment again."""
