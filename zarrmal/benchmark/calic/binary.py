"""Binary mode: where the neighbours have two values at most (section on the binary mode)."""

from __future__ import annotations

from .compiled import compiled
from .predictor import Neighbours

NOT_BINARY = -1
NO_SECOND = -1
FIRST, SECOND, ESCAPE = 0, 1, 2
"""The pixel is as its left neighbour, as the other value, or neither: then it is coded as any."""


@compiled
def binary_context(around: Neighbours) -> tuple[int, int]:
    """(context 0 ... 31, second value), from w and five others; the context is -1 in other places.

    One bit a neighbour, set where it has the second value. Where all are alike there is none: -1.
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
