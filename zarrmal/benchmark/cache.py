"""Measurements of rivals as JSON lines, so that an interrupted run continues.

A line is reused only by a run with the same coder, settings, libraries, cells and processor, on a
machine that is as busy or as idle: the speeds of one table belong together.
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

from .measurement import Cells, Measurement

FILE_NAME = "rivals.jsonl"
MACHINE_FIELDS = ("machine", "system", "cpu", "n_cpus", "busy")


class MeasurementCache:
    """Measurements stored in a folder.

    Parameters
    ----------
    folder
        An existing folder. None: store nothing.
    machine, versions
        Of this run.
    """

    def __init__(
        self, folder: Path | None, machine: dict[str, Any], versions: dict[str, str]
    ) -> None:
        self._path = None if folder is None else folder / FILE_NAME
        self._environment = {name: machine[name] for name in MACHINE_FIELDS}
        self._environment["versions"] = versions
        self._measurements = {} if self._path is None else _read(self._path)
        self.n_reused = 0

    def get_or_measure(
        self, key: dict[str, Any], measure: Callable[[], Measurement]
    ) -> Measurement:
        """The stored measurement of this key, or a new one, which is stored."""
        key = key | self._environment
        stored = self._measurements.get(_canonical(key))
        if stored is not None:
            self.n_reused += 1
            return stored
        measurement = measure()
        if self._path is not None:
            _append(self._path, {"key": key, "measurement": measurement.to_json()})
        return measurement


def cells_digest(
    cells: Cells, classes: NDArray[Any] | None, slides: NDArray[Any] | None = None
) -> str:
    """SHA-256 of pixels, shape, classes and slides."""
    digest = hashlib.sha256()
    for pixels in (cells,) if isinstance(cells, np.ndarray) else cells:
        digest.update(f"{pixels.shape}".encode())
        digest.update(np.ascontiguousarray(pixels).data)
    for column in (classes, slides):
        if column is not None:
            digest.update("\0".join(np.asarray(column).astype(str).tolist()).encode())
    return digest.hexdigest()


def _append(path: Path, line: dict[str, Any]) -> None:
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read() != b"\n":  # the last run stopped while it wrote
                file.write(b"\n")
        file.write(json.dumps(line).encode() + b"\n")


def _read(path: Path) -> dict[str, Measurement]:
    """All complete lines; the last one may be cut short."""
    measurements = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            tree = json.loads(line)
            measurements[_canonical(tree["key"])] = Measurement.from_json(tree["measurement"])
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return measurements


def _canonical(key: dict[str, Any]) -> str:
    return json.dumps(key, sort_keys=True)
