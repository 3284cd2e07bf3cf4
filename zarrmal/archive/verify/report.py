"""The result of verify."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..format import CELLS
from ..read.findings import Finding


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
    """

    problems: tuple[str, ...]
    n_cells: int
    n_chunks: int
    compared: bool
    findings: tuple[Finding, ...] = ()

    @property
    def n_lost(self) -> int:
        """Cells that cannot be recovered from the archive."""
        return sum(f.n_lost for f in self.findings if f.array == CELLS and f.kind != "differs")

    @property
    def n_damaged_chunks(self) -> int:
        """Chunks of any array in which something is wrong."""
        return len({(finding.array, finding.chunk) for finding in self.findings})

    def to_json(self) -> dict[str, Any]:
        """As a machine reads it."""
        return {
            "ok": not self.problems,
            "problems": list(self.problems),
            "n_cells": self.n_cells,
            "n_chunks": self.n_chunks,
            "compared": self.compared,
            "n_lost": self.n_lost,
            "findings": [finding.to_json() for finding in self.findings],
        }
