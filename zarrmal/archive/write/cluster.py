"""A dask cluster encodes the chunks: workers read their own cells and store their own objects."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Self

import dask
from distributed import Client, Future, as_completed, get_worker

from ...errors import InputError, UnreachableError
from ...sources import Source
from .. import format as layout
from ..lock.journal import source_digest
from ..opened import OpenArchive
from ..storage.location import Location
from ..storage.objects import get_bytes, join_key, metadata_digests
from .encode.objects import ObjectWriter
from .encode.task import Task, TaskResult

CONNECT_SECONDS = 15
TASKS_PER_THREAD = 2
"""Tasks submitted per thread of the cluster: all threads are busy, few tasks wait."""
RETRIES = 3
END_SECONDS = 60
"""For running tasks to end after the run has failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """What all tasks of a run share.

    Parameters
    ----------
    run
        Random name of the run.
    location
        The archive; a local path is absolute.
    reuse
        See ObjectWriter.
    source, archive
        Digests that a worker must get of source and archive, see source_digest and archive_digest.
    """

    run: str
    location: Location
    reuse: bool
    source: str
    archive: str


class ClusterRunner:
    """Runs tasks on the workers of a dask client. See Runner.

    The bytes are the same as from threads. A task whose worker dies is run by another one, which
    stores the same object again.

    Parameters
    ----------
    client
        Its workers must see the archive, and the source, under the same names; a worker that sees
        something else there stores nothing. Relative paths are the caller's. An array in memory is
        sent to the scheduler, and from there to each worker, once.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    @classmethod
    def connect(cls, address: str, *, seconds: float | None = None) -> Self:
        """Connect to the scheduler at an address; UnreachableError if there is none."""
        try:
            return cls(Client(address, timeout=seconds or CONNECT_SECONDS, set_as_default=False))
        except (OSError, ValueError, TimeoutError) as error:
            raise UnreachableError(f"no dask scheduler answers at {address}: {error}") from None

    def __call__(
        self, archive: OpenArchive, source: Source, tasks: Iterable[Task], *, reuse: bool
    ) -> Iterator[TaskResult]:
        """See Runner; in the order in which they end."""
        client, location = self._client, archive.location
        if location.owner_commits:
            raise InputError(f"{location.url} cannot be sent to a cluster: write to a folder or a "
                             f"URL")  # fmt: skip
        n_threads = sum(client.nthreads().values())
        if not n_threads:
            raise InputError("the dask cluster has no worker: start one with `dask worker`")
        if location.is_local:
            location = replace(location, url=str(location.path.absolute()))
        spec = RunSpec(
            run=uuid.uuid4().hex,
            location=location,
            reuse=reuse,
            source=source_digest(source),
            archive=archive_digest(archive),
        )
        # A task, not scattered data, which is lost with the worker that holds it.
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TiB"}):
            sent = client.submit(_identity, source, key=f"zarrmal-{spec.run}-source", pure=False)
        remaining = iter(tasks)

        def submit(task: Task) -> Future:
            return client.submit(
                _run_on_worker, spec, sent, task,
                key=f"zarrmal-{spec.run}-{task.number}", pure=False, retries=RETRIES,
            )  # fmt: skip

        first = [submit(task) for _, task in zip(range(TASKS_PER_THREAD * n_threads), remaining)]
        done: Any = as_completed(first, loop=client.loop)
        try:
            for future in done:
                yield future.result()
                if (task := next(remaining, None)) is not None:
                    done.add(submit(task))
        finally:
            _await(list(done.futures))  # or they would store chunks after the run has ended
            client.cancel([*done.futures, sent])


WRITER_ATTRIBUTE = "_zarrmal_writer"
OPENING = threading.Lock()
"""One thread of a worker opens the archive, the others wait for it."""


def _renew_lock() -> None:
    """Give a forked child a lock of its own: the parent's may be held by another thread."""
    global OPENING
    OPENING = threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew_lock)


def archive_digest(archive: OpenArchive) -> str:
    """SHA-256 of its facts, the documents of ``cells``, and the source indices of the new cells.

    A copy of the archive that was made before the run lacks the last.
    """
    group = archive.group
    parts = [group.attrs.asdict()[layout.ATTRIBUTE], metadata_digests(group, [layout.CELLS])]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    index = archive.array(layout.SOURCE_INDEX)
    if index is not None:
        key = index.metadata.encode_chunk_key((archive.facts.n_cells // index.chunks[0],))
        digest.update(get_bytes(index.store, join_key(index.path, key)) or b"")
    return digest.hexdigest()


def _await(futures: list[Future]) -> None:
    stop = time.monotonic() + END_SECONDS
    for future in futures:
        with suppress(TimeoutError, CancelledError, asyncio.CancelledError):
            future.exception(timeout=max(0.0, stop - time.monotonic()))


def _identity(source: Source) -> Source:
    return source


def _run_on_worker(spec: RunSpec, source: Source, task: Task) -> TaskResult:
    """Run one task with a writer that the worker holds until the next run."""
    worker = get_worker()
    with OPENING:
        run, writer = getattr(worker, WRITER_ATTRIBUTE, ("", None))
        if writer is None or run != spec.run:
            writer = _writer(spec, source)
            setattr(worker, WRITER_ATTRIBUTE, (spec.run, writer))
    result: TaskResult = writer(task, source)
    return result


def _writer(spec: RunSpec, source: Source) -> ObjectWriter:
    """InputError if this machine sees another archive, or other cells, than the sender."""
    problem = ""
    try:
        archive = OpenArchive.at(spec.location, mode="r+", incomplete=True, consolidated=False)
        if archive_digest(archive) != spec.archive:
            problem = f"sees another archive at {spec.location.url}"
        elif source_digest(source) != spec.source:
            problem = f"sees other cells under {source.description}"
    except InputError as error:  # raised anew below: its cause may not be picklable
        problem = f"does not see the archive or the cells: {error}"
    if problem:
        raise InputError(f"the dask worker on {socket.gethostname()} {problem}: archive and source "
                         f"must be where all workers see them")  # fmt: skip
    return ObjectWriter(archive, reuse=spec.reuse)
