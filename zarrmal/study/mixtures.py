"""Mixtures at every pair of misclassification rates, from the costs of single cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .cells import N_CLASSES, Chosen, Rows
from .costs import Costs
from .measured import Curves, OperatingPoint, Quantity, Row, Surface
from .theory import Channel, Floats

Sources = list[dict[str, float]]
"""Of class i: every quantity under the model of each class."""

State = tuple[Sources, Floats]
"""Of class i at one rate: its sources, and P(Cj|Si)."""

HIGHEST_RATE = 0.20
N_STEPS = 20


def rate_axis() -> Row:
    """0.00, 0.01 … 0.20, as in the paper's figures 7 to 10."""
    return tuple(round(HIGHEST_RATE * k / N_STEPS, 10) for k in range(N_STEPS + 1))


def wrong_order(cells: Chosen, seed: int) -> list[Rows]:
    """Of each class its cells, by seed, in the order in which they go wrong as the rate grows."""
    return [
        np.random.default_rng([seed, i]).permutation(cells.of_class(i)) for i in range(N_CLASSES)
    ]


def assigned_at(cells: Chosen, order: list[Rows], rates: Row) -> NDArray[np.uint8]:
    """uint8 (cell,): drawn classes where class i goes wrong at ``rates[i]``."""
    assigned = cells.classes.copy()
    for i, (mine, rate) in enumerate(zip(order, rates, strict=True)):
        assigned[mine[: round(rate * len(mine))]] = 1 - i
    return assigned


def pure_sources(costs: Costs, cells: Chosen) -> list[Sources]:
    """R_ij, each measured on all cells of class i."""
    return [
        [costs.source(cells.of_class(i), j) for j in range(N_CLASSES)] for i in range(N_CLASSES)
    ]


def mixed_quantities(
    costs: Costs, cells: Chosen, order: list[Rows], rates: Row
) -> tuple[Quantity, ...]:
    """All quantities over all rates, expected and drawn."""
    pure = pure_sources(costs, cells)
    expected = [[(pure[i], _shares(i, rate)) for rate in rates] for i in range(N_CLASSES)]
    drawn = [[_drawn(costs, order[i], i, rate) for rate in rates] for i in range(N_CLASSES)]
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


def _drawn(costs: Costs, order: Rows, i: int, rate: float) -> State:
    n_wrong = round(rate * len(order))
    parts = {i: order[n_wrong:], 1 - i: order[:n_wrong]}
    nothing = dict.fromkeys(costs.titles, float("nan"))
    sources = [
        costs.source(np.sort(parts[j]), j) if len(parts[j]) else nothing for j in range(N_CLASSES)
    ]
    return sources, _shares(i, n_wrong / len(order))


def _curves(name: str, priors: Floats, states: list[list[State]]) -> Curves:
    def at(k0: int, k1: int) -> tuple[Channel, Floats]:
        pair = (states[0][k0], states[1][k1])
        channel = Channel(priors=priors, rates=np.array([shares for _, shares in pair]))
        return channel, np.array([[one[name] for one in sources] for sources, _ in pair])

    diagonal = [at(k, k) for k in range(len(states[0]))]
    classes = np.array([channel.conditional(found) for channel, found in diagonal]).T
    # BR = H0 P(S0) + H1 P(S1), and each H_i knows only its own class's rate.
    surface = priors[0] * classes[0][:, None] + priors[1] * classes[1][None]
    return Curves(
        classes=as_surface(classes),
        overall=tuple(np.diag(surface).tolist()),
        surface=as_surface(surface),
    )


def pooled_rates(costs: Costs, cells: Chosen, order: list[Rows], rates: Row) -> Row:
    """See SetResults.pooled."""
    return tuple(costs.written(assigned_at(cells, order, (rate, rate))) for rate in rates)


def operating_point(
    name: str, costs: Costs, cells: Chosen, assigned: NDArray[np.uint8]
) -> OperatingPoint:
    """What becomes of the cells with these classes."""
    counts = np.zeros((N_CLASSES, N_CLASSES))
    np.add.at(counts, (cells.classes, assigned), 1)
    rates = counts / counts.sum(axis=1, keepdims=True)
    pure = pure_sources(costs, cells)
    bits = [[one["bits_per_pixel"] for one in sources] for sources in pure]
    return OperatingPoint(
        name=name,
        rates=as_surface(rates),
        channel_bits=Channel(priors=cells.priors, rates=rates).bit_rate(bits),
        bits_per_pixel=costs.written(assigned),
    )


def as_surface(values: NDArray[np.float64]) -> Surface:
    """As the results keep it."""
    return tuple(tuple(row) for row in values.tolist())
