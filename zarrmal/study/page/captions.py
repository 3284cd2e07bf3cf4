"""Captions: sentences computed from the numbers of a study."""

from __future__ import annotations

import numpy as np

from ..results.lookup import (
    WRITTEN,
    best_rivals,
    error_rate,
    find_crossing,
    find_entropy,
    find_model,
    find_point,
    find_quantity,
    find_set,
    main_set,
    set_names,
)
from ..results.model_results import ModelResults, SetResults
from ..results.study_results import ExampleCell, RivalRate, StudyResults
from .wording import UNCHANGED, bits, change, listed, percent, point_title


def lead(results: StudyResults) -> list[str]:
    """Main results, one sentence per profile."""
    if not set_names(results):
        return ["No model was measured."]
    cells = main_set(results)
    rivals = best_rivals(results, cells)
    sentences = []
    for profile in ("hybrid", "paper"):
        model = find_model(results, profile)
        set_ = None if model is None else find_set(model, cells)
        labels = None if set_ is None else find_point(set_, "labels")
        if set_ is None or labels is None:
            continue
        text = f"Profile {profile} takes {bits(labels.bits_per_pixel)} bits/pixel on {cells}"
        if rivals:
            text += f"; {_rank(labels.bits_per_pixel, rivals)}"
        classifier = find_point(set_, "classifier")
        if classifier is not None:
            cost = _cost(classifier.bits_per_pixel, labels.bits_per_pixel)
            text += f". The real classifier's mistakes {cost}"
        sentences.append(text + ".")
    return sentences


def _rank(rate: float, rivals: list[RivalRate]) -> str:
    """Compare a rate with the rivals', smallest first."""
    larger = [rival for rival in rivals if rival.bits_per_pixel > rate]
    smaller = [rival for rival in rivals if rival.bits_per_pixel <= rate]
    if not smaller:
        best = rivals[0]
        gain = 100 * (1 - rate / best.bits_per_pixel)
        return (
            f"that is {gain:.1f}\u00a0% smaller than {best.family}, the smallest of the other "
            f"coders ({bits(best.bits_per_pixel)})"
        )
    names = listed([f"{rival.family} ({bits(rival.bits_per_pixel)})" for rival in smaller])
    text = f"smaller than that {'are' if len(smaller) > 1 else 'is'} {names}"
    return text + (f"; larger: {listed([rival.family for rival in larger])}" if larger else "")


def _cost(rate: float, reference: float) -> str:
    cost = rate - reference
    if abs(cost) < UNCHANGED:
        return "cost less than 0.001 bits/pixel"
    verb = "cost" if cost > 0 else "save"
    return f"{verb} {bits(abs(cost))} bits/pixel ({100 * abs(cost) / reference:.2g}\u00a0%)"


def rates_caption(results: StudyResults) -> list[str]:
    """Caption of the bit rates: each model against each rival on the same cells."""
    sentences = []
    for cells in set_names(results):
        for model in results.models:
            set_ = find_set(model, cells)
            if set_ is not None and find_quantity(set_, WRITTEN) is not None:
                sentences.append(
                    f"{model.name}, {cells}: {_against_rivals(results, set_)} "
                    f"{_points(results, set_)}"
                )
    return sentences


def _against_rivals(results: StudyResults, set_: SetResults) -> str:
    rivals = best_rivals(results, set_.cells)
    if not rivals:
        return "no other coder was measured."
    curve = set_.quantity(WRITTEN).expectation.overall
    always_smaller: list[str] = []
    always_larger: list[str] = []
    crossing_parts: list[str] = []
    for rival in rivals:
        crossing = find_crossing(results.rates, curve, rival.bits_per_pixel)
        if crossing.rate is not None:
            start = "smaller" if crossing.starts_below else "larger"
            crossing_parts.append(
                f"{start} than {rival.family} up to a rate of {percent(crossing.rate)}"
            )
        else:
            (always_smaller if crossing.starts_below else always_larger).append(rival.family)
    parts = [
        f"{size} than {listed(families)} at every rate"
        for size, families in (("smaller", always_smaller), ("larger", always_larger))
        if families
    ]
    return "; ".join(parts + crossing_parts) + "."


def _points(results: StudyResults, set_: SetResults) -> str:
    points = []
    for point in set_.points:
        text = f"{bits(point.bits_per_pixel)} with {point_title(point.name)}"
        if point.name != "labels":
            share = percent(error_rate(results, point))
            text += f" ({share} of the cells in another class than their label)"
        points.append(text)
    return f"As written: {listed(points)}." if points else ""


def conditional_caption(results: StudyResults) -> list[str]:
    """Caption of the conditional entropies."""
    rates = f"{percent(results.rates[0])} to {percent(results.rates[-1])}"
    sentences = []
    for model in results.models:
        for set_ in model.sets:
            quantity = find_entropy(model, set_)
            if quantity is None:
                continue
            lines, drawn = quantity.expectation.classes, quantity.draw.classes
            changes = [
                f"for {name} cells it {change(line[0], line[-1])}"
                for name, line in zip(results.class_names, lines, strict=True)
            ]
            deviation = float(np.abs(np.array(lines) - np.array(drawn)).max())
            sentences.append(
                f"{model.name}, {set_.cells}: bits/pixel while {rates} of a class's cells are "
                f"coded with the other class's model: {listed(changes)}. Cells drawn to be "
                f"misclassified stay within {bits(deviation)} of the channel's arithmetic."
            )
    if results.classifier is not None:
        errors = [
            f"{percent(1 - row[i])} of {name}"
            for i, (name, row) in enumerate(
                zip(results.class_names, results.classifier.rates, strict=True)
            )
        ]
        sentences.append(
            f"Stars mark the real classifier, which misclassifies {listed(errors)} cells."
        )
    return sentences


def joint_caption(results: StudyResults) -> list[str]:
    """Caption of the joint entropy."""
    sentences = []
    for profile in ("paper", "hybrid"):
        model = find_model(results, profile)
        if model is None:
            continue
        for set_ in model.sets:
            quantity = find_entropy(model, set_)
            if quantity is None:
                continue
            z = np.array(quantity.expectation.surface)
            costs = (float(z[-1, 0] - z[0, 0]), float(z[0, -1] - z[0, 0]))
            sentences.append(
                f"{model.name}, {set_.cells}: from {bits(float(z.min()))} to "
                f"{bits(float(z.max()))} bits/pixel, a range of "
                f"{100 * float(z.max() / z.min() - 1):.1f} %. {_compare_mistakes(results, costs)}"
            )
    return sentences


def _compare_mistakes(results: StudyResults, costs: tuple[float, float]) -> str:
    """Compare both kinds of mistakes by their cost at the end of the axis."""
    names = results.class_names
    mistakes = [f"{names[0]} coded as {names[1]}", f"{names[1]} coded as {names[0]}"]
    text = [f"{bits(abs(cost))} {'more' if cost >= 0 else 'fewer'}" for cost in costs]
    if abs(costs[0] - costs[1]) < UNCHANGED:
        return f"Both mistakes cost the same over the axis, {text[0]}."
    k = 0 if costs[0] > costs[1] else 1
    return (
        f"The costlier mistake is {mistakes[k]}: {text[k]} bits/pixel over the axis; "
        f"{mistakes[1 - k]}: {text[1 - k]}."
    )


def codeword_caption(results: StudyResults) -> list[str]:
    """Caption of the codeword lengths."""
    model = find_model(results, "paper")
    sentences = []
    for set_ in () if model is None else model.sets:
        written = find_quantity(set_, "written_acwl")
        predicted = find_quantity(set_, "predicted_acwl")
        if written is None or predicted is None:
            continue
        length, prediction = written.expectation.overall[0], predicted.expectation.overall[0]
        text = (
            f"{set_.cells}: at {percent(results.rates[0])} misclassified cells the closed form "
            f"predicts {bits(prediction)} bits/pixel and {bits(length)} are written: "
            f"{_prediction_error(prediction, length)}."
        )
        entropy = find_quantity(set_, "entropy")
        if entropy is not None:
            excess = length - entropy.expectation.overall[0]
            text += f" The written codewords are {bits(excess)} above the residues' entropy."
        sentences.append(text + _worst_source(results, set_))
    return sentences


def _prediction_error(predicted: float, written: float) -> str:
    error = predicted / written - 1
    if abs(error) < 0.001:
        return "the prediction is right to 0.1 %"
    return f"the prediction is {100 * abs(error):.1f} % too {'long' if error > 0 else 'short'}"


def _worst_source(results: StudyResults, set_: SetResults) -> str:
    if not set_.sources:
        return ""
    names = results.class_names
    worst = max(set_.sources, key=lambda s: abs(s.predicted_acwl / s.written_acwl - 1))
    return (
        f" The prediction is worst for the residue source of {names[worst.true_class]} cells under "
        f"the model of {names[worst.model_class]}: {bits(worst.predicted_acwl)} against "
        f"{bits(worst.written_acwl)}."
    )


def amortisation_caption(results: StudyResults) -> list[str]:
    """Caption of the archive's size over the number of cells."""
    return [_amortised(results, model) for model in results.models if model.side.amortised]


def _amortised(results: StudyResults, model: ModelResults) -> str:
    side, first = model.side, model.side.amortised[0]
    text = (
        f"{model.name}: the model takes {side.base64_bytes:,} bytes of metadata. With all stored "
        f"bytes counted and classes by {point_title(first.assignment)}, an archive takes "
        f"{bits(first.bits_per_pixel[0])} bits/pixel over {side.n_cells[0]:,} cells and "
        f"{bits(first.bits_per_pixel[-1])} over {side.n_cells[-1]:,}."
    )
    families = {
        (rival.name, rival.arrangement): rival.family
        for rival in best_rivals(results, main_set(results))
    }
    evens = [
        (families[even.rival, even.arrangement], even.n_cells)
        for even in side.break_even
        if even.assignment == first.assignment and (even.rival, even.arrangement) in families
    ]
    smaller = [f"{family} from {n:,} cells" for family, n in evens if n is not None]
    never = [family for family, n in evens if n is None]
    if smaller:
        text += f" It is smaller than {listed(smaller)}."
    if never:
        text += f" It never becomes smaller than {listed(never)}."
    return text


def cells_caption(results: StudyResults) -> list[str]:
    """Caption of the example cells."""
    return [_example(example) for example in results.examples]


def _example(example: ExampleCell) -> str:
    black = np.array(example.pixels) == 0
    text = (
        f"{example.class_name}, slide {example.slide}: {percent(float(black.mean()))} of its "
        f"pixels are 0"
    )
    for name, pixel_bits in (("paper", example.paper_bits), ("hybrid", example.hybrid_bits)):
        if pixel_bits is not None:
            cost = np.array(pixel_bits, float)
            text += (
                f"; {name} takes {float(cost.mean()):.2f} bits/pixel, "
                f"{percent(float(cost[black].sum() / cost.sum()))} of them on these"
            )
    return text + "."
