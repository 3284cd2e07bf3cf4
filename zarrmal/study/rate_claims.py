"""Claims about bit rates: against other coders, with side information, by real classes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .measured import ModelResults
from .results import TRAINING, UNSEEN, Claim, StudyResults
from .verdicts import BEFORE_SIDE, FAILS, HOLDS, IN_PART, NOT_MEASURED, both_sets, verdict


def against_rivals(results: StudyResults, model: ModelResults, mark: str) -> Iterator[Claim]:
    """One claim a family: the paper's figure 10, and JPEG XL."""
    families = ("JPEG2000", "JPEG-LS", "CALIC", "WebP", "JPEG XL")
    for family in families:
        best: dict[str, float] = {}
        alone: dict[str, float] = {}
        for rival in results.rivals:
            if rival.family == family:
                table = best if rival.arrangement == "sheet" else alone
                table[rival.cells] = min(rival.bits_per_pixel, table.get(rival.cells, np.inf))
        found = {one.cells: one.pooled[-1] for one in both_sets(model)}
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
        ended = verdict([won[UNSEEN]], [won[TRAINING]])
        if ended == HOLDS and found[UNSEEN] + side >= best[UNSEEN]:
            ended = BEFORE_SIDE
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
            verdict=ended,
            evidence=". ".join(text)
            + f" bits/pixel. The model as stored would add {side:.3f} over {counted:,} cells.",
        )


def _who(model: ModelResults) -> str:
    return "The autoencoder" if model.profile == "paper" else "The context network"


def local_statistics(paper: ModelResults, hybrid: ModelResults) -> Claim:
    """The future work that the paper names, which profile ``hybrid`` is."""
    ok, text = [], []
    for one, other in zip(both_sets(paper), both_sets(hybrid), strict=True):
        ok.append([other.pooled[0] < one.pooled[0]])
        text.append(f"{one.cells}: {one.pooled[0]:.3f} becomes {other.pooled[0]:.3f}")
    return Claim(
        name="local-statistics",
        paper="Mixing autoencoders with networks that exploit local statistics would gain",
        where="section 4, future work",
        verdict=verdict(*ok),
        evidence=". ".join(text) + " bits/pixel, latents counted, all cells classified right.",
    )


def one_time_cost(model: ModelResults) -> Claim:
    """From how many cells the weights are paid for."""
    mark = "" if model.profile == "paper" else ", profile hybrid"
    side = model.side
    even = [one for one in side.break_even if one.assignment == "labels"]
    sheets = [one for one in even if one.arrangement == "sheet"]
    won = [one for one in sheets if one.n_cells is not None]
    ended = NOT_MEASURED if not sheets else _share(len(won), len(sheets))
    text = ", ".join(
        f"{one.rival} {'never' if one.n_cells is None else f'from {one.n_cells:,} cells'}"
        for one in sheets
    )
    return Claim(
        name="one-time-cost" + ("-hybrid" if mark else ""),
        paper="The weights are a one-time cost that a large data set amortises" + mark,
        where="section 4",
        verdict=ended,
        evidence=f"{side.base64_bytes:,} bytes as stored, {side.metadata_bytes:,} of other "
        f"metadata. Smaller than sheets of: {text or 'nothing was measured'}.",
    )


def _share(n: int, of: int) -> str:
    return HOLDS if n == of else IN_PART if n else FAILS


def classify_first(results: StudyResults, model: ModelResults) -> Claim:
    """The true class against the real classifier and the shorter code."""
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
