"""What the terminal shows: progress, errors, results; and what it must not show."""
