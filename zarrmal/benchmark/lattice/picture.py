"""The idea in one picture: coefficients at the grid of the JPEG, and at another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...lattice.series import STANDARD_LUMA, scaled_table
from ...lattice.solve.dct import BLOCK, forward_dct
from .drawn import as_jpeg, draw_smear, pixels_of

SIDE, QUALITY = 512, 85
FREQUENCY = 1, 1
REACH = 44
WRONG_PHASE = 3, 5
WIDTH, HEIGHT = 8.0, 2.6


def coefficients_at(samples: NDArray[np.uint8], phase: tuple[int, int]) -> NDArray[np.float64]:
    """Coefficients (block, 64) of all whole blocks of a plane, the first of which begins there."""
    rows, columns = ((n - p) // BLOCK for n, p in zip(samples.shape, phase, strict=True))
    inside = tuple(slice(p, p + BLOCK * n) for p, n in zip(phase, (rows, columns), strict=True))
    square = samples[inside].reshape(rows, BLOCK, columns, BLOCK).transpose(0, 2, 1, 3)
    return forward_dct(square.reshape(-1, BLOCK * BLOCK).astype(np.float64))


def draw_picture(path: Path, seed: int = 0) -> None:
    """Histograms of one coefficient of a drawn smear at the true and at a wrong phase, as SVG.

    Raises
    ------
    InputError
        If matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError("--picture needs matplotlib: pip install 'zarrmal[plot]'") from None
    smear = draw_smear(np.random.default_rng(seed), SIDE, SIDE)[..., 1]
    samples = pixels_of(as_jpeg(smear, quality=QUALITY))
    number = BLOCK * FREQUENCY[0] + FREQUENCY[1]
    step = int(scaled_table(STANDARD_LUMA, QUALITY)[number])
    # The same file from the same pixels.
    matplotlib.rcParams["svg.hashsalt"] = "zarrmal"
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.subplots(1, 2, sharey=True)
    edges = np.arange(-REACH, REACH + 0.5, 0.5)
    for axis, phase, title in (
        (axes[0], (0, 0), "at the grid of the JPEG"),
        (axes[1], WRONG_PHASE, f"{WRONG_PHASE[0]} rows and {WRONG_PHASE[1]} columns beside it"),
    ):
        values = coefficients_at(samples, phase)[:, number]
        axis.hist(values, bins=edges.tolist(), color="#30609a", histtype="stepfilled")
        axis.set_yscale("log")
        axis.set_title(title, fontsize=10)
        axis.set_xlabel(f"coefficient {FREQUENCY} of the pixels; its step is {step}", fontsize=9)
        axis.set_xticks(np.arange(-REACH // step * step, REACH + 1, 2 * step).tolist())
    axes[0].set_ylabel("blocks", fontsize=9)
    figure.savefig(path, metadata={"Date": None})
