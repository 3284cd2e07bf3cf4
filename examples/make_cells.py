"""Write synthetic red blood cells to a folder of PNG files, one subfolder per class.

    python examples/make_cells.py cells --n-cells 2000

writes cells/parasitized/slide-03_cell-00026.png and so on, of 50 x 50 pixels.
"""

from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

from zarrmal.sources.synthetic import synthetic_cells


def make_cells(
    folder: Annotated[Path, typer.Argument(help="Where to write; created if it does not exist.")],
    n_cells: Annotated[int, typer.Option(min=1, help="How many cells.")] = 2000,
    n_slides: Annotated[int, typer.Option(min=1, help="How many slides.")] = 12,
    size: Annotated[int, typer.Option(min=16, help="Height and width in pixels.")] = 50,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the cells.")] = 0,
    red_only: Annotated[bool, typer.Option(help="Write only the red channel.")] = False,
) -> None:
    """Write synthetic red blood cells as PNG files, one subfolder per class."""
    synthetic = synthetic_cells(
        n_cells, n_slides=n_slides, size=size, seed=seed, channels=1 if red_only else 3
    )
    for label in set(synthetic.label.tolist()):
        (folder / label).mkdir(parents=True, exist_ok=True)
    columns = zip(synthetic.cells, synthetic.label, synthetic.slide)
    for number, (cell, label, slide) in enumerate(columns):
        Image.fromarray(cell).save(folder / label / f"{slide}_cell-{number:05d}.png")
    typer.echo(f"wrote {n_cells} cells of {n_slides} slides to {folder}")


if __name__ == "__main__":
    typer.run(make_cells)
