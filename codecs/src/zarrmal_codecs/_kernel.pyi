"""The native kernel of the profile `hybrid` (FORMAT 4.6): the integers of pixel_coder, faster.

Arrays must be C-contiguous and have the dtypes given here, else TypeError. Sizes that do not fit
each other raise ValueError. All functions release the GIL; a Plan may serve many threads.
"""

import numpy as np
from numpy.typing import NDArray

_Step = tuple[
    NDArray[np.uint8],
    NDArray[np.int8],
    NDArray[np.int32],
    NDArray[np.uint8],
    NDArray[np.int8],
    NDArray[np.int32],
    NDArray[np.uint8],
    NDArray[np.int8],
    NDArray[np.int32],
    NDArray[np.uint8],
]

def levels() -> list[str]:
    """Instruction sets of this build that this machine has, slowest first; "baseline" always."""

def chain_ends(weight: NDArray[np.int8]) -> list[list[int]]:
    """Where the chains of 16-bit sums of weights (output, input) end, in groups of four inputs.

    For tests: a list for every four outputs, of which there must be whole fours.
    """

class Plan:
    """The networks of a class, copied and laid out for the kernel.

    Parameters
    ----------
    steps
        For each step context (6,) and of three layers weight (output, input), bias (output,) and
        shift (output,); see context.Step. The bias of the first layer is not used: it is in
        ``first`` below.
    n_planes
        Number of steps, 1 to 4.
    has_prediction
        Whether the networks look at the autoencoder's prediction.

    Raises
    ------
    ValueError
        If a size is beyond the bounds of FORMAT 4.6.3. Accumulators are not checked.
    """

    def __init__(self, steps: list[_Step], n_planes: int, has_prediction: bool) -> None: ...

def encode(
    plan: Plan,
    pixels: NDArray[np.uint8],
    predicted: NDArray[np.uint8] | None,
    first: list[NDArray[np.int32]],
    prefix: NDArray[np.uint16],
    level: str,
) -> tuple[bytes, NDArray[np.int64]]:
    """All streams, one after the other, and the bytes of each.

    Parameters
    ----------
    pixels, predicted
        (cell, plane, y, x); without predicted its inputs are 64.
    first
        For each step (cell, output of the first layer): bias and latents.
    prefix
        (cell, symbol, 2): start and frequency, at least 1, of what precedes the pixels.
    level
        From ``levels()``.
    """

def bits(
    plan: Plan,
    pixels: NDArray[np.uint8],
    predicted: NDArray[np.uint8] | None,
    first: list[NDArray[np.int32]],
    level: str,
) -> NDArray[np.float64]:
    """Bits of the pixels of each cell, (cell,), without writing streams; see ``encode``."""

def decode(
    plan: Plan,
    data: bytes | bytearray | memoryview | NDArray[np.uint8],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    states: NDArray[np.uint32],
    shape: tuple[int, int, int],
    predicted: NDArray[np.uint8] | None,
    first: list[NDArray[np.int32]],
    level: str,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pixels (cell, plane, y, x) and status (cell,): 0 whole, 1 words were missing, 2 damaged.

    Parameters
    ----------
    data, starts, stops
        0 <= start <= stop <= len(data): where each cell's remaining words lie, in bytes.
    states
        (cell,), after what precedes the pixels.
    shape
        (plane, y, x).
    """
