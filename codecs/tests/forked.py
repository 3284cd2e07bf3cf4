"""A child is forked while another thread of its parent holds locks."""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading

LOCKS = type(threading.Lock()), type(threading.RLock())
SECONDS = 20
"""A child that waits for a lock is ended by its alarm."""


def locks_of(package):
    """Every lock that a module (or a class in it) of an imported package has, by place and name."""
    owners = []
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == package:
            owners.append((name, module))
            owners += [(name, v) for v in vars(module).values() if isinstance(v, type)]
    locks = {}
    for module, owner in owners:
        for name, value in vars(owner).items():
            if isinstance(value, functools.cached_property):
                value = getattr(value, "lock", None)
            if isinstance(value, LOCKS):
                locks[module, name] = value
    assert locks, "nothing is tested"
    return locks


def exit_code_of_child(locks, child):
    """Run a function in a child, forked while a thread holds the locks; negative for a signal."""
    held, done = threading.Event(), threading.Event()

    def hold():
        distinct = list({id(lock): lock for lock in locks.values()}.values())
        for lock in distinct:
            lock.acquire()
        held.set()
        done.wait()
        for lock in distinct:
            lock.release()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    process = os.fork()
    if process == 0:
        signal.alarm(SECONDS)
        child()
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    done.set()
    thread.join()
    return status
