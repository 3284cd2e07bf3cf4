"""Archives against rivals, from the rows of one run: ratios, and break-even in cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from zarrmal_codecs import Model

from .measurement import Arrangement, Measurement

COMPARISONS = (
    ("bits_per_pixel", "jxl:effort=9"),
    ("bits_per_pixel", "jxl:effort=10"),
    ("decode_mb_s", "jxl:effort=9"),
    ("encode_mb_s", "jxl:effort=7"),
)
"""Quantity and rival. zarrmal is better where a rate is below 1 or a speed above 1."""

N_RESAMPLES = 2000
SEED = 0
QUANTILES = (0.025, 0.975)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """zarrmal over a rival, both measured on the same cells in the same run.

    Parameters
    ----------
    quantity
        "bits_per_pixel", "encode_mb_s" or "decode_mb_s".
    ours, rival
        Coders, as in the table.
    assignment
        How the archive's cells got their class.
    arrangement
        Of the rival.
    n_cells
        Over which bits/pixel are compared. Where the rival coded a sample of the cells, one per
        file, ``ours_value`` is over this sample: the cells' streams, and what belongs to no cell
        (model, headers, metadata) in proportion to pixels.
    interval
        95 % interval of a ratio of bits/pixel, see slide_interval. None for speeds, and where
        there is one slide only.
    """

    quantity: str
    ours: str
    assignment: str
    rival: str
    arrangement: str
    n_cells: int
    ours_value: float
    rival_value: float
    ratio: float
    interval: tuple[float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """Fields as a JSON object."""
        return asdict(self)


def required_ratios(
    archives: Sequence[Measurement],
    rivals: Sequence[Measurement],
    *,
    cells: str,
    arrangement: Arrangement = "sheet",
) -> tuple[Ratio, ...]:
    """All ratios of COMPARISONS whose two rows were measured.

    Parameters
    ----------
    archives
        Rows of archives. Speeds are compared once, in the rows that count the model.
    rivals
        Rows of rivals.
    cells
        Name of the cells to compare on.
    arrangement
        Of the rivals to compare with. One cell per file, the rates of all rivals are compared.
    """
    rows = {m.coder: m for m in rivals if m.arrangement == arrangement and m.cells == cells}
    comparisons = list(COMPARISONS)
    if arrangement == "cell":
        comparisons[:0] = [
            ("bits_per_pixel", name) for name in rows if ("bits_per_pixel", name) not in COMPARISONS
        ]
    ratios = []
    for quantity, name in comparisons:
        rival = rows.get(name)
        for archive in archives:
            if rival is None or archive.cells != cells:
                continue
            if quantity != "bits_per_pixel" and not archive.model_counted:
                continue
            ours_value, rival_value = getattr(archive, quantity), getattr(rival, quantity)
            if quantity == "bits_per_pixel":
                ours_value = _comparable_rate(archive, rival)
            if ours_value is None or rival_value is None:
                continue
            ratios.append(
                Ratio(
                    quantity=quantity,
                    ours=archive.coder,
                    assignment=archive.assignment,
                    rival=name,
                    arrangement=arrangement,
                    n_cells=rival.n_cells,
                    ours_value=ours_value,
                    rival_value=rival_value,
                    ratio=ours_value / rival_value,
                    interval=(
                        _slide_interval(archive, rival) if quantity == "bits_per_pixel" else None
                    ),
                )
            )
    return tuple(ratios)


def _slide_interval(archive: Measurement, rival: Measurement) -> tuple[float, float] | None:
    ours, theirs = (m.slides.get(rival.arrangement) for m in (archive, rival))
    if ours is None or theirs is None:
        return None
    return slide_interval(ours.n_bytes, theirs.n_bytes)


def slide_interval(
    ours: Mapping[str, float], theirs: Mapping[str, float]
) -> tuple[float, float] | None:
    """95 % interval of sum(ours) / sum(theirs), by resampling slides.

    A paired percentile bootstrap (Efron and Tibshirani, 1993, chapter 13): each resample draws as
    many slides as there are, with replacement, and takes both coders' bytes of the same slides.
    Cells of one slide are alike, so that resampling cells would give too narrow an interval.

    Parameters
    ----------
    ours, theirs
        Slide -> bytes of the same cells.

    Returns
    -------
    tuple or None
        None with fewer than two slides, or where the two have other slides.
    """
    if len(ours) < 2 or ours.keys() != theirs.keys():
        return None
    pairs = np.array([(ours[slide], theirs[slide]) for slide in sorted(ours)])
    drawn = np.random.default_rng(SEED).integers(0, len(pairs), (N_RESAMPLES, len(pairs)))
    sums = pairs[drawn].sum(axis=1)
    low, high = np.quantile(sums[:, 0] / sums[:, 1], QUANTILES).tolist()
    return low, high


def _comparable_rate(archive: Measurement, rival: Measurement) -> float:
    """The archive's bits/pixel over the cells that the rival coded."""
    over_sample = archive.single_cells_bits_per_pixel
    if rival.arrangement == "cell" and over_sample is not None:
        return over_sample
    return archive.bits_per_pixel


def break_even(
    model: Model, without_model: Measurement, rival: Measurement, cell_pixels: float
) -> float:
    """Number of cells from which the archive, model counted, is smaller; inf: never.

    Parameters
    ----------
    cell_pixels
        Pixels of a cell, the mean where sizes differ; a colour pixel counts once.
    """
    gain = rival.bits_per_pixel - _comparable_rate(without_model, rival)
    if gain <= 0:
        return float("inf")
    return 8 * len(model.to_base64()) / (gain * cell_pixels)
