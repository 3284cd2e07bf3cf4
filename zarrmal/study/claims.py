"""The paper's qualitative claims, one by one, against the numbers of this very run.

Every verdict is computed. A claim that concerns several cases (both classes, both sets of cells)
holds where it holds in all of them.
"""

from __future__ import annotations

import numpy as np

from .measured import ModelResults, Quantity
from .rate_claims import against_rivals, classify_first, local_statistics, one_time_cost
from .results import Claim, StudyResults
from .verdicts import both_sets, verdict

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
            *against_rivals(results, paper, ""),
        ]
    if hybrid is not None:
        mark = ", profile hybrid"
        found += [
            _own_model_is_best(results, hybrid, mark),
            _entropy_grows(hybrid, "code_length", mark),
            *against_rivals(results, hybrid, mark),
        ]
    if paper is not None and hybrid is not None:
        found.append(local_statistics(paper, hybrid))
    found += [one_time_cost(model) for model in (paper, hybrid) if model is not None]
    found += [classify_first(results, model) for model in (paper, hybrid) if model is not None]
    return tuple(found)


def _own_model_is_best(results: StudyResults, model: ModelResults, mark: str) -> Claim:
    ok: list[list[bool]] = []
    text = []
    for one in both_sets(model):
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
        verdict=verdict(*ok),
        evidence=". ".join(text) + " bits/pixel.",
    )


def _entropy_grows(model: ModelResults, quantity: str, mark: str = "") -> Claim:
    ok, text = [], []
    for one in both_sets(model):
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
        verdict=verdict(*ok),
        evidence=". ".join(text) + " (drawn cells).",
    )


def _nearly_linear(results: StudyResults, model: ModelResults, quantity: str) -> Claim:
    ok, text = [], []
    for one in both_sets(model):
        off = [_bend(np.array(row)) for row in one.quantity(quantity).draw.classes]
        ok.append([value <= NEAR_LINEAR for value in off])
        text.append(f"{one.cells}: " + ", ".join(f"H{i} {v:.1%}" for i, v in enumerate(off)))
    return Claim(
        name="linear",
        paper="The growth is close to linear, as the channel's arithmetic says",
        where="sections 2.5 and 3.1, figure 7",
        verdict=verdict(*ok),
        evidence="Greatest distance of the drawn curve from the straight line between its ends, "
        "over its rise. " + ". ".join(text) + f". Up to {NEAR_LINEAR:.0%} is taken as linear.",
    )


def _bend(row: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    line = np.linspace(row[0], row[-1], len(row))
    rise = abs(row[-1] - row[0])
    return float(np.abs(row - line).max() / rise) if rise else float(np.abs(row - line).max() > 0)


def _surface(results: StudyResults, model: ModelResults, quantity: str) -> Claim:
    ok, text = [], []
    for one in both_sets(model):
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
        verdict=verdict(*ok),
        evidence=". ".join(text) + " (P(C1|S0), P(C0|S1)).",
    )


def _closed_form(model: ModelResults) -> Claim:
    ok, text = [], []
    for one in both_sets(model):
        off = _relative(one.quantity("predicted_acwl"), one.quantity("written_acwl"))
        ok.append([bool(np.abs(off).max() <= CLOSE)])
        text.append(f"{one.cells}: {off.min():+.1%} to {off.max():+.1%}")
    return Claim(
        name="acwl",
        paper="The average codeword length of the closed form, for geometric residues, is that of "
        "the real code",
        where="sections 2.3, 2.5 and 3.3, figure 9",
        verdict=verdict(*ok),
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
    for one in both_sets(model):
        off = _relative(one.quantity("written_acwl"), one.quantity("entropy"))
        ok.append([bool(off.min() >= 0), bool(off.max() <= CLOSE)])
        text.append(f"{one.cells}: {off.min():+.1%} to {off.max():+.1%}")
    return Claim(
        name="near-entropy",
        paper="Golomb-Rice codewords are, on average, not far above the entropy of the residues",
        where="sections 2.3 and 3.3, figures 7 and 9",
        verdict=verdict(*ok),
        evidence="Written codewords over the zero-order entropy, all drawn rates. "
        + ". ".join(text)
        + f". At least 0% and up to {CLOSE:.0%} is taken as near.",
    )
