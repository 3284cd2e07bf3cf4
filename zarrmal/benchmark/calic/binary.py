"""Binary mode: neighbours with at most two values (section on the binary mode)."""

from __future__ import annotations

from .compiled import compiled
from .predictor import Neighbours

NOT_BINARY = -1
NO_SECOND = -1
FIRST, SECOND, ESCAPE = 0, 1, 2
"""The pixel equals its left neighbour, equals the second value, or leaves the binary mode."""


@compiled
def binary_context(around: Neighbours) -> tuple[int, int]:
    """Return (context 0 ... 31, second value), from w and five other neighbours.

    The context has one bit per neighbour, set where it has the second value; it is -1 where the
    neighbours have three values or more. The second value is -1 where all neighbours are equal.
    """
    n, w, nw, ne, nn, ww, _ = around
    context, second = 0, NO_SECOND
    for i, value in enumerate((ww, n, nw, ne, nn)):
        if value == w:
            continue
        if second == NO_SECOND:
            second = value
        elif value != second:
            return NOT_BINARY, NO_SECOND
        context |= 1 << i
    return context, second
