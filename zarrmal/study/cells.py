"""Which cells a study measures: so many of each class, on unseen slides and on training slides."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..sources import Source, Subset
from ..split import split_by_group
from .results import TRAINING, UNSEEN, CellSet

Rows = NDArray[np.int64]
N_CLASSES = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chosen:
    """Cells of both classes, class by class.

    Parameters
    ----------
    name
        "unseen slides" or "training cells".
    cells
        In the order of ``rows``.
    rows
        int64 (cell,): their places in the whole source.
    classes
        uint8 (cell,): true class, ascending.
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
        """Of pixels and classes."""
        return hashlib.sha256(self.classes.tobytes() + self.pixels.tobytes()).hexdigest()

    @property
    def priors(self) -> NDArray[np.float64]:
        """P(Si): their shares."""
        counts = np.bincount(self.classes, minlength=N_CLASSES)
        shares: NDArray[np.float64] = counts / counts.sum()
        return shares

    def of_class(self, i: int) -> Rows:
        """Places of the cells of class i among these."""
        return np.flatnonzero(self.classes == i)

    def facts(self) -> CellSet:
        """As the results name them."""
        groups = self.cells.groups
        assert groups is not None
        return CellSet(
            name=self.name,
            n_cells=tuple(len(self.of_class(i)) for i in range(N_CLASSES)),
            rows=tuple(tuple(self.rows[self.of_class(i)].tolist()) for i in range(N_CLASSES)),
            slides=tuple(np.unique(groups).tolist()),
            sha256=self.sha256,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """The slides, and what is measured on them.

    Parameters
    ----------
    training, unseen
        All cells of the training slides, and of the others.
    unseen_rows
        int64 (cell,): places of the latter in the whole source.
    sets
        The measured ones: of the unseen slides, and of the training slides.
    paper
        ``cells_per_class`` cells of each class of the training slides: those the paper's model is
        trained on. The measured training cells are among them.
    """

    training: Source
    unseen: Source
    unseen_rows: Rows
    sets: tuple[Chosen, Chosen]
    paper: Source


def split_cells(
    source: Source, *, cells_per_class: int, unseen: float, seed: int, prior: float = 0.5
) -> Split:
    """Split by slide as the benchmark does, and choose by seed.

    Parameters
    ----------
    cells_per_class
        Of the more frequent class.
    prior
        P(S0): how frequent class 0 is among the measured cells.

    Raises
    ------
    InputError
        If the cells are not one plane, have no labels, not two classes, no slides, or too few
        cells.
    """
    if len(source.cell_shape) != 2:
        raise InputError(
            f"the study is of one plane, as the paper is of red, and these cells are "
            f"{' x '.join(map(str, source.cell_shape))}: choose one with --channel red"
        )
    if source.labels is None:
        raise InputError(
            "the study needs to know the true classes, and the cells have no labels: sort them "
            "into one sub-folder a class, or give a `label` key"
        )
    if len(source.class_names) != N_CLASSES:
        raise InputError(
            f"the study is of two classes, and the labels name {len(source.class_names)}: "
            f"{', '.join(source.class_names[:5])}"
        )
    if source.groups is None or len(np.unique(source.groups)) < 2:
        raise InputError(
            "the study measures on unseen slides, and no slides are known: give --group-pattern "
            "for file names, or a `slide` key"
        )
    if not 0 < prior < 1:
        raise InputError(f"P(S0) must be 0 < P < 1, not {prior}")
    rows = dict(
        zip(
            (TRAINING, UNSEEN),
            split_by_group(source.n_cells, source.groups, unseen, seed),
            strict=True,
        )
    )
    frequent = max(prior, 1 - prior)
    wanted = [max(2, round(cells_per_class * share / frequent)) for share in (prior, 1 - prior)]
    generator = np.random.default_rng([seed, cells_per_class])
    drawn = {
        name: [
            _drawn(source, rows[name], i, cells_per_class, name, generator)
            for i in range(N_CLASSES)
        ]
        for name in (TRAINING, UNSEEN)
    }
    return Split(
        training=Subset(source, rows[TRAINING]),
        unseen=Subset(source, rows[UNSEEN]),
        unseen_rows=rows[UNSEEN],
        sets=(
            _chosen(UNSEEN, source, drawn[UNSEEN], wanted),
            _chosen(TRAINING, source, drawn[TRAINING], wanted),
        ),
        paper=Subset(source, np.concatenate(drawn[TRAINING])),
    )


def _drawn(
    source: Source, rows: Rows, i: int, n: int, name: str, generator: np.random.Generator
) -> Rows:
    assert source.labels is not None
    mine = rows[source.labels[rows] == i]
    if len(mine) < n:
        where = UNSEEN if name == UNSEEN else "training slides"
        advice = "a larger --unseen" if name == UNSEEN else "a smaller --unseen"
        raise InputError(
            f"class {source.class_names[i]!r} has {len(mine)} cells on the {where}, and {n} are "
            f"asked for: use --cells-per-class {max(len(mine), 2)} or less, or {advice}"
        )
    return np.sort(generator.permutation(mine)[:n])


def _chosen(name: str, source: Source, drawn: list[Rows], wanted: list[int]) -> Chosen:
    # Every so-many-th of the drawn ones: all of them where as many are wanted.
    parts = [
        rows[np.linspace(0, len(rows) - 1, n).astype(np.int64)] for rows, n in zip(drawn, wanted)
    ]
    rows = np.concatenate(parts)
    cells = Subset(source, rows)
    return Chosen(
        name=name,
        cells=cells,
        rows=rows,
        classes=np.repeat(np.arange(N_CLASSES, dtype=np.uint8), [len(part) for part in parts]),
        pixels=cells.read(np.arange(len(rows))),
    )
