"""Coefficients of cells ↔ streams, by the native kernel where it is there, else in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constants import RANS_STATE_BYTES
from ..errors import TruncatedError
from . import cells as plain
from .blocks import EARLIER
from .cells import FULLY_VISIBLE, Coefficients, Layout, checked
from .numbers import CURVE, EXP, LOG, LOG_STEP, SCAN, SHARE, SLOPE
from .transform import MATRIX, SIDE
from .weights import Weights

try:
    from .. import _kernel
except ImportError:  # pragma: no cover  (built without a C++ compiler)
    _kernel = None  # type: ignore[assignment]


def levels() -> list[str]:
    """Instruction sets of the kernel on this machine, slowest first; none without a kernel."""
    return [] if _kernel is None else list(_kernel.levels())


class Engine:
    """Weights made ready for coding.

    Parameters
    ----------
    weights
        The model.
    level
        One of ``levels()``, or "numpy"; None for the fastest.
    """

    def __init__(self, weights: Weights, level: str | None = None) -> None:
        self.weights = weights
        available = levels()
        self.level = level or (available[-1] if available else "numpy")
        self._plan: Any = None
        if self.level != "numpy":
            self._plan = _kernel.LatticePlan(_arrays(weights), _tables())

    def encode(self, layouts: Sequence[Layout], cells: Sequence[Coefficients]) -> list[bytes]:
        """One stream a cell; see ``cells.encode``."""
        if self._plan is None or not cells:
            return plain.encode(self.weights, layouts, cells)
        flat = [
            checked(cell[p], layout, p)
            for layout, cell in zip(layouts, cells, strict=True)
            for p in range(len(layout.n_blocks))
        ]
        laid = _Laid.of(layouts)
        result: list[bytes] = _kernel.encode_lattice(
            self._plan, *laid.arrays(), np.concatenate(flat), self.level
        )
        return result

    def decode(
        self, layouts: Sequence[Layout], streams: Sequence[bytes]
    ) -> list[list[NDArray[np.int16]]]:
        """Inverse of ``encode``; see ``cells.decode``."""
        if self._plan is None or not streams:
            return plain.decode(self.weights, layouts, streams)
        if any(len(stream) < RANS_STATE_BYTES for stream in streams):
            raise TruncatedError("a cell's stream is shorter than the coder's state")
        laid = _Laid.of(layouts)
        flat, status = _kernel.decode_lattice(
            self._plan, *laid.arrays(), [bytes(stream) for stream in streams], self.level
        )
        result, start = [], 0
        for layout in layouts:
            cell = []
            for rows, columns in layout.n_blocks:
                stop = start + rows * columns
                cell.append(flat[start:stop].reshape(rows, columns, SIDE, SIDE))
                start = stop
            result.append(cell)
        if status.any():
            plain.refuse(status[:, 0])
        return result


@dataclass(frozen=True, slots=True, eq=False)
class _Laid:
    """What the kernel knows of cells: arrays of cells and planes, and of all their blocks."""

    sizes: NDArray[np.int64]
    ratios: NDArray[np.uint8]
    steps: NDArray[np.uint16]
    coded: NDArray[np.uint8]
    visible: NDArray[np.uint8]

    @classmethod
    def of(cls, layouts: Sequence[Layout]) -> _Laid:
        plain.n_planes_of(layouts)
        coded, visible = [], []
        for layout in layouts:
            for p, (rows, columns) in enumerate(layout.n_blocks):
                n = rows * columns
                coded.append(
                    np.ones(n, np.uint8)
                    if layout.coded is None
                    else layout.coded[p].reshape(-1).astype(np.uint8)
                )
                visible.append(
                    np.full(n, FULLY_VISIBLE, np.uint8)
                    if layout.visible is None
                    else layout.visible[p].reshape(-1)
                )
        steps = np.stack([layout.camera.tables for layout in layouts])
        return cls(
            np.array([layout.n_blocks for layout in layouts], np.int64),
            np.array([layout.camera.ratios for layout in layouts], np.uint8),
            np.ascontiguousarray(steps.reshape(*steps.shape[:2], 64)),
            np.concatenate(coded),
            np.concatenate(visible),
        )

    def arrays(self) -> tuple[NDArray[Any], ...]:
        return self.sizes, self.ratios, self.steps, self.coded, self.visible


def _arrays(weights: Weights) -> list[dict[str, NDArray[Any]]]:
    flat = []
    for plane in weights.planes:
        arrays = {field.name: getattr(plane, field.name) for field in fields(plane)}
        flat.append(
            {
                name: np.ascontiguousarray(a if name.startswith("from") else a.reshape(-1))
                for name, a in arrays.items()
            }
        )
    return flat


def _tables() -> dict[str, NDArray[np.int64]]:
    return {
        "log": LOG, "log_step": LOG_STEP, "curve": CURVE, "slope": SLOPE, "share": SHARE,
        "exp": EXP, "scan": SCAN, "earlier": np.array(EARLIER, np.int64).reshape(-1),
        "matrix": MATRIX.reshape(-1),
    }  # fmt: skip
