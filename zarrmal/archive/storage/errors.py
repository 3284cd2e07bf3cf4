"""Errors of the libraries behind a store, as errors of ours in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from zarrmal_codecs import ZarrmalError

from ...errors import InputError, UnreachableError, input_error, is_store_error, is_usage_error


@contextmanager
def store_errors() -> Iterator[None]:
    """Raise errors of a store's library as InputError, or one of its kinds.

    Other errors, such as those of the local file system, stay as they are.

    Raises
    ------
    MissingError, AccessError
        If the store says so.
    InputError
        If the library does not take what it was given, such as unknown storage options.
    UnreachableError
        For all else that a store's library raises.
    """
    try:
        yield
    except (InputError, ZarrmalError):
        raise
    except Exception as error:  # errors of stores' libraries have no class in common
        if not is_store_error(error):
            raise
        text = _first_lines(error)
        if isinstance(error, FileNotFoundError):
            raise input_error(
                f"the object store has no such bucket or object: {text}", error
            ) from error
        if isinstance(error, PermissionError):
            raise input_error(f"the object store denies access: {text}", error) from error
        if is_usage_error(error):
            raise input_error(
                f"the object store cannot be used: {text}: check the storage options", error
            ) from error
        raise UnreachableError(f"the object store cannot be used: {text}") from error


def _first_lines(error: Exception) -> str:
    """An error's text without what its server appends: a request's number, a time, XML."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    until = next((n for n, line in enumerate(lines) if line.startswith("RequestId:")), len(lines))
    return " ".join(lines[:until]) or type(error).__name__
