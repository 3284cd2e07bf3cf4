"""Sentences that set our rates against those of other coders."""

from __future__ import annotations

from ..measured import ModelResults, SetResults
from ..results import UNSEEN, RivalRate, StudyResults
from ..select import (
    WRITTEN,
    best_rivals,
    error_rate,
    found_point,
    found_quantity,
    found_set,
    of_profile,
    set_names,
    side_of,
)
from .words import bits, classifier_cost, listed, percent

POINT_TITLES = {
    "labels": "the true labels",
    "classifier": "the real classifier",
    "shortest": "the shorter code",
}


def measured_on(results: StudyResults) -> str:
    """The set that claims are made on: unseen slides, where there are any."""
    names = set_names(results)
    return UNSEEN if UNSEEN in names else names[0]


def lead(results: StudyResults) -> list[str]:
    """What came out, in a few sentences."""
    if not set_names(results):
        return ["No model was measured."]
    cells = measured_on(results)
    rivals = best_rivals(results, cells)
    said = []
    for profile in ("hybrid", "paper"):
        model = of_profile(results, profile)
        if model is None or found_set(model, cells) is None:
            continue
        one = model.on(cells)
        point = found_point(one, "labels")
        if point is None:
            continue
        text = f"Profile {profile} takes {bits(point.bits_per_pixel)} bits/pixel on {cells}"
        if rivals:
            text += f"; {_verdict(point.bits_per_pixel, rivals)}"
        cost = classifier_cost(model, cells)
        if cost is not None:
            text += f". The real classifier's mistakes {_costs(cost, point.bits_per_pixel)}"
        said.append(text + ".")
    return said


def _verdict(own: float, rivals: list[RivalRate]) -> str:
    larger = [one for one in rivals if one.bits_per_pixel > own]
    smaller = [one for one in rivals if one.bits_per_pixel <= own]
    if not smaller:
        best = rivals[0]
        gain = 100 * (1 - own / best.bits_per_pixel)
        return (
            f"that is {gain:.1f}\u00a0% smaller than {best.family}, the smallest of the others "
            f"({bits(best.bits_per_pixel)})"
        )
    names = listed([f"{one.family} ({bits(one.bits_per_pixel)})" for one in smaller])
    text = f"smaller than that are {names}" if len(smaller) > 1 else f"smaller than that is {names}"
    return text + (f"; larger: {listed([one.family for one in larger])}" if larger else "")


def _costs(cost: float, whole: float) -> str:
    if abs(cost) < 0.0005:
        return "cost less than 0.001 bits/pixel"
    verb = "cost" if cost > 0 else "save"
    return f"{verb} {bits(abs(cost))} bits/pixel ({100 * abs(cost) / whole:.2g}\u00a0%)"


def rates_words(results: StudyResults) -> list[str]:
    """Of the figure of the bit rates: each model against each rival on the same cells."""
    said = []
    for cells in set_names(results):
        for model in results.models:
            one = found_set(model, cells)
            if one is not None and found_quantity(one, WRITTEN) is not None:
                said.append(
                    f"{model.name}, {cells}: {_against(results, one)} {_points(results, one)}"
                )
    return said


def _against(results: StudyResults, one: SetResults) -> str:
    rivals = best_rivals(results, one.cells)
    if not rivals:
        return "no other coder was measured."
    curve = one.quantity(WRITTEN).expectation.overall
    below: list[str] = []
    above: list[str] = []
    parts: list[str] = []
    for rival in rivals:
        side = side_of(results.rates, curve, rival.bits_per_pixel)
        if side.until is not None:
            now = "smaller" if side.below else "larger"
            parts.append(f"{now} than {rival.family} up to a rate of {percent(side.until)}")
        else:
            (below if side.below else above).append(rival.family)
    parts = [f"larger than {listed(above)} at every rate"] * bool(above) + parts
    parts = [f"smaller than {listed(below)} at every rate"] * bool(below) + parts
    return "; ".join(parts) + "."


def _points(results: StudyResults, one: SetResults) -> str:
    found = [
        f"{bits(point.bits_per_pixel)} with {POINT_TITLES.get(point.name, point.name)}"
        + (f" ({percent(error_rate(results, point))} of the cells elsewhere)"
           if point.name != "labels" else "")
        for point in one.points
    ]  # fmt: skip
    return f"As written: {listed(found)}." if found else ""


def amortisation_words(results: StudyResults) -> list[str]:
    """Of the figure of the archive's size over the number of cells."""
    return [_amortised(results, model) for model in results.models if model.side.amortised]


def _amortised(results: StudyResults, model: ModelResults) -> str:
    side, first = model.side, model.side.amortised[0]
    few, many = side.n_cells[0], side.n_cells[-1]
    how = POINT_TITLES.get(first.assignment, first.assignment)
    text = (
        f"{model.name}: the model takes {side.base64_bytes:,} bytes of metadata. With everything "
        f"counted and classes by {how} that is {bits(first.bits_per_pixel[0])} bits/pixel over "
        f"{few:,} cells and {bits(first.bits_per_pixel[-1])} over {many:,}."
    )
    best = {(one.name, one.arrangement): one.family
            for one in best_rivals(results, measured_on(results))}  # fmt: skip
    mine = [
        (best[one.rival, one.arrangement], one.n_cells)
        for one in side.break_even
        if one.assignment == first.assignment and (one.rival, one.arrangement) in best
    ]
    from_cells = [f"{family} from {n:,} cells" for family, n in mine if n is not None]
    never = [family for family, n in mine if n is None]
    if from_cells:
        text += f" It is smaller than {listed(from_cells)}."
    if never:
        text += f" It never becomes smaller than {listed(never)}."
    return text
