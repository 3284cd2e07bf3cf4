"""A forked child is not stopped by a lock that another thread of its parent held."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

FORK = """
import importlib, os, pkgutil, signal, sys, threading
import zarrmal
from zarrmal.archive.lock.process import add_writer, is_writing

for info in pkgutil.walk_packages(zarrmal.__path__, "zarrmal."):
    if not info.name.startswith(("zarrmal.learn", "zarrmal.study", "zarrmal.benchmark")):
        try:
            importlib.import_module(info.name)
        except ImportError:
            pass  # an optional package is not installed

LOCKS = type(threading.Lock()), type(threading.RLock())

def module_locks():
    modules = [(n, m) for n, m in sys.modules.items() if n.split(".")[0] == "zarrmal"]
    return {(n, key): value for n, m in modules for key, value in vars(m).items()
            if isinstance(value, LOCKS)}

assert len(module_locks()) >= 2, "nothing is tested"
add_writer("of the parent")
held, done = threading.Event(), threading.Event()

def hold():
    locks = list({id(lock): lock for lock in module_locks().values()}.values())
    for lock in locks:
        lock.acquire()
    held.set()
    done.wait()
    for lock in locks:
        lock.release()

thread = threading.Thread(target=hold)
thread.start()
held.wait()
child = os.fork()
if child == 0:
    signal.alarm(20)
    for name, lock in module_locks().items():
        assert lock.acquire(blocking=False), name
        lock.release()
    assert not is_writing("of the parent")
    os._exit(0)
_, status = os.waitpid(child, 0)
done.set()
thread.join()
assert is_writing("of the parent")
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_module_locks_are_free_in_a_forked_child() -> None:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
