"""Who is writing an archive, and what an interrupted writing has left to do.

A small JSON object beside the archive (never in it, where readers of Zarr would ask what it is) is
made before anything is written, under the condition that there is none, and removed at the very
end. Local file systems, S3, Azure and Google's store refuse the second of two such creations.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self, get_args

import numpy as np

from ..errors import InputError
from ..progress import Progress
from ..sources import Source
from .target import Target

Operation = Literal["archive", "append"]

BEAT_SECONDS = 15.0
"""A writer shows so often that it is alive."""
SILENT_SECONDS = 120.0
"""Of a writer on another machine, after which it counts as dead."""
SAMPLE_CELLS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """What is being written.

    Parameters
    ----------
    operation
        "archive": a new one; "append": cells behind those of an old one.
    writer
        Random name of the run that writes.
    n_stored
        Cells of the archive before.
    n_new
        Cells that come to it.
    source
        Digest of them, see source_digest.
    planned
        Order and classes are stored, so that going on need not assign classes again.
    host, pid
        Of the writer.
    beat
        Seconds since 1970 at which it was last heard of.
    """

    operation: Operation
    n_stored: int
    n_new: int
    source: str
    planned: bool = False
    writer: str = ""
    host: str = ""
    pid: int = 0
    beat: float = 0.0

    @classmethod
    def from_json(cls, data: bytes) -> Self | None:
        """Inverse of json.dumps(asdict(journal)); None for anything else."""
        try:
            tree = json.loads(data)
            found = cls(**{name: tree[name] for name in cls.__slots__})
        except (ValueError, KeyError, TypeError):
            return None
        numbers = (found.n_stored, found.n_new, found.pid)
        texts = (found.writer, found.host, found.source)
        fits = (
            found.operation in get_args(Operation)
            and all(type(n) is int and n >= 0 for n in numbers)
            and all(isinstance(text, str) for text in texts)
            and isinstance(found.beat, (int, float))
        )
        return found if fits else None

    @property
    def alive(self) -> bool:
        """Its writer may still be at work."""
        if self.host == socket.gethostname() and not _runs(self.pid):
            return False
        return abs(time.time() - self.beat) < SILENT_SECONDS

    @property
    def told(self) -> str:
        """What was going on, for a message."""
        if self.operation == "append":
            return f"appending {self.n_new:,} cells to {self.n_stored:,}"
        return f"writing {self.n_new:,} cells"


class Writing:
    """A journal that this process holds.

    Parameters
    ----------
    target
        The archive.
    journal
        What is to be written; the writer's name is filled in.
    """

    def __init__(self, target: Target, journal: Journal, *, found: Journal | None) -> None:
        self._fs, self._place = journal_place(target)
        self._where = target.url
        self.begun = False
        self.journal = replace(
            journal,
            writer=uuid.uuid4().hex,
            host=socket.gethostname(),
            pid=os.getpid(),
            beat=time.time(),
        )
        if "file" in _protocols(self._fs):
            os.makedirs(os.path.dirname(self._place), exist_ok=True)
        current = read_journal(target) if found is not None else None
        if found is not None and current is not None and current.writer == found.writer:
            self._remove()  # of a writer that is dead
        try:
            self._create(self._data())
        except FileExistsError:
            raise InputError(busy(target, read_journal(target))) from None
        self.check()  # a store that cannot create under a condition keeps the last of two

    def begins(self) -> None:
        """From here on the archive's place is changed."""
        self.check()
        self.begun = True

    def planned(self) -> None:
        """Order and classes are stored now."""
        self.journal = replace(self.journal, planned=True)
        self._beat()

    def beat(self) -> None:
        """Show that this writer is alive, now and then.

        Raises
        ------
        InputError
            If another writer has taken over.
        """
        if time.time() - self.journal.beat > BEAT_SECONDS:
            self._beat()

    def mine(self) -> bool:
        """This writer still holds the journal."""
        try:
            found = Journal.from_json(self._fs.cat_file(self._place))
        except FileNotFoundError:
            return False
        return found is not None and found.writer == self.journal.writer

    def check(self) -> None:
        """InputError unless this writer still holds the journal."""
        if not self.mine():
            raise InputError(f"another writer has taken over {self._where}: this one stops, and "
                             f"leaves the rest to it")  # fmt: skip

    def done(self) -> None:
        """Remove the journal, if it is still this writer's."""
        self.check()
        self._remove()

    def leave(self, *, remove: bool) -> None:
        """After an error: nobody works on it any more. Without ``remove`` another run may go on."""
        with suppress(Exception):  # what led here is what has to be told
            if remove and self.mine():
                self._remove()
            elif not remove:
                self._beat(now=0.0)

    def _beat(self, now: float | None = None) -> None:
        self.check()
        self.journal = replace(self.journal, beat=time.time() if now is None else now)
        if "file" in _protocols(self._fs):
            partial = f"{self._place}.{self.journal.writer}"
            self._fs.pipe_file(partial, self._data())
            os.replace(partial, self._place)
        else:
            self._fs.pipe_file(self._place, self._data())

    def _data(self) -> bytes:
        return json.dumps(asdict(self.journal)).encode()

    def _create(self, data: bytes) -> None:
        if "file" in _protocols(self._fs):
            partial = f"{self._place}.{self.journal.writer}"
            self._fs.pipe_file(partial, data)
            try:
                os.link(partial, self._place)  # whole at once, or FileExistsError
            finally:
                os.unlink(partial)
        else:
            self._fs.pipe_file(self._place, data, mode="create")

    def _remove(self) -> None:
        try:
            self._fs.rm_file(self._place)
        except FileNotFoundError:
            return


def beating(writing: Writing, progress: Progress) -> Progress:
    """Progress that also shows that the writer is alive."""

    def report(task: str, done: int, total: int, note: str = "") -> None:
        writing.beat()
        progress(task, done, total, note)

    return report


def read_journal(target: Target) -> Journal | None:
    """What is being written there, or was when its writer died; None if nothing."""
    fs, place = journal_place(target)
    try:
        data = fs.cat_file(place)
    except (FileNotFoundError, NotADirectoryError):
        return None
    found = Journal.from_json(data)
    if found is None:
        raise InputError(f"{place} is no journal of an interrupted writing: remove it if you know "
                         f"that nobody writes to {target.url}")  # fmt: skip
    return found


def journal_place(target: Target) -> tuple[Any, str]:
    """File system and path of the journal: beside the archive, hidden."""
    fs, root = target.filesystem()
    root = root.rstrip("/")
    folder, _, name = root.rpartition("/")
    if not folder.strip("/") and "file" not in _protocols(fs) and "memory" not in _protocols(fs):
        return fs, f"{root}/.zarrmal-writing"  # the archive is a whole bucket
    return fs, f"{folder}/.{name}.zarrmal-writing"


def busy(target: Target, journal: Journal | None) -> str:
    """Why a second writer is refused."""
    if journal is None:
        return f"{target.url} is being written by another process: try again when it is done"
    age = max(0.0, time.time() - journal.beat)
    return (
        f"{target.url} is being written by another process ({journal.told}; process {journal.pid} "
        f"on {journal.host}, heard of {age:.0f} seconds ago): wait until it is done; if it is "
        f"dead, it may be taken over {SILENT_SECONDS:.0f} seconds after it was last heard of"
    )


def journal_problem(journal: Journal) -> str:
    """What verify says of an archive beside which a journal lies."""
    if journal.alive:
        return (
            f"the archive is being written ({journal.told}): the last chunk of each array may "
            f"differ from its digest until that is done"
        )
    if journal.operation == "append":
        return (
            f"{journal.told} was interrupted: readers see the archive as it was, but the last "
            f"chunk of each array may differ from its digest. Complete it with `zarrmal append "
            f"--resume`, or take it back with `zarrmal undo`"
        )
    return f"{journal.told} was interrupted: complete it with `zarrmal archive --resume`"


def source_digest(source: Source) -> str:
    """Enough of the cells to tell others from them: number, shape, all that is known, a sample."""
    rows = np.unique(np.linspace(0, source.n_cells - 1, SAMPLE_CELLS).astype(np.int64))
    digest = hashlib.sha256(repr((source.n_cells, source.cell_shape)).encode())
    digest.update(source.read(rows).tobytes())
    digest.update("\0".join(source.class_names).encode())
    for known in (source.labels, source.groups, source.names):
        digest.update(b"-" if known is None else np.ascontiguousarray(known).tobytes())
    return digest.hexdigest()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _protocols(fs: Any) -> tuple[str, ...]:
    found = fs.protocol
    return (found,) if isinstance(found, str) else tuple(found)
