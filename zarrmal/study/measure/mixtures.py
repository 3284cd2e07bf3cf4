"""Mixtures of right and wrong models at every pair of misclassification rates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..cells import N_CLASSES, CellSample, Rows
from ..results.model_results import Curves, OperatingPoint, Quantity, Row, Surface
from ..theory import Channel, Floats
from .costs import Costs

Sources = list[dict[str, float]]
"""Cells of one true class: every quantity under the model of each class."""

State = tuple[Sources, Floats]
"""Cells of one true class i at one rate: their sources, and P(Cj|Si)."""

MAX_RATE = 0.20
N_STEPS = 20


def rate_axis() -> Row:
    """0.00, 0.01 … 0.20, as in the paper's figures 7 to 10."""
    return tuple(round(MAX_RATE * k / N_STEPS, 10) for k in range(N_STEPS + 1))


def error_order(cells: CellSample, seed: int) -> list[Rows]:
    """Order in which the cells of each class are misclassified as the rate grows, by seed."""
    return [
        np.random.default_rng([seed, i]).permutation(cells.class_indices(i))
        for i in range(N_CLASSES)
    ]


def assigned_at(cells: CellSample, order: list[Rows], rates: Row) -> NDArray[np.uint8]:
    """Drawn classes where class i is misclassified at ``rates[i]``, uint8 (cell,)."""
    assigned = cells.classes.copy()
    for i, (indices, rate) in enumerate(zip(order, rates, strict=True)):
        assigned[indices[: round(rate * len(indices))]] = 1 - i
    return assigned


def pure_sources(costs: Costs, cells: CellSample) -> list[Sources]:
    """R_ij, each measured on all cells of class i."""
    return [
        [costs.source(cells.class_indices(i), j) for j in range(N_CLASSES)]
        for i in range(N_CLASSES)
    ]


def mixed_quantities(
    costs: Costs, cells: CellSample, order: list[Rows], rates: Row
) -> tuple[Quantity, ...]:
    """All quantities at all rates, expected and drawn."""
    pure = pure_sources(costs, cells)
    expected = [[(pure[i], _shares(i, rate)) for rate in rates] for i in range(N_CLASSES)]
    drawn = [[_drawn_state(costs, order[i], i, rate) for rate in rates] for i in range(N_CLASSES)]
    return tuple(
        Quantity(
            name=name,
            title=title,
            expectation=_curves(name, cells.priors, expected),
            draw=_curves(name, cells.priors, drawn),
        )
        for name, title in costs.titles.items()
    )


def _shares(i: int, rate: float) -> Floats:
    shares = np.zeros(N_CLASSES)
    shares[i], shares[1 - i] = 1 - rate, rate
    return shares


def _drawn_state(costs: Costs, order: Rows, i: int, rate: float) -> State:
    n_wrong = round(rate * len(order))
    parts = {i: order[n_wrong:], 1 - i: order[:n_wrong]}
    empty = dict.fromkeys(costs.titles, float("nan"))
    sources = [
        costs.source(np.sort(parts[j]), j) if len(parts[j]) else empty for j in range(N_CLASSES)
    ]
    return sources, _shares(i, n_wrong / len(order))


def _curves(name: str, priors: Floats, states: list[list[State]]) -> Curves:
    classes = np.empty((N_CLASSES, len(states[0])))
    for k in range(len(states[0])):
        pair = [states[i][k] for i in range(N_CLASSES)]
        channel = Channel(priors=priors, rates=np.array([shares for _, shares in pair]))
        values = np.array([[source[name] for source in sources] for sources, _ in pair])
        classes[:, k] = channel.conditional(values)
    # BR = H0 P(S0) + H1 P(S1), and each H_i depends on its own class's rate alone.
    surface = priors[0] * classes[0][:, None] + priors[1] * classes[1][None]
    return Curves(
        classes=as_surface(classes),
        overall=tuple(np.diag(surface).tolist()),
        surface=as_surface(surface),
    )


def pooled_rates(costs: Costs, cells: CellSample, order: list[Rows], rates: Row) -> Row:
    """See SetResults.pooled."""
    return tuple(costs.written(assigned_at(cells, order, (rate, rate))) for rate in rates)


def operating_point(
    name: str, costs: Costs, cells: CellSample, assigned: NDArray[np.uint8]
) -> OperatingPoint:
    """Rates and bits where each cell has its assigned class, uint8 (cell,)."""
    counts = np.zeros((N_CLASSES, N_CLASSES))
    np.add.at(counts, (cells.classes, assigned), 1)
    rates = counts / counts.sum(axis=1, keepdims=True)
    bits = [
        [source["bits_per_pixel"] for source in sources] for sources in pure_sources(costs, cells)
    ]
    return OperatingPoint(
        name=name,
        rates=as_surface(rates),
        channel_bits=Channel(priors=cells.priors, rates=rates).bit_rate(bits),
        bits_per_pixel=costs.written(assigned),
    )


def as_surface(values: NDArray[np.float64]) -> Surface:
    """Nested tuples, as the results store them."""
    return tuple(tuple(row) for row in values.tolist())
