"""Runners: who runs the tasks of a segment, threads of this process or a dask cluster."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Protocol

from ...sources import Source
from ..opened import OpenArchive
from .encode.objects import ObjectWriter
from .encode.task import Task, TaskResult


class Runner(Protocol):
    """Runs tasks in any order and yields each result as soon as it is known."""

    def __call__(
        self, archive: OpenArchive, source: Source, tasks: Iterable[Task], *, reuse: bool
    ) -> Iterator[TaskResult]:
        """Run the tasks; ``reuse``: see ObjectWriter."""
        ...


class ThreadRunner:
    """Threads of this process: reading, encoding and storing release the GIL.

    Parameters
    ----------
    n_workers
        Objects encoded at once, at least 1.
    """

    def __init__(self, n_workers: int) -> None:
        self.n_workers = n_workers

    def __call__(
        self, archive: OpenArchive, source: Source, tasks: Iterable[Task], *, reuse: bool
    ) -> Iterator[TaskResult]:
        """See Runner. At most one task waits beside those that run.

        A cancelled run stores nothing more, even if nobody waits for its threads to end.
        """
        cancelled = threading.Event()
        write = ObjectWriter(archive, reuse=reuse, cancelled=cancelled)
        pending: set[Future[TaskResult]] = set()
        with ThreadPoolExecutor(self.n_workers) as pool:
            try:
                for task in tasks:
                    pending.add(pool.submit(write, task, source))
                    if len(pending) > self.n_workers:
                        done, pending = wait(pending, return_when=FIRST_COMPLETED)
                        yield from (future.result() for future in done)
                while pending:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            finally:
                cancelled.set()
                for future in pending:
                    future.cancel()
