"""Ours against the rivals that count, from the rows of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .measure import Measurement

AGAINST = (
    ("bits_per_pixel", "jxl:effort=9"),
    ("bits_per_pixel", "jxl:effort=10"),
    ("decode_mb_s", "jxl:effort=9"),
    ("encode_mb_s", "jxl:effort=7"),
)
"""What is compared with whose sheets. A rate below 1 is for us, a speed above 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """Ours over theirs, both measured on unseen slides in the same run.

    Parameters
    ----------
    quantity
        "bits_per_pixel", "encode_mb_s" or "decode_mb_s".
    ours, rival
        Coders, as in the table.
    assignment
        How our cells got their class.
    """

    quantity: str
    ours: str
    assignment: str
    rival: str
    ours_value: float
    rival_value: float
    ratio: float

    def to_json(self) -> dict[str, Any]:
        """As a machine reads it."""
        return asdict(self)


def required_ratios(
    ours: Sequence[Measurement], theirs: Sequence[Measurement], *, of: str
) -> tuple[Ratio, ...]:
    """All ratios whose two rows were measured.

    Parameters
    ----------
    ours
        Rows of our chunks; speeds are taken once, from the rows that count the model.
    theirs
        Rows of rivals; those of sheets are taken.
    of
        The cells to compare on.
    """
    sheets = {m.coder: m for m in theirs if m.arrangement == "sheet" and m.cells == of}
    found = []
    for quantity, name in AGAINST:
        rival = sheets.get(name)
        for mine in ours:
            if rival is None or mine.cells != of:
                continue
            if quantity != "bits_per_pixel" and not mine.model_counted:
                continue
            a, b = getattr(mine, quantity), getattr(rival, quantity)
            if a is None or b is None:
                continue
            found.append(
                Ratio(
                    quantity=quantity,
                    ours=mine.coder,
                    assignment=mine.assignment,
                    rival=name,
                    ours_value=a,
                    rival_value=b,
                    ratio=a / b,
                )
            )
    return tuple(found)
