"""What a study has measured, kept in its folder by a digest of all that it depends on."""

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


def digest(*parts: object) -> str:
    """Names what is described by these parts."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:KEY_LETTERS]


class Keep:
    """A folder of files named after what they hold and the digest of what it depends on.

    So what was measured with other options or of other cells is never taken, and stays for the
    day when they are asked for again. A damaged file is measured anew.

    Parameters
    ----------
    folder
        Made when needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def arrays(self, name: str, key: str, make: Callable[[], Arrays]) -> Arrays:
        """Kept arrays of that name and key, or those that ``make`` gives."""
        place = self._folder / f"{name}-{key}.npz"
        try:
            with place.open("rb") as file, np.load(file, allow_pickle=False) as held:
                return {k: held[k] for k in held.files}
        except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error):
            made = make()
        partial = self._partial(place)
        with partial.open("wb") as out:
            np.savez(out, **made)  # type: ignore[arg-type]
        partial.replace(place)
        return made

    def tree(self, name: str, key: str, make: Callable[[], Any]) -> Any:
        """A kept JSON tree of that name and key, or the one that ``make`` gives."""
        place = self._folder / f"{name}-{key}.json"
        try:
            return json.loads(place.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            made = make()
        partial = self._partial(place)
        partial.write_text(json.dumps(made, allow_nan=False) + "\n", encoding="utf-8")
        partial.replace(place)
        return made

    def _partial(self, place: Path) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return place.with_name(place.name + ".partial")
