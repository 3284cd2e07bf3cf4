"""Which writers of this process are alive, and what names a machine."""

import os
from dataclasses import replace

import pytest

import zarrmal
from zarrmal.archive import Location, WriteOptions
from zarrmal.archive.lock import process as processes
from zarrmal.archive.lock.journal import Journal, read_journal
from zarrmal.archive.lock.process import this_machine
from zarrmal.archive.lock.writer_lock import WriterLock
from zarrmal.errors import InputError
from zarrmal.sources import Subset

JOURNAL = Journal(operation="append", n_stored=100, n_new=10, source="0" * 64)


def part(cells, first, last):
    return Subset(cells, range(first, last))


def write(source, place, model, **wishes):
    options = WriteOptions(chunk_cells=16, workers=1, **wishes)
    zarrmal.write(source, place, model=model, assign="labels", options=options)


def test_of_this_process_a_writer_is_alive_while_it_is_at_work(tmp_path):
    target = Location(str(tmp_path / "a"))
    writing = WriterLock(target, JOURNAL, previous=None)
    found = read_journal(target)
    assert found.pid == os.getpid()
    assert replace(found, beat=1.0).is_alive
    assert not replace(found, writer="another").is_alive
    writing.release()
    assert not found.is_alive


@pytest.mark.parametrize("ending", ["abandon", "remove", "release"])
def test_a_writer_whose_network_fails_at_the_end_is_dead(tmp_path, monkeypatch, ending):
    target = Location(str(tmp_path / "a"))

    def fail(*_, **__):
        raise OSError(101, "Network is unreachable")

    writing = WriterLock(target, JOURNAL, previous=None)
    with monkeypatch.context() as patch:
        patch.setattr(WriterLock, "_store", fail)
        patch.setattr(WriterLock, "_remove", fail)
        if ending == "release":
            with pytest.raises(OSError, match="unreachable"):
                writing.release()
        else:
            writing.abandon(remove=ending == "remove")
    found = read_journal(target)
    assert found.beat > 0
    assert not found.is_alive
    WriterLock(target, JOURNAL, previous=found).release()


def test_a_mistake_whose_traces_cannot_be_removed(cells, model, tmp_path, monkeypatch):
    """The writer has left all the same."""
    place = tmp_path / "a"

    def mistake(*_, **__):
        raise InputError("an image has changed")

    def fail(*_, **__):
        raise OSError(101, "Network is unreachable")

    with monkeypatch.context() as patch:
        patch.setattr("zarrmal.archive.write.segment.commit", mistake)
        patch.setattr(WriterLock, "is_held", fail)
        patch.setattr(WriterLock, "expect_held", lambda self: None)
        with pytest.raises(OSError, match="unreachable"):
            write(part(cells, 0, 40), place, model)
    assert not read_journal(Location(str(place))).is_alive
    write(part(cells, 0, 40), place, model, resume=True)
    assert not zarrmal.verify(Location(str(place)), part(cells, 0, 40)).problems


def test_two_machines_of_one_name_are_two(monkeypatch):
    """Where the system's start has no name, as on macOS."""

    class NoProc:
        def __init__(self, _):
            pass

        def read_text(self):
            raise FileNotFoundError(2, "no /proc")

    monkeypatch.setattr(processes, "Path", NoProc)
    found = []
    for card in (1, 2, 1):
        monkeypatch.setattr(processes.uuid, "getnode", lambda card=card: card)
        found.append(this_machine())
    assert found[0] != found[1]
    assert found[0] == found[2]
