"""Measurements of rivals, kept as JSON lines: a long run that was interrupted goes on.

A line is taken again only by a run with the same coder and settings, libraries, cells and
processor, on a machine as busy or as idle: the speeds of one table belong together.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .measure import Measurement

FILE_NAME = "rivals.jsonl"
ABOUT_MACHINE = ("machine", "system", "cpu", "n_cpus", "busy")


class Kept:
    """The measurements in a folder; without a folder nothing is kept.

    Parameters
    ----------
    folder
        It exists.
    machine, versions
        Of this run.
    """

    def __init__(
        self, folder: Path | None, machine: dict[str, Any], versions: dict[str, str]
    ) -> None:
        self._place = None if folder is None else folder / FILE_NAME
        self._here = {name: machine[name] for name in ABOUT_MACHINE} | {"versions": versions}
        self._known = {} if self._place is None else _read(self._place)
        self.n_taken = 0

    def measured(self, key: dict[str, Any], measure: Callable[[], Measurement]) -> Measurement:
        """The measurement of an earlier run, or a new one, which is kept."""
        name = _name(key | self._here)
        found = self._known.get(name)
        if found is not None:
            self.n_taken += 1
            return found
        new = measure()
        if self._place is not None:
            self._append({"key": key | self._here, "measurement": new.to_json()})
        return new

    def _append(self, line: dict[str, Any]) -> None:
        assert self._place is not None
        with self._place.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read() != b"\n":  # the run before was cut off while it wrote
                    file.write(b"\n")
            file.write(json.dumps(line).encode() + b"\n")


def cells_digest(cells: NDArray[np.uint8], classes: NDArray[Any] | None) -> str:
    """sha256 of pixels, shape and classes."""
    digest = hashlib.sha256(f"{cells.shape}".encode())
    digest.update(np.ascontiguousarray(cells).data)
    if classes is not None:
        digest.update("\0".join(np.asarray(classes).astype(str).tolist()).encode())
    return digest.hexdigest()


def _read(place: Path) -> dict[str, Measurement]:
    """Lines that are whole; the last one may be cut short."""
    found = {}
    for line in place.read_text().splitlines() if place.exists() else ():
        try:
            tree = json.loads(line)
            found[_name(tree["key"])] = Measurement(**tree["measurement"])
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _name(key: dict[str, Any]) -> str:
    return json.dumps(key, sort_keys=True)
