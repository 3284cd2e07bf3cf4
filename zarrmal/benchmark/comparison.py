"""Archives against rivals, from the rows of one run: ratios, and break-even in cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from zarrmal_codecs import Model

from .measurement import Measurement

COMPARISONS = (
    ("bits_per_pixel", "jxl:effort=9"),
    ("bits_per_pixel", "jxl:effort=10"),
    ("decode_mb_s", "jxl:effort=9"),
    ("encode_mb_s", "jxl:effort=7"),
)
"""Quantity and rival, in sheets. zarrmal is better where a rate is below 1 or a speed above 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """zarrmal over a rival, both measured on the same cells in the same run.

    Parameters
    ----------
    quantity
        "bits_per_pixel", "encode_mb_s" or "decode_mb_s".
    ours, rival
        Coders, as in the table.
    assignment
        How the archive's cells got their class.
    """

    quantity: str
    ours: str
    assignment: str
    rival: str
    ours_value: float
    rival_value: float
    ratio: float

    def to_json(self) -> dict[str, Any]:
        """Fields as a JSON object."""
        return asdict(self)


def required_ratios(
    archives: Sequence[Measurement], rivals: Sequence[Measurement], *, cells: str
) -> tuple[Ratio, ...]:
    """All ratios of COMPARISONS whose two rows were measured.

    Parameters
    ----------
    archives
        Rows of archives. Speeds are compared once, in the rows that count the model.
    rivals
        Rows of rivals. Only sheets are compared.
    cells
        Name of the cells to compare on.
    """
    sheets = {m.coder: m for m in rivals if m.arrangement == "sheet" and m.cells == cells}
    ratios = []
    for quantity, name in COMPARISONS:
        rival = sheets.get(name)
        for archive in archives:
            if rival is None or archive.cells != cells:
                continue
            if quantity != "bits_per_pixel" and not archive.model_counted:
                continue
            ours_value, rival_value = getattr(archive, quantity), getattr(rival, quantity)
            if ours_value is None or rival_value is None:
                continue
            ratios.append(
                Ratio(
                    quantity=quantity,
                    ours=archive.coder,
                    assignment=archive.assignment,
                    rival=name,
                    ours_value=ours_value,
                    rival_value=rival_value,
                    ratio=ours_value / rival_value,
                )
            )
    return tuple(ratios)


def break_even(
    model: Model, without_model: Measurement, rival: Measurement, cell_shape: tuple[int, ...]
) -> float:
    """Number of cells from which the archive, model counted, is smaller; inf: never."""
    gain = rival.bits_per_pixel - without_model.bits_per_pixel
    if gain <= 0:
        return float("inf")
    return 8 * len(model.to_base64()) / (gain * cell_shape[0] * cell_shape[1])
