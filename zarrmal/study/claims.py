"""The paper's qualitative claims, one by one, against the numbers of this very run.

Every verdict is computed. A claim that concerns several cases (both classes, both sets of cells)
holds where it holds in all of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .measured import ModelResults, Quantity, SetResults
from .results import TRAINING, UNSEEN, Claim, StudyResults

HOLDS, FAILS, IN_PART = "holds", "does not hold", "holds in part"
ONLY_TRAINING = "holds only on training cells"
BEFORE_SIDE = "holds only before side information"
NOT_MEASURED = "not measured"

NEAR_LINEAR = 0.05
"""Greatest distance from the straight line between the ends, relative to the rise."""

CLOSE = 0.05
"""Relative distance of a predicted codeword length from a written one."""


def judge(results: StudyResults) -> tuple[Claim, ...]:
    """All claims, in the paper's order, and then what the paper leaves to others."""
    paper = next((m for m in results.models if m.profile == "paper"), None)
    hybrid = next((m for m in results.models if m.profile == "hybrid"), None)
    found: list[Claim] = []
    if paper is not None:
        found += [
            _own_model_is_best(results, paper, ""),
            _entropy_grows(paper, "entropy"),
            _nearly_linear(results, paper, "entropy"),
            _surface(results, paper, "entropy"),
            _closed_form(paper),
            _above_entropy(paper),
            *_against_rivals(results, paper, ""),
        ]
    if hybrid is not None:
        mark = ", profile hybrid"
        found += [
            _own_model_is_best(results, hybrid, mark),
            _entropy_grows(hybrid, "code_length", mark),
            *_against_rivals(results, hybrid, mark),
        ]
    if paper is not None and hybrid is not None:
        found.append(_local_statistics(paper, hybrid))
    found += [_one_time_cost(model) for model in (paper, hybrid) if model is not None]
    found += [
        _classifier_is_good_enough(results, model) for model in (paper, hybrid) if model is not None
    ]
    return tuple(found)


def _verdict(unseen: list[bool], training: list[bool]) -> str:
    """From what holds on both sets of cells, case by case."""
    if all(unseen) and all(training):
        return HOLDS
    if all(training) and not any(unseen):
        return ONLY_TRAINING
    return FAILS if not any(unseen) else IN_PART


def _both(model: ModelResults) -> Iterator[SetResults]:
    yield model.on(UNSEEN)
    yield model.on(TRAINING)


def _own_model_is_best(results: StudyResults, model: ModelResults, mark: str) -> Claim:
    ok: list[list[bool]] = []
    text = []
    for one in _both(model):
        bits = one.bits
        ok.append([bits[0][0] < bits[0][1], bits[1][1] < bits[1][0]])
        text.append(
            f"{one.cells}: {results.class_names[0]} {bits[0][0]:.3f} with its own model, "
            f"{bits[0][1]:.3f} with the other; {results.class_names[1]} {bits[1][1]:.3f}, "
            f"{bits[1][0]:.3f}"
        )
    return Claim(
        name="own-model" + ("-hybrid" if mark else ""),
        paper="A cell takes fewer bits with the model of its own class than with the other's"
        + mark,
        where="section 2.4; H(R01) > H(R00), H(R10) > H(R11)",
        verdict=_verdict(*ok),
        evidence=". ".join(text) + " bits/pixel.",
    )


def _entropy_grows(model: ModelResults, quantity: str, mark: str = "") -> Claim:
    ok, text = [], []
    for one in _both(model):
        curves = one.quantity(quantity).draw.classes
        ok.append([row[-1] > row[0] for row in curves])
        steps = [np.mean(np.diff(row) > 0) for row in curves]
        text.append(
            f"{one.cells}: "
            + ", ".join(
                f"H{i} {row[0]:.3f} to {row[-1]:.3f}, up in {share:.0%} of the steps"
                for i, (row, share) in enumerate(zip(curves, steps, strict=True))
            )
        )
    return Claim(
        name="grows" + ("-hybrid" if mark else ""),
        paper="Conditional entropies grow with the misclassification rate" + mark,
        where="section 3.1, figure 7",
        verdict=_verdict(*ok),
        evidence=". ".join(text) + " (drawn cells).",
    )


def _nearly_linear(results: StudyResults, model: ModelResults, quantity: str) -> Claim:
    ok, text = [], []
    for one in _both(model):
        off = [_bend(np.array(row)) for row in one.quantity(quantity).draw.classes]
        ok.append([value <= NEAR_LINEAR for value in off])
        text.append(f"{one.cells}: " + ", ".join(f"H{i} {v:.1%}" for i, v in enumerate(off)))
    return Claim(
        name="linear",
        paper="The growth is close to linear, as the channel's arithmetic says",
        where="sections 2.5 and 3.1, figure 7",
        verdict=_verdict(*ok),
        evidence="Greatest distance of the drawn curve from the straight line between its ends, "
        "over its rise. " + ". ".join(text) + f". Up to {NEAR_LINEAR:.0%} is taken as linear.",
    )


def _bend(row: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    line = np.linspace(row[0], row[-1], len(row))
    rise = abs(row[-1] - row[0])
    return float(np.abs(row - line).max() / rise) if rise else float(np.abs(row - line).max() > 0)


def _surface(results: StudyResults, model: ModelResults, quantity: str) -> Claim:
    ok, text = [], []
    for one in _both(model):
        surface = np.array(one.quantity(quantity).draw.surface)
        least = divmod(int(surface.argmin()), len(surface))
        most = divmod(int(surface.argmax()), len(surface))
        last = len(surface) - 1
        ok.append([least == (0, 0), most == (last, last)])
        rates = results.rates
        text.append(
            f"{one.cells}: least {surface.min():.3f} at ({rates[least[0]]:.2f}, "
            f"{rates[least[1]]:.2f}), most {surface.max():.3f} at ({rates[most[0]]:.2f}, "
            f"{rates[most[1]]:.2f})"
        )
    return Claim(
        name="surface",
        paper="The joint entropy is least without misclassification and greatest where both "
        "rates are",
        where="section 3.2, figure 8",
        verdict=_verdict(*ok),
        evidence=". ".join(text) + " (P(C1|S0), P(C0|S1)).",
    )


def _closed_form(model: ModelResults) -> Claim:
    ok, text = [], []
    for one in _both(model):
        off = _relative(one.quantity("predicted_acwl"), one.quantity("written_acwl"))
        ok.append([bool(np.abs(off).max() <= CLOSE)])
        text.append(f"{one.cells}: {off.min():+.1%} to {off.max():+.1%}")
    return Claim(
        name="acwl",
        paper="The average codeword length of the closed form, for geometric residues, is that of "
        "the real code",
        where="sections 2.3, 2.5 and 3.3, figure 9",
        verdict=_verdict(*ok),
        evidence="Predicted over written, all drawn rates. "
        + ". ".join(text)
        + f". Up to {CLOSE:.0%} is taken as close.",
    )


def _relative(one: Quantity, other: Quantity) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    found: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = (
        np.array(one.draw.overall) / np.array(other.draw.overall) - 1
    )
    return found


def _above_entropy(model: ModelResults) -> Claim:
    ok, text = [], []
    for one in _both(model):
        off = _relative(one.quantity("written_acwl"), one.quantity("entropy"))
        ok.append([bool(off.min() >= 0), bool(off.max() <= CLOSE)])
        text.append(f"{one.cells}: {off.min():+.1%} to {off.max():+.1%}")
    return Claim(
        name="near-entropy",
        paper="Golomb-Rice codewords are, on average, not far above the entropy of the residues",
        where="sections 2.3 and 3.3, figures 7 and 9",
        verdict=_verdict(*ok),
        evidence="Written codewords over the zero-order entropy, all drawn rates. "
        + ". ".join(text)
        + f". At least 0% and up to {CLOSE:.0%} is taken as near.",
    )


def _against_rivals(results: StudyResults, model: ModelResults, mark: str) -> Iterator[Claim]:
    """One claim a family: the paper's figure 10, and JPEG XL."""
    families = ("JPEG2000", "JPEG-LS", "CALIC", "WebP", "JPEG XL")
    for family in families:
        best: dict[str, float] = {}
        alone: dict[str, float] = {}
        for rival in results.rivals:
            if rival.family == family:
                table = best if rival.arrangement == "sheet" else alone
                table[rival.cells] = min(rival.bits_per_pixel, table.get(rival.cells, np.inf))
        found = {one.cells: one.pooled[-1] for one in _both(model)}
        paper = f"{_who(model)} beats {family} even with 20 % misclassified" + mark
        if family == "JPEG XL":
            paper += " (not in the paper)"
        name = f"beats-{family.lower().replace(' ', '-')}" + ("-hybrid" if mark else "")
        where = "section 3.4, figure 10"
        if UNSEEN not in best or TRAINING not in best:
            yield Claim(name=name, paper=paper, where=where, verdict=NOT_MEASURED,
                        evidence=f"{family} was not measured.")  # fmt: skip
            continue
        n_pixels = results.cell_shape[0] * results.cell_shape[1]
        side = 8 * (model.side.base64_bytes + model.side.metadata_bytes) / n_pixels
        side /= sum(results.cell_sets[0].n_cells)
        won = {cells: found[cells] < best[cells] for cells in found}
        verdict = _verdict([won[UNSEEN]], [won[TRAINING]])
        if verdict == HOLDS and found[UNSEEN] + side >= best[UNSEEN]:
            verdict = BEFORE_SIDE
        text = [
            f"{cells}: ours {found[cells]:.3f}, theirs {best[cells]:.3f} in one sheet"
            + (f" and {alone[cells]:.3f} in a file a cell" if cells in alone else "")
            for cells in found
        ]
        counted = sum(results.cell_sets[0].n_cells)
        yield Claim(
            name=name,
            paper=paper,
            where=where,
            verdict=verdict,
            evidence=". ".join(text)
            + f" bits/pixel. The model adds {side:.3f} over these {counted:,} cells.",
        )


def _who(model: ModelResults) -> str:
    return "The autoencoder" if model.profile == "paper" else "The context network"


def _local_statistics(paper: ModelResults, hybrid: ModelResults) -> Claim:
    ok, text = [], []
    for one, other in zip(_both(paper), _both(hybrid), strict=True):
        ok.append([other.pooled[0] < one.pooled[0]])
        text.append(f"{one.cells}: {one.pooled[0]:.3f} becomes {other.pooled[0]:.3f}")
    return Claim(
        name="local-statistics",
        paper="Mixing autoencoders with networks that exploit local statistics would gain",
        where="section 4, future work",
        verdict=_verdict(*ok),
        evidence=". ".join(text) + " bits/pixel, latents counted, all cells classified right.",
    )


def _one_time_cost(model: ModelResults) -> Claim:
    mark = "" if model.profile == "paper" else ", profile hybrid"
    side = model.side
    even = [one for one in side.break_even if one.assignment == "labels"]
    sheets = [one for one in even if one.arrangement == "sheet"]
    won = [one for one in sheets if one.n_cells is not None]
    verdict = NOT_MEASURED if not sheets else _share(len(won), len(sheets))
    text = ", ".join(
        f"{one.rival} {'never' if one.n_cells is None else f'from {one.n_cells:,} cells'}"
        for one in sheets
    )
    return Claim(
        name="one-time-cost" + ("-hybrid" if mark else ""),
        paper="The weights are a one-time cost that a large data set amortises" + mark,
        where="section 4",
        verdict=verdict,
        evidence=f"{side.base64_bytes:,} bytes as stored, {side.metadata_bytes:,} of other "
        f"metadata. Smaller than sheets of: {text or 'nothing was measured'}.",
    )


def _share(n: int, of: int) -> str:
    return HOLDS if n == of else IN_PART if n else FAILS


def _classifier_is_good_enough(results: StudyResults, model: ModelResults) -> Claim:
    mark = "" if model.profile == "paper" else ", profile hybrid"
    points = {point.name: point for point in model.on(UNSEEN).points}
    labels, shortest = points["labels"], points["shortest"]
    parts = [f"labels {labels.bits_per_pixel:.4f}"]
    known = points.get("classifier")
    if known is not None:
        parts.append(
            f"the classifier {known.bits_per_pixel:.4f} (rates {known.rates[0][1]:.3f}, "
            f"{known.rates[1][0]:.3f}; cells drawn at random at these rates would take "
            f"{known.channel_bits:.4f})"
        )
    parts.append(
        f"the shorter code {shortest.bits_per_pixel:.4f} (off the label "
        f"{shortest.rates[0][1]:.3f}, {shortest.rates[1][0]:.3f})"
    )
    best = min(points.values(), key=lambda point: point.bits_per_pixel)
    return Claim(
        name="classify-first" + ("-hybrid" if mark else ""),
        paper="Classifying first gives the better rate: the true class is the best model" + mark,
        where="sections 1 and 2.4",
        verdict=HOLDS if best.name == "labels" else FAILS,
        evidence="Unseen slides: " + ", ".join(parts) + " bits/pixel.",
    )
