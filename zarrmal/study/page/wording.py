"""Numbers and lists as they stand in sentences and tables."""

from __future__ import annotations

from collections.abc import Sequence

UNCHANGED = 0.0005
"""Bits per pixel below which two rounded rates look the same."""

POINT_TITLES = {
    "labels": "the true labels",
    "classifier": "the real classifier",
    "shortest": "the shorter code",
}


def bits(value: float) -> str:
    """Bits per pixel, to three decimals."""
    return f"{value:.3f}"


def percent(rate: float) -> str:
    """A probability in per cent, to three digits, with a no-break space."""
    return f"{100 * rate:.3g}\u00a0%"


def point_title(name: str) -> str:
    """Title of an operating point."""
    return POINT_TITLES.get(name, name)


def listed(names: Sequence[str]) -> str:
    """Join names as a, b and c."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def change(first: float, last: float) -> str:
    """Change of a curve between its ends."""
    if abs(last - first) < UNCHANGED:
        return f"stays at {bits(first)}"
    verb = "rises" if last > first else "falls"
    return f"{verb} from {bits(first)} to {bits(last)} ({100 * (last / first - 1):+.1f} %)"
