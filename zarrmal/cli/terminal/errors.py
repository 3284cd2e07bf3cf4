"""Exit codes, and errors in one line: a traceback only for our own mistakes."""

from __future__ import annotations

import errno
import functools
import os
import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import typer
from zarrmal_codecs import ZarrmalError

from ...archive.storage.errors import store_errors
from ...errors import InputError, LockedError, UnreachableError
from .console import say_error

EXIT_DAMAGE = 1
"""Something is damaged, or not equal to its source."""
EXIT_USAGE = 2
"""Wrong use: an option, a path, cells that do not fit; also the code of unknown options."""
EXIT_UNREACHABLE = 3
"""A server does not answer, or fails."""
EXIT_LOCKED = 4
"""Another process writes the archive."""
EXIT_INTERRUPTED = 130

EXIT_CODES = (
    "Exit codes: 0 success, 1 damage (or cells that differ from the source), 2 wrong use, 3 a "
    "server that cannot be reached, 4 another process writes the archive, 130 interrupted."
)

_MAKE_ROOM = "make room, then run the command again, with --resume if it wrote an archive"
_PERMIT = "change its permissions, or choose another place"
ADVICE = {
    errno.ENOSPC: _MAKE_ROOM,
    errno.EDQUOT: _MAKE_ROOM,
    errno.EACCES: _PERMIT,
    errno.EPERM: _PERMIT,
    errno.EROFS: "choose another place",
}
"""What to do about an error of the system."""
PARTIAL_NAME = re.compile(r"(\.zarrmal-[0-9a-f]{32}|\.[0-9a-f]{32})?\.partial$")
"""How files that are being written differ from the name that they get, or stand in for it."""

P = ParamSpec("P")
R = TypeVar("R")


def reports_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Print a user's mistake in one line, and exit with its code."""

    @functools.wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with store_errors():
                return command(*args, **kwargs)
        except (InputError, ZarrmalError, OSError) as error:
            say_error(_message(error))
            raise typer.Exit(exit_code(error)) from None
        except KeyboardInterrupt as interrupt:
            state = str(interrupt) or "what was there before is unchanged"
            say_error(f"interrupted; {state}")
            raise typer.Exit(EXIT_INTERRUPTED) from None

    return wrapper


def exit_code(error: Exception) -> int:
    """The documented exit code of an error."""
    if isinstance(error, ZarrmalError):
        return EXIT_DAMAGE
    if isinstance(error, LockedError):
        return EXIT_LOCKED
    if isinstance(error, UnreachableError):
        return EXIT_UNREACHABLE
    return EXIT_USAGE


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, InputError):
        where = "" if error.filename is None else f"{_final_name(error.filename)}: "
        advice = ADVICE.get(error.errno or 0)
        return f"{where}{error.strerror or error}" + ("" if advice is None else f": {advice}")
    return str(error)


def _final_name(filename: object) -> str:
    """The file that the user knows, or its folder: not the name it has while it is written."""
    name = os.fsdecode(filename) if isinstance(filename, bytes) else str(filename)
    return PARTIAL_NAME.sub("", name).rstrip("/") or "/"
