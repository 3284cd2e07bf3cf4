"""Which process this is, and whether another one still runs."""

from __future__ import annotations

import hashlib
import os
import socket
from contextlib import suppress
from pathlib import Path


def this_machine() -> str:
    """This machine since it was started, and on Linux the numbering of processes (containers)."""
    known = [socket.gethostname()]
    with suppress(OSError):
        known.append(Path("/proc/sys/kernel/random/boot_id").read_text())
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
