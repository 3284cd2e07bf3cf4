"""A child decodes although another thread of its parent held a lock during the fork."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# Forking beside threads, in a process of its own.
FORK = """
import sys
import models
import numpy as np
import zarr
from forked import exit_code_of_child, locks_of
from zarr.storage import MemoryStore
from zarrmal_codecs import Model, NumcodecsZarrmal, array_arguments

cells = models.pixels(7, (4, 6, 5))
cached, new = models.two_classes(), models.one_layer()
codec = NumcodecsZarrmal.of(cached)
data = codec.encode(cells)
array = zarr.create_array(MemoryStore(), shape=cells.shape, dtype="uint8", chunks=(2, 6, 5),
                          **array_arguments(cached))
array[:] = cells

def child():
    assert np.array_equal(codec.decode(data), cells)
    assert np.array_equal(array[:], cells)
    other = NumcodecsZarrmal.of(Model.from_bytes(new.to_bytes()))
    grey = models.pixels(7, (4, 3, 3))
    assert np.array_equal(other.decode(other.encode(grey)), grey)

status = exit_code_of_child(locks_of("zarrmal_codecs"), child)
assert np.array_equal(codec.decode(data), cells)
sys.exit(status)
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
    assert done.returncode == 0, done.stderr or "the child waits for a lock"
