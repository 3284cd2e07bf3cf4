"""Runs of the writer in processes of their own, which are killed at a chosen moment."""

import multiprocessing
import os
import signal

import short_columns  # noqa: F401  (its processes import this module)

import zarrmal
from zarrmal.archive import AppendOptions, WriteOptions
from zarrmal.sources import Subset

CONTEXT = multiprocessing.get_context("forkserver")
# A process has one such server, so it loads what all tests use; torch only where it is installed.
CONTEXT.set_forkserver_preload(["zarrmal", "zarrmal.models", "zarrmal.torch"])


def killed_at(moment, work, *arguments):
    """Run ``work`` in a process that kill -9 ends when it stores its object number ``moment``.

    Every other time before it is stored, else after. Returns whether it was killed.
    """
    environment = dict(os.environ)  # the server that forks may have an older one
    process = CONTEXT.Process(target=_run, args=(environment, moment, work, arguments))
    process.start()
    process.join(120)
    assert not process.is_alive()
    if process.exitcode == -signal.SIGKILL:
        return True
    assert process.exitcode == 0
    return False


def _run(environment, moment, work, arguments):
    os.environ.update(environment)
    from zarr.storage import FsspecStore

    from zarrmal.archive.storage.local import DurableStore

    n_stored = 0

    def dying(store):
        inner = store.set

        async def set(self, key, value, *rest, **more):
            nonlocal n_stored
            mine, n_stored = n_stored, n_stored + 1
            if mine == moment and moment % 2:
                os.kill(os.getpid(), signal.SIGKILL)
            await inner(self, key, value, *rest, **more)
            if mine == moment:
                os.kill(os.getpid(), signal.SIGKILL)

        store.set = set

    dying(DurableStore)
    dying(FsspecStore)
    work(*arguments)


def write(source, place, model, wishes):
    """Write an archive by label."""
    options = WriteOptions(chunk_cells=16, workers=2, **wishes)
    zarrmal.write(source, place, model=model, assign="labels", options=options)


def write_but_the_end(source, place, model, wishes):
    """The same, killed when all is written and nothing is in its place yet."""
    from zarrmal.archive.write import new as module

    module.publish = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
    write(source, place, model, wishes)


def write_but_the_journal(source, place, model, options):
    """Written to a store, killed when only the journal has to be removed."""
    from zarrmal.archive.lock.writer_lock import WriterLock

    WriterLock.release = lambda self: os.kill(os.getpid(), signal.SIGKILL)
    wishes = WriteOptions(chunk_cells=16)
    zarrmal.write(
        source, place, model=model, assign="labels", options=wishes, storage_options=options
    )


def append(source, place, wishes, storage_options=None):
    """Append to it."""
    options = AppendOptions(**wishes)
    zarrmal.append(source, place, options=options, storage_options=storage_options)


def part(cells, first, last):
    """Some of the cells."""
    return Subset(cells, range(first, last))
