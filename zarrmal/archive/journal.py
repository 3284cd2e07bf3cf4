"""Who is writing an archive, and what an interrupted writing has left to do.

A small JSON object beside the archive (never in it, where readers of Zarr would ask what it is) is
made before anything is written, under the condition that there is none, and removed at the very
end. Local file systems, S3, Azure and Google's store refuse the second of two such creations.
Whoever takes over from a dead writer puts a copy of its journal beside it before removing it: were
the new one not created, the copy still says what there is to do.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import numpy as np

from ..errors import InputError
from ..sources import Source
from ..sources.strings import fixed_width_bytes
from .process import at_work, runs, started, this_machine
from .target import Target

Operation = Literal["archive", "append"]
Phase = Literal["begun", "planned", "whole"]

SILENT_SECONDS = 120.0
"""Of a writer whose process cannot be looked at, after which it counts as dead."""
SAMPLE_CELLS = 64
DEAD = ".dead"
"""How the name of the copy of a dead writer's journal ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """What is being written.

    Parameters
    ----------
    operation
        "archive": a new one; "append": cells behind those of an old one.
    n_stored
        Cells of the archive before.
    n_new
        Cells that come to it.
    source
        Digest of them, see source_digest.
    phase
        "planned": order and classes are stored, so that going on need not assign classes again;
        "whole": a new archive is whole, and takes its place.
    overwrite
        A new archive may replace one that is there.
    beside
        The new archive is written beside its place, see part_of.
    writer
        Random name of the run that writes.
    host, machine, pid, started
        Of the writer: its name, and see the module process.
    beat
        Seconds since 1970 at which it was last heard of; 0 when it has left.
    """

    operation: Operation
    n_stored: int
    n_new: int
    source: str
    phase: Phase = "begun"
    overwrite: bool = False
    beside: bool = False
    writer: str = ""
    host: str = ""
    machine: str = ""
    pid: int = 0
    started: str = ""
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
        texts = (found.writer, found.host, found.machine, found.started, found.source)
        fits = (
            found.operation in get_args(Operation)
            and found.phase in get_args(Phase)
            and isinstance(found.overwrite, bool)
            and isinstance(found.beside, bool)
            and all(type(n) is int and n >= 0 for n in numbers)
            and all(isinstance(text, str) for text in texts)
            and isinstance(found.beat, (int, float))
        )
        return found if fits else None

    @property
    def here(self) -> bool:
        """Its writer's process could be seen from here."""
        return self.machine == this_machine()

    @property
    def alive(self) -> bool:
        """Its writer may still be at work."""
        if self.beat == 0:
            return False
        recent = abs(time.time() - self.beat) < SILENT_SECONDS
        if not self.here:
            return recent
        if self.pid == os.getpid():
            return at_work(self.writer)
        if not runs(self.pid):
            return False
        return started(self.pid) == self.started if self.started else recent

    @property
    def told(self) -> str:
        """What was going on, for a message."""
        if self.operation == "append":
            return f"appending {self.n_new:,} cells to {self.n_stored:,}"
        return f"writing {self.n_new:,} cells"


def read_journal(target: Target) -> Journal | None:
    """What is being written there, or was when its writer died; None if nothing."""
    fs, place = journal_place(target)
    found = journal_at(fs, place)
    return journal_at(fs, place + DEAD) if found is None else found


def journal_at(fs: Any, place: str) -> Journal | None:
    """The journal of this very name, None if there is none; InputError if it is something else."""
    try:
        data = fs.cat_file(place)
    except (FileNotFoundError, NotADirectoryError):
        return None
    found = Journal.from_json(data)
    if found is None:
        raise InputError(f"{place} is no journal of an interrupted writing: remove it if you know "
                         f"that nobody writes to the archive beside it")  # fmt: skip
    return found


def journal_place(target: Target) -> tuple[Any, str]:
    """File system and path of the journal: beside the archive, hidden."""
    fs, root = target.filesystem()
    root = str(target.real_path) if target.is_local else root.rstrip("/")
    folder, _, name = root.rpartition("/")
    if not folder.strip("/") and "file" not in protocols(fs) and "memory" not in protocols(fs):
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
    what = "a new archive, to replace this one" if journal.overwrite else "it"
    return f"{journal.told} was interrupted: complete {what}, with `zarrmal archive --resume`"


def source_digest(source: Source) -> str:
    """Enough of the cells to tell others from them: number, shape, all that is known, a sample."""
    rows = np.unique(np.linspace(0, source.n_cells - 1, SAMPLE_CELLS).astype(np.int64))
    digest = hashlib.sha256(repr((source.n_cells, source.cell_shape)).encode())
    digest.update(source.read(rows).tobytes())
    digest.update("\0".join(source.class_names).encode())
    labels = source.labels
    digest.update(b"-" if labels is None else np.ascontiguousarray(labels).tobytes())
    for strings in (source.groups, source.names):
        for data in [b"-"] if strings is None else fixed_width_bytes(strings):
            digest.update(data)
    return digest.hexdigest()


def protocols(fs: Any) -> tuple[str, ...]:
    """Names of an fsspec file system."""
    found = fs.protocol
    return (found,) if isinstance(found, str) else tuple(found)
