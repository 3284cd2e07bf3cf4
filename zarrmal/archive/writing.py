"""A journal that this process holds while it writes."""

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

from ..errors import InputError
from ..progress import Progress
from .durable import put_file, settle
from .journal import DEAD, Journal, Phase, busy, journal_at, journal_place, protocols
from .place import clear_stage
from .process import begins_work, ends_work, started, this_machine
from .target import Target, stage_of

BEAT_SECONDS = 15.0
"""A writer shows so often that it is alive, by a thread of its own."""
WATCH_SECONDS = 35.0
"""An elsewhere writer's journal is watched so long: clocks may differ, beats do not."""


class Writing:
    """The journal, made by this process, or taken over from one that is dead.

    Parameters
    ----------
    target
        The archive.
    journal
        What is to be written; who writes is filled in.
    found
        The journal of a dead writer that this one goes on for, or starts anew instead of.

    Raises
    ------
    InputError
        If another writer is at work.
    """

    def __init__(self, target: Target, journal: Journal, *, found: Journal | None) -> None:
        self._fs, place = journal_place(target)
        self._place, self._where = place, target.url
        self._found = found
        self.begun = False
        self.journal = replace(
            journal,
            writer=uuid.uuid4().hex,
            host=socket.gethostname(),
            machine=this_machine(),
            pid=os.getpid(),
            started=started(os.getpid()),
            beat=time.time(),
        )
        self._lock, self._left, self._lost = threading.Lock(), threading.Event(), False
        self._heart = threading.Thread(target=self._beat, name="zarrmal-beat", daemon=True)
        begins_work(self.journal.writer)
        try:
            self._take(target)
            self._heart.start()
        except BaseException:
            ends_work(self.journal.writer)
            raise

    def begins(self) -> None:
        """From here on the archive's place is changed."""
        self.check()
        self.begun = True

    def enters(self, phase: Phase) -> None:
        """Another phase has begun."""
        with self._lock:
            self.journal = replace(self.journal, phase=phase, beat=time.time())
            self._store()

    def go_on(self) -> None:
        """InputError if another writer was seen to have taken over."""
        if self._lost:
            self.check()

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
        self._left.set()
        try:
            with self._lock:
                self.check()
                self._remove()
        finally:
            ends_work(self.journal.writer)

    def leave(self, *, remove: bool) -> None:
        """After an error: nobody works on it any more. Without ``remove`` another run may go on."""
        self._left.set()
        try:
            with self._lock, suppress(Exception):  # what led here is what has to be told
                if remove and self.mine():
                    self._remove()
                elif not remove:
                    self.journal = replace(self.journal, beat=0.0)
                    self._store()
        finally:
            ends_work(self.journal.writer)

    def _beat(self) -> None:
        while not self._left.wait(BEAT_SECONDS):
            with self._lock:
                if self._left.is_set():
                    return
                try:
                    self.journal = replace(self.journal, beat=time.time())
                    self._store()
                except InputError:
                    self._lost = True
                    return
                except Exception:  # a network that fails for a moment; the next beat tries again
                    continue

    def _take(self, target: Target) -> None:
        """Create the journal, in place of a dead writer's if there is one.

        If the creation fails, the copy of that one is what read_journal finds.
        """
        if self._found is not None:
            self._bury(self._found)
        try:
            self._create()
        except FileExistsError:
            with suppress(Exception):  # beside a journal it is not looked at
                self._forget()
            raise InputError(busy(target, journal_at(self._fs, self._place))) from None
        except (TypeError, NotImplementedError) as error:  # a zip file, a web server
            raise InputError(f"{target.url} cannot be written to: write to a folder or a bucket, "
                             f"and copy the archive from there") from error  # fmt: skip
        self.check()  # a store that cannot create under a condition keeps the last of two
        with suppress(Exception):  # it is tried again at the end
            self._forget()

    def _bury(self, found: Journal) -> None:
        """Remove the journal of a dead writer, unless somebody else has done so; keep a copy."""
        current = journal_at(self._fs, self._place)
        if found.beat and not found.here:
            stop = time.monotonic() + WATCH_SECONDS
            while current == found and time.monotonic() < stop:
                time.sleep(WATCH_SECONDS / 20)
                current = journal_at(self._fs, self._place)
        if current != found:
            return
        self._put(self._place + DEAD, replace(found, beat=0.0))
        if journal_at(self._fs, self._place) == found:  # still
            self._rm(self._place)

    def _forget(self) -> None:
        """Remove the copy of the dead writer's journal, in whose place there is another one."""
        if self._found is None:
            return
        copy = journal_at(self._fs, self._place + DEAD)
        if copy is not None and copy.writer == self._found.writer:
            self._rm(self._place + DEAD)

    def _store(self) -> None:
        self.check()
        self._put(self._place, self.journal)

    def _create(self) -> None:
        self._put(self._place, self.journal, new=True)

    def _put(self, place: str, journal: Journal, *, new: bool = False) -> None:
        """Store a journal; with ``new`` FileExistsError if there is one."""
        data = json.dumps(asdict(journal)).encode()
        if "file" in protocols(self._fs):
            put_file(Path(place), data, new=new)
        elif new:
            self._fs.pipe_file(place, data, mode="create")
        else:
            self._fs.pipe_file(place, data)

    def _remove(self) -> None:
        self._forget()  # first: without the journal the copy would be looked at
        self._rm(self._place)

    def _rm(self, place: str) -> None:
        try:
            self._fs.rm_file(place)
        except FileNotFoundError:
            return
        if "file" in protocols(self._fs):
            settle(Path(place).parent)


@contextmanager
def writes(target: Target, journal: Journal, found: Journal | None) -> Iterator[Writing]:
    """Hold the journal; remove it at the end.

    A caller's mistake, and any error before something is written, leave nothing behind. After
    another error, or an interruption, what is written stays for a run that resumes; so does what
    an earlier run has left.
    """
    writing = Writing(target, journal, found=found)
    try:
        yield writing
    except BaseException as error:
        remove = found is None and not writing.begun
        mistake = isinstance(error, InputError) and found is None and writing.begun
        new = journal.operation == "archive" and writing.journal.phase != "whole"
        try:
            if mistake and new and writing.mine():
                clear_stage(stage_of(target, beside=journal.beside), beside=journal.beside)
                remove = True
        finally:
            writing.leave(remove=remove)
        raise
    try:
        writing.done()
    except BaseException:
        writing.leave(remove=False)
        raise


def while_held(writing: Writing, progress: Progress) -> Progress:
    """Progress that stops a writer that has lost its journal."""

    def report(task: str, done: int, total: int, note: str = "") -> None:
        writing.go_on()
        progress(task, done, total, note)

    return report
