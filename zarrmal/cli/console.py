"""Progress and errors on stderr; results on stdout."""

from __future__ import annotations

import functools
import json
import re
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

from ..errors import InputError
from ..progress import Progress

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

P = ParamSpec("P")
R = TypeVar("R")

EXIT_MISTAKE = 1
STORE_LIBRARIES = {"botocore", "aiobotocore", "aiohttp", "azure", "gcsfs", "google", "requests"}
"""Their errors are no OSErrors, yet are about a server or an account, not about our code."""

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
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            say_error(f"{where}{error.strerror or error}")
        except Exception as error:
            if type(error).__module__.split(".")[0] not in STORE_LIBRARIES:
                raise
            say_error(f"the object store cannot be used: {error}")
        except KeyboardInterrupt:
            say_error("interrupted; what was there before is as it was")
            raise typer.Exit(EXIT_INTERRUPTED) from None
        raise typer.Exit(EXIT_MISTAKE)

    return wrapper


def say_error(text: str) -> None:
    """An error, on one line of stderr."""
    one_line = " ".join(without_secrets(text).split())
    err.print(f"error: {one_line}", style="red", markup=False)


def without_secrets(text: str) -> str:
    """The text with what stands between :// and @ of a URL blotted out."""
    return re.sub(r"(://)[^/\s@]+@", r"\1***@", text)


def say(text: str) -> None:
    """A remark, on stderr."""
    err.print(without_secrets(text), markup=False)


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


def pairs(options: list[str] | None) -> dict[str, Any]:
    """``k=v`` strings as a dictionary; values that are JSON (numbers, true, {...}) become it."""
    found: dict[str, Any] = {}
    for option in options or []:
        key, equals, value = option.partition("=")
        if not equals or not key:
            # The text may hold a secret: it is not repeated.
            raise InputError("a --storage-option looks like key=value")
        try:
            found[key] = json.loads(value)
        except json.JSONDecodeError:
            found[key] = value
    return found
