"""What figures and words pick from the results."""

from __future__ import annotations

from dataclasses import dataclass

from .measured import ModelResults, OperatingPoint, Quantity, SetResults
from .results import RivalRate, StudyResults

ENTROPY = {"paper": "entropy", "hybrid": "code_length"}
"""The quantity that stands for a model's entropy, by profile."""

WRITTEN = "bits_per_pixel"


def set_names(results: StudyResults) -> list[str]:
    """Sets of cells that some model was measured on, in the order of the results."""
    measured = {one.cells for model in results.models for one in model.sets}
    return [cells.name for cells in results.cell_sets if cells.name in measured]


def of_profile(results: StudyResults, profile: str) -> ModelResults | None:
    """The first model of a profile."""
    return next((one for one in results.models if one.profile == profile), None)


def found_set(model: ModelResults, cells: str) -> SetResults | None:
    """A model's results on a set, if it has them."""
    return next((one for one in model.sets if one.cells == cells), None)


def found_quantity(measured: SetResults, name: str) -> Quantity | None:
    """A quantity, if it was measured."""
    return next((one for one in measured.quantities if one.name == name), None)


def entropy_of(model: ModelResults, measured: SetResults) -> Quantity | None:
    """What stands for the entropy of a model on these cells."""
    return found_quantity(measured, ENTROPY.get(model.profile, WRITTEN))


def found_point(measured: SetResults, name: str) -> OperatingPoint | None:
    """An operating point, if there is one of that name."""
    return next((one for one in measured.points if one.name == name), None)


def error_rates(point: OperatingPoint) -> tuple[float, ...]:
    """Of the cells of each class, the share under another class's model."""
    return tuple(1 - row[i] for i, row in enumerate(point.rates))


def error_rate(results: StudyResults, point: OperatingPoint) -> float:
    """Of all cells, the share under another class's model."""
    return sum(p * rate for p, rate in zip(results.priors, error_rates(point), strict=True))


def best_rivals(results: StudyResults, cells: str) -> list[RivalRate]:
    """Of each family the smallest on these cells, smallest first."""
    best: dict[str, RivalRate] = {}
    for one in results.rivals:
        if one.cells == cells and (
            one.family not in best or one.bits_per_pixel < best[one.family].bits_per_pixel
        ):
            best[one.family] = one
    return sorted(best.values(), key=lambda one: one.bits_per_pixel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Where a curve runs against a level.

    Parameters
    ----------
    below
        Whether it begins below.
    until
        The rate at which it crosses, interpolated; None if it never does.
    """

    below: bool
    until: float | None


def side_of(rates: tuple[float, ...], curve: tuple[float, ...], level: float) -> Side:
    """On which side of a level a curve runs, and up to where."""
    below = curve[0] < level
    for k in range(1, len(curve)):
        if (curve[k] < level) != below:
            share = (level - curve[k - 1]) / (curve[k] - curve[k - 1])
            return Side(below=below, until=rates[k - 1] + share * (rates[k] - rates[k - 1]))
    return Side(below=below, until=None)
