"""Errors that users can mend: their kinds, their messages, their way to another process."""

from __future__ import annotations

import copy
import errno
import pickle
import socket

import pytest

from zarrmal.errors import (
    AccessError,
    ExistsError,
    InputError,
    LockedError,
    MissingError,
    UnreachableError,
    input_error,
)

KINDS = {
    MissingError: FileNotFoundError,
    ExistsError: FileExistsError,
    AccessError: PermissionError,
    UnreachableError: ConnectionError,
    LockedError: InputError,
}


@pytest.mark.parametrize("kind", [InputError, *KINDS])
def test_message_alone_is_printed_and_survives_pickling(kind: type[InputError]) -> None:
    error = kind("s3://me:secret@host/a.zarr?key=secret: is not there: check the path")
    assert str(error) == "s3://***@host/a.zarr?*** is not there: check the path"
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is kind
        assert str(again) == str(error)
        assert again.args == error.args


def test_an_error_comes_back_from_a_worker_of_dask() -> None:
    protocol = pytest.importorskip("distributed.protocol.pickle")
    for kind in KINDS:
        again = protocol.loads(protocol.dumps(kind("a")))
        assert type(again) is kind
        assert str(again) == "a"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_an_input_error_and_the_built_in_one(kind: type[InputError]) -> None:
    assert issubclass(kind, InputError)
    assert issubclass(kind, ValueError)
    with pytest.raises(KINDS[kind], match=r"^a$"):
        raise kind("a")


# As botocore derives them.
HTTPClientError = type("HTTPClientError", (Exception,), {})
ReadTimeoutError = type("ReadTimeoutError", (HTTPClientError,), {})


def raised_from(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (FileNotFoundError("a"), MissingError),
        (FileExistsError("a"), ExistsError),
        (PermissionError(errno.EACCES, "a"), AccessError),
        (ConnectionRefusedError("a"), UnreachableError),
        (TimeoutError("a"), UnreachableError),
        (socket.gaierror("a"), UnreachableError),
        (OSError(errno.ENETUNREACH, "a"), UnreachableError),
        (ReadTimeoutError("a"), UnreachableError),
        (raised_from(FileNotFoundError("a"), ConnectionResetError("b")), UnreachableError),
        (OSError(errno.EIO, "a"), InputError),
        (KeyError("a"), InputError),
    ],
    ids=repr,
)
def test_an_input_error_is_of_the_kind_of_its_cause(
    cause: Exception, kind: type[InputError]
) -> None:
    error = input_error("the message", cause)
    assert type(error) is kind
    assert str(error) == "the message"


def test_a_server_that_refuses_connections() -> None:
    aiohttp = pytest.importorskip("aiohttp")
    key = aiohttp.client_reqrep.ConnectionKey("localhost", 1, False, None, None, None, None)
    cause = aiohttp.ClientConnectorError(key, OSError(errno.ECONNREFUSED, "refused"))
    assert type(input_error("a", cause)) is UnreachableError
