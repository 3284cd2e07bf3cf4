"""Look up results for figures and captions."""

from __future__ import annotations

from dataclasses import dataclass

from .model_results import ModelResults, OperatingPoint, Quantity, SetResults
from .study_results import UNSEEN, RivalRate, StudyResults

ENTROPY = {"paper": "entropy", "hybrid": "code_length"}
"""Profile -> the quantity in place of the paper's entropy."""

WRITTEN = "bits_per_pixel"


def set_names(results: StudyResults) -> list[str]:
    """Names of the cell sets with results of any model, in the order of the results."""
    measured = {set_.cells for model in results.models for set_ in model.sets}
    return [cells.name for cells in results.cell_sets if cells.name in measured]


def main_set(results: StudyResults) -> str:
    """The set that claims are judged on: unseen slides, where there are any."""
    names = set_names(results)
    return UNSEEN if UNSEEN in names else names[0]


def find_model(results: StudyResults, profile: str) -> ModelResults | None:
    """The first model of a profile, if any."""
    return next((model for model in results.models if model.profile == profile), None)


def find_set(model: ModelResults, cells: str) -> SetResults | None:
    """A model's results on a set, if any."""
    return next((set_ for set_ in model.sets if set_.cells == cells), None)


def find_quantity(set_: SetResults, name: str) -> Quantity | None:
    """The quantity of this name, if measured."""
    return next((quantity for quantity in set_.quantities if quantity.name == name), None)


def find_entropy(model: ModelResults, set_: SetResults) -> Quantity | None:
    """The quantity in place of the paper's entropy, if measured."""
    return find_quantity(set_, ENTROPY.get(model.profile, WRITTEN))


def find_point(set_: SetResults, name: str) -> OperatingPoint | None:
    """The operating point of this name, if measured."""
    return next((point for point in set_.points if point.name == name), None)


def error_rates(point: OperatingPoint) -> tuple[float, ...]:
    """Share of each class's cells under another class's model."""
    return tuple(1 - row[i] for i, row in enumerate(point.rates))


def error_rate(results: StudyResults, point: OperatingPoint) -> float:
    """Share of all cells under another class's model."""
    return sum(p * rate for p, rate in zip(results.priors, error_rates(point), strict=True))


def best_rivals(results: StudyResults, cells: str) -> list[RivalRate]:
    """The smallest rival of each family on these cells, smallest first."""
    best: dict[str, RivalRate] = {}
    for rival in sorted(results.rivals, key=lambda rival: rival.bits_per_pixel):
        if rival.cells == cells:
            best.setdefault(rival.family, rival)
    return list(best.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """How a curve compares with a level.

    Parameters
    ----------
    starts_below
        Whether the curve starts below the level.
    rate
        Rate at which it first crosses the level, interpolated; None if it never does.
    """

    starts_below: bool
    rate: float | None


def find_crossing(rates: tuple[float, ...], curve: tuple[float, ...], level: float) -> Crossing:
    """Compare a curve over the rates with a level."""
    below = curve[0] < level
    for k in range(1, len(curve)):
        if (curve[k] < level) != below:
            share = (level - curve[k - 1]) / (curve[k] - curve[k - 1])
            rate = rates[k - 1] + share * (rates[k] - rates[k - 1])
            return Crossing(starts_below=below, rate=rate)
    return Crossing(starts_below=below, rate=None)
