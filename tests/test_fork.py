"""A forked child is not stopped by a lock that another thread of its parent held."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Imports what has a lock, and runs in a process of its own.
FORK = """
import importlib, sys
from pathlib import Path
import zarrmal
from forked import exit_code_of_child, locks_of
from zarrmal.archive.lock.process import add_writer, is_writing

root = Path(zarrmal.__file__).parent
for file in root.rglob("*.py"):
    if "Lock()" in file.read_text():
        try:
            importlib.import_module(".".join(file.relative_to(root.parent).with_suffix("").parts))
        except ImportError:
            pass  # an optional package is not installed

add_writer("of the parent")

def module_locks():
    return locks_of("zarrmal")

def child():
    for name, lock in module_locks().items():
        assert lock.acquire(blocking=False), name
        lock.release()
    assert not is_writing("of the parent")

locks = module_locks()
assert len(locks) >= 2, "nothing is tested"
status = exit_code_of_child(locks, child)
assert is_writing("of the parent")
sys.exit(status)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_module_locks_are_free_in_a_forked_child() -> None:
    places = [str(ROOT), str(ROOT / "codecs" / "tests")]
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(places)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr or "the child waits for a lock"
