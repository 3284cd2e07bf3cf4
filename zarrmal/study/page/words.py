"""Captions: sentences made from the numbers, so that other numbers make other sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..measured import ModelResults, SetResults
from ..results import ExampleCell, StudyResults
from ..select import entropy_of, error_rates, found_point, found_quantity, of_profile

SAME = 0.0005
"""Bits per pixel that no figure here can tell apart."""


def bits(value: float) -> str:
    """Bits per pixel as they stand in sentences and tables."""
    return f"{value:.3f}"


def percent(rate: float) -> str:
    """A probability as a percentage, to three digits, on one line."""
    return f"{100 * rate:.3g}\u00a0%"


def listed(names: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def change(first: float, last: float) -> str:
    """What a curve does between its ends."""
    if abs(last - first) < SAME:
        return f"stays at {bits(first)}"
    verb = "rises" if last > first else "falls"
    return f"{verb} from {bits(first)} to {bits(last)} ({100 * (last / first - 1):+.1f} %)"


def conditional_words(results: StudyResults) -> list[str]:
    """Of the figure of the conditional entropies."""
    span = f"{percent(results.rates[0])} to {percent(results.rates[-1])}"
    said = []
    for model in results.models:
        for one in model.sets:
            quantity = entropy_of(model, one)
            if quantity is None:
                continue
            lines, drawn = quantity.expectation.classes, quantity.draw.classes
            moves = [
                f"for {name} cells it {change(line[0], line[-1])}"
                for name, line in zip(results.class_names, lines, strict=True)
            ]
            off = float(np.abs(np.array(lines) - np.array(drawn)).max())
            said.append(
                f"{model.name}, {one.cells}: bits/pixel while {span} of a class's cells get the "
                f"other class's model: {listed(moves)}. Cells drawn to go wrong stay within "
                f"{bits(off)} of the channel's arithmetic."
            )
    if results.classifier is not None:
        found = results.classifier
        wrong = [
            f"{percent(1 - row[i])} of {name}"
            for i, (name, row) in enumerate(zip(results.class_names, found.rates, strict=True))
        ]
        said.append(f"The stars are the real classifier, which mistakes {listed(wrong)} cells.")
    return said


def joint_words(results: StudyResults) -> list[str]:
    """Of the figure of the joint entropy."""
    said = []
    for profile in ("paper", "hybrid"):
        model = of_profile(results, profile)
        for one in model.sets if model is not None else ():
            quantity = entropy_of(model, one) if model is not None else None
            if quantity is None or model is None:
                continue
            z = np.array(quantity.expectation.surface)
            first, second = z[-1, 0] - z[0, 0], z[0, -1] - z[0, 0]
            said.append(
                f"{model.name}, {one.cells}: from {bits(float(z.min()))} to "
                f"{bits(float(z.max()))} bits/pixel, a span of "
                f"{100 * float(z.max() / z.min() - 1):.1f} %. {_dearer(results, first, second)}"
            )
    return said


def _dearer(results: StudyResults, first: float, second: float) -> str:
    names = results.class_names
    mistakes = [f"{names[0]} taken for {names[1]}", f"{names[1]} taken for {names[0]}"]
    costs = [f"{bits(abs(cost))} {'more' if cost >= 0 else 'fewer'}" for cost in (first, second)]
    if abs(first - second) < SAME:
        return f"Over the axis both mistakes cost the same, {costs[0]}."
    k = 0 if first > second else 1
    return (
        f"The dearer mistake is {mistakes[k]}: {costs[k]} bits/pixel over the axis; "
        f"{mistakes[1 - k]}: {costs[1 - k]}."
    )


def codeword_words(results: StudyResults) -> list[str]:
    """Of the figure of the codeword lengths."""
    model = of_profile(results, "paper")
    said = []
    for one in model.sets if model is not None else ():
        written, predicted = (
            found_quantity(one, "written_acwl"),
            found_quantity(one, "predicted_acwl"),
        )
        if written is None or predicted is None:
            continue
        is_, should = written.expectation.overall[0], predicted.expectation.overall[0]
        text = (
            f"{one.cells}: at {percent(results.rates[0])} wrong cells the closed form predicts "
            f"{bits(should)} bits/pixel and {bits(is_)} are written: {_against(should, is_)}."
        )
        entropy = found_quantity(one, "entropy")
        if entropy is not None:
            over = is_ - entropy.expectation.overall[0]
            text += f" The written codewords are {bits(over)} above the residues' entropy."
        said.append(text + _sources(results, one))
    return said


def _against(predicted: float, written: float) -> str:
    off = predicted / written - 1
    if abs(off) < 0.001:
        return "the prediction is right to 0.1 %"
    return f"the prediction is {100 * abs(off):.1f} % too {'long' if off > 0 else 'short'}"


def _sources(results: StudyResults, one: SetResults) -> str:
    if not one.sources:
        return ""
    names = results.class_names
    far = max(one.sources, key=lambda s: abs(s.predicted_acwl / s.written_acwl - 1))
    return (
        f" Of its residue sources {names[far.true_class]} under the model of "
        f"{names[far.model_class]} is predicted worst: {bits(far.predicted_acwl)} against "
        f"{bits(far.written_acwl)}."
    )


def cells_words(results: StudyResults) -> list[str]:
    """Of the figure of single cells."""
    return [_cell(one) for one in results.examples]


def _cell(one: ExampleCell) -> str:
    black = np.array(one.pixels) == 0
    text = (
        f"{one.class_name}, slide {one.slide}: {percent(float(black.mean()))} of its pixels are 0"
    )
    for name, cost in (("paper", one.paper_bits), ("hybrid", one.hybrid_bits)):
        if cost is not None:
            spent = np.array(cost, float)
            text += (
                f"; {name} spends {float(spent.mean()):.2f} bits/pixel, "
                f"{percent(float(spent[black].sum() / spent.sum()))} of them there"
            )
    return text + "."


def classifier_cost(model: ModelResults, cells: str) -> float | None:
    """What the real classifier's mistakes cost, in bits per pixel as written."""
    for one in model.sets:
        labels, found = found_point(one, "labels"), found_point(one, "classifier")
        if one.cells == cells and labels is not None and found is not None:
            return found.bits_per_pixel - labels.bits_per_pixel
    return None


def mistakes(results: StudyResults, one: SetResults, name: str) -> str:
    """Rates of each class at an operating point."""
    point = found_point(one, name)
    return "–" if point is None else " / ".join(percent(rate) for rate in error_rates(point))
