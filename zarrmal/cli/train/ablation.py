"""``zarrmal ablation``: what the autoencoder of a class brings."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ... import choose
from ...benchmark import split_source
from ...benchmark.comparison import slide_interval
from .. import options as o
from ..app import app
from ..option_groups import MaskedSourceOptions, takes_groups
from ..terminal.console import out, print_json, progress_bars
from ..terminal.errors import reports_errors
from ..terminal.listener import open_cells

if TYPE_CHECKING:
    from ...learn.hybrid.ablation import Ablated


@app.command()
@reports_errors
@takes_groups
def ablation(
    *,
    source: o.SourceArgument,
    effort: o.EffortOption = o.EffortName.default,
    steps: o.Steps = None,
    unseen: Annotated[
        float, typer.Option(min=0.01, max=0.99, help="Share of the slides to measure on.")
    ] = 0.25,
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Keep the state of trainings here: a second run goes on from it."
        ),
    ] = None,
    seed: o.Seed = 0,
    reading: MaskedSourceOptions,
    as_json: o.Json = False,
) -> None:
    """Train networks without parts of the autoencoder, and compare them on unseen slides.

    Cells must be of one size. Each of the nine networks is trained as `train` does it.

    Example: `zarrmal ablation cells.npz --channel red --steps 3000`
    """
    learn = choose.import_learn()
    from ...learn.hybrid.ablation import ablation as compare

    options = learn.HybridOptions(effort=effort.value, steps=steps, seed=seed)
    with progress_bars() as progress:
        cells = open_cells(source, reading.arguments(), progress)
        training, measured = split_source(cells, unseen, seed)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        results = compare(training, measured, options, folder=folder, progress=progress)
    if as_json:
        print_json(
            [
                asdict(each)
                | {"bits_per_pixel": each.bits_per_pixel, "ratio": each.ratio}
                | {"interval": slide_interval(each.bits, each.whole_bits)}
                for each in results
            ]
        )
    else:
        out.print(_table(results))


def _table(results: list[Ablated]) -> Table:
    first = results[0]
    table = Table(title=f"{first.n_cells:,} unseen cells, {first.n_steps:,} steps of training each")
    table.add_column("network")
    for name in ("cells", "bits/pixel", "to the first", "95 % interval by slide"):
        table.add_column(name, justify="right")
    for each in results:
        interval = slide_interval(each.bits, each.whole_bits)
        table.add_row(
            each.name,
            f"{each.n_cells:,}",
            f"{each.bits_per_pixel:.4f}",
            f"{each.ratio:.4f}",
            "–" if interval is None else "{:.4f} … {:.4f}".format(*interval),
        )
    table.caption = "pixels and latents, without masks and model; the last row to the same cells"
    return table
