"""What the tests know of a server: its address, how to log in, and a way around fsspec."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import zarrmal
from zarrmal.archive import WriteOptions
from zarrmal.sources import Source

CHUNK_CELLS = 16
START_SECONDS = 30.0


class Objects(Protocol):
    """The objects of one bucket, by the store's own client."""

    def keys(self, prefix: str) -> list[str]: ...

    def get(self, key: str) -> bytes: ...

    def delete(self, key: str) -> None: ...


@dataclass(frozen=True, kw_only=True)
class ObjectStore:
    """A bucket and the two ways in which a user says who he is.

    Parameters
    ----------
    root
        URL of the bucket.
    options
        Storage options, the secret among them.
    environment
        Variables that do without options.
    secret
        What no message may hold.
    elsewhere
        Options that lead to a port where nobody listens.
    """

    name: str
    root: str
    options: Mapping[str, Any]
    environment: Mapping[str, str]
    objects: Objects
    secret: str = ""
    elsewhere: Mapping[str, Any] | None = None

    def inside(self, url: str) -> str:
        """The key of a URL in the bucket."""
        return url.removeprefix(self.root + "/")


def write(source: Source, url: str, store: ObjectStore, **wishes: Any) -> None:
    """An archive with the model that ships, in small chunks."""
    given: dict[str, Any] = {"chunk_cells": CHUNK_CELLS}
    zarrmal.write(
        source, url, options=WriteOptions(**(given | wishes)), storage_options=store.options
    )


def as_arguments(options: Mapping[str, Any], name: str = "--storage-option") -> list[str]:
    """Options as a command line has them: text as it is, everything else in JSON."""
    words = []
    for key, value in options.items():
        text = value if isinstance(value, str) else json.dumps(value)
        words += [name, f"{key}={text}"]
    return words


def free_port() -> int:
    """A port of the loopback interface where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(command: list[str], port: int, folder: Path) -> Iterator[None]:
    """A server's process, from its first connection on."""
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=os.environ)
        try:
            until = time.monotonic() + START_SECONDS
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if process.poll() is not None or time.monotonic() > until:
                        told = (folder / "log").read_text()
                        raise RuntimeError(f"{command[0]} does not start: {told}") from None
                    time.sleep(0.02)
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
