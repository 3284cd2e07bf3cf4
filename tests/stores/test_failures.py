"""Every kind of failure: one line, exit code 1, in a bounded time, and never the secret."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import traceback
from contextlib import ExitStack, suppress

import pytest
import requests
import s3_server
from closing import close_file_systems
from object_store import as_arguments
from typer.testing import CliRunner

import zarrmal
from zarrmal.cli import app

SECONDS = 60  # far above what any of them needs, far below what the libraries take
PROGRAM = (
    "import sys, zarrmal.sources.places.timeout as reach; from zarrmal.cli import main; "
    "reach.FIRST_ANSWER_SECONDS = float(sys.argv.pop(1)); main()"
)
REMOTE = ("s3", "azure", "gcs")


def fails(secrets, *words):
    """The one line in which a command says what is wrong."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code in (2, 3)
    assert isinstance(done.exception, SystemExit), done.exception
    for secret in secrets:
        assert secret not in done.stdout + done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert [line for line in lines if line.startswith("error: ")] == lines[-1:]
    return lines[-1]


def raises(secrets, call):
    """The exception of a call, no secret in it or in what it came from."""
    with pytest.raises(Exception) as found:
        call()
    error = found.value
    told = "".join(traceback.format_exception(error))
    while error is not None:
        told += str(error) + repr(error)
        error = error.__cause__ or error.__context__
    for secret in secrets:
        assert secret not in told
    return found.value


@pytest.fixture(autouse=True)
def closed():
    """No session is left to another test."""
    yield
    close_file_systems()


@pytest.fixture(params=REMOTE)
def remote(request):
    return request.getfixturevalue(request.param)


def secrets_of(store):
    return [store.secret] if store.secret else []


def test_no_such_bucket(remote, drawn_file):
    url = remote.root.replace("lab", "no-such-bucket") + "/cells.zarr"
    options = as_arguments(remote.options)
    told = fails(secrets_of(remote), "info", url, *options)
    assert "check the path or URL, and that the bucket exists" in told
    told = fails(secrets_of(remote), "archive", drawn_file, url, *options)
    assert "has no such bucket" in told or "container does not exist" in told


def test_no_such_archive(remote):
    url = f"{remote.root}/nothing/cells.zarr"
    assert "no Zarr group at" in fails(
        secrets_of(remote), "info", url, *as_arguments(remote.options)
    )
    error = raises(secrets_of(remote), lambda: zarrmal.open(url, storage_options=remote.options))
    assert isinstance(error, zarrmal.InputError)


def installed(request):
    """The servers that there are, and a patience for each."""
    for name, patience in zip(REMOTE, (20, 1, 1), strict=True):
        with suppress(pytest.skip.Exception):
            yield request.getfixturevalue(name), patience


@pytest.mark.parametrize(
    ("command", "to", "option"),
    [("info", [], "--storage-option"), ("archive", ["out.zarr"], "--source-option")],
    ids=["archive", "source"],
)
def test_nobody_listens(request, command, to, option):
    """Left alone, adlfs and gcsfs ask for 80 seconds. As a user sees it, to the process's end."""
    stores = list(installed(request))
    if not stores:
        pytest.skip("no object store's server is installed")
    started = time.monotonic()
    with ExitStack() as stack:
        asked = []
        for store, patience in stores:
            options = as_arguments(store.elsewhere, option)
            words = [command, f"{store.root}/a.zarr", *to, *options]
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", PROGRAM, str(patience), *words],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    env=os.environ | {"AWS_MAX_ATTEMPTS": "1"},
                )
            )
            stack.callback(process.kill)
            asked.append((store, process))
        for store, process in asked:
            stdout, stderr = process.communicate(timeout=SECONDS)
            assert process.returncode == 3
            assert stdout == ""
            told = "Could not connect" if store.name == "s3" else "no answer in 1 seconds"
            assert len(stderr.splitlines()) == 1, stderr
            assert told in stderr
            for secret in secrets_of(store):
                assert secret not in stderr
    assert time.monotonic() - started < SECONDS


@pytest.mark.parametrize("name", ["a.zarr", "a.npz"])
def test_a_server_that_is_silent(name, monkeypatch):
    monkeypatch.setattr("zarrmal.sources.places.timeout.FIRST_ANSWER_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it never accepts
        port = silent.getsockname()[1]
        started = time.monotonic()
        with pytest.raises(zarrmal.UnreachableError, match=r"no answer in 0\.5 seconds"):
            zarrmal.open_source(f"http://127.0.0.1:{port}/{name}")
        assert time.monotonic() - started < SECONDS


def test_refused_by_azure(azure, drawn_file, monkeypatch):
    secret = "bm90LXRoZS1rZXktYnV0LXNlY3JldA=="
    login = azure.options["connection_string"].replace(azure.secret, secret)
    options = as_arguments({"connection_string": login})
    for words in (("info",), ("archive", drawn_file)):
        told = fails([secret], *words, f"{azure.root}/a.zarr", *options)
        assert "the object store cannot be used" in told
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", login)
    assert "cannot be used" in fails([secret], "verify", f"{azure.root}/a.zarr")
    raises(
        [secret],
        lambda: zarrmal.open(f"{azure.root}/a", storage_options={"connection_string": login}),
    )


def test_refused_by_s3(s3, drawn_file):
    """moto looks at signatures when told to."""
    endpoint = s3.options["client_kwargs"]["endpoint_url"]
    reset = f"{endpoint}/moto-api/reset-auth"
    requests.post(reset, data=b"0", timeout=10).raise_for_status()
    try:
        options = as_arguments(s3.options)
        for words in (("info",), ("archive", drawn_file), ("verify",)):
            told = fails([s3_server.SECRET], *words, f"{s3.root}/a.zarr", *options)
            assert "the object store denies access" in told
        raises(
            [s3_server.SECRET],
            lambda: zarrmal.open(f"{s3.root}/a.zarr", storage_options=s3.options),
        )
    finally:
        requests.post(reset, data=b"inf", timeout=10).raise_for_status()


def test_mistaken_options(s3, azure):
    secret = "secret-in-a-wrong-place"
    url = f"{s3.root}/cells.zarr"
    for option in (
        f"scret={secret}",
        f'client_kwargs={{"aws_secret_access_key": "{secret}", "nosuch": 1}}',
        f"client_kwargs={{secret: {secret}}}",
        f"{secret}",
    ):
        fails([secret], "info", url, "--storage-option", option)
    string = f"AccountKey={secret}"
    fails([secret], "info", f"{azure.root}/a", "--storage-option", f"connection_string={string}")


@pytest.mark.parametrize("url", ["http://me:{}@127.0.0.1:9/a", "http://127.0.0.1:9/a?sig={}"])
def test_a_secret_in_the_url(url):
    secret = "secret-in-the-url"
    url = url.format(secret)
    fails([secret], "info", url)
    fails([secret], "archive", url, "out.zarr")
    raises([secret], lambda: zarrmal.open(url))
