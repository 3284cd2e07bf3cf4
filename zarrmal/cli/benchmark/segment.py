"""``zarrmal benchmark-segment``: how well and how fast cells are found."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ...errors import InputError
from .. import options as o
from ..app import app
from ..option_groups import SlideOptions
from ..terminal.console import out, print_json, progress_bars
from ..terminal.errors import reports_errors

if TYPE_CHECKING:
    from ...benchmark.segment.unknown import Unknown


@app.command("benchmark-segment")
@reports_errors
def benchmark_segment(
    fields: Annotated[
        Path,
        typer.Argument(
            metavar="FIELDS", help="A folder of pictures, or one slide.", show_default=False
        ),
    ],
    truth: Annotated[
        Path | None,
        typer.Argument(
            metavar="TRUTH",
            help="What is known: a JSON file of boxes, a folder of masks, or one of texts with the "
            "centre of a cell on each line; without it only the speed is measured.",
            show_default=False,
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TYPE", help="Boxes of this type count neither way; by default difficult."
        ),
    ] = None,
    ignore_region: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y,W,H", help="What lies here counts neither way, such as a scale bar."
        ),
    ] = None,
    least_known: Annotated[
        int,
        typer.Option(
            min=0, help="Score only fields with so many known cells: where all are marked."
        ),
    ] = 0,
    count_border: Annotated[
        bool,
        typer.Option(
            "--count-border",
            help="Known cells that the border cuts count, too; by default boxes and masks there "
            "count neither way.",
        ),
    ] = False,
    with_unknown: Annotated[
        bool,
        typer.Option(
            "--unknown",
            help="Compare the cells that are not known with those that are: whether they look "
            "alike, and whether a plain threshold finds them, too. Where only some cells were "
            "marked, others are no mistakes.",
        ),
    ] = False,
    splitting: o.SplittingOption = o.SplittingName.watershed,
    keep_border: o.KeepBorder = None,
    tile: o.TileSide = None,
    as_json: o.Json = False,
) -> None:
    """Segment fields whose cells are known: precision, recall, and speed in one thread.

    Example: `zarrmal benchmark-segment fields/ boxes.json --ignore-region 1130,835,110,70`
    """
    from ...benchmark.segment import measure

    if with_unknown and truth is None:
        raise InputError("--unknown compares with cells that are known: give TRUTH")
    how = SlideOptions(tile=tile, splitting=splitting, keep_border=keep_border)
    with progress_bars() as progress:
        score = measure(
            fields,
            truth,
            options=how.segmentation(),
            ignore=ignore or ("difficult",),
            ignore_region=_region(ignore_region),
            least_known=least_known,
            count_border=count_border,
            with_unknown=with_unknown,
            progress=progress,
        )
    summary = {
        "precision": score.precision,
        "recall": score.recall,
        "mpx_per_second": score.mpx_per_second,
        "mpx_per_second_calibrating": score.mpx_per_second_calibrating,
    }
    if as_json:
        columns = ("name", "n_right", "n_wrong", "n_missed", "n_pixels")
        rows = [{c: getattr(f, c) for c in columns} for f in score.fields]
        compared = {} if score.unknown is None else {"unknown": asdict(score.unknown)}
        print_json(summary | compared | {"fields": rows})
        return
    table = Table("field", "right", "wrong", "missed", "Mpx")
    for field in score.fields:
        counts = (field.n_right, field.n_wrong, field.n_missed)
        texts = ["–" if n is None else f"{n:,}" for n in counts]
        table.add_row(field.name, *texts, f"{field.n_pixels / 1e6:.1f}")
    out.print(table)
    out.print(f"precision {score.precision:.4f}, recall {score.recall:.4f}", markup=False)
    if score.unknown is not None:
        _print_unknown(score.unknown)
    out.print(
        f"{score.mpx_per_second:.1f} Mpx/s in one thread; {score.mpx_per_second_calibrating:.1f} "
        f"where each field is calibrated for itself",
        markup=False,
    )


def _print_unknown(unknown: Unknown) -> None:
    """How many objects, medians, and which share looks like known cells, the threshold finds."""
    names = list(unknown.known.medians)
    table = Table("objects", "n", *names, "alike", "threshold")
    for text, group in (
        ("known", unknown.known),
        ("not known", unknown.unknown),
        ("others", unknown.others),
    ):
        medians = [f"{group.medians[name]:.3f}" for name in names]
        agreed = "–" if group.agreed is None else f"{group.agreed:.1%}"
        table.add_row(text, f"{group.n:,}", *medians, f"{group.alike:.1%}", agreed)
    out.print(table)
    out.print(
        f"precision {unknown.confirmed_precision:.4f} if those not known are right that both look "
        f"like known ones and are found by the threshold",
        markup=False,
    )


def _region(text: str | None) -> tuple[int, int, int, int] | None:
    """y, x, height and width from ``x,y,w,h``."""
    if text is None:
        return None
    if not re.fullmatch(r"\d+,\d+,\d+,\d+", text):
        raise InputError(f"--ignore-region wants x,y,width,height in pixels, not {text!r}")
    x, y, width, height = map(int, text.split(","))
    return y, x, height, width
