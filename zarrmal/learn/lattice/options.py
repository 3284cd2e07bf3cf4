"""Options of learning the lattice's weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from zarrmal_codecs.lattice.numbers import N_DIAGONALS

from ...errors import InputError

EFFORTS: Final = {"fast": 0, "default": 2, "max": N_DIAGONALS}
"""Diagonals of the first plane of which coefficients have networks; in other planes all have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatticeOptions:
    """How to learn.

    Parameters
    ----------
    n_blocks
        Blocks of the first plane that are looked at; half as many of each other plane. The share of
        each source, and of the recompressed pictures, is the square root of its number of cells.
    n_steps, n_batch
        Steps of training of each network, and blocks of each.
    rate
        The highest learning rate of the cycle.
    effort
        One of EFFORTS: of how many diagonals of the first plane coefficients get networks. Others
        get scales from sums, which decode much faster. Other planes have few coefficients.
    n_recompressed
        Pictures that are saved again with other tables; see ``recompressed``.
    n_archive_blocks
        How many blocks the weights are for: a weight of the predictions that saves less than its
        own bits over so many is left out.
    max_cells
        At most so many training cells of a source, and a quarter as many to validate on.
    validation
        Share of the slides (of the cells, where there are no slides) held out of each source,
        0 <= validation < 1.
    seed
        The same sources, options and seed give the same weights on one machine.
    """

    n_blocks: int = 120_000
    n_steps: int = 5_000
    n_batch: int = 384
    rate: float = 8e-3
    effort: str = "default"
    n_recompressed: int = 400
    n_archive_blocks: int = 200_000
    max_cells: int = 1_000
    validation: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("n_blocks", "n_steps", "n_batch", "n_archive_blocks", "max_cells"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.n_recompressed < 0:
            raise InputError(f"n_recompressed must be at least 0, not {self.n_recompressed}")
        if self.effort not in EFFORTS:
            raise InputError(f"effort must be one of {', '.join(EFFORTS)}, not {self.effort!r}")
        if not 0 <= self.validation < 1:
            raise InputError(f"validation must be 0 <= share < 1, not {self.validation}")

    @property
    def n_networks(self) -> tuple[int, int, int]:
        """How many diagonals of each plane have networks."""
        return EFFORTS[self.effort], N_DIAGONALS, N_DIAGONALS
