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
from .journal import Journal, Phase, busy, journal_place, protocols, read_journal
from .process import started, this_machine
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
        if found is not None:
            self._bury(target, found)
        try:
            self._create()
        except FileExistsError:
            raise InputError(busy(target, read_journal(target))) from None
        except (TypeError, NotImplementedError) as error:  # a zip file, a web server
            raise InputError(f"{target.url} cannot be written to: write to a folder or a bucket, "
                             f"and copy the archive from there") from error  # fmt: skip
        self.check()  # a store that cannot create under a condition keeps the last of two
        self._lock, self._left, self._lost = threading.Lock(), threading.Event(), False
        self._heart = threading.Thread(target=self._beat, name="zarrmal-beat", daemon=True)
        self._heart.start()

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
        with self._lock:
            self.check()
            self._remove()

    def leave(self, *, remove: bool) -> None:
        """After an error: nobody works on it any more. Without ``remove`` another run may go on."""
        self._left.set()
        with self._lock, suppress(Exception):  # what led here is what has to be told
            if remove and self.mine():
                self._remove()
            elif not remove:
                self.journal = replace(self.journal, beat=0.0)
                self._store()

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

    def _bury(self, target: Target, found: Journal) -> None:
        """Remove the journal of a dead writer, unless somebody else has done so."""
        current = read_journal(target)
        if current is None or current.writer != found.writer:
            return
        if found.beat and not found.here:
            stop = time.monotonic() + WATCH_SECONDS
            while current == found and time.monotonic() < stop:
                time.sleep(WATCH_SECONDS / 20)
                current = read_journal(target)
        if current == found:
            self._remove()

    def _store(self) -> None:
        self.check()
        if "file" in protocols(self._fs):
            put_file(Path(self._place), self._data())
        else:
            self._fs.pipe_file(self._place, self._data())

    def _create(self) -> None:
        if "file" in protocols(self._fs):
            put_file(Path(self._place), self._data(), new=True)
        else:
            self._fs.pipe_file(self._place, self._data(), mode="create")

    def _data(self) -> bytes:
        return json.dumps(asdict(self.journal)).encode()

    def _remove(self) -> None:
        try:
            self._fs.rm_file(self._place)
        except FileNotFoundError:
            return
        if "file" in protocols(self._fs):
            settle(Path(self._place).parent)


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
        if mistake and new and writing.mine():
            stage_of(target, beside=journal.beside).remove()
            remove = True
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
