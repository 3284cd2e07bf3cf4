"""What a study found, for a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from ...study import StudyResults
from ...study.results.model_results import ModelResults
from ..benchmark.tables import FILE_WIDTH
from ..terminal.console import out, say


def show_study(results: StudyResults) -> None:
    """All tables, and the versions on stderr."""
    console = out if out.is_terminal else Console(width=FILE_WIDTH, highlight=False)
    for table in (_rates(results), _rivals(results), _break_even(results), _claims(results)):
        console.print(table)
    if results.quick:
        say("a quick run: fewer cells and short training, these numbers are no result")
    for note in results.notes:
        say(note)
    say(" · ".join(f"{name} {v}" for name, v in results.versions.items()))


def _rates(results: StudyResults) -> Table:
    sets = ", ".join(
        f"{' + '.join(map(str, cells.n_cells))} cells of {len(cells.slides)} slides ({cells.name})"
        for cells in results.cell_sets
    )
    table = Table(title=f"bits per pixel, latents counted, model not; {sets}")
    for name in ("model", "cells"):
        table.add_column(name)
    pairs = [f"R{i}{j}" for i in range(2) for j in range(2)]
    last = f"{results.rates[-1]:.0%} wrong"
    for name in (
        *pairs,
        "labels",
        last,
        "rise",
        "classifier",
        "its rates",
        "shortest",
        "off label",
    ):
        table.add_column(name, justify="right")
    for model in results.models:
        for found in model.sets:
            points = {point.name: point for point in found.points}
            curve = found.quantity("bits_per_pixel").expectation.overall
            classifier = points.get("classifier")
            table.add_row(
                model.name,
                found.cells,
                *(f"{bits:.3f}" for row in found.bits for bits in row),
                f"{points['labels'].bits_per_pixel:.3f}",
                f"{curve[-1]:.3f}",
                f"{curve[-1] / curve[0] - 1:+.2%}",
                f"{classifier.bits_per_pixel:.3f}" if classifier else "–",
                _off(classifier.rates) if classifier else "–",
                f"{points['shortest'].bits_per_pixel:.3f}",
                _off(points["shortest"].rates),
            )
    names = ", ".join(f"S{i} = {name}" for i, name in enumerate(results.class_names))
    table.caption = f"R_ij: class i under the model of class j; {names}. Rates: P(C1|S0), P(C0|S1)"
    return table


def _off(rates: tuple[tuple[float, ...], ...]) -> str:
    return f"{rates[0][1]:.3f}, {rates[1][0]:.3f}"


def _rivals(results: StudyResults) -> Table:
    table = Table(title="other coders on the very same cells, bits per pixel")
    table.add_column("coder")
    columns = [
        (cells.name, arrangement)
        for cells in results.cell_sets
        for arrangement in ("sheet", "cell")
    ]
    for cells, arrangement in columns:
        how = "one sheet" if arrangement == "sheet" else "a file each"
        table.add_column(f"{cells}, {how}", justify="right")
    by_rival = {
        (rival.name, rival.cells, rival.arrangement): rival.bits_per_pixel
        for rival in results.rivals
    }
    for name in dict.fromkeys(rival.name for rival in results.rivals):
        rates = [by_rival.get((name, *column)) for column in columns]
        table.add_row(name, *("–" if rate is None else f"{rate:.3f}" for rate in rates))
    return table


def _break_even(results: StudyResults) -> Table:
    table = Table(title="unseen cells from which an archive is smaller, model counted (labels)")
    table.add_column("than")
    for model in results.models:
        table.add_column(f"{model.name} ({model.side.base64_bytes:,} bytes)", justify="right")
    columns = [_least(model) for model in results.models]
    for rival in columns[0] if columns else ():
        table.add_row(f"{rival[0]}, {rival[1]}", *(column[rival] for column in columns))
    return table


def _least(model: ModelResults) -> dict[tuple[str, str], str]:
    return {
        (one.rival, one.arrangement): "never" if one.n_cells is None else f"{one.n_cells:,}"
        for one in model.side.break_even
        if one.assignment == "labels"
    }


def _claims(results: StudyResults) -> Table:
    table = Table(title="the paper's claims on these numbers")
    for name in ("claim", "verdict", "figures"):
        table.add_column(name, overflow="fold")
    for claim in results.claims:
        table.add_row(claim.paper, claim.verdict, claim.evidence)
    return table
