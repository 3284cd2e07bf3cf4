"""Results on the camera's own coefficients as tables for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from ...learn.lattice import LatticeResult


def lattice_table(result: LatticeResult, names: Sequence[str]) -> Table:
    """What each source gave, and the bits of its kept-out cells.

    Parameters
    ----------
    names
        The sources, as they were given; what was recompressed comes after them.
    """
    table = Table(
        title="bits of kept-out cells: in all per pixel, and per block of the first plane"
    )
    for name in (
        *("source", "cells", "from JPEG", "cameras", "kept out", "bits/pixel"),
        *("first plane", "second", "third", "rest"),
    ):
        is_source = name == "source"
        table.add_column(
            name, justify="left" if is_source else "right", min_width=None if is_source else 5
        )
    recompressed = [each.name for each in result.sources[len(names) :]]
    for name, each in zip([*names, *recompressed], result.sources, strict=True):
        bits = each.held_out
        parts = (bits.first, bits.second, bits.third, bits.rest)
        table.add_row(
            name.rstrip("/").rpartition("/")[-1],
            f"{each.n_training:,}",
            f"{each.n_found:,}",
            f"{each.n_cameras:,}",
            f"{bits.n_cells:,}" if bits.n_cells else "–",
            f"{bits.per_pixel:.3f}" if bits.n_cells else "–",
            *(f"{part / max(bits.n_blocks, 1):.2f}" for part in parts),
        )
    table.caption = f"trained in {result.seconds:.0f} s"
    return table
