"""The result of verify."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...sources.preprocessing import Preprocessing
from ..format import CELLS
from ..preprocessing import compared_with, pixels_notice
from ..read.chunks.findings import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """The result of verify.

    Parameters
    ----------
    problems
        One line each; empty when all is well.
    n_cells, n_chunks
        Checked.
    compared
        The cells were compared with the source.
    findings
        Those of the problems that are about a chunk, with the cells that are lost.
    preprocessing
        What was done to the original pixels; None where the archive does not record it.
    """

    problems: tuple[str, ...]
    n_cells: int
    n_chunks: int
    compared: bool
    findings: tuple[Finding, ...] = ()
    preprocessing: Preprocessing | None = None

    @property
    def n_lost(self) -> int:
        """Cells that cannot be recovered from the archive."""
        return sum(
            finding.n_lost
            for finding in self.findings
            if finding.array == CELLS and finding.kind != "differs"
        )

    @property
    def n_damaged_chunks(self) -> int:
        """Chunks of any array in which something is wrong."""
        return len({(finding.array, finding.chunk) for finding in self.findings})

    @property
    def comparison(self) -> str:
        """What a sound archive was compared with, in words."""
        if not self.compared:
            return "not compared with a source"
        return f"equal to {compared_with(self.preprocessing)}"

    @property
    def pixels_notice(self) -> str:
        """Says that the original pixels are not in the archive; "" where they are."""
        return pixels_notice(self.preprocessing)

    def to_json(self) -> dict[str, Any]:
        """As a machine reads it."""
        return {
            "ok": not self.problems,
            "problems": list(self.problems),
            "n_cells": self.n_cells,
            "n_chunks": self.n_chunks,
            "compared": self.compared,
            "comparison": self.comparison,
            "pixels_notice": self.pixels_notice,
            "preprocessing": None if self.preprocessing is None else self.preprocessing.to_json(),
            "n_lost": self.n_lost,
            "findings": [finding.to_json() for finding in self.findings],
        }
