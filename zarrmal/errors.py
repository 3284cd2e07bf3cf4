"""The one error that the command line tells without a traceback."""

from __future__ import annotations

import re


class InputError(ValueError):
    """A caller's mistake, told in one line, without the passwords of the URLs in it."""

    def __init__(self, text: str) -> None:
        super().__init__(without_passwords(text))


def without_passwords(text: str) -> str:
    """The text with what stands between :// and @ of a URL, and after its ?, blotted out."""
    text = re.sub(r"(://)[^/\s@]+@", r"\1***@", text)
    return re.sub(r"(://[^\s?]+\?)[^\s'\"]+", r"\1***", text)
