"""The coder of a model, built once per process and shared by digest."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..model.model import Model
from .profiles import CellCoder, Sizes, cell_coder

MAX_CACHED_CODERS = 8

T = TypeVar("T")


class Coder:
    """The coders of all classes of a model. Thread-safe.

    Parameters
    ----------
    model
        Any valid model; CompatibilityError or ModelError if it cannot code cells.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self._cells = tuple(cell_coder(model, k) for k in range(len(model.classes)))
        self.has_checks = self._cells[0].has_checks
        self.takes_sizes = self._cells[0].takes_sizes
        self.can_encode = all(cells.can_encode for cells in self._cells)

    def cells(self, index: int) -> CellCoder:
        """The coder of one class."""
        return self._cells[index]

    def fits(self, cell_shape: tuple[int, ...]) -> bool:
        """Whether every class can code cells of this shape."""
        return all(cells.fits(cell_shape) for cells in self._cells)

    def bits(self, pixels: NDArray[np.uint8], sizes: Sizes | None = None) -> NDArray[np.float64]:
        """Bits of each cell under each class, float64 (cell, class), of (cell, *cell_shape).

        Parameters
        ----------
        sizes
            uint16 (cell, 2): height and width of each cell; None where all have the array's.
        """
        return np.stack([cells.bits(pixels, sizes) for cells in self._cells], axis=1)

    def shortest(self, pixels: NDArray[np.uint8], sizes: Sizes | None = None) -> NDArray[np.uint8]:
        """The class that codes each cell in the fewest bits, uint8 (cell,)."""
        if len(self._cells) == 1:
            return np.zeros(len(pixels), np.uint8)
        chosen: NDArray[np.uint8] = self.bits(pixels, sizes).argmin(axis=1).astype(np.uint8)
        return chosen


_lock = threading.Lock()
_coders: OrderedDict[str, Coder] = OrderedDict()
"""Digest -> coder."""
_digests: OrderedDict[str, str] = OrderedDict()
"""Base64 text -> verified digest of its bytes: hashed once a text, not once a chunk."""


def _renew_lock() -> None:
    """Give a forked child a lock of its own: the parent's may be held by another thread.

    The cache stays: each of its operations is atomic, and coders hold no lock.
    """
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew_lock)


def coder_for(model: Model) -> Coder:
    """The process-wide Coder of a model."""
    return _lookup(_coders, model.digest) or _remember(_coders, model.digest, Coder(model))


def coder_from_base64(text: str, sha256: str) -> Coder:
    """The process-wide Coder of the model in a codec configuration (FORMAT 5).

    Parameters
    ----------
    text
        The model's bytes in base64. A cached coder serves only a text whose own digest was
        verified: a damaged text fails here as it fails in a fresh process.
    sha256
        The digest that the configuration states.

    Raises
    ------
    CorruptionError, ModelError, CompatibilityError
        If the text is not base64, has another digest, or holds no model that can code cells.
    """
    if _lookup(_digests, text) != sha256:
        model = Model.from_base64(text, sha256)
        _remember(_digests, text, sha256)
        return coder_for(model)
    return _lookup(_coders, sha256) or coder_for(Model.from_base64(text, sha256))


def _lookup(cache: OrderedDict[str, T], key: str) -> T | None:
    with _lock:
        value = cache.get(key)
        if value is not None:
            cache.move_to_end(key)
        return value


def _remember(cache: OrderedDict[str, T], key: str, value: T) -> T:
    # Two threads may build the same value; both get the one that arrives first.
    with _lock:
        value = cache.setdefault(key, value)
        while len(cache) > MAX_CACHED_CODERS:
            cache.popitem(last=False)
        return value
