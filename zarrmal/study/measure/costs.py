"""Costs of each cell under each class's model. Every mixture of cells is a sum of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import Model
from zarrmal_codecs.chunk.coder import coder_for
from zarrmal_codecs.constants import MAX_RICE_PARAMETER, PROFILE_PAPER
from zarrmal_codecs.paper.cells import PaperCells
from zarrmal_codecs.paper.golomb_rice import rice_bits, rice_encode

from .. import theory
from ..cache import Arrays
from ..cells import N_CLASSES, CellSample, Rows
from ..results.model_results import ResidueSource

BLOCK_CELLS = 100
"""Cells coded together, limited because the Rice code of a bad prediction is long."""

N_VALUES = 256


class Costs(Protocol):
    """Costs of cells of all classes under the models of all classes."""

    titles: ClassVar[dict[str, str]]
    """Name of each quantity -> its title."""

    @property
    def latent_bits(self) -> float:
        """Bits per pixel of latents that are stored apart from the streams."""

    def source(self, rows: Rows, j: int) -> dict[str, float]:
        """Every quantity, in bits per pixel, of some cells under the model of class j."""

    def written(self, assigned: NDArray[np.uint8]) -> float:
        """Bits per pixel of all cells as an archive writes them, each with its assigned class."""

    def shortest(self) -> NDArray[np.uint8]:
        """The class with the shorter code, the codec's own choice, uint8 (cell,)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PaperCosts:
    """Costs in profile ``paper``.

    Parameters
    ----------
    histogram
        int64 (cell, class, 256), counts of each mapped residue n.
    code_bits
        int64 (cell, class, s), total length of the Rice codewords with each parameter.
    stream_bytes
        int64 (cell, class, s), size of streams as written, with latents; 0 for parameters that no
        mixture of these cells has.
    n_latents
        Latents of a cell, one byte each.
    """

    histogram: NDArray[np.int64]
    code_bits: NDArray[np.int64]
    stream_bytes: NDArray[np.int64]
    n_latents: int

    titles: ClassVar[dict[str, str]] = {
        "entropy": "zero-order entropy of the residues",
        "geometric_entropy": "entropy of geometric residues of the same mean",
        "predicted_acwl": "Rice codeword length, by the closed form",
        "written_acwl": "Rice codeword length, as written",
        "entropy_with_latents": "zero-order entropy of the residues, and the latents",
        "bits_per_pixel": "streams as written, latents counted",
    }

    @property
    def latent_bits(self) -> float:
        """Bits per pixel of the latents."""
        return 8 * self.n_latents / self._n_pixels

    @property
    def _n_pixels(self) -> int:
        return int(self.histogram[0, 0].sum())

    def source(self, rows: Rows, j: int) -> dict[str, float]:
        """See Costs."""
        histogram = self.histogram[rows, j].sum(axis=0)
        n = int(histogram.sum())
        mean = _mean(histogram)
        p, s = theory.p_from_mean(mean), theory.rice_parameter(mean)
        return {
            "entropy": theory.entropy(histogram),
            "geometric_entropy": theory.geometric_entropy(p),
            "predicted_acwl": theory.rice_acwl(p, s),
            "written_acwl": float(self.code_bits[rows, j, s].sum()) / n,
            "entropy_with_latents": theory.entropy(histogram) + self.latent_bits,
            "bits_per_pixel": 8 * float(self.stream_bytes[rows, j, s].sum()) / n,
        }

    def residue_source(self, rows: Rows, i: int, j: int) -> ResidueSource:
        """R_ij of cells of class i under the model of class j."""
        histogram = self.histogram[rows, j].sum(axis=0)
        mean, quantities = _mean(histogram), self.source(rows, j)
        return ResidueSource(
            true_class=i,
            model_class=j,
            mean=mean,
            p=theory.p_from_mean(mean),
            entropy=quantities["entropy"],
            geometric_entropy=quantities["geometric_entropy"],
            rice_parameter=theory.rice_parameter(mean),
            predicted_acwl=quantities["predicted_acwl"],
            written_acwl=quantities["written_acwl"],
            histogram=tuple(histogram.tolist()),
        )

    def written(self, assigned: NDArray[np.uint8]) -> float:
        """See Costs. All cells of an assigned class share one Rice parameter."""
        total = 0
        for j in np.unique(assigned).tolist():
            rows = np.flatnonzero(assigned == j)
            s = theory.rice_parameter(_mean(self.histogram[rows, j].sum(axis=0)))
            total += int(self.stream_bytes[rows, j, s].sum())
        return 8 * total / (len(assigned) * self._n_pixels)

    def shortest(self) -> NDArray[np.uint8]:
        """See Costs."""
        classes: NDArray[np.uint8] = self.code_bits.min(axis=2).argmin(axis=1).astype(np.uint8)
        return classes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HybridCosts:
    """Costs in profile ``hybrid``, and in any other that codes each cell independently.

    Parameters
    ----------
    code_length
        float64 (cell, class), the codec's own cost in bits.
    stream_bytes
        int64 (cell, class), size of streams as written.
    n_pixels
        Pixels of a cell.
    """

    code_length: NDArray[np.float64]
    stream_bytes: NDArray[np.int64]
    n_pixels: int

    titles: ClassVar[dict[str, str]] = {
        "code_length": "the codec's own cost, latents counted",
        "bits_per_pixel": "streams as written, latents counted",
    }

    @property
    def latent_bits(self) -> float:
        """0: latents are in the streams."""
        return 0.0

    def source(self, rows: Rows, j: int) -> dict[str, float]:
        """See Costs."""
        n = len(rows) * self.n_pixels
        return {
            "code_length": float(self.code_length[rows, j].sum()) / n,
            "bits_per_pixel": 8 * float(self.stream_bytes[rows, j].sum()) / n,
        }

    def written(self, assigned: NDArray[np.uint8]) -> float:
        """See Costs."""
        n = len(assigned)
        return 8 * float(self.stream_bytes[np.arange(n), assigned].sum()) / (n * self.n_pixels)

    def shortest(self) -> NDArray[np.uint8]:
        """See Costs."""
        classes: NDArray[np.uint8] = self.code_length.argmin(axis=1).astype(np.uint8)
        return classes


def measure_costs(model: Model, classes: Sequence[int], cells: CellSample) -> Arrays:
    """Code every cell with the model of every class.

    Parameters
    ----------
    classes
        Index of each of the study's classes among the model's classes.

    Returns
    -------
    dict
        Fields of PaperCosts or HybridCosts, for ``costs_from``.
    """
    if model.profile == PROFILE_PAPER:
        return _paper_costs(model, classes, cells.pixels)
    coders = [coder_for(model).cells(k) for k in classes]
    return {
        "code_length": np.stack([coder.bits(cells.pixels) for coder in coders], axis=1),
        "stream_bytes": np.array(
            [[len(s) for s in coder.encode(cells.pixels, "mean")[1]] for coder in coders]
        ).T,
        "n_pixels": np.array(prod(cells.pixels.shape[1:])),
    }


def costs_from(arrays: Arrays) -> PaperCosts | HybridCosts:
    """Build the costs from the arrays of ``measure_costs``."""
    if "histogram" in arrays:
        return PaperCosts(
            histogram=arrays["histogram"],
            code_bits=arrays["code_bits"],
            stream_bytes=arrays["stream_bytes"],
            n_latents=int(arrays["n_latents"]),
        )
    return HybridCosts(
        code_length=arrays["code_length"],
        stream_bytes=arrays["stream_bytes"],
        n_pixels=int(arrays["n_pixels"]),
    )


def _paper_costs(model: Model, classes: Sequence[int], pixels: NDArray[np.uint8]) -> Arrays:
    n, n_parameters = len(pixels), MAX_RICE_PARAMETER + 1
    histogram = np.zeros((n, N_CLASSES, N_VALUES), np.int64)
    code_bits = np.zeros((n, N_CLASSES, n_parameters), np.int64)
    stream_bytes = np.zeros((n, N_CLASSES, n_parameters), np.int64)
    n_latents = 0
    for j, k in enumerate(classes):
        coder = coder_for(model).cells(k)
        assert isinstance(coder, PaperCells)
        latents, values = coder.transform(pixels)
        n_latents = latents.shape[1]
        code_bits[:, j] = rice_bits(values)
        keys = values + (np.arange(n, dtype=np.int64) * N_VALUES)[:, None]
        counts = np.bincount(keys.ravel(), minlength=n * N_VALUES)
        histogram[:, j] = counts.reshape(n, N_VALUES)
        # The mean of any mixture lies between those of its cells, and s grows with the mean.
        means = values.mean(axis=1, dtype=np.float64)
        least, most = (theory.rice_parameter(float(m)) for m in (means.min(), means.max()))
        for s in range(least, most + 1):
            for start in range(0, n, BLOCK_CELLS):
                streams = rice_encode(values[start : start + BLOCK_CELLS], s)
                stream_bytes[start : start + BLOCK_CELLS, j, s] = [
                    n_latents + len(stream) for stream in streams
                ]
    return {
        "histogram": histogram,
        "code_bits": code_bits,
        "stream_bytes": stream_bytes,
        "n_latents": np.array(n_latents),
    }


def _mean(histogram: NDArray[np.int64]) -> float:
    return float(np.arange(N_VALUES) @ histogram) / float(histogram.sum())
