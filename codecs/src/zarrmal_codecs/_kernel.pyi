"""The native kernel of the profile `hybrid` (FORMAT 6): faster than pixel_coder, same integers.

Arrays must be C-contiguous and have the dtypes given here, else TypeError is raised. Sizes that do
not fit each other raise ValueError. All functions release the GIL; threads may share a Plan.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_Pixels = NDArray[np.unsignedinteger[Any]]

def levels() -> list[str]:
    """Instruction sets of this build that this machine has, slowest first; always "baseline"."""

def crc32(octets: NDArray[np.uint8]) -> int:
    """CRC-32 of uint8 (n,). Only there where the machine is faster than zlib."""

def chain_ends(
    weight: NDArray[np.int8], numbers: NDArray[np.int32]
) -> list[tuple[bool, list[int]]]:
    """Whether rows are narrow, and the ends of their chains of 16-bit sums, in pairs of inputs.

    For tests. Takes weights (row, input), and of each row its start, shift, and to what the shifted
    sum is clipped, (row, 4). Returns one result for every four rows; their number must be a
    multiple of four.
    """

class Plan:
    """The networks of a class, copied into the layout of the kernel.

    Parameters
    ----------
    steps
        For each step its numbers, uint8 (7,): plane, causal, flags, full, components, coverage,
        follows; uint8 (n,): the earlier steps that it sees; and for each of its three layers weight
        int8 (output, input), bias int32 (output,) and shift uint8 (output,); see model.step. The
        first layer's bias is not used, since ``first`` below includes it. Arrays that are the same
        object are stored once.
    n_planes
        Number of steps, 1 to 64.
    has_prediction
        Whether the autoencoder's prediction is an input of the networks.
    depth
        8 or 16: pixels are uint8 or uint16.

    Raises
    ------
    ValueError
        If a size is beyond the bounds of FORMAT 6.5. Accumulators are not checked.
    """

    def __init__(
        self,
        steps: list[tuple[NDArray[Any], ...]],
        n_planes: int,
        has_prediction: bool,
        depth: int,
    ) -> None: ...

def encode(
    plan: Plan,
    pixels: _Pixels,
    sizes: NDArray[np.uint16] | None,
    coverage: NDArray[np.uint8] | None,
    predicted: NDArray[np.uint8] | None,
    scales: NDArray[np.uint16],
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
    coverage
        (cell, y, x); pixels where it is 0 must be 0, and are not coded. None where it is 255, but
        for what lies beyond the sizes. 0 beyond them.
    scales
        (plane, 2): lowest bits stored as they are, and bins; 0 and 1 of depth 8.
    first
        For each step (cell, output of the first layer): the sums of bias and latents.
    prefix
        (cell, symbol, 2): start and frequency of the symbols before the pixels; a frequency of 0
        where a cell has none.
    level
        From ``levels()``.
    """

def bits(
    plan: Plan,
    pixels: _Pixels,
    sizes: NDArray[np.uint16] | None,
    coverage: NDArray[np.uint8] | None,
    predicted: NDArray[np.uint8] | None,
    scales: NDArray[np.uint16],
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
    coverage: NDArray[np.uint8] | None,
    predicted: NDArray[np.uint8] | None,
    scales: NDArray[np.uint16],
    first: list[NDArray[np.int32]],
    level: str,
) -> tuple[_Pixels, NDArray[np.uint8]]:
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

def spacing(mask: NDArray[np.uint8], most: int) -> int:
    """The widest spacing of a lattice, 1..most, whose points give back a mask of 0 and 1."""

def mask_intervals(
    points: NDArray[np.uint8], shapes: NDArray[np.uint16], frequencies: NDArray[np.uint16]
) -> NDArray[np.uint16]:
    """Start and frequency of each lattice point, (cell, point, 2); see ``encode``'s prefix.

    Parameters
    ----------
    points
        (point,): 0 or 1, of one mask after another.
    shapes
        (cell, 2): rows and columns of each; 0 where a cell has no mask.
    frequencies
        (65536,): of a 1 for each window; see mask_coder.by_window.
    """

def decode_masks(
    data: bytes | bytearray | memoryview | NDArray[np.uint8],
    positions: NDArray[np.int64],
    stops: NDArray[np.int64],
    states: NDArray[np.uint32],
    shapes: NDArray[np.uint16],
    frequencies: NDArray[np.uint16],
) -> tuple[NDArray[np.uint8], NDArray[np.uint32], NDArray[np.int64], NDArray[np.uint8]]:
    """The points of all masks, and for each stream its state, its position, and 1 if words missed.

    Parameters
    ----------
    data, positions, stops, states
        As of ``decode``.
    """

def coverage(
    points: NDArray[np.uint8],
    shapes: NDArray[np.uint16],
    spacings: NDArray[np.uint8],
    sizes: NDArray[np.uint16],
    shape: tuple[int, int],
    resampling: int,
) -> NDArray[np.uint8]:
    """Coverage (cell, y, x) of cells of these sizes in an array of this shape (FORMAT 4.7.2).

    Parameters
    ----------
    spacings
        (cell,): of the lattice; 0 where a cell has no mask, so that its coverage is 255.
    resampling
        Index into RESAMPLINGS.
    """

Ends = tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.uint8]]
"""Of each stream, (cell, 1): its state, where its next word lies, and 1 if words were missing."""

class LatticePlan:
    """Weights of the lattice's coder, made ready; the kernel checks no sums, ``Weights`` does.

    Parameters
    ----------
    kinds
        For each of three kinds of planes the arrays of ``PlaneWeights`` by name; those of layers
        flat.
    tables
        The tables of lattice/numbers.py and lattice/blocks/coefficients.py, int64 (n,).
    """

    def __init__(
        self, kinds: list[dict[str, NDArray[Any]]], tables: dict[str, NDArray[np.int64]]
    ) -> None: ...

def measure_lattice(
    plan: LatticePlan,
    sizes: NDArray[np.int64],
    ratios: NDArray[np.uint8],
    steps: NDArray[np.uint16],
    coded: NDArray[np.uint8],
    visible: NDArray[np.uint8],
    coefficients: NDArray[np.int16],
    level: str,
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Start and frequency of all cells' symbols (symbol, 2); how many each cell has (cell, 1).

    Parameters
    ----------
    sizes
        (cell, plane, 2): rows and columns of blocks.
    ratios
        (cell, plane, 2): rows and columns of pixels that a sample stands for.
    steps
        (cell, plane, 64): of the quantiser.
    coded, visible
        (block,): of all planes of all cells.
    coefficients
        (block, 64).
    """

def lattice_streams(
    symbols: NDArray[np.uint32], lengths: NDArray[np.int64], last: NDArray[np.uint32]
) -> list[bytes]:
    """Streams of symbols (symbol, 2); each cell has so many, and ends in its last state."""

def decode_lattice(
    plan: LatticePlan,
    sizes: NDArray[np.int64],
    ratios: NDArray[np.uint8],
    steps: NDArray[np.uint16],
    coded: NDArray[np.uint8],
    visible: NDArray[np.uint8],
    data: NDArray[np.uint8],
    positions: NDArray[np.int64],
    stops: NDArray[np.int64],
    states: NDArray[np.uint32],
    level: str,
) -> tuple[NDArray[np.int16], Ends]:
    """Coefficients (block, 64), and where each stream was left.

    Parameters
    ----------
    data, positions, stops, states
        (cell,): where in ``data`` each stream is read on, its end, and its state.
    """

def decode_pictures(
    plan: LatticePlan,
    cells: NDArray[np.int64],
    ratios: NDArray[np.uint8],
    steps: NDArray[np.uint16],
    kinds: NDArray[np.uint8],
    points: NDArray[np.uint8],
    lattices: NDArray[np.uint16],
    spacings: NDArray[np.uint8],
    pixels: NDArray[np.uint8],
    rows: NDArray[np.int64],
    data: NDArray[np.uint8],
    positions: NDArray[np.int64],
    stops: NDArray[np.int64],
    states: NDArray[np.uint32],
    level: str,
) -> tuple[
    NDArray[np.int16],
    NDArray[np.uint8],
    NDArray[np.uint8],
    NDArray[np.uint16],
    Ends,
]:
    """Put the cells' pixels into ``pixels``; coefficients (block, 64), one cell after the other.

    Then whether each block is coded; how each cell ended (0: well, 1: it lists more than it has,
    2: it lists what lies beyond its last), and its check, (cell, 1); and where its stream was left.

    Parameters
    ----------
    cells
        (cell, 8): height, width, the phase, whether it is a file, the two limits, its camera.
    ratios, steps
        Of each camera (camera, plane, 2) and (camera, plane, 64).
    kinds
        (camera, 2): whether the planes are luma and chroma, whether upsampling is fancy.
    points, lattices, spacings
        What is visible, as for ``coverage``; all where the spacing is 0.
    rows
        (cell, 2): where in ``pixels`` each cell's first row begins, and items to its next.
    data, positions, stops, states
        As those of ``decode_lattice``.
    """

def measure_rim(
    plan: LatticePlan,
    planes: list[NDArray[np.uint8]],
    states: NDArray[np.uint8],
    steps: NDArray[np.uint16],
    level: str,
) -> NDArray[np.uint32]:
    """Start and frequency (symbol, 2) of a cell's rim pixels in the last of ``planes``.

    Parameters
    ----------
    planes
        Values (y, x), with a border of three, on the right of five.
    states
        The same shape: 255 where known, 1 where to be coded, else 0.
    """
