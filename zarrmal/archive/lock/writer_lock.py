"""The writer's lock: a journal that this process holds, with a heartbeat, while it writes."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path

from zarrmal_codecs import ZarrmalError

from ...errors import InputError, LockedError
from ...progress import Progress
from ..storage.local import put_file, sync_folder
from ..storage.location import Location
from .journal import DEAD, Journal, Phase, busy_message, journal_path, load_journal, protocols
from .process import add_writer, remove_writer, start_time, this_machine
from .staging import clear_stage, stage_of

BEAT_SECONDS = 15.0
"""A writer proves that it is alive this often, from a thread of its own."""
WATCH_SECONDS = 35.0
"""How long the journal of a writer elsewhere is watched: clocks differ, beats do not."""


class WriterLock:
    """A journal created by this process, or taken over from a dead writer.

    Parameters
    ----------
    location
        Of the archive.
    journal
        What is to be written; the writer's own fields are filled in.
    previous
        The journal of a dead writer, whose run is resumed or started anew.

    Raises
    ------
    LockedError
        If another writer is at work.
    """

    def __init__(self, location: Location, journal: Journal, *, previous: Journal | None) -> None:
        self._fs, self._path = journal_path(location)
        self._url = location.url
        self._previous = previous
        self.changed = False
        """The archive, or its stage, has been changed."""
        self.journal = replace(
            journal,
            writer=uuid.uuid4().hex,
            host=socket.gethostname(),
            machine=this_machine(),
            pid=os.getpid(),
            started=start_time(os.getpid()),
            beat=time.time(),
        )
        self._mutex, self._released, self._lost = threading.Lock(), threading.Event(), False
        self._heart = threading.Thread(target=self._beat, name="zarrmal-beat", daemon=True)
        add_writer(self.journal.writer)
        try:
            self._acquire(location)
            self._heart.start()
        except BaseException:  # an interruption, too: it does not write
            remove_writer(self.journal.writer)
            raise

    def begin_changes(self) -> None:
        """From here on the archive, or its stage, is changed."""
        self.expect_held()
        self.changed = True

    def enter(self, phase: Phase) -> None:
        """Record the next phase."""
        with self._mutex:
            self.journal = replace(self.journal, phase=phase, beat=time.time())
            self._store()

    def expect_not_lost(self) -> None:
        """LockedError if the heartbeat has noticed that another writer took over; sends nothing."""
        if self._lost:
            self.expect_held()

    def is_held(self) -> bool:
        """The stored journal is still this writer's."""
        try:
            journal = Journal.from_json(self._fs.cat_file(self._path))
        except FileNotFoundError:
            return False
        return journal is not None and journal.writer == self.journal.writer

    def expect_held(self) -> None:
        """LockedError unless this writer still holds the lock."""
        if not self.is_held():
            raise LockedError(f"another writer has taken over {self._url}: this one stops, and "
                              f"leaves the rest to it")  # fmt: skip

    def release(self) -> None:
        """Remove the journal, if it is still this writer's."""
        self._released.set()
        try:
            with self._mutex:
                self.expect_held()
                self._remove()
        finally:
            remove_writer(self.journal.writer)

    def abandon(self, *, remove: bool) -> None:
        """After an error: release the lock. Without ``remove`` the journal stays for a resume."""
        self._released.set()
        try:
            with self._mutex, suppress(Exception):  # the first error is the one to report
                if remove and self.is_held():
                    self._remove()
                elif not remove:
                    self.journal = replace(self.journal, beat=0.0)
                    self._store()
        finally:
            remove_writer(self.journal.writer)

    def _beat(self) -> None:
        while not self._released.wait(BEAT_SECONDS):
            with self._mutex:
                if self._released.is_set():
                    return
                try:
                    self.journal = replace(self.journal, beat=time.time())
                    self._store()
                except InputError:
                    self._lost = True
                    return
                except Exception:  # the network fails for a moment; the next beat tries again
                    continue

    def _acquire(self, location: Location) -> None:
        """Create the journal, replacing a dead writer's.

        If the creation fails, read_journal finds the copy of the dead writer's.
        """
        if self._previous is not None:
            self._retire(self._previous)
        try:
            self._create()
        except FileExistsError:
            with suppress(Exception):  # where there is a journal, the copy is ignored
                self._forget_copy()
            raise LockedError(busy_message(location, load_journal(self._fs, self._path))) from None
        except (TypeError, NotImplementedError) as error:  # a zip file, a web server
            raise InputError(f"{location.url} cannot be written to: write to a folder or a bucket, "
                             f"and copy the archive from there") from error  # fmt: skip
        self.expect_held()  # a store without conditional creation keeps the last of two journals
        with suppress(Exception):  # the release tries again
            self._forget_copy()

    def _retire(self, previous: Journal) -> None:
        """Copy and remove the journal of a dead writer, unless it turns out to be alive."""
        current = load_journal(self._fs, self._path)
        if previous.beat and not previous.is_local:
            stop = time.monotonic() + WATCH_SECONDS
            while current == previous and time.monotonic() < stop:
                time.sleep(WATCH_SECONDS / 20)
                current = load_journal(self._fs, self._path)
        if current != previous:
            return
        self._put(self._path + DEAD, replace(previous, beat=0.0))
        if load_journal(self._fs, self._path) == previous:  # still
            self._delete(self._path)

    def _forget_copy(self) -> None:
        """Remove the copy of the dead writer's journal, once another journal replaces it."""
        if self._previous is None:
            return
        copy = load_journal(self._fs, self._path + DEAD)
        if copy is not None and copy.writer == self._previous.writer:
            self._delete(self._path + DEAD)

    def _create(self) -> None:
        """FileExistsError if there is a journal."""
        self._put(self._path, self.journal, new=True)

    def _store(self) -> None:
        self.expect_held()
        self._put(self._path, self.journal)

    def _put(self, path: str, journal: Journal, *, new: bool = False) -> None:
        """Store a journal; with ``new`` FileExistsError if there is one."""
        data = json.dumps(asdict(journal)).encode()
        if "file" in protocols(self._fs):
            put_file(Path(path), data, new=new)
        elif new:
            self._fs.pipe_file(path, data, mode="create")
        else:
            self._fs.pipe_file(path, data)

    def _remove(self) -> None:
        self._forget_copy()  # first: without the journal the copy would count
        self._delete(self._path)

    def _delete(self, path: str) -> None:
        try:
            self._fs.rm_file(path)
        except FileNotFoundError:
            return
        if "file" in protocols(self._fs):
            sync_folder(Path(path).parent)


class NoLock(WriterLock):
    """In a store of zarr that the caller opened: the caller is in charge of transactions."""

    def __init__(self, journal: Journal) -> None:
        self.changed, self.journal = False, journal

    def begin_changes(self) -> None:
        """See WriterLock."""
        self.changed = True

    def enter(self, phase: Phase) -> None:
        """See WriterLock."""
        self.journal = replace(self.journal, phase=phase)

    def expect_not_lost(self) -> None:
        """See WriterLock."""

    def is_held(self) -> bool:
        """True."""
        return True

    def release(self) -> None:
        """See WriterLock."""

    def abandon(self, *, remove: bool) -> None:
        """See WriterLock."""


@contextmanager
def writer_lock(
    location: Location, journal: Journal, previous: Journal | None
) -> Iterator[WriterLock]:
    """Hold the lock; release it at the end.

    A caller's mistake, and any error before something is written, leave nothing behind. After
    another error, or an interruption, what is written stays for a run that resumes; so does what
    an earlier run has left. Damage, or a mistake, ends a repacking for good: the archive stays.
    """
    if location.owner_commits:
        yield NoLock(journal)
        return
    lock = WriterLock(location, journal, previous=previous)
    try:
        yield lock
    except BaseException as error:  # an interruption, too, gives up the lock
        remove = previous is None and not lock.changed
        mistake = isinstance(error, InputError | ZarrmalError)
        if journal.operation == "archive":
            mistake = mistake and previous is None and lock.changed
        is_staged = journal.operation in ("archive", "repack") and lock.journal.phase != "whole"
        try:
            if mistake and is_staged and lock.is_held():
                clear_stage(stage_of(location, beside=journal.beside), beside=journal.beside)
                remove = True
        finally:
            lock.abandon(remove=remove)
        raise
    try:
        lock.release()
    except BaseException:  # an interruption, too: the heart must not beat on
        lock.abandon(remove=False)
        raise


def while_held(lock: WriterLock, progress: Progress) -> Progress:
    """Progress that stops a writer which has lost its lock."""

    def report(task: str, done: int, total: int, note: str = "") -> None:
        lock.expect_not_lost()
        progress(task, done, total, note)

    return report
