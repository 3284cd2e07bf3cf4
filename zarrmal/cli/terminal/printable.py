"""Text of strangers on a terminal, which obeys some text instead of showing it."""

from __future__ import annotations

from rich.markup import escape


def printable(text: str) -> str:
    """The text with all that a terminal would obey, and not show, shown as escapes."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def plain(text: str) -> str:
    """The same for where rich reads markup: brackets stay brackets."""
    return escape(printable(text))
