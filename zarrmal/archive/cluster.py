"""A dask cluster codes the chunks: workers read their own cells and store their own objects."""

from __future__ import annotations

import asyncio
import hashlib
import json
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
import zarr
from distributed import Client, Future, as_completed, get_worker

from ..errors import InputError
from ..sources import Source
from . import layout
from .journal import source_digest
from .objects import ObjectWriter, Task, Written
from .stored import get_bytes, join_key, metadata_digests
from .target import Target, find_array, read_facts

CONNECT_SECONDS = 15
TASKS_A_THREAD = 2
"""Tasks given out at once for each thread of the cluster: all are at work, few wait."""
RETRIES = 3
END_SECONDS = 60
"""For tasks at work to end, where the run has failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What all tasks of a run have in common.

    Parameters
    ----------
    run
        Random name of the run.
    place
        The archive; a local path is absolute.
    look
        See ObjectWriter.
    source, archive
        What a worker must find under the names that it was sent, see source_digest and
        archive_digest.
    """

    run: str
    place: Target
    look: bool
    source: str
    archive: str


class ClusterRunner:
    """Runs tasks on the workers of a client. See Runner.

    The same bytes come out as from threads. A task whose worker dies is given to another one; what
    it has stored is stored again, the same.

    Parameters
    ----------
    client
        Its workers must see the archive, and the source, under the same names; one that finds
        something else there stores nothing. Relative paths are the caller's. An array in memory is
        sent to the scheduler, and from there to each worker, once.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    @classmethod
    def at(cls, address: str, *, seconds: float | None = None) -> Self:
        """Of the scheduler at an address; InputError if there is none."""
        try:
            return cls(Client(address, timeout=seconds or CONNECT_SECONDS, set_as_default=False))
        except (OSError, ValueError, TimeoutError) as error:
            raise InputError(f"no dask scheduler answers at {address}: {error}") from None

    def __call__(
        self, place: Target, group: zarr.Group, source: Source, tasks: Iterable[Task], *, look: bool
    ) -> Iterator[Written]:
        """See Runner; in the order in which they are done."""
        client = self._client
        n_threads = sum(client.nthreads().values())
        if not n_threads:
            raise InputError("the dask cluster has no worker: start one with `dask worker`")
        if place.is_local:
            place = replace(place, url=str(place.path.absolute()))
        order = Order(
            run=uuid.uuid4().hex,
            place=place,
            look=look,
            source=source_digest(source),
            archive=archive_digest(group, place),
        )
        # A task, not scattered data: those are gone for good with the workers that hold them.
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TiB"}):
            sent = client.submit(_itself, source, key=f"zarrmal-{order.run}-source", pure=False)
        waiting = iter(tasks)

        def submit(task: Task) -> Future:
            return client.submit(
                _on_worker, order, sent, task,
                key=f"zarrmal-{order.run}-{task.number}", pure=False, retries=RETRIES,
            )  # fmt: skip

        first = [submit(task) for _, task in zip(range(TASKS_A_THREAD * n_threads), waiting)]
        done: Any = as_completed(first, loop=client.loop)
        try:
            for future in done:
                yield future.result()
                if (task := next(waiting, None)) is not None:
                    done.add(submit(task))
        finally:
            _let_end(list(done.futures))  # else they would store chunks when nobody expects it
            client.cancel([*done.futures, sent])


KEPT = "_zarrmal_writer"
OPENING = threading.Lock()
"""Of the threads of a worker one opens the archive, the others wait for it."""


def archive_digest(group: zarr.Group, place: Target) -> str:
    """Enough of an archive to tell others from it while cells are stored.

    Its facts, the documents of ``cells``, and the places in the source of the first new cells: a
    copy made before the run lacks those.

    Raises
    ------
    InputError
        If the group is no archive.
    """
    n_cells = read_facts(group, place.url, incomplete=True).n_cells
    known = [group.attrs.asdict()[layout.ATTRIBUTE], metadata_digests(group, [layout.CELLS])]
    digest = hashlib.sha256(json.dumps(known, sort_keys=True).encode())
    index = find_array(group, layout.SOURCE_INDEX)
    if index is not None:
        key = index.metadata.encode_chunk_key((n_cells // index.chunks[0],))
        digest.update(get_bytes(index.store, join_key(index.path, key)) or b"")
    return digest.hexdigest()


def _let_end(futures: list[Future]) -> None:
    stop = time.monotonic() + END_SECONDS
    for future in futures:
        with suppress(TimeoutError, CancelledError, asyncio.CancelledError):
            future.exception(timeout=max(0.0, stop - time.monotonic()))


def _itself(source: Source) -> Source:
    return source


def _on_worker(order: Order, source: Source, task: Task) -> Written:
    """One task, by a writer that the worker keeps until the next run."""
    worker = get_worker()
    with OPENING:
        of_run, writer = getattr(worker, KEPT, ("", None))
        if writer is None or of_run != order.run:
            writer = _writer(order, source)
            setattr(worker, KEPT, (order.run, writer))
    found: Written = writer(task, source)
    return found


def _writer(order: Order, source: Source) -> ObjectWriter:
    """InputError if this machine sees another archive, or other cells, than the sender."""
    problem = ""
    try:
        group = order.place.open("r+", consolidated=False)
        if archive_digest(group, order.place) != order.archive:
            problem = f"sees another archive at {order.place.url}"
        elif source_digest(source) != order.source:
            problem = f"sees other cells under {source.description}"
    except InputError as error:  # raised anew below: what led to it may not be fit to be sent
        problem = f"does not see the archive or the cells: {error}"
    if problem:
        raise InputError(f"the dask worker on {socket.gethostname()} {problem}: archive and source "
                         f"must be where all workers see them")  # fmt: skip
    array = group[layout.CELLS]
    assert isinstance(array, zarr.Array)
    return ObjectWriter(array, look=order.look)
