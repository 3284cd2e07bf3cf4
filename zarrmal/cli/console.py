"""Progress and errors on stderr; results on stdout."""

from __future__ import annotations

import functools
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import isfinite
from typing import Any, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from zarrmal_codecs import ZarrmalError

from ..errors import InputError, without_passwords
from ..progress import Progress
from .printable import printable
from .secrets import is_secret, remember_secrets, without_secrets


class _Discreet(Console):
    """A console that prints no password of a URL, and nothing that a terminal would obey."""

    def print(self, *objects: Any, **how: Any) -> None:
        """As rich does, but text without passwords and control characters."""
        told = [printable(without_passwords(o)) if isinstance(o, str) else o for o in objects]
        super().print(*told, **how)


out = _Discreet(highlight=False, soft_wrap=True)
err = _Discreet(stderr=True, highlight=False, soft_wrap=True)

P = ParamSpec("P")
R = TypeVar("R")

EXIT_MISTAKE = 1
STORE_LIBRARIES = {
    "adlfs",
    "aiobotocore",
    "aiohttp",
    "azure",
    "botocore",
    "gcsfs",
    "google",
    "msal",
    "requests",
    "s3fs",
}
"""Their errors are about a server or an account, not about our code."""

EXIT_INTERRUPTED = 130
SECONDS_BETWEEN_LINES = 20.0


def told(command: Callable[P, R]) -> Callable[P, R]:
    """One line for what a user can mend; a traceback only for our own mistakes."""

    @functools.wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (InputError, ZarrmalError) as error:
            say_error(str(error))
        except Exception as error:
            if _is_of_a_store(error):
                missing = isinstance(error, FileNotFoundError)
                what = "has no such bucket or object" if missing else "cannot be used"
                say_error(f"the object store {what}: {_first_lines(error)}")
            elif isinstance(error, OSError):
                where = f"{error.filename}: " if error.filename else ""
                say_error(f"{where}{error.strerror or error}")
            else:
                raise
        except KeyboardInterrupt:
            say_error("interrupted; what was there before is as it was")
            raise typer.Exit(EXIT_INTERRUPTED) from None
        raise typer.Exit(EXIT_MISTAKE)

    return wrapper


def _is_of_a_store(error: Exception) -> bool:
    """Raised by a store's library, or made by it in a class of Python's own."""
    modules = [type(error).__module__]
    trace = error.__traceback__
    while trace is not None:
        last, trace = trace, trace.tb_next
        if trace is None:
            modules.append(str(last.tb_frame.f_globals.get("__name__")))
    return any(module.split(".")[0] in STORE_LIBRARIES for module in modules)


def _first_lines(error: Exception) -> str:
    """An error's text without what its server appends: a request's number, a time, XML."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    until = next((n for n, line in enumerate(lines) if line.startswith("RequestId:")), len(lines))
    return " ".join(lines[:until]) or type(error).__name__


def say_error(text: str) -> None:
    """An error, on one line of stderr."""
    one_line = " ".join(without_secrets(text).split())
    err.print(f"error: {one_line}", style="red", markup=False)


def say(text: str) -> None:
    """A remark, on stderr."""
    err.print(without_secrets(text), markup=False)


def say_anything() -> None:
    """Show characters that stdout and stderr cannot show as escapes, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep from stderr what the stores' libraries say beside raising an error."""
    # They log what they raise, traceback and all. A root without handlers prints warnings.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        yield
    finally:
        # All is told: how libraries fare while Python ends is of no use to anybody. adlfs, gcsfs
        # and zarr raise then where a loop has ended before them, or still waits for a server.
        if isinstance(sys.exc_info()[1], SystemExit):
            sys.excepthook = lambda *_: None
            sys.unraisablehook = lambda _: None


def print_json(tree: Any) -> None:
    """Machine-readable result, on stdout; null where there is no finite number."""
    typer.echo(json.dumps(_finite(tree), indent=2, ensure_ascii=False, allow_nan=False))


def _finite(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _finite(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [_finite(value) for value in tree]
    if isinstance(tree, float) and not isfinite(tree):
        return None
    return tree


@contextmanager
def progress_bars() -> Iterator[Progress]:
    """Bars on stderr, one a task; where stderr is no terminal, a line now and then."""
    if not err.is_terminal:
        yield _progress_lines()
        return
    bars = Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=err,
    )
    tasks: dict[str, TaskID] = {}

    def report(task: str, done: int, total: int, note: str = "") -> None:
        if task not in tasks:
            tasks[task] = bars.add_task(task, total=total, note=note)
        bars.update(tasks[task], completed=done, total=total, note=note)

    with bars:
        yield report


def _progress_lines() -> Progress:
    told_at = time.monotonic()

    def report(task: str, done: int, total: int, note: str = "") -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= SECONDS_BETWEEN_LINES:
            told_at = time.monotonic()
            say(f"{task}: {done:,} of {total:,} {note}".rstrip())

    return report


def pairs(options: list[str] | None, name: str = "--storage-option") -> dict[str, Any]:
    """``k=v`` strings as a dictionary; values that are JSON (numbers, true, {...}) become it.

    Names that hold secrets keep their text, were it all digits, unless it is an object. None of
    the values is printed from then on, except endpoints and other names in the open.
    """
    found: dict[str, Any] = {}
    for option in options or []:
        key, equals, value = option.partition("=")
        if not equals or not key:
            # The text may hold a secret: it is not repeated.
            raise InputError(f"a {name} looks like key=value")
        found[key] = _value(key, value, name)
    remember_secrets(found)
    return found


def _value(key: str, text: str, name: str) -> Any:
    is_tree = text.lstrip()[:1] in ("{", "[", '"')
    if is_secret(key) and not is_tree:
        return text
    try:
        return json.loads(text, parse_constant=str)  # NaN and Infinity are no JSON
    except json.JSONDecodeError:
        if is_tree:
            raise InputError(
                f"the value of {name} {key} begins like JSON but is none: quote it "
                'for the shell, as in \'client_kwargs={"endpoint_url": "http://…"}\''
            ) from None
        return text
