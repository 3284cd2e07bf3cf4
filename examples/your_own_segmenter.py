"""Archive the cells that a segmenter of your own finds: any callable from a tile to labels.

python examples/make_slide.py slide.svs
python examples/your_own_segmenter.py slide.svs own.zarr

With cellpose the callable is ``lambda tile: model.eval(tile)[0]``, with StarDist
``lambda tile: model.predict_instances(normalize(tile))[0]``.
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

import zarrmal
from zarrmal.segment import SegmentOptions

slide, archive = sys.argv[1:3]


def darker_than_the_field(tile: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Integers (y, x): 0 is background, and each cell has a number of its own."""
    green = ndimage.gaussian_filter(tile[..., 1].astype(float), 1)
    light = ndimage.uniform_filter(ndimage.maximum_filter(green, 61), 61)
    mask = ndimage.binary_fill_holes(green < 0.85 * light)
    return ndimage.label(ndimage.binary_opening(mask, iterations=3))[0]


# Tiles come with 256 pixels of what surrounds them; each cell is taken from the tile that holds
# its centre.
options = SegmentOptions(segmenter=darker_than_the_field, tile=512)
info = zarrmal.write(slide, archive, slide=options, size=50)
print(f"{info.n_cells} cells")
