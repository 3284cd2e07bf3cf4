"""Which process this is, and whether another one still runs."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import uuid
from contextlib import suppress
from pathlib import Path

_at_work: set[str] = set()
_changing = threading.Lock()


def this_machine() -> str:
    """This machine since it was started, and on Linux the numbering of processes (containers).

    Where its start has no name, as on macOS, its network card's number is taken: names of hosts are
    given twice.
    """
    known = [socket.gethostname()]
    try:
        known.append(Path("/proc/sys/kernel/random/boot_id").read_text())
    except OSError:
        known.append(f"{uuid.getnode():012x}")
    with suppress(OSError):
        known.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("\0".join(known).encode()).hexdigest()[:16]


def started(pid: int) -> str:
    """When a process of this machine was started, by the kernel's clock; empty if not told."""
    with suppress(OSError, IndexError):
        # After the name, which may hold anything: state is field 3, the start is field 22.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return ""


def runs(pid: int) -> bool:
    """A process of this machine has this number; always True where that cannot be asked."""
    if os.name == "nt":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def begins_work(writer: str) -> None:
    """A writer of this process, by its random name, is at work from here on."""
    with _changing:
        _at_work.add(writer)


def ends_work(writer: str) -> None:
    """Inverse of begins_work; without effect on a writer that is not at work."""
    with _changing:
        _at_work.discard(writer)


def at_work(writer: str) -> bool:
    """A writer of this process is at work."""
    with _changing:
        return writer in _at_work
