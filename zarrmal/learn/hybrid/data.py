"""From a source to what training reads: cells to train on, cells to judge by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from zarrmal_codecs.prediction import n_planes

from ...errors import InputError
from ...progress import Progress
from ...sources import Source
from ...split import split_by_group
from .features import Pixels, prepare
from .options import HybridOptions

EVALUATION_CELLS = 400
SINGLE_CLASS = "cell"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Data:
    """Cells ready to train on, and some to judge by.

    Parameters
    ----------
    training, kept
        To train on and to judge by; the same cells where none were kept out. Where classes are
        learned all are of class 0 at first, and training changes that.
    names
        Of the classes that came with the cells.
    order
        Plane of each step.
    rows
        int64 (cell,): places of the training cells in the source.
    cells
        uint8 (cell, *cell_shape) of ``training``, where classes are learned.
    kept_cells
        The same of ``kept``.
    any_kept
        Whether ``kept`` was kept out of ``training``.
    """

    training: Pixels
    kept: Pixels
    names: tuple[str, ...]
    order: tuple[int, ...]
    cell_shape: tuple[int, ...]
    rows: NDArray[np.int64]
    cells: NDArray[np.uint8] | None
    kept_cells: NDArray[np.uint8]
    any_kept: bool

    @property
    def device(self) -> torch.device:
        """Where the pixels are."""
        return self.training.own.device


def read_cells(
    source: Source, options: HybridOptions, device: torch.device, progress: Progress
) -> Data:
    """Split a source and read it.

    Raises
    ------
    InputError
        If the cells have another shape than the profile codes, or are too few.
    """
    shape = source.cell_shape
    if len(shape) not in (2, 3) or n_planes(shape) > 4:
        raise InputError(
            f"the hybrid profile codes cells (y, x) or (y, x, up to 4 channels), not {shape}: "
            f"use --channel or --profile paper"
        )
    names: tuple[str, ...] = (SINGLE_CLASS,)
    labels = np.zeros(source.n_cells, np.uint8)
    if options.classes is None and source.labels is not None:
        names, labels = source.class_names or names, source.labels
    for k, name in enumerate(names):
        n = int((labels == k).sum())
        if n < 2:
            raise InputError(
                f"class {name!r} has {n} cells: at least 2 are needed to train, and some "
                f"hundreds to be of use"
            )
    training, kept = split_by_group(source.n_cells, source.groups, options.validation, options.seed)
    generator = np.random.default_rng(options.seed)
    chosen = []
    for k in range(len(names)):
        mine = training[labels[training] == k]
        if not len(mine):
            mine = np.flatnonzero(labels == k)
        if len(mine) > options.max_cells:
            mine = generator.choice(mine, options.max_cells, replace=False)
        chosen.append(mine)
    training = np.sort(np.concatenate(chosen))
    if isinstance(options.classes, int) and 2 * options.classes > len(training):
        raise InputError(
            f"{options.classes} groups of {len(training)} training cells: at least 2 cells a "
            f"group are needed, and some hundreds to be of use"
        )
    judged = kept if len(kept) else training
    judged = judged[np.linspace(0, len(judged) - 1, min(len(judged), EVALUATION_CELLS)).astype(int)]
    progress("reading cells", 0, source.n_cells)
    planes = n_planes(shape)
    # Green first: it correlates best with both others.
    order = (1, 0, 2, *range(3, planes)) if planes >= 3 else tuple(range(planes))
    kept_cells = source.read(judged)
    cells = source.read(training)
    return Data(
        training=prepare(_planes(cells), labels[training], device),
        kept=prepare(_planes(kept_cells), labels[judged], device),
        names=tuple(names),
        order=order,
        cell_shape=shape,
        rows=training,
        cells=None if options.classes is None else cells,
        kept_cells=kept_cells,
        any_kept=len(kept) > 0,
    )


def _planes(cells: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return cells[:, None] if cells.ndim == 3 else cells.transpose(0, 3, 1, 2)
