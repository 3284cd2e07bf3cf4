"""A child decodes although another thread of its parent held a lock during the fork."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Forking beside threads, in a process of its own. The thread holds every lock that a module or a
# class of the package has; a child that waits for one of them is ended by its alarm.
FORK = """
import functools, os, signal, sys, threading
import models
import numpy as np
import zarr
from zarr.storage import MemoryStore
from zarrmal_codecs import Model, NumcodecsZarrmal, array_arguments

cells = models.pixels(7, (4, 6, 5))
cached, new = models.two_classes(), models.one_layer()
codec = NumcodecsZarrmal.of(cached)
data = codec.encode(cells)
array = zarr.create_array(MemoryStore(), shape=cells.shape, dtype="uint8", chunks=(2, 6, 5),
                          **array_arguments(cached))
array[:] = cells

LOCKS = type(threading.Lock()), type(threading.RLock())
locks = []
for name, module in list(sys.modules.items()):
    if name.startswith("zarrmal_codecs"):
        owners = [module, *(v for v in vars(module).values() if isinstance(v, type))]
        values = [value for owner in owners for value in vars(owner).values()]
        values += [v.lock for v in values if isinstance(v, functools.cached_property)
                   and hasattr(v, "lock")]
        locks += [value for value in values if isinstance(value, LOCKS)]
locks = list({id(lock): lock for lock in locks}.values())
assert locks, "nothing is tested"

held, done = threading.Event(), threading.Event()

def hold():
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
    assert np.array_equal(codec.decode(data), cells)
    assert np.array_equal(array[:], cells)
    other = NumcodecsZarrmal.of(Model.from_bytes(new.to_bytes()))
    grey = models.pixels(7, (4, 3, 3))
    assert np.array_equal(other.decode(other.encode(grey)), grey)
    os._exit(0)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
done.set()
thread.join()
assert np.array_equal(codec.decode(data), cells)
sys.exit("the child waits for a lock" if status == -signal.SIGALRM else status)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_forked_while_locks_are_held_decodes():
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-c", FORK],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
