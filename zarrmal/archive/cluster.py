"""A dask cluster codes the chunks: workers read their own cells and store their own objects."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any, Self

import dask
import zarr
from distributed import Client, Future, as_completed, get_worker

from ..errors import InputError
from ..sources import Source
from . import layout
from .objects import ObjectWriter, Task, Written
from .target import Target

CONNECT_SECONDS = 15
TASKS_A_THREAD = 2
"""Tasks given out at once for each thread of the cluster: all are at work, few wait."""
RETRIES = 3
END_SECONDS = 60
"""For tasks at work to end, where the run has failed."""


class ClusterRunner:
    """Runs tasks on the workers of a client. See Runner.

    The same bytes come out as from threads. A task whose worker dies is given to another one; what
    it has stored is stored again, the same.

    Parameters
    ----------
    client
        Its workers must see the archive, and the source, under the same names. An array in memory
        is sent to the scheduler, and from there to each worker, once.
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
        run = uuid.uuid4().hex
        # A task, not scattered data: those are gone for good with the workers that hold them.
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TiB"}):
            sent = client.submit(_itself, source, key=f"zarrmal-{run}-source", pure=False)
        waiting = iter(tasks)

        def submit(task: Task) -> Future:
            return client.submit(
                _on_worker, run, place, look, sent, task,
                key=f"zarrmal-{run}-{task.number}", pure=False, retries=RETRIES,
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


def _let_end(futures: list[Future]) -> None:
    stop = time.monotonic() + END_SECONDS
    for future in futures:
        with suppress(TimeoutError, CancelledError, asyncio.CancelledError):
            future.exception(timeout=max(0.0, stop - time.monotonic()))


def _itself(source: Source) -> Source:
    return source


def _on_worker(run: str, place: Target, look: bool, source: Source, task: Task) -> Written:
    """One task, by a writer that the worker keeps until the next run."""
    worker = get_worker()
    of_run, writer = getattr(worker, KEPT, ("", None))
    if writer is None or of_run != run:
        array = place.open("r+", consolidated=False)[layout.CELLS]
        assert isinstance(array, zarr.Array)
        writer = ObjectWriter(array, look=look)
        setattr(worker, KEPT, (run, writer))
    found: Written = writer(task, source)
    return found
