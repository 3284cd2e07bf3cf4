"""Tables of the page."""

from __future__ import annotations

from math import prod

from ..results.lookup import best_rivals, error_rates, find_point, find_set, main_set, set_names
from ..results.model_results import ModelResults, SetResults
from ..results.study_results import StudyResults
from .markup import Table
from .wording import bits, percent, point_title

ARRANGEMENTS = {"sheet": "all cells in one sheet", "cell": "one file per cell"}
MISSING = "–"


def rates_table(results: StudyResults) -> Table:
    """Rates of all coders on the same cells, archives with all their parts."""
    cells = main_set(results)
    other_sets = [name for name in set_names(results) if name != cells]
    n_cells = sum(next(set_.n_cells for set_ in results.cell_sets if set_.name == cells))
    n_largest = max((model.side.n_cells[-1] for model in results.models), default=0)
    rows: list[tuple[float, tuple[str, ...]]] = []
    for model in results.models:
        set_ = find_set(model, cells)
        for point in () if set_ is None else set_.points:
            rate = point.bits_per_pixel
            row = (
                model.name,
                f"classes by {point_title(point.name)}",
                bits(rate),
                bits(archive_rate(results, model, rate, n_cells)),
                bits(archive_rate(results, model, rate, n_largest)),
                *(_point_rate(find_set(model, name), point.name) for name in other_sets),
            )
            rows.append((rate, row))
    for rival in results.rivals:
        if rival.cells == cells:
            rates = {
                r.cells: bits(r.bits_per_pixel)
                for r in results.rivals
                if (r.name, r.arrangement) == (rival.name, rival.arrangement)
            }
            row = (
                f"{rival.family} ({rival.name})",
                ARRANGEMENTS.get(rival.arrangement, rival.arrangement),
                rates[cells],
                rates[cells],
                MISSING,
                *(rates.get(name, MISSING) for name in other_sets),
            )
            rows.append((rival.bits_per_pixel, row))
    return Table(
        name="rates",
        caption=f"Bits per pixel of all coders on the same {n_cells:,} cells of {cells}, smallest "
        "first. Streams: latents counted, model not. All: model, metadata and cell index too.",
        head=(
            "coder",
            "arrangement",
            "streams",
            f"all, these {n_cells:,}",
            f"all, of {n_largest:,}",
            *(f"streams, {name}" for name in other_sets),
        ),
        rows=[row for _, row in sorted(rows, key=lambda item: item[0])],
        text_columns=2,
    )


def archive_rate(results: StudyResults, model: ModelResults, streams: float, n: int) -> float:
    """Bits per pixel of an archive of n cells, all stored bytes counted."""
    side = model.side
    fixed_bytes = side.base64_bytes + side.metadata_bytes
    return streams + 8 * (side.index_bytes_per_cell + fixed_bytes / n) / prod(results.cell_shape)


def _point_rate(set_: SetResults | None, name: str) -> str:
    point = None if set_ is None else find_point(set_, name)
    return MISSING if point is None else bits(point.bits_per_pixel)


def points_table(results: StudyResults) -> Table:
    """Every assignment of classes."""
    rows = []
    for model in results.models:
        for set_ in model.sets:
            labels = find_point(set_, "labels")
            for point in set_.points:
                more = MISSING
                if labels is not None:
                    more = f"{point.bits_per_pixel - labels.bits_per_pixel:+.4f}"
                rows.append(
                    (
                        model.name,
                        set_.cells,
                        point_title(point.name),
                        *(percent(rate) for rate in error_rates(point)),
                        bits(point.channel_bits),
                        bits(point.bits_per_pixel),
                        more,
                    )
                )
    return Table(
        name="points",
        caption="Operating points: shares of the cells coded with the other class's model, and "
        "their cost in bits per pixel.",
        head=(
            "model",
            "cells",
            "classes by",
            *(f"{name} in the other class" for name in results.class_names),
            "by the channel",
            "as written",
            "more than labels",
        ),
        rows=rows,
        text_columns=3,
    )


def break_even_table(results: StudyResults) -> Table:
    """Number of cells from which an archive is smaller than each rival."""
    columns = [(model, a.assignment) for model in results.models for a in model.side.amortised]
    n_cells = {
        (model.name, even.assignment, even.rival, even.arrangement): even.n_cells
        for model in results.models
        for even in model.side.break_even
    }
    rivals = dict.fromkeys((key[2], key[3]) for key in n_cells)
    cells = main_set(results)
    rates = {(r.name, r.arrangement): r.bits_per_pixel for r in results.rivals if r.cells == cells}

    def text(key: tuple[str, str, str, str]) -> str:
        if key not in n_cells:
            return MISSING
        n = n_cells[key]
        return "never" if n is None else f"{n:,}"

    return Table(
        name="break-even",
        caption="Cells from which an archive, its model counted, is smaller than the other coder.",
        head=(
            "other coder",
            "arrangement",
            *(f"{model.name}, {point_title(assignment)}" for model, assignment in columns),
        ),
        rows=[
            (
                rival,
                ARRANGEMENTS.get(arrangement, arrangement),
                *(text((model.name, how, rival, arrangement)) for model, how in columns),
            )
            for rival, arrangement in sorted(rivals, key=lambda rival: rates.get(rival, 0.0))
        ],
        text_columns=2,
    )


def claims_table(results: StudyResults) -> Table:
    """The paper's claims with their verdicts."""
    return Table(
        name="claims-table",
        caption="The paper's claims against the numbers of this study.",
        head=("claim", "verdict", "evidence", "where"),
        rows=[(c.paper, c.verdict, c.evidence, c.where) for c in results.claims],
        text_columns=4,
        stacked=True,
    )


def missing_families(results: StudyResults, families: tuple[str, ...]) -> list[str]:
    """Families of rivals that were not measured on the cells of the claims."""
    measured = {rival.family for rival in best_rivals(results, main_set(results))}
    return [family for family in families if family not in measured]
