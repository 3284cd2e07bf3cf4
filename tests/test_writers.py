"""One writer at a time: who is alive, who is dead, and what is looked at again under the lock."""

import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import zarr
from PIL import Image

import zarrmal
from zarrmal.archive import AppendOptions, Location, WriteOptions
from zarrmal.archive.lock import writer_lock as writings
from zarrmal.archive.lock.journal import Journal, read_journal
from zarrmal.archive.lock.process import start_time, this_machine
from zarrmal.archive.lock.writer_lock import WriterLock
from zarrmal.archive.write.commit import resized
from zarrmal.errors import InputError
from zarrmal.sources import Subset
from zarrmal.sources.images import image_file

JOURNAL = Journal(operation="append", n_stored=100, n_new=10, source="0" * 64)


def part(cells, first, last):
    return Subset(cells, range(first, last))


def write(source, place, model, **wishes):
    options = WriteOptions(chunk_cells=16, workers=1, **wishes)
    zarrmal.write(source, place, model=model, assign="labels", options=options)


def append(source, place, **wishes):
    zarrmal.append(source, place, options=AppendOptions(workers=1, **wishes))


def of(pid, **changes):
    """A journal of a process of this machine, silent for an hour."""
    return replace(
        JOURNAL,
        writer="w",
        host=socket.gethostname(),
        machine=this_machine(),
        pid=pid,
        started=start_time(pid),
        beat=time.time() - 3600,
        **changes,
    )


@pytest.fixture
def dead_pid():
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


@pytest.fixture
def other_pid():
    """Of a process that runs."""
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        yield process.pid


def test_a_process_that_runs_is_alive_however_silent(other_pid):
    assert of(other_pid).is_alive


def test_a_process_that_has_ended_is_dead(dead_pid):
    assert not replace(of(dead_pid), beat=time.time()).is_alive


@pytest.mark.skipif(not start_time(os.getpid()), reason="this system does not tell when it started")
def test_another_process_of_the_same_number_is_not_it(other_pid):
    assert not replace(of(other_pid), started="1").is_alive


def test_of_another_machine_its_silence_tells(dead_pid):
    """A container's processes have numbers of their own, though the host's name be the same."""
    elsewhere = replace(of(dead_pid), machine="elsewhere")
    assert not elsewhere.is_alive
    assert replace(elsewhere, beat=time.time()).is_alive
    late = time.time() - 2 * writings.BEAT_SECONDS  # the one before last is the last to be seen
    assert replace(elsewhere, beat=late).is_alive
    assert not replace(elsewhere, beat=0.0).is_alive


def test_a_writer_elsewhere_whose_clock_is_wrong_is_seen_to_be_alive(tmp_path, monkeypatch):
    monkeypatch.setattr(writings, "WATCH_SECONDS", 2.0)
    monkeypatch.setattr(writings, "BEAT_SECONDS", 0.2)
    target = Location(str(tmp_path / "a"))
    with monkeypatch.context() as patch:
        patch.setattr(writings, "this_machine", lambda: "elsewhere")
        patch.setattr(writings.time, "time", lambda: 1e9 + time.monotonic())
        first = WriterLock(target, JOURNAL, previous=None)
        found = read_journal(target)
        time.sleep(0.5)
    assert not found.is_alive
    with pytest.raises(InputError, match="another process"):
        WriterLock(target, JOURNAL, previous=found)
    first.release()


def test_a_writer_elsewhere_that_is_silent_is_taken_over(tmp_path, monkeypatch):
    monkeypatch.setattr(writings, "WATCH_SECONDS", 0.4)
    target = Location(str(tmp_path / "a"))
    with monkeypatch.context() as patch:
        patch.setattr(writings, "this_machine", lambda: "elsewhere")
        first = WriterLock(target, JOURNAL, previous=None)
    second = WriterLock(target, JOURNAL, previous=read_journal(target))
    with pytest.raises(InputError, match="taken over"):
        first.expect_held()
    second.release()
    assert list(tmp_path.iterdir()) == []


def test_a_writer_beats_whatever_it_does(tmp_path, monkeypatch):
    monkeypatch.setattr(writings, "BEAT_SECONDS", 0.05)
    target = Location(str(tmp_path / "a"))
    writing = WriterLock(target, JOURNAL, previous=None)
    first = read_journal(target).beat
    time.sleep(0.5)
    assert read_journal(target).beat > first
    writing.release()
    time.sleep(0.2)
    assert read_journal(target) is None


def test_a_writer_that_was_replaced_learns_it(tmp_path, monkeypatch):
    monkeypatch.setattr(writings, "BEAT_SECONDS", 0.05)
    target = Location(str(tmp_path / "a"))
    writing = WriterLock(target, JOURNAL, previous=None)
    writing._remove()
    time.sleep(0.5)
    with pytest.raises(InputError, match="taken over"):
        writing.expect_not_lost()
    writing.abandon(remove=True)


def test_a_link_has_the_journal_of_what_it_leads_to(archive, cells):
    link = archive.with_name("link")
    link.symlink_to(archive)
    writing = WriterLock(Location(str(archive)), JOURNAL, previous=None)
    with pytest.raises(InputError, match="another process"):
        append(part(cells, 0, 10), link)
    writing.release()


def test_a_home_folder_is_a_persons(cells, model, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(part(cells, 0, 20), "~/a", model)
    assert (tmp_path / "a" / "zarr.json").is_file()
    assert not zarrmal.verify(Location("~/a")).problems


@pytest.mark.parametrize("url", ["memory://lab/plate[1].zarr", "memory://lab/a*", "memory://lab/?"])
def test_a_name_that_is_a_pattern_is_refused(cells, model, url):
    """fsspec would remove what it matches."""
    write(part(cells, 0, 20), "memory://lab/plate1.zarr", model, overwrite=True)
    with pytest.raises(InputError, match="pattern"):
        write(cells, url, model)
    assert not zarrmal.verify(Location("memory://lab/plate1.zarr")).problems


def test_an_empty_name_is_refused(cells, model):
    with pytest.raises(InputError, match="empty"):
        write(cells, "", model)


def meanwhile(monkeypatch, what):
    """Have something done just before the lock is taken."""
    create = WriterLock._create
    done = []

    def creating(self):
        if not done:
            done.append(1)
            what()
        create(self)

    monkeypatch.setattr(WriterLock, "_create", creating)


def test_an_archive_that_was_appended_to_meanwhile(cells, model, tmp_path, monkeypatch):
    place = str(tmp_path / "a")
    write(part(cells, 0, 100), place, model)
    meanwhile(monkeypatch, lambda: append(part(cells, 100, 110), place))
    with pytest.raises(InputError, match="another process has changed"):
        append(part(cells, 110, 120), place)
    assert not zarrmal.verify(Location(place), part(cells, 0, 110)).problems
    append(part(cells, 110, 120), place)
    assert not zarrmal.verify(Location(place), part(cells, 0, 120)).problems


@pytest.mark.parametrize("url", ["{folder}/a", "memory://{folder}/a"])
def test_an_archive_that_came_meanwhile(cells, model, tmp_path, monkeypatch, url):
    place = url.format(folder=tmp_path)
    meanwhile(monkeypatch, lambda: write(part(cells, 0, 100), place, model))
    with pytest.raises(InputError, match="exists already"):
        write(part(cells, 0, 50), place, model)
    assert not zarrmal.verify(Location(place), part(cells, 0, 100)).problems
    assert read_journal(Location(place)) is None


@contextmanager
def stopped(monkeypatch, where):
    """What is done ends at a function."""

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(where, stop)
        with pytest.raises(KeyboardInterrupt):
            yield


def interrupted(cells, place, monkeypatch, where):
    """An append of ten cells that ends at ``where``."""
    with stopped(monkeypatch, where):
        append(part(cells, 100, 110), place)


def test_undo_of_an_append_that_was_complete(cells, model, tmp_path, monkeypatch):
    place = str(tmp_path / "a")
    write(part(cells, 0, 100), place, model)
    interrupted(cells, place, monkeypatch, "zarrmal.archive.lock.writer_lock.WriterLock.release")
    with pytest.raises(InputError, match="complete when it was interrupted"):
        zarrmal.undo(Location(place))
    assert not zarrmal.verify(Location(place), part(cells, 0, 110)).problems


def test_nothing_to_resume_or_undo(cells, model, tmp_path):
    place = str(tmp_path / "a")
    write(part(cells, 0, 100), place, model)
    with pytest.raises(InputError, match="nothing to resume"):
        append(part(cells, 100, 110), place, resume=True)
    with pytest.raises(InputError, match="nothing to undo"):
        zarrmal.undo(Location(place))
    with pytest.raises(InputError, match="no Zarr group"):
        zarrmal.undo(Location(str(tmp_path / "b")))


def test_an_archive_that_was_removed_after_an_interrupted_append(
    cells, model, tmp_path, monkeypatch
):
    place = str(tmp_path / "a")
    write(part(cells, 0, 100), place, model)
    interrupted(cells, place, monkeypatch, "zarrmal.archive.write.segment.commit")
    Location(place).remove()
    write(part(cells, 0, 50), place, model)
    assert not zarrmal.verify(Location(place), part(cells, 0, 50)).problems
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("operation", ["archive", "append"])
@pytest.mark.parametrize(
    ("array", "values"),
    [("source_index", 7), ("predicted_class", [1, 0] * 5), ("predicted_class", 9)],
)
def test_a_plan_that_is_none_is_made_anew(
    cells, model, tmp_path, monkeypatch, operation, array, values
):
    """Its order was lost after the journal said that it is stored."""
    place = str(tmp_path / "a")
    stage = tmp_path / ("a" if operation == "append" else ".a.zarrmal-part")

    def work(**wishes):
        if operation == "append":
            append(part(cells, 100, 110), place, **wishes)
        else:
            write(part(cells, 0, 110), place, model, **wishes)

    if operation == "append":
        write(part(cells, 0, 100), place, model)
        interrupted(cells, place, monkeypatch, "zarrmal.archive.write.segment.commit")
    else:
        with stopped(monkeypatch, "zarrmal.archive.write.segment.commit"):
            work()
    group = zarr.open_group(stage, mode="r+")
    resized(group[array], 110)[100:] = values
    work(resume=True)
    assert not zarrmal.verify(Location(place), part(cells, 0, 110)).problems


def test_a_new_archive_that_has_its_place_already(cells, model, tmp_path, monkeypatch):
    place = str(tmp_path / "a")
    write(part(cells, 0, 50), place, model)
    with stopped(monkeypatch, "zarrmal.archive.lock.staging.remove_replaced"):
        write(part(cells, 0, 100), place, model, overwrite=True)
    with pytest.raises(InputError, match="--resume"):
        write(part(cells, 0, 100), place, model)
    write(part(cells, 0, 100), place, model, resume=True)
    assert not zarrmal.verify(Location(place), part(cells, 0, 100)).problems
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_disk_that_fails_while_a_folder_is_read_is_no_mistake(
    cells, model, tmp_path, monkeypatch
):
    folder = tmp_path / "cells"
    for k, cell in enumerate(cells.read(np.arange(40))):
        path = folder / cells.class_names[cells.labels[k]] / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(cell).save(path)
    source, n_read = zarrmal.open_source(folder), 0
    read_file = image_file.read_regular_file

    def failing(path):
        nonlocal n_read
        n_read += 1
        if n_read == 60:
            raise OSError(5, "Input/output error", str(path))
        return read_file(path)

    with monkeypatch.context() as patch:
        patch.setattr(image_file, "read_regular_file", failing)
        with pytest.raises(OSError, match="Input/output"):
            write(source, tmp_path / "a", model)
    assert n_read >= 60
    write(source, tmp_path / "a", model, resume=True)
    assert not zarrmal.verify(Location(str(tmp_path / "a")), source).problems


def test_without_hard_links(cells, model, tmp_path, monkeypatch):
    def no_link(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_link)
    write(part(cells, 0, 40), tmp_path / "a", model)
    writing = WriterLock(Location(str(tmp_path / "a")), JOURNAL, previous=None)
    with pytest.raises(InputError, match="another process"):
        append(part(cells, 40, 50), tmp_path / "a")
    writing.release()
    append(part(cells, 40, 50), tmp_path / "a")
    assert not zarrmal.verify(Location(str(tmp_path / "a")), part(cells, 0, 50)).problems


def test_threads_of_one_process_exclude_each_other(cells, model, tmp_path):
    place, outcomes = tmp_path / "a", []
    write(part(cells, 0, 100), place, model)
    gate = threading.Barrier(4)

    def one(k):
        gate.wait()
        try:
            append(part(cells, 100 + 10 * k, 110 + 10 * k), place)
            outcomes.append(k)
        except InputError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=one, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = [outcome for outcome in outcomes if isinstance(outcome, str)]
    n_done = len(outcomes) - len(told)
    assert n_done >= 1
    assert all("another process" in text for text in told)
    assert zarrmal.open(place).sizes["cell"] == 100 + 10 * n_done
    assert not zarrmal.verify(Location(str(place))).problems
    assert read_journal(Location(str(place))) is None
