"""Progress and remarks on stderr; results on stdout."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from typing import Any

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

from ...errors import InputError, without_passwords
from ...progress import Progress
from .printable import printable
from .secrets import is_secret, remember_secrets, without_secrets


class _Discreet(Console):
    """A console that prints no password of a URL, and no control character."""

    def print(self, *objects: Any, **how: Any) -> None:
        """As rich does, but text without passwords and control characters."""
        safe = [printable(without_passwords(o)) if isinstance(o, str) else o for o in objects]
        super().print(*safe, **how)


out = _Discreet(highlight=False, soft_wrap=True)
err = _Discreet(stderr=True, highlight=False, soft_wrap=True)

SECONDS_BETWEEN_LINES = 20.0


def say_error(text: str) -> None:
    """An error, on one line of stderr."""
    one_line = " ".join(without_secrets(text).split())
    err.print(f"error: {one_line}", style="red", markup=False)


def say(text: str) -> None:
    """A remark, on stderr."""
    err.print(without_secrets(text), markup=False)


def escape_unprintable() -> None:
    """Print characters that stdout and stderr cannot encode as escapes, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep off stderr what the stores' libraries log beside raising an error."""
    # They log what they raise, traceback and all. A root without handlers prints warnings.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        yield
    finally:
        # The error has been printed: how libraries fail while Python exits is of no use. adlfs,
        # gcsfs and zarr raise then where an event loop ended before them, or waits for a server.
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
    """Bars on stderr, one per task; where stderr is no terminal, a line now and then."""
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
    last = time.monotonic()

    def report(task: str, done: int, total: int, note: str = "") -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            say(f"{task}: {done:,} of {total:,} {note}".rstrip())

    return report


def key_values(options: list[str] | None, name: str = "--storage-option") -> dict[str, Any]:
    """``k=v`` strings as a dictionary; values that are JSON (numbers, true, {...}) become it.

    Values of secrets stay text, even if all digits, unless they are JSON objects. None of the
    values is printed from then on, except endpoints and other public ones.
    """
    values: dict[str, Any] = {}
    for option in options or []:
        key, equals, value = option.partition("=")
        if not equals or not key:
            # The text may hold a secret: it is not repeated.
            raise InputError(f"a {name} looks like key=value")
        values[key] = _value(key, value, name)
    remember_secrets(values)
    return values


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
