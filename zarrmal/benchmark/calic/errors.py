"""A prediction error and its number 0 ... 255, likely errors first (entropy coding of errors)."""

from __future__ import annotations

from .compiled import compiled


@compiled
def folded(value: int, prediction: int, flip: bool) -> int:
    """0, +1, -1, +2, ... as far as both signs can happen, then what is left of the longer side.

    ``flip`` turns the signs, where the mean error of the context is negative (error feedback).
    """
    error = prediction - value if flip else value - prediction
    both = min(prediction, 255 - prediction)
    if abs(error) > both:
        return both + abs(error)
    return 2 * error - 1 if error > 0 else -2 * error


@compiled
def unfolded(number: int, prediction: int, flip: bool) -> int:
    """The pixel, of a number 0 ... 255: the inverse of ``folded``."""
    both = min(prediction, 255 - prediction)
    if number > 2 * both:
        size = number - both
        return prediction + size if both == prediction else prediction - size
    error = (number + 1) >> 1 if number & 1 else -(number >> 1)
    return prediction - error if flip else prediction + error
