"""Coders of the small hybrid models, and cells for them."""

from __future__ import annotations

import hybrid_models
import models
import numpy as np
import reference_decoder
from zarrmal_codecs.chunk.chunk import encode_chunk
from zarrmal_codecs.chunk.coder import Coder

CODERS = {name: Coder(make()) for name, make in hybrid_models.HYBRID.items()}


def cells_of(coder: Coder, n: int, *size: int) -> np.ndarray:
    """Cell-like images with the coder's channels, one of them blank."""
    shape = (*(size or coder.model.cell_shape[:2]), *coder.model.cell_shape[2:])
    cells = models.pixels(41, (n, *shape))
    cells[:, : shape[0] // 3] = 0  # as masked cells have it
    if n > 2:
        cells[2] = 0
    return cells


def check_against_reference(cells: np.ndarray, coder: Coder, **options: object) -> None:
    data = encode_chunk(cells, coder, **options)
    parsed = reference_decoder.parse_model(coder.model.to_bytes())
    assert reference_decoder.decode_chunk(data, parsed)[2] == cells.tobytes()


def sized(coder: Coder, n: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Cells padded to a height and a width, and their own sizes; one is black."""
    channels = coder.model.cell_shape[2:]
    cells = np.zeros((n, height, width, *channels), np.uint8)
    sizes = 1 + models.array(71, (n, 2), 0, 10**6, "int64") % (np.array([height, width]) // 2)
    sizes[0] = height, width
    sizes[1] = coder.model.cell_shape[:2]
    for k, (h, w) in enumerate(sizes.tolist()):
        cells[k, :h, :w] = models.pixels(72 + k, (1, h, w, *channels))[0]
    cells[2] = 0
    return cells, sizes.astype(np.uint16)
