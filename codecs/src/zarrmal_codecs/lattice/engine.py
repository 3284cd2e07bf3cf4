"""Coefficients of cells ↔ streams, by the native kernel where it is there, else in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constants import RANS_LOWEST
from . import cells as plain
from .blocks.spatial import BORDER, KNOWN, NEAR, Canvas
from .cells import FULLY_VISIBLE, Coefficients, Layout, check_of, checked
from .jpeg.transform import MATRIX, SIDE
from .numbers import CURVE, EXP, LOG, LOG_STEP, SCAN, SHARE, SLOPE
from .symbols.rims import measure_rims
from .symbols.streams import Streams, streams_of
from .weights import Weights

Ints = NDArray[np.int64]

_MORE = 8  # columns that the kernel's canvases have more than their cells

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
        """One stream a cell, of nothing but coefficients; see ``cells.encode``."""
        return self.streams(self.measure(layouts, cells), [check_of(cell) for cell in cells])

    def decode(
        self, layouts: Sequence[Layout], streams: Sequence[bytes]
    ) -> list[list[NDArray[np.int16]]]:
        """Inverse of ``encode``; see ``cells.decode``."""
        if not streams:
            return []
        reader = Streams(streams)
        cells = self.read(layouts, reader)
        reader.expect_end(np.array([check_of(cell) for cell in cells], np.int64))
        return cells

    def measure(self, layouts: Sequence[Layout], cells: Sequence[Coefficients]) -> list[Ints]:
        """Start and frequency of each symbol of each cell's coefficients, int64 (symbol, 2)."""
        if self._plan is None or not cells:
            return plain.measure(self.weights, layouts, cells) if cells else []
        flat = [
            checked(cell[p], layout, p)
            for layout, cell in zip(layouts, cells, strict=True)
            for p in range(len(layout.n_blocks))
        ]
        laid = _Laid.of(layouts)
        pairs, lengths = _kernel.measure_lattice(
            self._plan, laid.sizes, laid.ratios, laid.steps, laid.coded, laid.visible,
            np.concatenate(flat), self.level,
        )  # fmt: skip
        return np.split(pairs.astype(np.int64), np.cumsum(lengths[:, 0])[:-1])

    def streams(self, pairs: Sequence[Ints], checks: Sequence[int]) -> list[bytes]:
        """One stream a cell of its symbols (symbol, 2), whose last state holds its check."""
        if self._plan is None or not pairs:
            return streams_of(pairs, checks)
        lengths = np.array([len(own) for own in pairs], np.int64)
        last = np.array([RANS_LOWEST + check for check in checks], np.uint32)
        result: list[bytes] = _kernel.lattice_streams(
            np.concatenate(pairs).astype(np.uint32), lengths, last
        )
        return result

    def read(self, layouts: Sequence[Layout], reader: Streams) -> list[list[NDArray[np.int16]]]:
        """The coefficients of cells, from where their streams have been read to."""
        if self._plan is None:
            return plain.read(self.weights, layouts, reader)
        laid = _Laid.of(layouts)
        flat, ends = _kernel.decode_lattice(
            self._plan, laid.sizes, laid.ratios, laid.steps, laid.coded, laid.visible,
            **reader.tapes(), level=self.level,
        )  # fmt: skip
        reader.go_on(*_flat(ends))
        result, start = [], 0
        for layout in layouts:
            cell = []
            for rows, columns in layout.n_blocks:
                stop = start + rows * columns
                cell.append(flat[start:stop].reshape(rows, columns, SIDE, SIDE))
                start = stop
            result.append(cell)
        return result

    def read_pictures(self, known: dict[str, Any], reader: Streams) -> tuple[Any, ...]:
        """The kernel's ``decode_pictures`` of ``known``, from where ``reader`` is."""
        *found, ends = _kernel.decode_pictures(
            self._plan, **known, **reader.tapes(), level=self.level
        )
        reader.go_on(*_flat(ends))
        return tuple(found)

    @property
    def is_native(self) -> bool:
        """Whether the kernel does the work."""
        return self._plan is not None

    def measure_rims(self, canvases: Sequence[Canvas], steps: Ints) -> list[Ints]:
        """Start and frequency of each cell's rim pixels, of the last of ``canvases``.

        See ``rims.measure_rims``.
        """
        plane = len(canvases) - 1
        if self._plan is None:
            return measure_rims(self.weights.planes[plane], canvases, steps)
        canvas = canvases[-1]
        bounds = np.append(canvas.firsts, len(canvas.values))
        states = np.where(canvas.order == KNOWN, 255, 0).astype(np.uint8)
        for turns in canvas.turns:
            states[turns] = 1
        result = []
        planes: list[NDArray[Any]] = [*(c.values for c in canvases), states]
        for i, stride in enumerate(canvas.strides.tolist()):
            own = slice(bounds[i], bounds[i + 1])
            pad = ((0, 0), (0, _MORE - 2 * BORDER))

            laid = [
                np.pad(values[own].reshape(-1, stride).astype(np.uint8), pad) for values in planes
            ]
            pairs = _kernel.measure_rim(
                self._plan, laid[:-1], laid[-1], steps[i].astype(np.uint16), self.level
            )
            result.append(pairs.astype(np.int64))
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


def _flat(ends: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
    states, positions, dry = ends
    return states.reshape(-1), positions.reshape(-1), dry.reshape(-1)


def _arrays(weights: Weights) -> list[dict[str, NDArray[Any]]]:
    flat = []
    for plane in weights.planes:
        arrays = {field.name: getattr(plane, field.name) for field in fields(plane)}
        flat.append(
            {
                # They may be views of the model's bytes, which are not aligned.
                name: np.require(
                    a if name.startswith(("from", "scale")) else a.reshape(-1),
                    requirements=["C", "A"],
                )
                for name, a in arrays.items()
            }
        )
    return flat


def _tables() -> dict[str, NDArray[np.int64]]:
    return {
        "log": LOG, "log_step": LOG_STEP, "curve": CURVE, "slope": SLOPE, "share": SHARE,
        "exp": EXP, "scan": SCAN, "matrix": MATRIX.reshape(-1),
        "near": np.array(NEAR, np.int64).reshape(-1),
    }  # fmt: skip
