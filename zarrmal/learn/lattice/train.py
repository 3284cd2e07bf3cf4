"""Training the lattice's weights on sources, and the report on cells that were held out."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from zarrmal_codecs.lattice.weights import Weights
from zarrmal_codecs.silhouette.lattice import find_spacing
from zarrmal_codecs.silhouette.mask_table import mask_table

from ...errors import InputError
from ...lattice.bits import Bits, bits_of
from ...lattice.known import KnownCell
from ...progress import Progress, silent
from ...sources import Source
from ...split import split_by_group
from ..checkpoint import Checkpoint
from ..selection import evenly
from .cells import known_cells
from .fit import fit_weights
from .options import LatticeOptions
from .recompressed import recompressed

RECOMPRESSED = "recompressed pictures"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReport:
    """What one source gave.

    Parameters
    ----------
    name
        Of the source, or RECOMPRESSED.
    n_training, n_found
        Training cells that were looked at, and those of them that come from a JPEG.
    n_cameras
        Different tables and samplings among these.
    held_out
        Bits of cells that were held out and come from a JPEG.
    """

    name: str
    n_training: int
    n_found: int
    n_cameras: int
    held_out: Bits

    def to_json(self) -> dict[str, Any]:
        """Strict JSON."""
        return {
            "name": self.name,
            "training_cells": self.n_training,
            "found": self.n_found,
            "cameras": self.n_cameras,
            "held_out": self.held_out.to_json(),
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LatticeResult:
    """Weights and the report on their training.

    Parameters
    ----------
    masks
        The table by which the silhouettes of such cells are coded; None if none is cut out.
    about
        How they were trained, for a model's ``about``.
    """

    weights: Weights
    masks: NDArray[np.int8] | None
    sources: tuple[SourceReport, ...]
    about: dict[str, Any]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The report as JSON types."""
        sources = [each.to_json() for each in self.sources]
        return {"about": self.about, "seconds": self.seconds, "sources": sources}


def train_lattice(
    sources: Sequence[Source],
    options: LatticeOptions | None = None,
    *,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress = silent,
) -> LatticeResult:
    """Learn weights that serve the cameras of all sources, and others.

    Parameters
    ----------
    sources
        JPEG files, and crops of JPEG pictures at their own size; uint8, grey or RGB.
    options
        See LatticeOptions.
    checkpoint
        File with the state of an interrupted run, which a later call with the same options and
        sources resumes. The file is removed at the end.
    progress
        Called after every cell and every step.

    Raises
    ------
    InputError
        If no cell of three planes comes from a JPEG picture, or numba is needed to tell.
    """
    options = options or LatticeOptions()
    began = time.monotonic()
    torch.use_deterministic_algorithms(True)
    training: list[list[KnownCell]] = []
    held_out: list[list[KnownCell]] = []
    n_training = []
    for number, source in enumerate(sources):
        rows, unseen = split_by_group(
            source.n_cells, source.groups, options.validation, options.seed
        )
        rows = np.unique(evenly(rows, options.max_cells))
        unseen = np.unique(evenly(unseen, -(-options.max_cells // 4)))
        task = f"source {number + 1}: coefficients of cells"
        training.append(known_cells(source, rows, task, progress))
        held_out.append(known_cells(source, unseen, f"{task} held out", progress))
        n_training.append(len(rows))
    names = [source.description for source in sources]
    n_again = options.n_recompressed
    training.append(recompressed(_joined(training), n_again, options.seed))
    held_out.append(recompressed(_joined(held_out), n_again // 4, options.seed + 1))
    names.append(RECOMPRESSED)
    n_training.append(len(training[-1]))
    cells = _joined(training)
    if not any(len(cell.jpeg.coefficients) > 1 for cell in cells):
        raise InputError(
            f"{', '.join(names[:-1])}: no colour cell of these comes from a JPEG picture, so there "
            f"is nothing to learn from"
        )
    shares = np.repeat(np.arange(len(training)), [len(part) for part in training])
    stored = Checkpoint(checkpoint)
    weights = fit_weights(cells, shares, options, checkpoint=stored, progress=progress)
    reports = tuple(
        SourceReport(
            name=name,
            n_training=n,
            n_found=len(own),
            n_cameras=len({cell.jpeg.camera for cell in own}),
            held_out=bits_of(weights, unseen),
        )
        for name, n, own, unseen in zip(names, n_training, training, held_out, strict=True)
    )
    stored.remove()
    about = {
        "lattice": {
            "seed": options.seed,
            "steps": options.n_steps,
            "n_training_cells": [len(own) for own in training],
        }
    }
    return LatticeResult(
        weights=weights,
        masks=masks_of(_joined(training[:-1]), sum(source.n_cells for source in sources)),
        sources=reports,
        about=about,
        seconds=time.monotonic() - began,
    )


def masks_of(cells: Sequence[KnownCell], n_cells: int) -> NDArray[np.int8] | None:
    """The table that codes the silhouettes of so many cells; None if none of these is cut out."""
    cut = [c.visible for c in cells if c.visible is not None and not c.visible.all()]
    points = [mask[:: (step := find_spacing(mask)), ::step] for mask in cut]
    return mask_table(points, n_cells) if points else None


def _joined(parts: Sequence[Sequence[KnownCell]]) -> list[KnownCell]:
    return [cell for part in parts for cell in part]
