"""Errors of the libraries behind a store, as errors of ours in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from zarrmal_codecs import ZarrmalError

from ...errors import InputError, UnreachableError, input_error

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


@contextmanager
def store_errors() -> Iterator[None]:
    """Raise errors of a store's library as MissingError, AccessError or UnreachableError.

    Other errors, such as those of the local file system, stay as they are.
    """
    try:
        yield
    except (InputError, ZarrmalError):
        raise
    except Exception as error:
        if not _is_of_a_store(error):
            raise
        text = _first_lines(error)
        if isinstance(error, FileNotFoundError):
            raise input_error(
                f"the object store has no such bucket or object: {text}", error
            ) from error
        if isinstance(error, PermissionError):
            raise input_error(f"the object store denies access: {text}", error) from error
        raise UnreachableError(f"the object store cannot be used: {text}") from error


def _is_of_a_store(error: Exception) -> bool:
    """Raised by a store's library, or by it in a class of Python's own."""
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
