"""Which process this is, and whether another one is still running."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import uuid
from contextlib import suppress
from pathlib import Path

_writers: set[str] = set()
_writers_lock = threading.Lock()


def _forget_writers() -> None:
    """Give a forked child a lock of its own, and no writers: those are its parent's threads."""
    global _writers_lock
    _writers_lock = threading.Lock()
    _writers.clear()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget_writers)


def this_machine() -> str:
    """16 hexadecimal digits that name this machine, its boot and, on Linux, the PID namespace.

    Without a boot identifier, as on macOS, the MAC address stands in: host names are not unique.
    """
    parts = [socket.gethostname()]
    try:
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text())
    except OSError:
        parts.append(f"{uuid.getnode():012x}")
    with suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def start_time(pid: int) -> str:
    """Start of a process of this machine in kernel clock ticks; empty where that is unknown."""
    with suppress(OSError, IndexError):
        # The fields after the name, which may hold anything: state is field 3, start field 22.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return ""


def runs(pid: int) -> bool:
    """A process of this machine has this number; True where that cannot be known (Windows)."""
    if os.name == "nt":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def add_writer(writer: str) -> None:
    """Register a writer of this process by its random name."""
    with _writers_lock:
        _writers.add(writer)


def remove_writer(writer: str) -> None:
    """Inverse of add_writer; without effect on an unknown writer."""
    with _writers_lock:
        _writers.discard(writer)


def is_writing(writer: str) -> bool:
    """A writer of this process is at work."""
    with _writers_lock:
        return writer in _writers
