"""The one error that the command line tells without a traceback."""

from __future__ import annotations


class InputError(ValueError):
    """A caller's mistake, told in one line."""
