"""Mistakes of the caller, each in one line; the command line prints them without a traceback."""

from __future__ import annotations

import re


class InputError(ValueError):
    """A mistake of the caller; the message names no password of a URL."""

    def __init__(self, text: str) -> None:
        super().__init__(without_passwords(text))

    def __str__(self) -> str:
        return str(self.args[0])  # OSError, a second base below, would print a tuple


class MissingError(InputError, FileNotFoundError):
    """There is no such file, folder, bucket or archive."""


class ExistsError(InputError, FileExistsError):
    """Something that must not be replaced is there already."""


class AccessError(InputError, PermissionError):
    """The file system or the object store denies access."""


class UnreachableError(InputError, ConnectionError):
    """A server does not answer, or answers with an error of its own."""


class LockedError(InputError):
    """Another writer holds the archive."""


def without_passwords(text: str) -> str:
    """The text without what stands between :// and @ of a URL, and after its ``?``."""
    text = re.sub(r"(://)[^/\s@]+@", r"\1***@", text)
    return re.sub(r"(://[^\s?]+\?)[^\s'\"]+", r"\1***", text)
