"""Tables of the page."""

from __future__ import annotations

from math import prod

from ..measured import ModelResults, SetResults
from ..results import StudyResults
from ..select import best_rivals, error_rates, found_set, set_names
from .markup import Table
from .rate_words import POINT_TITLES, measured_on
from .words import bits, percent

ARRANGEMENTS = {"sheet": "all cells in one sheet", "cell": "a file a cell"}
NONE = "–"


def rates_table(results: StudyResults) -> Table:
    """All coders on the same cells, ours with what is stored beside the streams."""
    cells = measured_on(results)
    others = [name for name in set_names(results) if name != cells]
    n_cells = sum(next(one.n_cells for one in results.cell_sets if one.name == cells))
    largest = max((model.side.n_cells[-1] for model in results.models), default=0)
    rows: list[tuple[float, tuple[str, ...]]] = []
    for model in results.models:
        own = found_set(model, cells)
        for point in own.points if own is not None else ():
            if own is None:
                continue
            how = f"classes by {POINT_TITLES.get(point.name, point.name)}"
            rows.append(
                (
                    point.bits_per_pixel,
                    (
                        model.name,
                        how,
                        bits(point.bits_per_pixel),
                        bits(everything(results, model, point.bits_per_pixel, n_cells)),
                        bits(everything(results, model, point.bits_per_pixel, largest)),
                        *(_elsewhere(found_set(model, name), point.name) for name in others),
                    ),
                )
            )
    for rival in results.rivals:
        if rival.cells == cells:
            same = {
                one.cells: bits(one.bits_per_pixel)
                for one in results.rivals
                if (one.name, one.arrangement) == (rival.name, rival.arrangement)
            }
            own_bits = bits(rival.bits_per_pixel)
            how = ARRANGEMENTS.get(rival.arrangement, rival.arrangement)
            rows.append(
                (
                    rival.bits_per_pixel,
                    (
                        f"{rival.family} ({rival.name})",
                        how,
                        own_bits,
                        own_bits,
                        NONE,
                        *(same.get(name, NONE) for name in others),
                    ),
                )
            )
    return Table(
        name="rates",
        caption=f"Bits per pixel of all coders on the same {n_cells:,} cells of {cells}, smallest "
        "first. Streams: latents counted, model not. All: model, metadata and cell index too.",
        head=(
            "coder",
            "arrangement",
            "streams",
            f"all, these {n_cells:,}",
            f"all, of {largest:,}",
            *(f"streams, {name}" for name in others),
        ),
        rows=[row for _, row in sorted(rows, key=lambda one: one[0])],
        text_columns=2,
    )


def everything(results: StudyResults, model: ModelResults, streams: float, n: int) -> float:
    """Bits per pixel of an archive of n cells."""
    side = model.side
    once = side.base64_bytes + side.metadata_bytes
    return streams + 8 * (side.index_bytes_per_cell + once / n) / prod(results.cell_shape)


def _elsewhere(measured: SetResults | None, name: str) -> str:
    if measured is None:
        return NONE
    found = [bits(point.bits_per_pixel) for point in measured.points if point.name == name]
    return found[0] if found else NONE


def points_table(results: StudyResults) -> Table:
    """Every way to give cells their classes."""
    rows = []
    for model in results.models:
        for one in model.sets:
            labels = next((p.bits_per_pixel for p in one.points if p.name == "labels"), None)
            for point in one.points:
                off = NONE if labels is None else f"{point.bits_per_pixel - labels:+.4f}"
                rows.append(
                    (
                        model.name,
                        one.cells,
                        POINT_TITLES.get(point.name, point.name),
                        *(percent(rate) for rate in error_rates(point)),
                        bits(point.channel_bits),
                        bits(point.bits_per_pixel),
                        off,
                    )
                )
    return Table(
        name="points",
        caption="Operating points: which cells go to the other class's model, and what that costs, "
        "in bits per pixel.",
        head=(
            "model",
            "cells",
            "classes by",
            *(f"{name} elsewhere" for name in results.class_names),
            "by the channel",
            "as written",
            "more than labels",
        ),
        rows=rows,
        text_columns=3,
    )


def break_even_table(results: StudyResults) -> Table:
    """From how many cells an archive is smaller than each rival."""
    columns = [(model, one.assignment) for model in results.models for one in model.side.amortised]
    found = {
        (model.name, one.assignment, one.rival, one.arrangement): one.n_cells
        for model in results.models
        for one in model.side.break_even
    }
    keys = dict.fromkeys((key[2], key[3]) for key in found)
    rates = {(one.name, one.arrangement): one.bits_per_pixel for one in results.rivals
             if one.cells == measured_on(results)}  # fmt: skip

    def cell(model: ModelResults, assignment: str, rival: str, arrangement: str) -> str:
        key = (model.name, assignment, rival, arrangement)
        if key not in found:
            return NONE
        n = found[key]
        return "never" if n is None else f"{n:,}"

    return Table(
        name="break-even",
        caption="Cells from which an archive, its model counted, is smaller than the other coder.",
        head=(
            "other coder",
            "arrangement",
            *(f"{m.name}, {POINT_TITLES.get(a, a)}" for m, a in columns),
        ),
        rows=[
            (
                rival,
                ARRANGEMENTS.get(arrangement, arrangement),
                *(cell(model, how, rival, arrangement) for model, how in columns),
            )
            for rival, arrangement in sorted(keys, key=lambda key: rates.get(key, 0.0))
        ],
        text_columns=2,
    )


def claims_table(results: StudyResults) -> Table:
    """The paper's claims, one by one."""
    return Table(
        name="claims-table",
        caption="The paper's claims against these numbers.",
        head=("claim", "verdict", "evidence", "where"),
        rows=[(one.paper, one.verdict, one.evidence, one.where) for one in results.claims],
        text_columns=4,
        stacked=True,
    )


def rivals_missing(results: StudyResults, families: tuple[str, ...]) -> list[str]:
    """Families of the paper's figure that were not measured on the cells of the claims."""
    there = {one.family for one in best_rivals(results, measured_on(results))}
    return [family for family in families if family not in there]
