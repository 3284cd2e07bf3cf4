"""Write drawn red blood cells as a folder of PNG files, one sub-folder per class.

    python examples/make_cells.py cells --n-cells 2000

gives cells/parasitized/slide-03_cell-00026.png and so on, at 50 x 50 pixels.
"""

from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

from zarrmal.sources.synthetic import synthetic_cells


def make_cells(
    folder: Annotated[Path, typer.Argument(help="Where to write; made if absent.")],
    n_cells: Annotated[int, typer.Option(min=1, help="How many cells.")] = 2000,
    n_slides: Annotated[int, typer.Option(min=1, help="How many slides.")] = 12,
    size: Annotated[int, typer.Option(min=16, help="Pixels a side.")] = 50,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same cells.")] = 0,
    red_only: Annotated[bool, typer.Option(help="Write the red channel alone.")] = False,
) -> None:
    """Write drawn red blood cells as PNG files, one sub-folder per class."""
    drawn = synthetic_cells(
        n_cells, n_slides=n_slides, size=size, seed=seed, channels=1 if red_only else 3
    )
    for label in set(drawn.label.tolist()):
        (folder / label).mkdir(parents=True, exist_ok=True)
    for number, (cell, label, slide) in enumerate(zip(drawn.cells, drawn.label, drawn.slide)):
        Image.fromarray(cell).save(folder / label / f"{slide}_cell-{number:05d}.png")
    typer.echo(f"{n_cells} cells of {n_slides} slides in {folder}")


if __name__ == "__main__":
    typer.run(make_cells)
