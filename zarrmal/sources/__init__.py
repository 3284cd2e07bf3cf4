"""Sources of cells: folders of images, array files, Zarr and xarray, arrays in memory."""

from .concat import ConcatSource
from .open import open_source
from .preprocessing import Channel
from .source import Source, Subset

__all__ = ["Channel", "ConcatSource", "Source", "Subset", "open_source"]
