"""Learned classes on the terminal: how many, and what they turned out to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from ..terminal.console import out

if TYPE_CHECKING:
    from ...learn import HybridResult
    from ...learn.hybrid import CrossTable, Groups

MAX_ROWS = 12
"""More values, such as slides, are summed up in a line; --json has them all."""


def groups_table(result: HybridResult) -> Table:
    """How many groups pay for themselves, by total description length."""
    trials = result.report.group_trials
    chosen = min(trials, key=lambda trial: trial.total_bytes)
    table = Table(title=f"total description length for {trials[0].n_cells:,} cells (short trials)")
    for name in ("groups", "bits/pixel", "bits to tell the group", "model bytes", "total bytes"):
        table.add_column(name, justify="right")
    for trial in trials:
        table.add_row(
            f"{trial.n_groups}" + (" *" if trial is chosen else ""),
            f"{trial.bits_per_pixel:.4f}",
            f"{trial.group_entropy:.2f}",
            f"{trial.model_bytes:,}",
            f"{trial.total_bytes:,}",
        )
    table.caption = "* chosen"
    return table


def show_groups(groups: Groups) -> None:
    """Everything known about the groups."""
    if groups.n_dropped:
        out.print(
            f"{groups.n_dropped} of {len(groups.names) + groups.n_dropped} groups did not save "
            f"their own bytes and were dropped: so many were too many"
        )
    out.print(_looks_table(groups))
    for table in groups.tables:
        if len(table.values) <= MAX_ROWS:
            out.print(_cross_table(groups, table))
        out.print(_summary(table))


def _looks_table(groups: Groups) -> Table:
    table = Table(title="learned classes: training cells, each in the group that codes it shortest")
    for name in ("group", "cells", "grey level of the cell", "share of pixels not blank"):
        table.add_column(name, justify="left" if name == "group" else "right")
    for k, name in enumerate(groups.names):
        table.add_row(
            name,
            f"{groups.n_cells[k]:,}",
            ", ".join(f"{value:.1f}" for value in groups.brightness[k]),
            f"{groups.foreground[k]:.3f}",
        )
    table.caption = (
        f"the group explains {groups.brightness_explained:.1%} of the variance of the grey level, "
        f"{groups.foreground_explained:.1%} of the size's"
    )
    return table


def _cross_table(groups: Groups, counts: CrossTable) -> Table:
    table = Table(title=f"groups by {counts.variable}")
    table.add_column(counts.variable)
    for name in groups.names:
        table.add_column(name, justify="right")
    for value, row in zip(counts.values, counts.counts, strict=True):
        table.add_row(value, *(f"{n:,}" for n in row))
    return table


def _summary(counts: CrossTable) -> str:
    return (
        f"{counts.variable}: {len(counts.values):,} values explain {counts.explained:.1%} of the "
        f"group, Cramér's V {counts.cramers_v:.2f}; {counts.concentration:.1%} of the cells are "
        f"in the largest group of their {counts.variable}"
    )
