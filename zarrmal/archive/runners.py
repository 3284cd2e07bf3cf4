"""Who does the tasks: threads of this process, or another runner such as a dask cluster's."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Protocol

import zarr

from ..sources import Source
from .objects import ObjectWriter, Task, Written
from .target import Target


class Runner(Protocol):
    """Does tasks, in any order; gives what became of each as soon as it is known."""

    def __call__(
        self, place: Target, group: zarr.Group, source: Source, tasks: Iterable[Task], *, look: bool
    ) -> Iterator[Written]:
        """See ThreadRunner.

        Parameters
        ----------
        place
            The archive, for those who open it again elsewhere.
        group
            The same, open.
        look
            See ObjectWriter.
        """
        ...


class ThreadRunner:
    """Threads of this process: reading, encoding and storing let go of the interpreter's lock.

    Parameters
    ----------
    n_workers
        Objects worked on at once, at least 1.
    """

    def __init__(self, n_workers: int) -> None:
        self.n_workers = n_workers

    def __call__(
        self, place: Target, group: zarr.Group, source: Source, tasks: Iterable[Task], *, look: bool
    ) -> Iterator[Written]:
        """See Runner. At most one task more than there are threads waits, however many come.

        A run that is given up stores nothing more, even if nobody waits for its threads to end.
        """
        given_up = threading.Event()
        write = ObjectWriter(group["cells"], look=look, given_up=given_up)  # type: ignore[arg-type]
        pending: set[Future[Written]] = set()
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
                given_up.set()
                for future in pending:
                    future.cancel()
