"""Measurements of a study, stored by a digest of everything that they depend on."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

KEY_LETTERS = 16


def cache_key(*parts: object) -> str:
    """Digest of the parts, hexadecimal."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:KEY_LETTERS]


class Cache:
    """A folder of files, each named after its content and the digest of what that depends on.

    So a measurement with other options or of other cells is never used, and stays for a later run
    with them. A damaged file is measured again.

    Parameters
    ----------
    folder
        Created when the first file is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def arrays(self, name: str, key: str, measure: Callable[[], Arrays]) -> Arrays:
        """Stored arrays of this name and key; without any, measure and store them."""
        path = self._folder / f"{name}-{key}.npz"
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return {k: stored[k] for k in stored.files}
        except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error):
            arrays = measure()
        partial = self._partial(path)
        with partial.open("wb") as out:
            np.savez(out, **arrays)  # type: ignore[arg-type]
        partial.replace(path)
        return arrays

    def json(self, name: str, key: str, measure: Callable[[], Any]) -> Any:
        """Stored JSON value of this name and key; without one, measure and store it."""
        path = self._folder / f"{name}-{key}.json"
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            value = measure()
        partial = self._partial(path)
        partial.write_text(json.dumps(value, allow_nan=False) + "\n", encoding="utf-8")
        partial.replace(path)
        return value

    def _partial(self, path: Path) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return path.with_name(path.name + ".partial")
