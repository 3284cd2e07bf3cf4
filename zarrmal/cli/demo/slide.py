"""The second half of ``zarrmal demo``: from a drawn slide to some of its cells."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.table import Table

from ... import api
from ...errors import InputError
from ..terminal.console import out, progress_bars, say
from ..terminal.listener import ConsoleListener

SLIDE, ARCHIVE, PREVIEW = "slide.svs", "slide-cells.zarr", "slide.png"
REGION, READER = "region.png", "read_region.py"
KEPT = (SLIDE, ARCHIVE, PREVIEW, REGION, READER)

LINES = '''"""Cells of one class within a rectangle of the slide, drawn where they lay."""

import json

import numpy as np
import xarray as xr
from PIL import Image

WIDTH, HEIGHT = 300, 200

data = xr.open_zarr({archive!r})
classes = json.loads(data.attrs["zarrmal"])["classes"]
here = ((data.slide_x < WIDTH) & (data.slide_y < HEIGHT)).values
kinds = data.predicted_class.values
k = int(np.bincount(kinds[here], minlength=len(classes)).argmax())
some = data.isel(cell=np.flatnonzero(here & (kinds == k))).load()

y, x = some.slide_y.values, some.slide_x.values
bottom, right = y + some.slide_height.values, x + some.slide_width.values
canvas = np.zeros((bottom.max(), right.max(), 3), np.uint8)
for i, pixels in enumerate(some.cells.values):
    part = canvas[y[i] : bottom[i], x[i] : right[i]]
    np.maximum(part, pixels[: len(part), : part.shape[1]], out=part)
Image.fromarray(canvas).save({region!r})
counts = [np.bincount(kinds[of], minlength=len(classes)).tolist() for of in (kinds >= 0, here)]
diameter = round(float(some.equivalent_diameter.mean()), 2)
print(json.dumps(dict(classes=classes, slide=counts[0], rectangle=counts[1], shown=classes[k],
                      n_shown=len(y), diameter=diameter)))
'''


def demo_slide(folder: Path, seed: int) -> dict[str, Any]:
    """Draw a slide, archive its cells, show those of one class within a rectangle.

    Returns
    -------
    dict
        What was found on the slide, what the archive takes, and what the reader printed.
    """
    from ...segment.preview import save_preview  # its libraries take as long as all else
    from ...segment.source import SlideSource
    from ...segment.synthetic import draw_slide, write_slide

    pixels = draw_slide(seed=seed)
    write_slide(folder / SLIDE, pixels)
    say(f"drew a slide of {pixels.shape[0]} x {pixels.shape[1]} pixels, a pyramid of JPEG tiles")
    with progress_bars() as progress:
        listener = _Opened(progress)
        info = api.write(folder / SLIDE, folder / ARCHIVE, listener=listener)
    cells = listener.source
    assert isinstance(cells, SlideSource)
    save_preview(folder / PREVIEW, cells.slide, cells.objects)
    (folder / READER).write_text(LINES.format(archive=ARCHIVE, region=REGION))
    done = subprocess.run(
        [sys.executable, READER], cwd=folder, capture_output=True, text=True
    )  # fmt: skip
    if done.returncode:
        raise InputError(f"a fresh process could not read the cells of the slide: "
                         f"{done.stderr.strip()[-300:]}")  # fmt: skip
    return {
        "objects": cells.objects.counts,
        "stored_bytes": info.stored_bytes,
        "slide_bytes": cells.slide.n_bytes,
        "region": json.loads(done.stdout),
    }


def print_slide(result: dict[str, Any]) -> None:
    """What ``demo_slide`` gave."""
    region = result["region"]
    table = Table(title=f"{sum(region['slide']):,} cells of a drawn slide, read with xr.open_zarr")
    table.add_column("class, by the shorter code")
    table.add_column("on the slide", justify="right")
    table.add_column("in its upper left, 300 x 200", justify="right")
    for row in zip(region["classes"], region["slide"], region["rectangle"], strict=True):
        table.add_row(*map(str, row))
    table.caption = (
        f"Drawn again from the archive where they lay: {region['n_shown']} of class "
        f"{region['shown']}, {region['diameter']:.1f} pixels across on average."
    )
    out.print(table)


class _Opened(ConsoleListener):
    """Keeps the cells, for the preview."""

    def opened(self, source: Any) -> None:
        """See Listener."""
        super().opened(source)
        self.source = source
