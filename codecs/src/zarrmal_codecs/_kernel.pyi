"""The native kernel of the profile `hybrid` (FORMAT 4.6): faster than pixel_coder, same integers.

Arrays must be C-contiguous and have the dtypes given here, else TypeError is raised. Sizes that do
not fit each other raise ValueError. All functions release the GIL; threads may share a Plan.
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
    """Instruction sets of this build that this machine has, slowest first; always "baseline"."""

def chain_ends(weight: NDArray[np.int8]) -> list[list[int]]:
    """Ends of the chains of 16-bit sums for weights (output, input), in groups of four inputs.

    For tests. Returns a list for every four outputs; their number must be a multiple of four.
    """

class Plan:
    """The networks of a class, copied into the layout of the kernel.

    Parameters
    ----------
    steps
        For each step context (6,), and for each of its three layers weight (output, input), bias
        (output,) and shift (output,); see context.Step. The first layer's bias is not used, since
        ``first`` below includes it.
    n_planes
        Number of steps, 1 to 4.
    has_prediction
        Whether the autoencoder's prediction is an input of the networks.

    Raises
    ------
    ValueError
        If a size is beyond the bounds of FORMAT 4.6.3. Accumulators are not checked.
    """

    def __init__(self, steps: list[_Step], n_planes: int, has_prediction: bool) -> None: ...

def encode(
    plan: Plan,
    pixels: NDArray[np.uint8],
    sizes: NDArray[np.uint16] | None,
    predicted: NDArray[np.uint8] | None,
    first: list[NDArray[np.int32]],
    prefix: NDArray[np.uint16],
    level: str,
) -> tuple[bytes, NDArray[np.int64]]:
    """The concatenated streams, and the bytes of each.

    Parameters
    ----------
    pixels, predicted
        (cell, plane, y, x). If predicted is None, the inputs for it are 64.
    sizes
        (cell, 2): height and width of each cell, at least 1 and at most y and x; None where all
        have the size of the array. Not with predicted.
    first
        For each step (cell, output of the first layer): the sums of bias and latents.
    prefix
        (cell, symbol, 2): start and frequency, at least 1, of the symbols before the pixels.
    level
        From ``levels()``.
    """

def bits(
    plan: Plan,
    pixels: NDArray[np.uint8],
    sizes: NDArray[np.uint16] | None,
    predicted: NDArray[np.uint8] | None,
    first: list[NDArray[np.int32]],
    level: str,
) -> NDArray[np.float64]:
    """Bits that the pixels of each cell take, (cell,); for parameters see ``encode``."""

def decode(
    plan: Plan,
    data: bytes | bytearray | memoryview | NDArray[np.uint8],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    states: NDArray[np.uint32],
    shape: tuple[int, int, int],
    sizes: NDArray[np.uint16] | None,
    predicted: NDArray[np.uint8] | None,
    first: list[NDArray[np.int32]],
    level: str,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pixels (cell, plane, y, x) and status (cell,): 0 complete, 1 words are missing, 2 damaged.

    Parameters
    ----------
    data, starts, stops
        Byte range of each cell's remaining words, 0 <= start <= stop <= len(data).
    states
        (cell,): the state before the first pixel.
    shape
        (plane, y, x).
    """
