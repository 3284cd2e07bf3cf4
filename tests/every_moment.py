"""A writer that ends at its n-th store, in this very process: as by kill -9, but quickly."""

import itertools
import os
from contextlib import contextmanager

from zarr.storage import FsspecStore

from zarrmal.archive import Location
from zarrmal.archive.lock.process import remove_writer
from zarrmal.archive.lock.writer_lock import WriterLock
from zarrmal.archive.storage.local import DurableStore

EXHAUSTIVE = bool(os.environ.get("ZARRMAL_EXHAUSTIVE"))


def moments(n, step=1):
    """Of the stores 0 to n - 1 every ``step``-th, or six: two at the start, two at the end."""
    if EXHAUSTIVE:
        return sorted({*range(0, n, step), n - 1})
    third = n // 3
    between = {third, third + (third | 1)}  # an odd distance: of both kinds
    return sorted({0, 1, *between, n - 2, n - 1} & set(range(n)))


def crossed(*axes):
    """Every combination, or so many of them that each value comes up, in turn with the others."""
    if EXHAUSTIVE:
        return list(itertools.product(*axes))
    return [tuple(axis[k % len(axis)] for axis in axes) for k in range(max(map(len, axes)))]


def filled(place, objects):
    """Store the objects there, if there are any; gives the place."""
    fs, root = Location(str(place)).filesystem()
    for name, data in (objects or {}).items():
        fs.makedirs(f"{root}{name}".rpartition("/")[0], exist_ok=True)
        fs.pipe_file(f"{root}{name}", data)
    return place


class Killed(BaseException):
    """Nothing may catch it."""


@contextmanager
def killed_at_store(moment, monkeypatch):
    """Store ``moment`` objects and no more; of the last one every other run stores it, too.

    Gives a list of the keys that were to be stored. The journal stays as it is, its writer is dead.
    """
    keys = []

    def dying(store):
        inner = store.set

        async def set(self, key, value, *rest, **more):
            keys.append(key)
            if len(keys) > moment + 1 or (len(keys) == moment + 1 and moment % 2):
                raise Killed
            await inner(self, key, value, *rest, **more)
            if len(keys) == moment + 1:
                raise Killed

        patch.setattr(store, "set", set)

    def leave(self, *, remove):
        self._released.set()
        remove_writer(self.journal.writer)

    with monkeypatch.context() as patch:
        dying(DurableStore)
        dying(FsspecStore)
        patch.setattr(WriterLock, "abandon", leave)
        try:
            yield keys
        except BaseException as error:
            if not isinstance(error, Killed) and "Killed" not in repr(error):
                raise
