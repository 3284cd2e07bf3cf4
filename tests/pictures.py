"""What the tests of the sources share: pixels, files of them, refusals."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from zarrmal.errors import InputError
from zarrmal.sources import open_source


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() in (".tif", ".tiff"):
        tifffile.imwrite(path, pixels, **options)
    else:
        Image.fromarray(pixels).save(path, **options)


def refusal(where, **options):
    """The one line of the InputError."""
    with pytest.raises(InputError) as error:
        open_source(where, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def read_all(source):
    cells = source.read(np.arange(source.n_cells))
    assert cells.dtype == source.dtype
    assert cells.shape == (source.n_cells, *source.cell_shape)
    assert cells.flags.c_contiguous
    return cells
