"""The journal: who is writing an archive, and what an interrupted run has left to do.

It is a small JSON object beside the archive, not in it, where readers of Zarr would find it. A
writer creates it before it stores anything, on the condition that there is none, and removes it
last. Local file systems, S3, Azure and Google Cloud Storage refuse the second of two such
creations. A writer that takes over from a dead one first copies the dead writer's journal: if it
fails to create its own, the copy still says what is left to do.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import numpy as np

from ...errors import InputError
from ...sources import Source
from ...sources.columns.strings import fixed_width_bytes
from ...sources.places.timeout import first_answer
from ...sources.sizes import block_cells
from ..storage.location import BUCKET_JOURNAL, Location
from .process import is_writing, runs, start_time, this_machine

Operation = Literal["archive", "append", "adopt", "repack"]
Phase = Literal["begun", "planned", "whole"]

SILENT_SECONDS = 120.0
"""A writer on another machine counts as dead after so long without a heartbeat."""
SAMPLE_CELLS = 64
DEAD = ".dead"
"""Suffix of the copy of a dead writer's journal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """What is being written.

    Parameters
    ----------
    operation
        "archive": write a new archive; "append": add cells to one; "adopt": make copied arrays an
        archive again, which takes effect with its last object; "repack": replace one by an archive
        of the same cells.
    n_stored
        Cells of the archive before.
    n_new
        Cells to be added.
    source
        Digest of those cells, see source_digest.
    phase
        "planned": order and classes are stored, so that a resumed run need not assign classes
        again; "whole": a new archive is complete in its staging location and is being moved.
    overwrite
        A new archive may replace one that is there.
    beside
        The new archive is staged beside its location, see staging.py.
    writer
        Random name of the run that writes.
    host, machine, pid, started
        The writer's host name, and its process, see process.py.
    beat
        Unix time of the last heartbeat in seconds; 0 after the writer has given up.
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
            journal = cls(**{name: tree[name] for name in cls.__slots__})
        except (ValueError, KeyError, TypeError):
            return None
        numbers = (journal.n_stored, journal.n_new, journal.pid)
        texts = (
            journal.writer,
            journal.host,
            journal.machine,
            journal.started,
            journal.source,
        )
        fits = (
            journal.operation in get_args(Operation)
            and journal.phase in get_args(Phase)
            and isinstance(journal.overwrite, bool)
            and isinstance(journal.beside, bool)
            and all(type(n) is int and n >= 0 for n in numbers)
            and all(isinstance(text, str) for text in texts)
            and isinstance(journal.beat, (int, float))
        )
        return journal if fits else None

    @property
    def is_local(self) -> bool:
        """The writer's process is one of this machine."""
        return self.machine == this_machine()

    @property
    def is_alive(self) -> bool:
        """The writer may still be running."""
        if self.beat == 0:
            return False
        recent = abs(time.time() - self.beat) < SILENT_SECONDS
        if not self.is_local:
            return recent
        if self.pid == os.getpid():
            return is_writing(self.writer)
        if not runs(self.pid):
            return False
        return start_time(self.pid) == self.started if self.started else recent

    @property
    def description(self) -> str:
        """What the writer does, for messages."""
        return {
            "archive": f"writing {self.n_new:,} cells",
            "append": f"appending {self.n_new:,} cells to {self.n_stored:,}",
            "adopt": "adopting arrays",
            "repack": "repacking",
        }[self.operation]

    @property
    def remedy(self) -> str:
        """What ends an interrupted run, for messages."""
        return {
            "archive": "complete it with `zarrmal archive --resume`",
            "append": "complete it with `zarrmal append --resume`, or take it back with `zarrmal "
            "undo`",
            "adopt": "run `zarrmal adopt` again",
            "repack": "run `zarrmal repack` again",
        }[self.operation]


def read_journal(location: Location) -> Journal | None:
    """The journal of the writer at work, or of one that died; None if there is none."""
    if location.owner_commits:
        return None

    def load() -> Journal | None:
        fs, path = journal_path(location)
        journal = load_journal(fs, path)
        return load_journal(fs, path + DEAD) if journal is None else journal

    return load() if location.is_local else first_answer(load, location.url)


def load_journal(fs: Any, path: str) -> Journal | None:
    """The journal stored at a path, None if there is none; InputError if it is something else."""
    try:
        data = fs.cat_file(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    journal = Journal.from_json(data)
    if journal is None:
        raise InputError(f"{path} is not a journal of zarrmal: remove it if you know that nobody "
                         f"writes to the archive beside it")  # fmt: skip
    return journal


def journal_path(location: Location) -> tuple[Any, str]:
    """File system and path of the journal: hidden, beside the archive."""
    fs, root = location.filesystem()
    root = str(location.real_path) if location.is_local else root.rstrip("/")
    folder, _, name = root.rpartition("/")
    if not folder.strip("/") and "file" not in protocols(fs) and "memory" not in protocols(fs):
        return fs, f"{root}/{BUCKET_JOURNAL}"  # the archive is a whole bucket
    return fs, f"{folder}/.{name}.zarrmal-writing"


def busy_message(location: Location, journal: Journal | None) -> str:
    """Why a second writer is refused."""
    if journal is None:
        return f"{location.url} is being written by another process: try again when it is done"
    age = max(0.0, time.time() - journal.beat)
    return (
        f"{location.url} is being written by another process ({journal.description}; process "
        f"{journal.pid} on {journal.host}, last heartbeat {age:.0f} seconds ago): wait until it is "
        f"done; a writer that died can be taken over {SILENT_SECONDS:.0f} seconds after its last "
        f"heartbeat"
    )


def journal_problem(journal: Journal) -> str:
    """What verify reports of an archive that has a journal."""
    if journal.is_alive:
        return (
            f"the archive is being written ({journal.description}): the last chunk of each array "
            f"may differ from its digest until that is done"
        )
    what = f"{journal.description} was interrupted"
    if journal.operation == "append":
        what += (
            ": readers see the archive as it was, but the last chunk of each array may differ from "
            "its digest"
        )
    elif journal.operation == "archive" and journal.overwrite:
        what += ": the new archive will replace this one"
    return f"{what}; {journal.remedy}"


def source_digest(source: Source) -> str:
    """SHA-256 of number, kind, sizes, labels, groups, names, splits, and a sample of pixels."""
    rows = np.unique(np.linspace(0, source.n_cells - 1, SAMPLE_CELLS).astype(np.int64))
    kind = (source.n_cells, source.cell_shape, source.dtype.name, source.channel_first)
    digest = hashlib.sha256(repr((*kind, source.n_masks)).encode())
    n_block = block_cells(source.cell_shape, source.dtype.itemsize)
    for start in range(0, len(rows), n_block):
        digest.update(source.read(rows[start : start + n_block]).tobytes())
        if source.n_masks:
            digest.update(source.masks(rows[start : start + n_block]).tobytes())
    if source.sizes is not None:
        digest.update(np.ascontiguousarray(source.sizes).tobytes())
    digest.update("\0".join(source.class_names).encode())
    labels = source.labels
    digest.update(b"-" if labels is None else np.ascontiguousarray(labels).tobytes())
    for strings in (source.groups, source.names, source.splits):
        for data in [b"-"] if strings is None else fixed_width_bytes(strings):
            digest.update(data)
    return digest.hexdigest()


def protocols(fs: Any) -> tuple[str, ...]:
    """Protocol names of an fsspec file system."""
    names = fs.protocol
    return (names,) if isinstance(names, str) else tuple(names)
