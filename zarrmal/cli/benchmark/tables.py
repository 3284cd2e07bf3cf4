"""The result of a benchmark, for a terminal."""

from __future__ import annotations

from math import isfinite

from rich.console import Console
from rich.table import Table

from ...benchmark import BenchmarkResult
from ...benchmark.comparison import N_RESAMPLES, Ratio
from ...benchmark.measurement import UNSEEN
from ..terminal.console import out, say

BUSY = "the machine was busy when this began: its speeds are no measure, run it again alone"
NO_SHEETS = (
    "cells differ in size: other coders have a file for each, at its own size; sheets need one size"
)
FILE_WIDTH = 170
"""Of tables that go to no terminal: names of coders are long."""


def show(result: BenchmarkResult) -> None:
    """All tables, and the versions on stderr."""
    tables = [_rates(result)]
    if any(measurement.class_bits_per_pixel for measurement in result.measurements):
        tables.append(_classes(result))
    if result.ratios:
        tables.append(_ratios(result))
    if result.models:
        tables.append(_ours(result))
    if any(result.break_even_cells.values()):
        tables.append(_break_even(result))
    console = out if out.is_terminal else Console(width=FILE_WIDTH, highlight=False)
    for table in tables:
        console.print(table)
    for facts in (result.versions, result.machine):
        say(" · ".join(f"{name} {v}" for name, v in facts.items()))
    for name, why in result.not_measured.items():
        say(f"{name} was not measured: {why}")
    if result.n_reused:
        say(f"{result.n_reused} measurements of other coders are of an earlier run on "
            f"this machine")  # fmt: skip
    if result.machine["busy"]:
        say(BUSY)


def _table(title: str, left: tuple[str, ...], right: tuple[str, ...]) -> Table:
    table = Table(title=title)
    for name in left:
        table.add_column(name, overflow="fold")
    for name in right:
        table.add_column(name, justify="right")
    return table


def _speed(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _rates(result: BenchmarkResult) -> Table:
    slides = ", ".join(f"{name}: {n} slides" for name, n in result.n_slides.items())
    table = _table(
        f"lossless checked; {slides}",
        ("coder", "arrangement", "classes by", "cells"),
        ("number", "bits/pixel", "encode MB/s", "decode MB/s"),
    )
    for measured in result.measurements:
        table.add_row(
            measured.coder,
            measured.arrangement,
            measured.assignment,
            measured.cells,
            f"{measured.n_cells:,}",
            f"{measured.bits_per_pixel:.3f}",
            _speed(measured.encode_mb_s),
            _speed(measured.decode_mb_s),
        )
    busy = f"\n{BUSY}" if result.machine["busy"] else ""
    sizes = f"\n{NO_SHEETS}" if result.rivals_in == "cell" else ""
    table.caption = f"bits/pixel: all planes of a pixel together; one thread{sizes}{busy}"
    return table


def _classes(result: BenchmarkResult) -> Table:
    """Rates of each class by itself."""
    rows = [
        measured
        for measured in result.measurements
        if measured.class_bits_per_pixel and measured.cells == UNSEEN
    ]
    names = list(dict.fromkeys(name for measured in rows for name in measured.class_bits_per_pixel))
    table = _table(
        f"bits/pixel of each class, {UNSEEN}",
        ("coder", "arrangement", "classes by"),
        (*names, "shared", "all"),
    )
    for measured in rows:
        rates = [measured.class_bits_per_pixel.get(name) for name in names]
        table.add_row(
            measured.coder,
            measured.arrangement,
            measured.assignment,
            *("–" if rate is None else f"{rate:.3f}" for rate in rates),
            f"{measured.shared_bits_per_pixel:.3f}" if measured.assignment else "–",
            f"{measured.bits_per_pixel:.3f}",
        )
    table.caption = (
        "theirs: files of one class; ours: the class's streams in the archive, and what belongs to "
        "no cell (model, headers, metadata) as shared, over all pixels"
    )
    return table


def _ratios(result: BenchmarkResult) -> Table:
    table = _table(
        f"ours over theirs, {UNSEEN}",
        ("quantity", "ours", "classes by", "theirs", "their files"),
        ("cells", "ours", "theirs", "ratio"),
    )
    names = {"bits_per_pixel": "bits/pixel", "encode_mb_s": "encode MB/s",
             "decode_mb_s": "decode MB/s"}  # fmt: skip
    for ratio in result.ratios:
        table.add_row(
            names[ratio.quantity],
            ratio.ours,
            ratio.assignment,
            ratio.rival,
            ratio.arrangement,
            f"{ratio.n_cells:,}",
            f"{ratio.ours_value:.3f}",
            f"{ratio.rival_value:.3f}",
            _ratio(ratio),
        )
    table.caption = "below 1 is for us in bits/pixel, above 1 in MB/s"
    if result.rivals_in == "cell":
        table.caption += (
            "; bits/pixel over the same cells, ours with their share, by pixels, of what belongs "
            "to no cell (model, headers, metadata)"
        )
    table.caption += (
        f"; in brackets 95 % intervals, from slides resampled {N_RESAMPLES:,} times in pairs, – "
        "where there is one slide only"
    )
    if result.rivals_in == "sheet":
        table.caption += (
            "; their sheets hold several slides, and are divided among them as the slides' cells "
            "take them in sheets of their own"
        )
    return table


def _ratio(ratio: Ratio) -> str:
    """``0.803 (0.781 … 0.827)``, or ``0.803 (–)`` where there is no interval but could be one."""
    if ratio.interval is not None:
        low, high = ratio.interval
        return f"{ratio.ratio:.3f} ({low:.3f} … {high:.3f})"
    could_be = ratio.quantity == "bits_per_pixel"
    return f"{ratio.ratio:.3f}" + (" (–)" if could_be else "")


def _ours(result: BenchmarkResult) -> Table:
    table = _table(
        "our models and archives of the unseen slides",
        ("coder", "engine"),
        ("model bytes", "zarr.json bytes", "NumPy decode MB/s", "one cell ms", "1 thread MB/s",
         "2 threads MB/s", "cores used", "ratio"),
    )  # fmt: skip
    for one in result.models:
        one_thread, two_threads = (one.reading.threads[n] for n in ("1", "2"))
        ratio = one.reading.two_threads_over_one
        table.add_row(
            one.name,
            one.speed.engine,
            f"{one.model_bytes:,}",
            f"{one.reading.zarr_json_bytes:,}",
            f"{one.speed.reference_decode_mb_s:.2f}",
            f"{one.reading.cell_ms:.2f}",
            f"{one_thread['mb_s']:.2f}",
            f"{two_threads['mb_s']:.2f}",
            f"{one_thread['cores']:.2f}, {two_threads['cores']:.2f}",
            "–" if ratio is None else f"{ratio:.2f}",
        )
    first = result.models[0].reading
    table.caption = (
        f"one cell out of a chunk of {first.chunk_cells:,} on local disk; the array's first "
        f"{first.n_cells_read:,} cells read through zarr with 1 and 2 threads"
    )
    return table


def _break_even(result: BenchmarkResult) -> Table:
    table = _table("cells from which our archive, model counted, is smaller", ("than",), ())
    for name in result.break_even_cells:
        table.add_column(name, justify="right")
    columns = list(result.break_even_cells.values())
    for rival in columns[0]:
        cells = [column[rival] for column in columns]
        table.add_row(rival, *(f"{n:,.0f}" if isfinite(n) else "never" for n in cells))
    return table
