"""A run that takes over from a dead one: at every moment there is a journal to go on by."""

import errno
import threading
import time
import uuid
from dataclasses import replace

import pytest
from zarr.storage import FsspecStore

import zarrmal
from zarrmal.archive import AppendOptions, Location, WriteOptions
from zarrmal.archive.lock.journal import DEAD, Journal, journal_path, read_journal
from zarrmal.archive.lock.writer_lock import WriterLock
from zarrmal.archive.storage.local import DurableStore
from zarrmal.archive.write import runners
from zarrmal.errors import InputError, LockedError
from zarrmal.sources import Source, Subset

JOURNAL = Journal(operation="append", n_stored=60, n_new=40, source="0" * 64)


def part(cells, first, last):
    return Subset(cells, range(first, last))


@pytest.fixture(params=["local", "memory"])
def place(request, tmp_path):
    if request.param == "local":
        return str(tmp_path / "a")
    return f"memory://{uuid.uuid4().hex}/a"


def append(source, place, *, resume=False, workers=1):
    options = AppendOptions(workers=workers, resume=resume)
    return zarrmal.append(source, place, options=options)


def beside(place):
    """Names of what lies where the archive lies."""
    fs, root = Location(place).filesystem()
    paths = fs.ls(root.rpartition("/")[0], detail=False)
    return sorted(path.rpartition("/")[2] for path in paths)


def bytes_of(place):
    fs, root = Location(place).filesystem()
    return {path: fs.cat_file(path) for path in fs.find(root)}


def fails(error):
    def fail(*_, **__):
        raise error

    return fail


@pytest.fixture
def interrupted(cells, model, place, monkeypatch):
    """An archive of 60 cells to which 40 were being appended; its bytes before that."""
    options = WriteOptions(chunk_cells=16, workers=1)
    zarrmal.write(part(cells, 0, 60), place, model=model, assign="labels", options=options)
    before = bytes_of(place)
    with monkeypatch.context() as patch:
        patch.setattr("zarrmal.archive.write.segment.commit", fails(OSError(errno.EIO, "io")))
        with pytest.raises(OSError, match="io"):
            append(part(cells, 60, 100), place)
    return before


def go_on(how, cells, place):
    if how == "undo":
        return zarrmal.undo(Location(place))
    return append(part(cells, 60, 100), place, resume=True)


def check_end(how, cells, place, before):
    """Complete, or as before, and nothing lies beside it."""
    assert (bytes_of(place) == before) == (how == "undo")
    n_cells = 60 if how == "undo" else 100
    assert zarrmal.verify(Location(place), part(cells, 0, n_cells)).problems == ()
    assert read_journal(Location(place)) is None
    assert beside(place) == ["a"]


@pytest.mark.parametrize("then", ["undo", "resume"])
@pytest.mark.parametrize("first", ["undo", "resume"])
def test_a_journal_that_cannot_be_created(cells, place, interrupted, monkeypatch, first, then):
    with monkeypatch.context() as patch:
        patch.setattr(WriterLock, "_create", fails(OSError(errno.ENOSPC, "No space left")))
        for _ in range(2):
            with pytest.raises(OSError, match="No space"):
                go_on(first, cells, place)
    with pytest.raises(InputError, match=r"interrupted in appending 40 cells.*undo"):
        append(part(cells, 60, 100), place)
    go_on(then, cells, place)
    check_end(then, cells, place, interrupted)


class Killed(BaseException):
    """Nothing may catch it."""


@pytest.mark.parametrize("how", ["undo", "resume"])
def test_killed_at_each_step_of_taking_over(cells, model, place, interrupted, monkeypatch, how):
    for moment in range(6):
        n_done = 0

        def dying(inner, moment=moment):
            def one(self, *rest, **more):
                nonlocal n_done
                if n_done == moment:
                    raise Killed
                inner(self, *rest, **more)
                n_done += 1

            return one

        with monkeypatch.context() as patch:
            for step in ("_put", "_delete"):
                patch.setattr(WriterLock, step, dying(getattr(WriterLock, step)))
            patch.setattr("zarrmal.archive.write.append.write_segment", fails(Killed()))
            patch.setattr("zarrmal.archive.write.append._restore_end", fails(Killed()))
            with pytest.raises(Killed):
                go_on(how, cells, place)
        found = read_journal(Location(place))
        assert (found.n_stored, found.n_new, found.is_alive) == (60, 40, False)
    go_on(how, cells, place)
    check_end(how, cells, place, interrupted)


def taken_over_meanwhile(monkeypatch, target, found):
    """Another writer takes over just before the journal is created; a list with it."""
    create, others = WriterLock._create, []

    def creating(self):
        if not others:
            others.append(self)
            others[0] = WriterLock(target, JOURNAL, previous=found)
        create(self)

    monkeypatch.setattr(WriterLock, "_create", creating)
    return others


def test_of_two_that_take_over_one_is_refused(place, monkeypatch):
    target = Location(place)
    WriterLock(target, JOURNAL, previous=None).abandon(remove=False)
    found = read_journal(target)
    others = taken_over_meanwhile(monkeypatch, target, found)
    with pytest.raises(InputError, match="another process"):
        WriterLock(target, JOURNAL, previous=found)
    others[0].expect_held()
    assert [name for name in beside(place) if name.endswith(DEAD)] == []
    others[0].release()
    assert read_journal(target) is None
    assert not Location(place).is_local or beside(place) == []


@pytest.mark.parametrize("ending", ["release", "left"])
def test_a_copy_that_another_has_put_back_does_not_stay(place, ending):
    """By one that took over, too, and died before its journal was created."""
    target = Location(place)
    WriterLock(target, JOURNAL, previous=None).abandon(remove=False)
    found = read_journal(target)
    writing = WriterLock(target, JOURNAL, previous=found)
    writing._put(writing._path + DEAD, found)
    if ending == "left":
        writing.abandon(remove=False)
        writing = WriterLock(target, JOURNAL, previous=read_journal(target))
    writing.release()
    assert read_journal(target) is None


def test_a_copy_is_of_a_dead_writer_whatever_the_clock_says(place, monkeypatch):
    target = Location(place)
    first = WriterLock(target, JOURNAL, previous=None)
    first._released.set()
    monkeypatch.setattr("zarrmal.archive.lock.writer_lock.WATCH_SECONDS", 0.2)
    found = replace(first.journal, machine="elsewhere")
    first._put(first._path, found)
    assert found.is_alive
    with monkeypatch.context() as patch:
        patch.setattr(WriterLock, "_create", fails(OSError(errno.ENOSPC, "No space left")))
        with pytest.raises(OSError, match="No space"):
            WriterLock(target, JOURNAL, previous=found)
    assert not read_journal(target).is_alive
    WriterLock(target, JOURNAL, previous=read_journal(target)).release()
    assert read_journal(target) is None


def take_over(place):
    """Another writer's journal in place of the one that is there, whatever it says."""
    lock = object.__new__(WriterLock)
    lock._fs, lock._path = journal_path(Location(place))
    lock._put(lock._path, replace(JOURNAL, writer="another", machine="elsewhere", beat=time.time()))


def test_a_run_that_was_taken_over_does_not_commit(cells, place, interrupted):
    """Though no heartbeat has told it: it looks before it commits."""
    zarrmal.undo(Location(place))
    source = part(cells, 60, 100)
    read, n_reads = source.read, 0

    def reading(rows):
        nonlocal n_reads
        n_reads += len(rows) < 40
        if n_reads == 3:  # of the chunks that 40 cells behind 60 lie in
            take_over(place)
        return read(rows)

    source.read = reading
    with pytest.raises(LockedError, match="taken over"):
        append(source, place)
    assert n_reads >= 3
    assert zarrmal.open(place).sizes["cell"] == 60
    assert read_journal(Location(place)).writer == "another"


def test_an_undo_that_was_taken_over_does_not_commit(place, interrupted, monkeypatch):
    stored = []

    def meanwhile(store, key, value, inner):
        if not stored:
            take_over(place)
        stored.append(key)
        return inner(store, key, value)

    for store in (DurableStore, FsspecStore):
        inner = store.set
        monkeypatch.setattr(
            store, "set", lambda self, key, value, inner=inner: meanwhile(self, key, value, inner)
        )
    with pytest.raises(LockedError, match="taken over"):
        zarrmal.undo(Location(place))
    assert stored
    assert not [key for key in stored if key.endswith((".zattrs", ".zarray", "zarr.json"))]


def test_a_run_that_has_failed_is_dead_on_other_machines_too(place, interrupted):
    """They cannot look at its process, and need not wait."""
    journal = read_journal(Location(place))
    assert not replace(journal, machine="elsewhere").is_alive


def test_a_store_that_keeps_the_last_of_two_new_journals(place, cells, interrupted, monkeypatch):
    """As some do that promise to create under a condition."""
    zarrmal.undo(Location(place))
    create = WriterLock._create

    def created(self):
        create(self)
        take_over(place)

    monkeypatch.setattr(WriterLock, "_create", created)
    with pytest.raises(LockedError, match="taken over"):
        append(part(cells, 60, 100), place)
    assert bytes_of_archive(place) == bytes_of_archive(place, interrupted)


def bytes_of_archive(place, objects=None):
    """Without what lies beside it."""
    root = Location(place).filesystem()[1]
    found = bytes_of(place) if objects is None else objects
    return {path: data for path, data in found.items() if path.startswith(root)}


class Slow(Source):
    """Cells of which all but the first chunk are read when the gate is open."""

    def __init__(self, source):
        self._source, self.gate, self.reading = source, threading.Event(), threading.Event()
        self.slow = False
        for name in ("n_cells", "cell_shape", "class_names", "labels", "names", "groups"):
            setattr(self, name, getattr(source, name))

    def read(self, indices):
        if self.slow:
            self.reading.set()
            assert self.gate.wait(60)
        return self._source.read(indices)


def test_threads_store_nothing_after_the_run_was_given_up(cells, place, interrupted, monkeypatch):
    """Ctrl-C, and again while it waits for them to end."""
    zarrmal.undo(Location(place))
    source = Slow(part(cells, 60, 100))

    def interrupt(*_, **__):
        assert source.reading.wait(60)
        raise KeyboardInterrupt

    make_plan = zarrmal.archive.write.append.order_cells
    pools = []

    def planned(*rest):
        plan = make_plan(*rest)
        source.slow = True
        return plan

    def leave_pool(self, *_):
        pools.append(self)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("zarrmal.archive.write.append.order_cells", planned)
        patch.setattr(runners, "wait", interrupt)
        patch.setattr(runners.ThreadPoolExecutor, "__exit__", leave_pool)
        with pytest.raises(KeyboardInterrupt):
            append(source, place, workers=2)
    zarrmal.undo(Location(place))
    source.gate.set()
    pools[0].shutdown()
    assert bytes_of(place) == interrupted
