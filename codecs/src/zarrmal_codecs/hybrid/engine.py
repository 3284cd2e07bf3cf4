"""The two implementations that code pixels: the native kernel and NumPy. Both give the same bytes.

The environment variable ``ZARRMAL_KERNEL`` selects one: ``auto`` (default, the fastest), ``numpy``,
or one of the kernel's instruction sets (``baseline``, ``avx2``, ``avxvnni``, ``avx512``,
``avx512vnni``, ``neon``).
"""

from __future__ import annotations

import os
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .. import rans
from ..model.step import Step
from ..rans import Streams
from ..scales import Pixels, Scales
from . import pixel_coder
from .depth import Depth
from .known import First, Known

try:
    from .. import _kernel
except ImportError:  # built without a compiler
    _kernel = None  # type: ignore[assignment]

VARIABLE = "ZARRMAL_KERNEL"

Optional = NDArray[np.uint8] | None
Beside = tuple[NDArray[np.uint16] | None, Optional, Optional, NDArray[np.uint16], First]
"""Sizes, coverage, prediction, scales and first sums."""


class Engine(Protocol):
    """Codes the pixels of many cells of one class; see pixel_coder for shapes."""

    def encode(self, pixels: Pixels, known: Known, prefix: NDArray[np.uint16]) -> list[bytes]:
        """One stream per cell."""

    def bits(self, pixels: Pixels, known: Known) -> NDArray[np.float64]:
        """Bits of the pixels of each cell, float64 (cell,)."""

    def decode(
        self, decoder: rans.Decoder, streams: Streams, known: Known
    ) -> tuple[Pixels, NDArray[np.uint8]]:
        """Pixels and status of each cell: 0 complete, 1 words are missing, 2 damaged."""


class NumpyEngine:
    """The NumPy implementation, which is the reference."""

    def __init__(self, steps: tuple[Step, ...], has_prediction: bool, depth: Depth) -> None:
        self._plan = pixel_coder.Plan(steps, has_prediction, depth)

    def encode(self, pixels: Pixels, known: Known, prefix: NDArray[np.uint16]) -> list[bytes]:
        """See Engine."""
        return pixel_coder.encode(self._plan, pixels, known, prefix)

    def bits(self, pixels: Pixels, known: Known) -> NDArray[np.float64]:
        """See Engine."""
        return pixel_coder.bits(self._plan, pixels, known)

    def decode(
        self, decoder: rans.Decoder, streams: Streams, known: Known
    ) -> tuple[Pixels, NDArray[np.uint8]]:
        """See Engine."""
        return pixel_coder.decode(self._plan, decoder, known)


class KernelEngine:
    """The native kernel with one instruction set."""

    def __init__(
        self, steps: tuple[Step, ...], has_prediction: bool, depth: Depth, level: str
    ) -> None:
        self.level, self._depth = level, depth
        aligned: dict[int, NDArray[Any]] = {}

        def ready(tensor: NDArray[Any]) -> NDArray[Any]:
            # Tensors are views of the model's bytes; the kernel needs them aligned, and stores
            # those that steps share once.
            if id(tensor) not in aligned:
                aligned[id(tensor)] = np.require(tensor, requirements=["C", "A"])
            return aligned[id(tensor)]

        parts = [
            (
                np.array((*step.numbers, step.follows), np.uint8),
                np.array(step.earlier, np.uint8),
                *(
                    ready(tensor)
                    for layer in step.layers
                    for tensor in (layer.weight, layer.bias, layer.shift)
                ),
            )
            for step in steps
        ]
        self._plan = _kernel.Plan(parts, len(steps), has_prediction, depth.bits)

    def encode(self, pixels: Pixels, known: Known, prefix: NDArray[np.uint16]) -> list[bytes]:
        """See Engine."""
        data, lengths = _kernel.encode(self._plan, pixels, *self._known(known), prefix, self.level)
        stops = np.cumsum(lengths)
        return [data[a:b] for a, b in zip((stops - lengths).tolist(), stops.tolist(), strict=True)]

    def bits(self, pixels: Pixels, known: Known) -> NDArray[np.float64]:
        """See Engine."""
        n_bits: NDArray[np.float64] = _kernel.bits(
            self._plan, pixels, *self._known(known), self.level
        )
        return n_bits

    def decode(
        self, decoder: rans.Decoder, streams: Streams, known: Known
    ) -> tuple[Pixels, NDArray[np.uint8]]:
        """See Engine."""
        states = decoder.states.astype(np.uint32)
        pixels, status = _kernel.decode(
            self._plan,
            streams.data,
            decoder.positions,
            streams.stops,
            states,
            known.shape[1:],
            *self._known(known),
            self.level,
        )
        return pixels, np.where(decoder.short, np.uint8(1), status)

    @staticmethod
    def _known(known: Known) -> Beside:
        scales = known.scales or Scales.of_bytes(known.shape[1])
        both = np.stack([scales.n_raw, scales.n_bins], axis=1).astype(np.uint16)
        return known.sizes, known.coverage, known.predicted, both, known.first


def levels() -> tuple[str, ...]:
    """Values that ``ZARRMAL_KERNEL`` can have on this machine, slowest first."""
    return ("numpy", *(_kernel.levels() if _kernel is not None else ()))


def chosen_level() -> str:
    """The fastest level, unless ``ZARRMAL_KERNEL`` names another.

    Raises
    ------
    ValueError
        If it names a level that this machine or this build does not have.
    """
    level = os.environ.get(VARIABLE, "auto")
    if level == "auto":
        return levels()[-1]
    if level not in levels():
        raise ValueError(
            f"{VARIABLE}={level!r}: this machine and this build have {', '.join(levels())}; "
            f"unset it to use the fastest"
        )
    return level


def make_engine(steps: tuple[Step, ...], has_prediction: bool, depth: Depth, level: str) -> Engine:
    """The engine of one of ``levels()``."""
    if level == "numpy":
        return NumpyEngine(steps, has_prediction, depth)
    return KernelEngine(steps, has_prediction, depth, level)
