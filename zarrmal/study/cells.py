"""The cells that a study measures, from unseen slides and from training slides."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..sources import Source, Subset
from ..sources.source import require_codable, require_one_size
from ..split import split_by_group
from .results.study_results import TRAINING, UNSEEN, CellSet

Rows = NDArray[np.int64]
N_CLASSES = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellSample:
    """Measured cells of both classes, class by class.

    Parameters
    ----------
    name
        "unseen slides" or "training cells".
    cells
        The cells, in the order of ``rows``.
    rows
        int64 (cell,), indices into the whole source.
    classes
        uint8 (cell,), true class, ascending.
    pixels
        uint8 (cell, y, x).
    """

    name: str
    cells: Source
    rows: Rows
    classes: NDArray[np.uint8]
    pixels: NDArray[np.uint8]

    @property
    def sha256(self) -> str:
        """Digest of classes and pixels."""
        return hashlib.sha256(self.classes.tobytes() + self.pixels.tobytes()).hexdigest()

    @property
    def priors(self) -> NDArray[np.float64]:
        """Shares of the classes, P(Si), float64 (class,)."""
        counts = np.bincount(self.classes, minlength=N_CLASSES)
        shares: NDArray[np.float64] = counts / counts.sum()
        return shares

    def class_indices(self, i: int) -> Rows:
        """Indices of the cells of class i in this sample."""
        return np.flatnonzero(self.classes == i)

    def to_results(self) -> CellSet:
        """Describe the sample for the results."""
        groups = self.cells.groups
        assert groups is not None
        return CellSet(
            name=self.name,
            n_cells=tuple(len(self.class_indices(i)) for i in range(N_CLASSES)),
            rows=tuple(tuple(self.rows[self.class_indices(i)].tolist()) for i in range(N_CLASSES)),
            slides=tuple(np.unique(groups).tolist()),
            sha256=self.sha256,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """Cells of training slides and of unseen slides.

    Parameters
    ----------
    training, unseen
        All cells of the training slides, and of the unseen ones.
    unseen_rows
        int64 (cell,), indices of the unseen cells in the whole source.
    samples
        The measured cells: of unseen slides, and of training slides.
    paper
        The cells that the paper's model is trained on: ``cells_per_class`` cells of each class of
        the training slides. They include the measured training cells.
    """

    training: Source
    unseen: Source
    unseen_rows: Rows
    samples: tuple[CellSample, CellSample]
    paper: Source


def split_cells(
    source: Source, *, cells_per_class: int, unseen: float, seed: int, prior: float = 0.5
) -> Split:
    """Split by slide as the benchmark does, and draw the measured cells by seed.

    Parameters
    ----------
    cells_per_class
        Measured cells of the more frequent class.
    unseen
        Share of the slides to measure on.
    prior
        P(S0), the share of class 0 among the measured cells.

    Raises
    ------
    InputError
        If the cells have more than one plane, no labels, not two classes, no slides, or if there
        are too few.
    """
    require_codable(source, "the study")
    require_one_size(source, "the study")
    if len(source.cell_shape) != 2:
        raise InputError(
            f"the study measures one plane, and these cells are "
            f"{' x '.join(map(str, source.cell_shape))}: choose one with --channel red"
        )
    if source.labels is None:
        raise InputError(
            "the study needs the true classes, and the cells have no labels: sort them into one "
            "sub-folder per class, or give a `label` key"
        )
    if len(source.class_names) != N_CLASSES:
        raise InputError(
            f"the study needs two classes, and the labels name {len(source.class_names)}: "
            f"{', '.join(source.class_names[:5])}"
        )
    if source.groups is None or len(np.unique(source.groups)) < 2:
        raise InputError(
            "the study measures on unseen slides, and no slides are known: give --group-pattern "
            "for file names, or a `slide` key"
        )
    if not 0 < prior < 1:
        raise InputError(f"--prior, P(S0), must be 0 < P < 1, not {prior}")
    rows = dict(
        zip(
            (TRAINING, UNSEEN),
            split_by_group(source.n_cells, source.groups, unseen, seed),
            strict=True,
        )
    )
    frequent = max(prior, 1 - prior)
    n_cells = [max(2, round(cells_per_class * share / frequent)) for share in (prior, 1 - prior)]
    generator = np.random.default_rng([seed, cells_per_class])
    drawn = {
        name: [
            _draw(source, rows[name], i, cells_per_class, name, generator) for i in range(N_CLASSES)
        ]
        for name in (TRAINING, UNSEEN)
    }
    return Split(
        training=Subset(source, rows[TRAINING]),
        unseen=Subset(source, rows[UNSEEN]),
        unseen_rows=rows[UNSEEN],
        samples=(
            _sample(UNSEEN, source, drawn[UNSEEN], n_cells),
            _sample(TRAINING, source, drawn[TRAINING], n_cells),
        ),
        paper=Subset(source, np.concatenate(drawn[TRAINING])),
    )


def _draw(
    source: Source, rows: Rows, i: int, n: int, name: str, generator: np.random.Generator
) -> Rows:
    """Draw n cells of class i among ``rows``, ascending."""
    assert source.labels is not None
    class_rows = rows[source.labels[rows] == i]
    if len(class_rows) < n:
        slides = UNSEEN if name == UNSEEN else "training slides"
        advice = "a larger --unseen" if name == UNSEEN else "a smaller --unseen"
        raise InputError(
            f"class {source.class_names[i]!r} has {len(class_rows)} cells on the {slides}, and {n} "
            f"are asked for: use --cells-per-class {max(len(class_rows), 2)} or less, or {advice}"
        )
    return np.sort(generator.permutation(class_rows)[:n])


def _sample(name: str, source: Source, drawn: list[Rows], n_cells: list[int]) -> CellSample:
    # Evenly spaced among the drawn cells, so that the prior changes only how many there are.
    parts = [
        rows[np.linspace(0, len(rows) - 1, n).astype(np.int64)] for rows, n in zip(drawn, n_cells)
    ]
    rows = np.concatenate(parts)
    cells = Subset(source, rows)
    return CellSample(
        name=name,
        cells=cells,
        rows=rows,
        classes=np.repeat(np.arange(N_CLASSES, dtype=np.uint8), [len(part) for part in parts]),
        pixels=cells.read(np.arange(len(rows))),
    )
