"""Errors that a caller can mend; the command line prints their message without a traceback.

::

    ValueError
    └── InputError          wrong arguments, files or data
        ├── MissingError      and FileNotFoundError: nothing is stored at the address
        ├── ExistsError       and FileExistsError: something is stored there already
        ├── AccessError       and PermissionError: reading or writing is not permitted
        ├── UnreachableError  and ConnectionError: a server cannot be reached or does not answer
        └── LockedError       another writer holds the archive
"""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Iterator
from typing import Self


class InputError(ValueError):
    """A caller's mistake, in one line; passwords in URLs are masked.

    Parameters
    ----------
    message
        What was found, what is allowed, what to do.
    """

    def __new__(cls, message: str = "") -> Self:
        """Create it with the constructor of the built-in class.

        Unpickling in other processes (tblib, for dask) calls ``__new__`` alone, and would find
        ValueError's, which refuses a subclass of OSError.
        """
        base = OSError if issubclass(cls, OSError) else ValueError
        return base.__new__(cls, message)

    def __init__(self, message: str) -> None:
        super().__init__(without_passwords(message))


class MissingError(InputError, FileNotFoundError):
    """Nothing is stored at the address."""


class ExistsError(InputError, FileExistsError):
    """Something is stored at the address already."""


class AccessError(InputError, PermissionError):
    """The file system or the server does not permit it."""


class UnreachableError(InputError, ConnectionError):
    """A server cannot be reached, or does not answer."""


class LockedError(InputError):
    """Another writer holds the archive."""


CONNECTION_ERRORS = frozenset(
    {
        "ClientConnectionError",  # aiohttp
        "HTTPClientError",  # botocore: no endpoint, no connection, timeouts
        "RetryError",  # google.api_core
        "ServiceRequestError",  # azure.core
        "ServiceResponseError",  # azure.core
        "TransportError",  # google.auth
    }
)
"""Names of the classes from which libraries derive their connection errors. Names, because the
libraries are optional; botocore's are not derived from OSError."""

STORE_LIBRARIES = frozenset(
    {
        "adlfs",
        "aiobotocore",
        "aiohttp",
        "azure",
        "botocore",
        "gcsfs",
        "google",
        "icechunk",
        "msal",
        "obstore",
        "requests",
        "s3fs",
    }
)
"""Their errors are about a server or an account, not about our code."""

USAGE_ERRORS = (TypeError, ValueError, AttributeError, LookupError, NotImplementedError)
"""What libraries raise for arguments that they do not take, storage options among them."""

CONNECTION_ERRNOS = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ETIMEDOUT})


def input_error(message: str, cause: BaseException) -> InputError:
    """An InputError of the kind of its cause.

    Parameters
    ----------
    message
        As for InputError.
    cause
        The error of Python or of a library. Errors that it was raised from count for connections:
        fsspec reports an unreachable HTTP server as FileNotFoundError.
    """
    kind = InputError
    if any(_is_connection_error(error) for error in _chain(cause)):
        kind = UnreachableError
    elif isinstance(cause, FileNotFoundError):
        kind = MissingError
    elif isinstance(cause, FileExistsError):
        kind = ExistsError
    elif isinstance(cause, PermissionError):
        kind = AccessError
    elif is_store_error(cause) and not is_usage_error(cause):
        kind = UnreachableError
    return kind(message)


def is_store_error(error: BaseException) -> bool:
    """Raised by a store's library, or by it in a class of Python's own.

    Errors of fsspec itself count where they are about its arguments: its file systems raise the
    operating system's errors, too.
    """
    libraries = {type(error).__module__.split(".")[0], _raising_library(error)}
    if is_usage_error(error):
        libraries &= {*STORE_LIBRARIES, "fsspec"}
        return bool(libraries)
    return bool(libraries & STORE_LIBRARIES)


def is_usage_error(error: BaseException) -> bool:
    """A library does not take its arguments; in a class of Python's own."""
    return type(error).__module__ == "builtins" and isinstance(error, USAGE_ERRORS)


def _raising_library(error: BaseException) -> str:
    """The package whose code has raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    name = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__"))
    return name.split(".")[0]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those that it was explicitly raised from."""
    while error is not None:
        yield error
        error = error.__cause__


def _is_connection_error(error: BaseException) -> bool:
    if isinstance(error, ConnectionError | TimeoutError | socket.gaierror):
        return True
    if isinstance(error, OSError) and error.errno in CONNECTION_ERRNOS:
        return True
    return any(base.__name__ in CONNECTION_ERRORS for base in type(error).__mro__)


def without_passwords(text: str) -> str:
    """The text with user names, passwords and queries of URLs replaced by ``***``."""
    text = re.sub(r"(://)[^/\s@]+@", r"\1***@", text)
    return re.sub(r"(://[^\s?]+\?)[^\s'\"]+", r"\1***", text)
