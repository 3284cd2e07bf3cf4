"""The learned integers of the coder of coefficients, and the proof that they cannot overflow.

One ``PlaneWeights`` for each kind of plane (FORMAT-lattice 7): first, second and third.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..constants import LATTICE_KINDS
from ..errors import ModelError
from .blocks.coefficients import LARGEST_VALUE, N_BORDER, N_INPUTS, N_SCALE_INPUTS, WEIGHT_BITS
from .blocks.spatial import N_INPUTS as N_SPATIAL_INPUTS
from .numbers import DIAGONAL, N_DIAGONALS, N_SCALES, SCAN, clipped

Ints = NDArray[np.int64]

N_ZONES: Final = 8
"""Sets of weights: coefficients share those of their diagonal, from the eighth on the last."""
N_HIDDEN: Final = 32
N_KINDS: Final = LATTICE_KINDS
N_OUTPUTS: Final = 5
"""Two locations, two scales, and the share of the first component."""
N_SHAPES: Final = 32
"""Of distributions of coefficients without a network: one for each four scales."""
LARGEST_SHIFT: Final = 24
LARGEST_BIAS: Final = 1 << 30
LARGEST_HIDDEN: Final = 127
LARGEST_BORDER: Final = 255
MAX_SUM: Final = (1 << 31) - 1
SCALE_SUM_BITS: Final = 8
"""Bits of fraction of the sums that give scales."""

ZONE: Final = np.minimum(DIAGONAL, N_ZONES - 1)
"""int64 (64,): the set of weights of each coefficient."""

SHAPES: Final = {
    "from_border": ("int16", (64, N_BORDER)),
    "from_luma": ("int16", (64, 64)),
    "from_other": ("int16", (64, 64)),
    "from_earlier": ("int16", (64, 64)),
    "hidden_weight": ("int8", (N_ZONES, N_HIDDEN, N_INPUTS)),
    "hidden_shift": ("uint8", (N_ZONES, N_HIDDEN)),
    "hidden_bias": ("int32", (64, N_HIDDEN)),
    "output_weight": ("int8", (N_ZONES, N_OUTPUTS, N_HIDDEN)),
    "output_shift": ("uint8", (N_ZONES, N_OUTPUTS)),
    "output_bias": ("int32", (64, N_OUTPUTS)),
    "diagonal_hidden_weight": ("int8", (N_HIDDEN, N_INPUTS)),
    "diagonal_hidden_shift": ("uint8", (N_HIDDEN,)),
    "diagonal_hidden_bias": ("int32", (N_HIDDEN,)),
    "diagonal_output_weight": ("int8", (N_DIAGONALS, N_HIDDEN)),
    "diagonal_output_shift": ("uint8", (N_DIAGONALS,)),
    "diagonal_output_bias": ("int32", (N_DIAGONALS,)),
    "networks": ("uint8", (1,)),
    "scale_bias": ("int16", (N_DIAGONALS, 64)),
    "scale_from_around": ("int16", (64, N_SCALE_INPUTS)),
    "scale_from_block": ("int16", (64, N_HIDDEN)),
    "scale_from_earlier": ("int16", (64, 64, 2)),
    "scale_alone": ("int16", (64,)),
    "scale_shape": ("int8", (N_SHAPES, 3)),
    "spatial_hidden_weight": ("int8", (N_HIDDEN, N_SPATIAL_INPUTS)),
    "spatial_hidden_shift": ("uint8", (N_HIDDEN,)),
    "spatial_hidden_bias": ("int32", (N_HIDDEN,)),
    "spatial_output_weight": ("int8", (N_OUTPUTS, N_HIDDEN)),
    "spatial_output_shift": ("uint8", (N_OUTPUTS,)),
    "spatial_output_bias": ("int32", (N_OUTPUTS,)),
}
"""Dtype and shape of each array of ``PlaneWeights``."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlaneWeights:
    """Weights for one kind of plane; SHAPES has their dtypes and shapes.

    ``from_border`` to ``from_earlier`` predict a coefficient (first axis), with WEIGHT_BITS bits of
    fraction; ``from_earlier`` is 0 but for coefficients earlier in SCAN order. ``networks`` is how
    many diagonals have a network for each coefficient; those of others get their scales from sums,
    ``scale_bias`` to ``scale_alone``, with SCALE_SUM_BITS bits of fraction. The others are two
    layers: units (before the last axis) of inputs (last axis).

    Raises
    ------
    ModelError
        A dtype, shape or range is wrong, or a sum could leave 32 bits.
    """

    from_border: NDArray[np.int16]
    from_luma: NDArray[np.int16]
    from_other: NDArray[np.int16]
    from_earlier: NDArray[np.int16]
    hidden_weight: NDArray[np.int8]
    hidden_shift: NDArray[np.uint8]
    hidden_bias: NDArray[np.int32]
    output_weight: NDArray[np.int8]
    output_shift: NDArray[np.uint8]
    output_bias: NDArray[np.int32]
    diagonal_hidden_weight: NDArray[np.int8]
    diagonal_hidden_shift: NDArray[np.uint8]
    diagonal_hidden_bias: NDArray[np.int32]
    diagonal_output_weight: NDArray[np.int8]
    diagonal_output_shift: NDArray[np.uint8]
    diagonal_output_bias: NDArray[np.int32]
    networks: NDArray[np.uint8]
    scale_bias: NDArray[np.int16]
    scale_from_around: NDArray[np.int16]
    scale_from_block: NDArray[np.int16]
    scale_from_earlier: NDArray[np.int16]
    scale_alone: NDArray[np.int16]
    scale_shape: NDArray[np.int8]
    spatial_hidden_weight: NDArray[np.int8]
    spatial_hidden_shift: NDArray[np.uint8]
    spatial_hidden_bias: NDArray[np.int32]
    spatial_output_weight: NDArray[np.int8]
    spatial_output_shift: NDArray[np.uint8]
    spatial_output_bias: NDArray[np.int32]

    def __post_init__(self) -> None:
        for field in fields(self):
            value, (dtype, shape) = getattr(self, field.name), SHAPES[field.name]
            if value.dtype != dtype or value.shape != shape:
                raise ModelError(
                    f"{field.name} is {value.dtype} {value.shape}; it must be {dtype} {shape}"
                )
            if field.name.endswith("shift") and not (1 <= value.min() <= value.max() <= 24):
                raise ModelError(f"{field.name} has shifts beyond 1..{LARGEST_SHIFT}")
            if field.name.endswith("bias") and abs(value.astype(np.int64)).max() > LARGEST_BIAS:
                raise ModelError(f"{field.name} has values beyond ±{LARGEST_BIAS}")
        scan = SCAN[:, None], SCAN
        for name in ("from_earlier", "scale_from_earlier"):
            weight = getattr(self, name)[scan]
            if weight[np.triu_indices(64)].any():
                raise ModelError(f"{name} predicts coefficients from later ones")
        if self.networks[0] > N_DIAGONALS:
            raise ModelError(f"networks is {self.networks[0]}; there are {N_DIAGONALS} diagonals")
        most = sum(
            np.abs(weight.astype(np.int64)).sum(axis=1) * largest
            for weight, largest in (
                (self.from_border, LARGEST_BORDER),
                (self.from_luma, LARGEST_VALUE),
                (self.from_other, LARGEST_VALUE),
                (self.from_earlier, LARGEST_VALUE),
            )
        )
        if np.max(most) + (8 * 128 << WEIGHT_BITS) > MAX_SUM:
            raise ModelError("the sums of a prediction could leave 32 bits")

    def surroundings_sums(self, border: Ints, luma: Ints | None, other: Ints | None) -> Ints:
        """What the surroundings predict, int64 (lane, 64), with WEIGHT_BITS bits of fraction."""
        sums = border @ self.from_border.astype(np.int64).T
        for plane, weight in ((luma, self.from_luma), (other, self.from_other)):
            if plane is not None:
                products = plane.astype(np.float64) @ weight.astype(np.float64).T
                sums = sums + products.astype(np.int64)
        return sums

    def outputs(self, j: int, inputs: Ints) -> Ints:
        """Outputs of coefficient ``j``'s network, int64 (5, lane), of inputs (lane, 32)."""
        zone = ZONE[j]
        hidden = _layer(
            self.hidden_weight[zone], self.hidden_bias[j], self.hidden_shift[zone], inputs.T
        )
        hidden = clipped(hidden, 0, LARGEST_HIDDEN)
        return _layer(
            self.output_weight[zone], self.output_bias[j], self.output_shift[zone], hidden
        )

    @property
    def n_networks(self) -> int:
        """How many diagonals have networks."""
        return int(self.networks[0])

    def with_networks(self, n_diagonals: int) -> PlaneWeights:
        """The same with networks of fewer diagonals only; the others' weights are left out."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        unused = {"weight": np.arange(N_ZONES) >= n_diagonals, "bias": n_diagonals <= DIAGONAL}
        unused["shift"] = unused["weight"]
        for layer in ("hidden", "output"):
            for part, places in unused.items():
                values = arrays[f"{layer}_{part}"].copy()
                values[places] = part == "shift"
                arrays[f"{layer}_{part}"] = values
        return PlaneWeights(**(arrays | {"networks": np.array([n_diagonals], np.uint8)}))

    def scale_sums(self, around: Ints, hidden: Ints, last: Ints) -> Ints:
        """What is known of scales before a block's coefficients, int64 (lane, 64).

        Parameters
        ----------
        around
            int64 (lane, 64, N_SCALE_INPUTS), -128..127.
        hidden
            int64 (32, lane): hidden units of the network of the last diagonal.
        last
            int64 (lane,): the last diagonal.
        """
        sums = self.scale_bias[last].astype(np.int64)
        for k in range(N_SCALE_INPUTS):
            sums += around[:, :, k] * self.scale_from_around[:, k].astype(np.int64)
        products = hidden.T.astype(np.float64) @ self.scale_from_block.astype(np.float64).T
        result: Ints = sums + products.astype(np.int64)
        return result

    def scale_outputs(self, sums: Ints, predicted: Ints) -> tuple[Ints, Ints]:
        """What a network would give, int64 (5, lane), and the middle that it is about, (lane,).

        Parameters
        ----------
        sums, predicted
            int64 (lane,): sums of scales; predictions in 32nds of a step.
        """
        scale = clipped((sums + (1 << (SCALE_SUM_BITS - 1))) >> SCALE_SUM_BITS, 0, N_SCALES - 1)
        more, share, less = self.scale_shape[scale >> 2].astype(np.int64).T
        none = np.zeros_like(scale)
        # In eighths of a step, so that distributions can be tabulated.
        middle = (predicted * (64 - less) + 128) >> 8 << 2
        return np.stack([none, none, scale, scale + more, share]), middle

    def diagonal_hidden(self, inputs: Ints) -> Ints:
        """Hidden units of the network of the last diagonal, int64 (32, lane), of (lane, 32)."""
        return self._hidden("diagonal", inputs)

    def diagonal_outputs(self, hidden: Ints) -> Ints:
        """Its outputs, int64 (15, lane)."""
        return self._output("diagonal", hidden)

    def spatial_outputs(self, inputs: Ints) -> Ints:
        """Outputs of the network of pixels, int64 (5, lane), of inputs (lane, 64)."""
        return self._output("spatial", self._hidden("spatial", inputs))

    def _hidden(self, name: str, inputs: Ints) -> Ints:
        return clipped(_layer(*self._parts(f"{name}_hidden"), inputs.T), 0, LARGEST_HIDDEN)

    def _output(self, name: str, hidden: Ints) -> Ints:
        return _layer(*self._parts(f"{name}_output"), hidden)

    def _parts(self, layer: str) -> tuple[Any, Any, Any]:
        weight, bias, shift = (getattr(self, f"{layer}_{x}") for x in ("weight", "bias", "shift"))
        return weight, bias, shift


def _layer(
    weight: NDArray[np.int8], bias: NDArray[np.int32], shift: NDArray[np.uint8], values: Ints
) -> Ints:
    """int64 (unit, lane); sums of products are below 2**24, exact in float32."""
    products = weight.astype(np.float32) @ np.ascontiguousarray(values, np.float32)
    sums = products.astype(np.int64) + bias[:, None]
    shifts = shift.astype(np.int64)[:, None]
    result: Ints = (sums + (1 << (shifts - 1))) >> shifts
    return result


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Weights of the first, second and third plane."""

    planes: tuple[PlaneWeights, ...]

    def __post_init__(self) -> None:
        if len(self.planes) != N_KINDS:
            raise ModelError(f"weights of {len(self.planes)} planes; there must be {N_KINDS}")

    def with_networks(self, n_diagonals: int) -> Weights:
        """The same with networks of fewer diagonals of the first plane only."""
        return Weights((self.planes[0].with_networks(n_diagonals), *self.planes[1:]))
