"""The benchmark: train on some slides, measure on others, beside the rivals, in one run."""

from __future__ import annotations

import platform
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import Model

from ..archive import Target, WriteOptions, archive_info, verify_archive, write_archive
from ..classify import LabelAssigner, ShortestAssigner
from ..errors import InputError
from ..progress import Progress, silent
from ..sources import Source, Subset
from ..split import split_by_group
from .measure import LossyError, Measurement, measure_rival
from .rivals import Rival
from .speed import codec_speed

T = TypeVar("T", bound=np.generic)

UNSEEN = "unseen slides"
TRAINING = "training cells"
MAX_CELLS_ONE_BY_ONE = 1000
"""One file a cell is slow for some coders and needs no large sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkResult:
    """All measurements and what they were made with."""

    measurements: tuple[Measurement, ...]
    n_slides: dict[str, int]
    break_even_cells: dict[str, float]
    versions: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """As a machine reads it."""
        return {
            "measurements": [m.to_json() for m in self.measurements],
            "n_slides": self.n_slides,
            "break_even_cells": self.break_even_cells,
            "versions": self.versions,
        }


def run_benchmark(
    training: Source,
    unseen: Source,
    model: Model,
    rivals: Sequence[Rival],
    progress: Progress = silent,
) -> BenchmarkResult:
    """Measure a model and its rivals.

    Parameters
    ----------
    training
        The cells that the model was trained on.
    unseen
        Cells of other slides.
    model
        Trained on ``training``.
    rivals
        Other coders.

    Raises
    ------
    LossyError
        If any coder, ours included, did not give back the exact pixels.
    """
    total = 2 + 2 * len(rivals)
    ours: list[Measurement] = []
    for k, (cells, of) in enumerate([(training, TRAINING), (unseen, UNSEEN)]):
        ours += measure_archive(model, cells, of)
        progress("measuring", k + 1, total, model.profile)
    pixels = _sorted_cells(unseen)
    theirs: list[Measurement] = []
    for k, rival in enumerate(rivals):
        few = _spread(pixels, MAX_CELLS_ONE_BY_ONE)
        theirs.append(measure_rival(rival, few, "cell", of=UNSEEN))
        progress("measuring", 3 + 2 * k, total, rival.name)
        theirs.append(measure_rival(rival, pixels, "sheet", of=UNSEEN))
        progress("measuring", 4 + 2 * k, total, rival.name)
    without = next(m for m in ours if m.cells == UNSEEN and "without" in m.coder)
    return BenchmarkResult(
        measurements=(*ours, *theirs),
        n_slides={
            name: 0 if s.groups is None else len(np.unique(s.groups))
            for name, s in [(TRAINING, training), (UNSEEN, unseen)]
        },
        break_even_cells={
            f"{m.coder}, {m.arrangement}": break_even(model, without, m, unseen.cell_shape)
            for m in theirs
        },
        versions={
            "python": platform.python_version(),
            **{name: version(name) for name in ("zarrmal", "zarr", "numpy", "imagecodecs")},
        },
    )


def break_even(
    model: Model, without_model: Measurement, rival: Measurement, cell_shape: tuple[int, ...]
) -> float:
    """Cells from which the archive, model counted, is smaller than the rival; inf: never."""
    gain = rival.bits_per_pixel - without_model.bits_per_pixel
    if gain <= 0:
        return float("inf")
    return 8 * len(model.to_base64()) / (gain * cell_shape[0] * cell_shape[1])


def measure_archive(model: Model, cells: Source, of: str) -> list[Measurement]:
    """A real archive of the cells, in memory: with the model counted, and without."""
    try:
        assigner = LabelAssigner(cells, model.class_names)
    except InputError:
        return _measure_archive(model, cells, of, ShortestAssigner(model))
    return _measure_archive(model, cells, of, assigner)


def _measure_archive(model: Model, cells: Source, of: str, assigner: Any) -> list[Measurement]:
    target = Target(f"memory://benchmark-{uuid.uuid4().hex}")
    try:
        write_archive(cells, target.url, model=model, assigner=assigner, options=WriteOptions())
        problems = verify_archive(target, cells).problems
        if problems:
            raise LossyError(f"the archive is not the source: {problems[0]}")
        info = archive_info(target)
    finally:
        target.remove()
    chunk = _spread(_sorted_cells(cells), info.chunk_cells)
    classes = assigner(chunk, _spread(_order(cells), info.chunk_cells)).predicted_class
    speed = codec_speed(model, chunk, np.sort(classes))
    return [
        Measurement(
            coder=f"zarrmal:{model.profile}{note}",
            arrangement="chunk",
            cells=of,
            n_cells=cells.n_cells,
            bits_per_pixel=rate,
            encode_mb_s=speed.encode_mb_s,
            decode_mb_s=speed.decode_mb_s,
        )
        for note, rate in [
            ("", info.bits_per_pixel),
            (", without model", info.bits_per_pixel_without_model),
        ]
    ]


def _order(cells: Source) -> NDArray[np.int64]:
    labels = np.zeros(cells.n_cells, np.uint8) if cells.labels is None else cells.labels
    return np.argsort(labels, kind="stable")


def _sorted_cells(cells: Source) -> NDArray[np.uint8]:
    """All pixels, class by class: the best order for sheets, and the archive's own."""
    return cells.read(_order(cells))


def _spread(values: NDArray[T], n: int) -> NDArray[T]:
    """At most n of them, evenly spread."""
    rows = np.linspace(0, len(values) - 1, min(n, len(values))).astype(int)
    spread: NDArray[T] = values[rows]
    return spread


def split_source(source: Source, share: float, seed: int) -> tuple[Source, Source]:
    """Training cells and unseen ones, by slide.

    Raises
    ------
    InputError
        If the slides are not known: a split by cell would flatter us.
    """

    if source.groups is None or len(np.unique(source.groups)) < 2:
        raise InputError("the benchmark splits by slide, and no slides are known: give "
                         "--group-pattern for file names, or a `slide` key")  # fmt: skip
    rows = split_by_group(source.n_cells, source.groups, share, seed)
    return Subset(source, rows[0]), Subset(source, rows[1])
