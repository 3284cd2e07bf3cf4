"""The paper's qualitative claims, each judged by the numbers of this run.

Every verdict is computed. A claim about several cases (both classes, both sets of cells) holds
where it holds in all of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .results.lookup import find_model
from .results.model_results import ModelResults, Quantity, SetResults
from .results.study_results import TRAINING, UNSEEN, Claim, StudyResults

HOLDS, FAILS, IN_PART = "holds", "does not hold", "holds in part"
ONLY_TRAINING = "holds only on training cells"
BEFORE_SIDE = "holds only before side information"
NOT_MEASURED = "not measured"

MAX_BEND = 0.05
"""Largest distance of a curve from the straight line between its ends, relative to its rise."""

MAX_DEVIATION = 0.05
"""Largest relative deviation of one codeword length from another."""

Floats = NDArray[np.float64]


def judge(results: StudyResults) -> tuple[Claim, ...]:
    """Judge all claims, first in the paper's order, then those that it leaves to future work."""
    paper, hybrid = find_model(results, "paper"), find_model(results, "hybrid")
    claims: list[Claim] = []
    if paper is not None:
        claims += [
            _own_model_is_best(results, paper),
            _entropy_grows(paper, "entropy"),
            _nearly_linear(paper, "entropy"),
            _surface(results, paper, "entropy"),
            _closed_form(paper),
            _above_entropy(paper),
            *_against_rivals(results, paper),
        ]
    if hybrid is not None:
        claims += [
            _own_model_is_best(results, hybrid),
            _entropy_grows(hybrid, "code_length"),
            *_against_rivals(results, hybrid),
        ]
    if paper is not None and hybrid is not None:
        claims.append(_local_statistics(paper, hybrid))
    claims += [_one_time_cost(model) for model in (paper, hybrid) if model is not None]
    claims += [_classify_first(model) for model in (paper, hybrid) if model is not None]
    return tuple(claims)


def _claim(model: ModelResults, name: str, paper: str, where: str, result: str, text: str) -> Claim:
    """Build a claim; names and texts of claims about profile hybrid say so."""
    is_hybrid = model.profile == "hybrid"
    return Claim(
        name=name + ("-hybrid" if is_hybrid else ""),
        paper=paper.format(profile=", profile hybrid" if is_hybrid else ""),
        where=where,
        verdict=result,
        evidence=text,
    )


def _own_model_is_best(results: StudyResults, model: ModelResults) -> Claim:
    holds: list[list[bool]] = []
    text = []
    for set_ in _both_sets(model):
        bits = set_.bits
        holds.append([bits[0][0] < bits[0][1], bits[1][1] < bits[1][0]])
        text.append(
            f"{set_.cells}: {results.class_names[0]} {bits[0][0]:.3f} with its own model, "
            f"{bits[0][1]:.3f} with the other; {results.class_names[1]} {bits[1][1]:.3f}, "
            f"{bits[1][0]:.3f}"
        )
    return _claim(
        model,
        "own-model",
        "A cell takes fewer bits with the model of its own class than with the other's{profile}",
        "section 2.4; H(R01) > H(R00), H(R10) > H(R11)",
        verdict(*holds),
        ". ".join(text) + " bits/pixel.",
    )


def _entropy_grows(model: ModelResults, quantity: str) -> Claim:
    holds, text = [], []
    for set_ in _both_sets(model):
        curves = set_.quantity(quantity).draw.classes
        holds.append([row[-1] > row[0] for row in curves])
        rising = [np.mean(np.diff(row) > 0) for row in curves]
        text.append(
            f"{set_.cells}: "
            + ", ".join(
                f"H{i} {row[0]:.3f} to {row[-1]:.3f}, rising in {share:.0%} of the steps"
                for i, (row, share) in enumerate(zip(curves, rising, strict=True))
            )
        )
    return _claim(
        model,
        "grows",
        "Conditional entropies grow with the misclassification rate{profile}",
        "section 3.1, figure 7",
        verdict(*holds),
        ". ".join(text) + " (drawn cells).",
    )


def _nearly_linear(model: ModelResults, quantity: str) -> Claim:
    holds, text = [], []
    for set_ in _both_sets(model):
        bends = [_bend(np.array(row)) for row in set_.quantity(quantity).draw.classes]
        holds.append([bend <= MAX_BEND for bend in bends])
        text.append(f"{set_.cells}: " + ", ".join(f"H{i} {v:.1%}" for i, v in enumerate(bends)))
    return _claim(
        model,
        "linear",
        "The growth is close to linear, as the channel's arithmetic predicts",
        "sections 2.5 and 3.1, figure 7",
        verdict(*holds),
        "Largest distance of the drawn curve from the straight line between its ends, relative to "
        "its rise. " + ". ".join(text) + f". Up to {MAX_BEND:.0%} counts as linear.",
    )


def _bend(row: Floats) -> float:
    line = np.linspace(row[0], row[-1], len(row))
    rise = abs(row[-1] - row[0])
    return float(np.abs(row - line).max() / rise) if rise else float(np.abs(row - line).max() > 0)


def _surface(results: StudyResults, model: ModelResults, quantity: str) -> Claim:
    holds, text = [], []
    rates = results.rates
    for set_ in _both_sets(model):
        surface = np.array(set_.quantity(quantity).draw.surface)
        least = divmod(int(surface.argmin()), len(surface))
        most = divmod(int(surface.argmax()), len(surface))
        last = len(surface) - 1
        holds.append([least == (0, 0), most == (last, last)])
        text.append(
            f"{set_.cells}: smallest {surface.min():.3f} at ({rates[least[0]]:.2f}, "
            f"{rates[least[1]]:.2f}), largest {surface.max():.3f} at ({rates[most[0]]:.2f}, "
            f"{rates[most[1]]:.2f})"
        )
    return _claim(
        model,
        "surface",
        "The joint entropy is smallest without misclassification and largest where both rates are "
        "largest",
        "section 3.2, figure 8",
        verdict(*holds),
        ". ".join(text) + " (P(C1|S0), P(C0|S1)).",
    )


def _closed_form(model: ModelResults) -> Claim:
    holds, text = [], []
    for set_ in _both_sets(model):
        deviation = _deviation(set_.quantity("predicted_acwl"), set_.quantity("written_acwl"))
        holds.append([bool(np.abs(deviation).max() <= MAX_DEVIATION)])
        text.append(f"{set_.cells}: {deviation.min():+.1%} to {deviation.max():+.1%}")
    return _claim(
        model,
        "acwl",
        "The closed form for geometric residues predicts the average codeword length of the real "
        "code",
        "sections 2.3, 2.5 and 3.3, figure 9",
        verdict(*holds),
        "Predicted over written length, at all drawn rates. "
        + ". ".join(text)
        + f". Up to {MAX_DEVIATION:.0%} counts as close.",
    )


def _deviation(quantity: Quantity, reference: Quantity) -> Floats:
    ratio: Floats = np.array(quantity.draw.overall) / np.array(reference.draw.overall)
    return ratio - 1


def _above_entropy(model: ModelResults) -> Claim:
    holds, text = [], []
    for set_ in _both_sets(model):
        deviation = _deviation(set_.quantity("written_acwl"), set_.quantity("entropy"))
        holds.append([bool(deviation.min() >= 0), bool(deviation.max() <= MAX_DEVIATION)])
        text.append(f"{set_.cells}: {deviation.min():+.1%} to {deviation.max():+.1%}")
    return _claim(
        model,
        "near-entropy",
        "Golomb-Rice codewords are, on average, not far above the entropy of the residues",
        "sections 2.3 and 3.3, figures 7 and 9",
        verdict(*holds),
        "Written codewords over the zero-order entropy, at all drawn rates. "
        + ". ".join(text)
        + f". From 0% to {MAX_DEVIATION:.0%} counts as near.",
    )


def _against_rivals(results: StudyResults, model: ModelResults) -> Iterator[Claim]:
    """One claim per family: the paper's figure 10, and JPEG XL."""
    coder = "autoencoder" if model.profile == "paper" else "context network"
    n_cells = sum(results.cell_sets[0].n_cells)
    n_pixels = n_cells * results.cell_shape[0] * results.cell_shape[1]
    side = 8 * (model.side.base64_bytes + model.side.metadata_bytes) / n_pixels
    ours = {set_.cells: set_.pooled[-1] for set_ in _both_sets(model)}
    for family in ("JPEG2000", "JPEG-LS", "CALIC", "WebP", "JPEG XL"):
        sheets: dict[str, float] = {}
        files: dict[str, float] = {}
        for rival in results.rivals:
            if rival.family == family:
                rates = sheets if rival.arrangement == "sheet" else files
                rates[rival.cells] = min(rival.bits_per_pixel, rates.get(rival.cells, np.inf))
        if UNSEEN in sheets and TRAINING in sheets:
            result = verdict(*([ours[cells] < sheets[cells]] for cells in (UNSEEN, TRAINING)))
            if result == HOLDS and ours[UNSEEN] + side >= sheets[UNSEEN]:
                result = BEFORE_SIDE
            text = [
                f"{cells}: zarrmal {ours[cells]:.3f}, {family} {sheets[cells]:.3f} in one sheet"
                + (f" and {files[cells]:.3f} in one file per cell" if cells in files else "")
                for cells in ours
            ]
            evidence = (
                ". ".join(text)
                + f" bits/pixel. The stored model would add {side:.3f} over {n_cells:,} cells."
            )
        else:
            result, evidence = NOT_MEASURED, f"{family} was not measured."
        yield _claim(
            model,
            f"beats-{family.lower().replace(' ', '-')}",
            f"The {coder} beats {family} even with 20 % misclassified{{profile}}"
            + (" (not in the paper)" if family == "JPEG XL" else ""),
            "section 3.4, figure 10",
            result,
            evidence,
        )


def _local_statistics(paper: ModelResults, hybrid: ModelResults) -> Claim:
    """The paper's future work, which profile ``hybrid`` realises."""
    holds, text = [], []
    for before, after in zip(_both_sets(paper), _both_sets(hybrid), strict=True):
        holds.append([after.pooled[0] < before.pooled[0]])
        text.append(f"{before.cells}: {before.pooled[0]:.3f} becomes {after.pooled[0]:.3f}")
    return _claim(
        paper,
        "local-statistics",
        "Combining autoencoders with networks that exploit local statistics saves bits",
        "section 4, future work",
        verdict(*holds),
        ". ".join(text) + " bits/pixel, latents counted, all cells classified correctly.",
    )


def _one_time_cost(model: ModelResults) -> Claim:
    """Break-even of the stored weights, in cells."""
    side = model.side
    sheets = [
        even
        for even in side.break_even
        if even.assignment == "labels" and even.arrangement == "sheet"
    ]
    n_smaller = sum(even.n_cells is not None for even in sheets)
    result = HOLDS if n_smaller == len(sheets) else IN_PART if n_smaller else FAILS
    text = ", ".join(
        f"{even.rival} {'never' if even.n_cells is None else f'from {even.n_cells:,} cells'}"
        for even in sheets
    )
    return _claim(
        model,
        "one-time-cost",
        "The weights are a one-time cost that a large data set amortises{profile}",
        "section 4",
        result if sheets else NOT_MEASURED,
        f"{side.base64_bytes:,} bytes as stored, {side.metadata_bytes:,} of other "
        f"metadata. Smaller than sheets of: {text or 'nothing was measured'}.",
    )


def _classify_first(model: ModelResults) -> Claim:
    """The true class against the real classifier and the shorter code."""
    points = {point.name: point for point in model.on(UNSEEN).points}
    labels, shortest = points["labels"], points["shortest"]
    text = [f"labels {labels.bits_per_pixel:.4f}"]
    classifier = points.get("classifier")
    if classifier is not None:
        text.append(
            f"the classifier {classifier.bits_per_pixel:.4f} (rates {classifier.rates[0][1]:.3f}, "
            f"{classifier.rates[1][0]:.3f}; cells drawn at random at these rates would take "
            f"{classifier.channel_bits:.4f})"
        )
    text.append(
        f"the shorter code {shortest.bits_per_pixel:.4f} (another class than the label for "
        f"{shortest.rates[0][1]:.3f}, {shortest.rates[1][0]:.3f})"
    )
    best = min(points.values(), key=lambda point: point.bits_per_pixel)
    return _claim(
        model,
        "classify-first",
        "Classifying first gives the better rate: the true class is the best model{profile}",
        "sections 1 and 2.4",
        HOLDS if best.name == "labels" else FAILS,
        "Unseen slides: " + ", ".join(text) + " bits/pixel.",
    )


def verdict(unseen: list[bool], training: list[bool]) -> str:
    """Combine what holds on each set of cells, case by case."""
    if all(unseen) and all(training):
        return HOLDS
    if all(training) and not any(unseen):
        return ONLY_TRAINING
    return FAILS if not any(unseen) else IN_PART


def _both_sets(model: ModelResults) -> Iterator[SetResults]:
    """Results on unseen slides, then on training cells."""
    yield model.on(UNSEEN)
    yield model.on(TRAINING)
