"""From cells with coefficients to weights: predictions first, then the networks of each plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from zarrmal_codecs.lattice.cells import PlaneOfCells
from zarrmal_codecs.lattice.numbers import N_DIAGONALS
from zarrmal_codecs.lattice.weights import N_KINDS, SHAPES, PlaneWeights, Weights

from ...lattice.known import KnownCell
from ...progress import Progress, silent
from ..checkpoint import Checkpoint, run_digest
from ..loop import Training, fit, one_cycle
from .networks import CoefficientTask, DiagonalTask, Grain, RimTask, Task
from .options import LatticeOptions
from .predictions import fit_predictions
from .recorded import RecordedBlocks, record_rims
from .scales import RecordedScales, ScaleTask

Array = NDArray[Any]
BATCH = 1 << 14
EPOCH_STEPS = 25
WARM_UP = 0.3
SCALE_RATE = 2.0
"""Sums learn at so many times the networks' rate."""
GROUPS = (
    ("first plane", (0,), Grain(largest=15, hidden_bits=-2, output_bits=0)),
    ("second and third plane", (1, 2), Grain(largest=7, hidden_bits=-2, output_bits=0)),
)
"""Planes that share the weights of their networks but for biases, and how fine these are."""


class NetworkTraining(Training):
    """Steps on random examples of a task."""

    def __init__(
        self, task: Task | ScaleTask, options: LatticeOptions, n_batch: int, faster: float = 1
    ) -> None:
        optimizer = torch.optim.AdamW(task.network.parameters(), weight_decay=1e-4)
        super().__init__(task.network, optimizer, n_steps=options.n_steps, epoch_steps=EPOCH_STEPS)
        self._task, self._rate, self._n_batch = task, options.rate * faster, n_batch

    def learning_rate(self, fraction: float) -> float:
        """See Training."""
        return self._rate * one_cycle(fraction, warm_up=WARM_UP, start=0.04, smooth=True)

    def loss(self, fraction: float) -> torch.Tensor:
        """See Training."""
        return self._task.loss(torch.randint(self._task.n, (self._n_batch,)).numpy())

    def note(self) -> str:
        """See Training."""
        return f"{self.mean_loss:.2f} bits"


def fit_weights(
    cells: Sequence[KnownCell],
    shares: NDArray[np.int64] | None = None,
    options: LatticeOptions | None = None,
    *,
    checkpoint: Checkpoint | None = None,
    progress: Progress = silent,
) -> Weights:
    """Learn from cells; the same arguments give the same weights on a machine.

    Parameters
    ----------
    cells
        Of three planes, and of one, which only the first plane's weights learn from; the more
        cameras, the better for new ones.
    shares
        int64 (cell,): a number for each cell. Cells of one number have a share of the blocks in
        proportion to the square root of their number. None: all have the same number.
    checkpoint
        Where an interrupted call is resumed from and saved to.
    """
    options = options or LatticeOptions()
    shares = np.zeros(len(cells), np.int64) if shares is None else shares
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    coded = [cell.coded() for cell in cells]
    blocks = [plane for _, kept in coded for plane in kept]
    digest = run_digest(options, shares, *blocks)
    cut = [c for c in cells if c.visible is not None and len(c.jpeg.coefficients) == N_KINDS]
    rims = record_rims(cut) if cut else []
    planes: list[dict[str, Array]] = []
    earlier: list[PlaneOfCells] = []
    for title, kinds, grain in GROUPS:
        own = [k for k, (_, kept) in enumerate(coded) if len(kept) > kinds[0]]
        if kinds[0] and own:  # later planes look at the first of the same cells
            earlier = [_filled(coded, own, 0, [])]
        recorded = []
        for kind in kinds:
            planes.append(_blank())
            if own:
                plane = _filled(coded, own, kind, earlier)
                earlier.append(plane)
                chosen = _chosen(plane, shares[own], options.n_blocks >> (kind > 0), rng)
                planes[-1] |= fit_predictions(plane, chosen, kind, options.n_archive_blocks)
                plane.weights = PlaneWeights(**planes[-1])
                recorded.append(RecordedBlocks.of(plane, chosen, rng))
        if not own:
            continue
        tasks: list[tuple[str, Task, int, str]] = [
            ("last diagonals", DiagonalTask(recorded, grain), 2, "diagonal_"),
            ("rim pixels", RimTask([rims[kind] for kind in kinds if rims], len(kinds), grain), 4,
             "spatial_"),
        ]  # fmt: skip
        n_networks = options.n_networks[kinds[0]]
        if n_networks:
            coefficients = CoefficientTask(recorded, grain, n_networks)
            tasks.insert(0, ("coefficients", coefficients, 1, ""))
        for name, task, factor, prefix in tasks:
            section = f"{title}: {name}"
            if task.n:
                training = NetworkTraining(task, options, factor * options.n_batch)
                fit(training, section, progress, checkpoint=checkpoint, section=section,
                    digest=digest)  # fmt: skip
            for kind, arrays in zip(kinds, task.arrays(prefix), strict=True):
                planes[kind] |= arrays
        for kind in kinds:
            planes[kind]["networks"] = np.array([n_networks], np.uint8)
        if n_networks == N_DIAGONALS:
            continue
        scales = ScaleTask(
            [RecordedScales.of(own, PlaneWeights(**planes[kind]))
             for own, kind in zip(recorded, kinds, strict=True)]
        )  # fmt: skip
        section = f"{title}: scales"
        training = NetworkTraining(scales, options, options.n_batch, SCALE_RATE)
        fit(training, section, progress, checkpoint=checkpoint, section=section, digest=digest)
        for kind, sums in zip(kinds, scales.sums, strict=True):
            planes[kind] |= sums.arrays()
    return Weights(tuple(PlaneWeights(**arrays) for arrays in planes))


def _blank() -> dict[str, Array]:
    blank = {name: np.zeros(shape, dtype) for name, (dtype, shape) in SHAPES.items()}
    return blank | {name: a + a.dtype.type(8) for name, a in blank.items() if "shift" in name}


def _filled(
    coded: Sequence[tuple[Any, list[NDArray[np.int16]]]],
    own: Sequence[int],
    kind: int,
    earlier: Sequence[PlaneOfCells],
) -> PlaneOfCells:
    """A plane of some cells with all its coefficients; of blank weights."""
    layouts = [coded[k][0] for k in own]
    plane = PlaneOfCells(layouts, kind, PlaneWeights(**_blank()))
    plane.see(layouts, kind, earlier)
    flat = np.concatenate([coded[k][1][kind].reshape(-1, 64) for k in own]).astype(np.int64)
    index = np.flatnonzero(plane.coded)
    for start in range(0, len(index), BATCH):
        some = index[start : start + BATCH]
        plane.put(some, flat[some])
    for start in range(0, len(index), BATCH):  # later planes need the bases of all blocks
        plane.surroundings(index[start : start + BATCH])
    return plane


def _chosen(
    plane: PlaneOfCells, shares: NDArray[np.int64], n: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Blocks to learn from, ascending; of a share all that it has, if these are fewer."""
    share = shares[plane.cell]
    numbers, counts = np.unique(shares, return_counts=True)
    wanted = (n * np.sqrt(counts) / np.sqrt(counts).sum()).astype(np.int64)
    chosen = []
    for number, most in zip(numbers.tolist(), wanted.tolist(), strict=True):
        own = np.flatnonzero(plane.coded & (share == number))
        chosen.append(rng.choice(own, min(len(own), most), replace=False))
    return np.sort(np.concatenate(chosen))
