"""The coder of a model, built once per process and shared by digest."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..constants import PROFILE_HYBRID
from ..hybrid.engine import chosen_level
from ..model.model import Model
from ..scales import Pixels, Scales
from ..silhouette.outlined import Outlined, outline
from ..silhouette.silhouettes import Silhouettes, cut_out
from .lattice_cells import LatticeCells
from .profiles import CellCoder, Sizes, cell_coder
from .reduction import Reduction, reduce

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
        self._lattice = tuple(
            LatticeCells.of(c) if model.profile == PROFILE_HYBRID else None for c in model.classes
        )
        self.has_checks = self._cells[0].has_checks
        self.takes_sizes = self._cells[0].takes_sizes
        self.takes_silhouettes = all(cells.takes_silhouettes for cells in self._cells)
        self.depth = model.depth
        self.can_encode = all(cells.can_encode for cells in self._cells)

    def cells(self, index: int) -> CellCoder:
        """The coder of one class."""
        return self._cells[index]

    def lattice(self, index: int) -> LatticeCells | None:
        """The coder of coefficients of one class; None if it has none."""
        return self._lattice[index]

    def fits(self, cell_shape: tuple[int, ...]) -> bool:
        """Whether every class can code cells of this shape."""
        return all(cells.fits(cell_shape) for cells in self._cells)

    def outline(
        self, pixels: Pixels, sizes: Sizes | None, silhouettes: Silhouettes | None
    ) -> Outlined | None:
        """The silhouettes with which cells (cell, *cell_shape) are coded, or None.

        Parameters
        ----------
        sizes
            uint16 (cell, 2): height and width of each cell; None where all have the array's.
        silhouettes
            Of each cell; None: those that its pixels show.
        """
        if not self.takes_silhouettes or not len(pixels):
            return None
        silhouettes = silhouettes or cut_out(pixels, sizes)
        if silhouettes is None:
            return None
        return outline(silhouettes, pixels, sizes, native=chosen_level() != "numpy")

    def bits(
        self,
        pixels: Pixels,
        sizes: Sizes | None = None,
        silhouettes: Silhouettes | None = None,
    ) -> NDArray[np.float64]:
        """Bits of each cell under each class, float64 (cell, class); see ``outline``.

        Parameters
        ----------
        pixels
            uint8 or uint16 (cell, \\*cell_shape).

        Raises
        ------
        ValueError
            If the pixels have more levels than the model knows.
        """
        values, scales = self._values(pixels)
        return self._bits(values, sizes, self.outline(values, sizes, silhouettes), scales)

    def shortest(
        self,
        pixels: Pixels,
        sizes: Sizes | None = None,
        silhouettes: Silhouettes | None = None,
    ) -> NDArray[np.uint8]:
        """The class that codes each cell in the fewest bits, uint8 (cell,); see ``bits``.

        All are of class 0 where the model does not know all their levels: no model codes them then.
        """
        if not self.knows(pixels):
            return np.zeros(len(pixels), np.uint8)
        values, scales = self._values(pixels)
        outlined = self.outline(values, sizes, silhouettes)
        return self.shortest_outlined(values, sizes, outlined, scales)

    def knows(self, pixels: Pixels) -> bool:
        """Whether pixels (cell, *cell_shape) have no more levels than the model knows."""
        return pixels.dtype == np.uint8 or self.depth == 16 or self._reduced(pixels) is not None

    def _reduced(self, pixels: Pixels) -> tuple[Pixels, Reduction] | None:
        has_channels = len(self.model.cell_shape) == 3
        return reduce(pixels if has_channels else pixels[..., None], self.depth)

    def _values(self, pixels: Pixels) -> tuple[Pixels, Scales | None]:
        """What the model codes of pixels, as encode_chunk does for these cells alone."""
        if pixels.dtype == np.uint8:
            return pixels, None
        reduced = self._reduced(pixels)
        if reduced is None:
            raise ValueError(
                f"the cells have more than 255 levels of {pixels.dtype}, but the model is of depth "
                f"{self.depth}: train one on such cells"
            )
        values, reduction = reduced
        return values.reshape(pixels.shape), reduction.scales

    def shortest_outlined(
        self,
        pixels: Pixels,
        sizes: Sizes | None,
        outlined: Outlined | None,
        scales: Scales | None,
    ) -> NDArray[np.uint8]:
        """The same where values and silhouettes were prepared already."""
        if len(self._cells) == 1:
            return np.zeros(len(pixels), np.uint8)
        bits = self._bits(pixels, sizes, outlined, scales)
        chosen: NDArray[np.uint8] = bits.argmin(axis=1).astype(np.uint8)
        return chosen

    def _bits(
        self,
        pixels: Pixels,
        sizes: Sizes | None,
        outlined: Outlined | None,
        scales: Scales | None,
    ) -> NDArray[np.float64]:
        return np.stack(
            [cells.bits(pixels, sizes, outlined, scales) for cells in self._cells], axis=1
        )


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
