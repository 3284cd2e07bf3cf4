"""Cells of a source prepared for training: those to train on and those to validate on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from zarrmal_codecs.constants import MAX_PLANES
from zarrmal_codecs.hybrid.prediction import n_planes
from zarrmal_codecs.silhouette.mask_table import mask_bits, mask_table
from zarrmal_codecs.silhouette.silhouettes import Silhouettes

from ...errors import InputError
from ...progress import Progress
from ...sources import Source
from ...sources.sizes import Sizes
from ...sources.source import require_one_size
from ..checkpoint import run_digest
from ..selection import SINGLE_CLASS, evenly, labels_of, select_cells
from .inputs.context import PreparedCells, grid_of, prepare
from .inputs.cut_out import LEAST_SHARE, Planes, read_cut_out
from .inputs.levels import reduce_all
from .inputs.planes import PlaneStep, plan_steps
from .options import HybridOptions

EVALUATION_CELLS = 400
CANVASES = 32
MAX_VALUES = 500_000_000
"""Of cells of different sizes; each takes some two and a half bytes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingData:
    """Cells to train on and to validate on.

    Parameters
    ----------
    options
        Of the training.
    source
        Of the cells.
    n_cells
        How many cells the model is for.
    training, validation
        The same cells where none were held out. Where classes are learned all are of class 0 at
        first, and training changes that.
    has_validation
        Whether the validation cells were held out of training.
    names
        Of the classes that came with the cells.
    steps
        How each plane is coded.
    rows
        int64 (cell,): indices of the training cells in the source.
    cells
        uint8 (cell, *cell_shape) of ``training`` where classes are learned, else None.
    validation_cells, validation_sizes
        uint8 (cell, *cell_shape) of ``validation``, and their sizes where these differ.
    validation_silhouettes
        Theirs, where the source has any.
    masks
        The table by which masks are coded; None where few cells are cut out.
    mask_bits
        Of the validation cells, for each (y, x).
    raw_bits
        Bits of each pixel, in all planes, that are stored as they are.
    digest
        Of options and cells, for checkpoints.
    """

    options: HybridOptions
    source: Source
    n_cells: int
    training: PreparedCells
    validation: PreparedCells
    has_validation: bool
    names: tuple[str, ...]
    steps: tuple[PlaneStep, ...]
    cell_shape: tuple[int, ...]
    rows: NDArray[np.int64]
    cells: NDArray[np.uint8] | None
    validation_cells: NDArray[np.uint8]
    validation_sizes: Sizes | None
    validation_silhouettes: Silhouettes | None
    masks: NDArray[np.int8] | None
    mask_bits: float
    raw_bits: int
    digest: str


def read_cells(
    source: Source, options: HybridOptions, device: torch.device, progress: Progress
) -> TrainingData:
    """Split a source and read it.

    Raises
    ------
    InputError
        If the cells have a shape that the profile does not code, or are too few; or if they differ
        in size, and learned classes are asked for.
    """
    if options.classes is not None:
        require_one_size(source, "learning classes")
    shape = source.cell_shape
    if len(shape) not in (2, 3) or n_planes(shape) > MAX_PLANES:
        raise InputError(
            f"the hybrid profile codes cells (y, x) or (y, x, up to {MAX_PLANES} channels), not "
            f"{shape}: use --channel or --profile paper"
        )
    names, labels = labels_of(source)
    if options.classes is not None:
        names, labels = (SINGLE_CLASS,), np.zeros(source.n_cells, np.uint8)
    selected = select_cells(
        source,
        names,
        labels,
        validation=options.validation,
        max_cells=options.max_cells,
        seed=options.seed,
    )
    training, held_out = (np.sort(np.concatenate(rows)) for rows in zip(*selected, strict=True))
    if isinstance(options.classes, int) and 2 * options.classes > len(training):
        raise InputError(
            f"{options.classes} groups of {len(training)} training cells: at least 2 cells a "
            f"group are needed, and some hundreds to be of use"
        )
    validation = evenly(held_out if len(held_out) else training, EVALUATION_CELLS)
    progress("reading cells", 0, source.n_cells)
    planes = n_planes(shape)
    validation_cells = source.read(validation)
    cells: NDArray[np.uint8] | None = None
    if source.sizes is None:
        cells = source.read(training)
        planes_of: list[Planes] = [_planes(cells), _planes(validation_cells)]
    else:
        training = _within_memory(training, source.sizes, planes)
        planes_of = [_originals(source, rows) for rows in (training, validation)]
    cut = [read_cut_out(source, rows, of) for rows, of in zip((training, validation), planes_of)]
    has_silhouettes = cut[0].share >= LEAST_SHARE
    reduction = reduce_all(planes_of[0])
    levels = [reduction.levels(of) for of in planes_of]
    prepared, validated = (
        prepare(
            of,
            labels[rows],
            device,
            own.coverage if has_silhouettes else None,
            reduction.depth,
            grid_of(shape),
        )
        for of, rows, own in zip(levels, (training, validation), cut, strict=True)
    )
    n_cells = options.n_archive_cells or source.n_cells
    masks = mask_table(cut[0].masks, n_cells) if has_silhouettes else None
    n_pixels = int(validated.areas.sum())
    content = cells if cells is not None else prepared.padded.cpu().numpy()
    return TrainingData(
        options=options,
        source=source,
        n_cells=n_cells,
        training=prepared,
        validation=validated,
        has_validation=len(held_out) > 0,
        names=names,
        steps=plan_steps(levels[0], reduction.depth.most),
        raw_bits=reduction.raw_bits,
        cell_shape=shape,
        rows=training,
        cells=None if options.classes is None else cells,
        validation_cells=validation_cells,
        validation_sizes=None if source.sizes is None else source.sizes[validation],
        validation_silhouettes=source.silhouettes(validation),
        masks=masks,
        mask_bits=0.0 if masks is None else mask_bits(cut[1].masks, masks) / n_pixels,
        digest=run_digest(
            options,
            source.n_cells,
            names,
            content,
            labels[training],
            validation_cells,
            None if prepared.coverage is None else prepared.coverage.cpu().numpy(),
        ),
    )


def _originals(source: Source, rows: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
    """Cells at their own size, uint8 (plane, y, x); a few canvases in memory at a time."""
    cells = []
    for block in np.array_split(rows, -(-len(rows) // CANVASES)):
        planes = _planes(source.read(block))
        for canvas, row in zip(planes, block.tolist(), strict=True):
            assert source.sizes is not None
            height, width = source.sizes[row].tolist()
            cells.append(canvas[:, :height, :width].copy())
    return cells


def _within_memory(rows: NDArray[np.int64], sizes: Sizes, planes: int) -> NDArray[np.int64]:
    """So many of the rows, evenly spaced, that their pixels fit into memory."""
    n_values = int(sizes[rows].astype(np.int64).prod(axis=1).sum()) * planes
    return evenly(rows, max(2, len(rows) * MAX_VALUES // max(n_values, MAX_VALUES)))


def _planes(cells: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(cell, plane, y, x) of (cell, y, x[, channel])."""
    return cells[:, None] if cells.ndim == 3 else cells.transpose(0, 3, 1, 2)
