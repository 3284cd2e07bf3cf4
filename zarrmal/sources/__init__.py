"""Sources of cells: folders of images, array files, Zarr and xarray, arrays in memory."""

from .open import open_source
from .preprocessing import Channel
from .source import ConcatSource, Source, Subset

__all__ = ["Channel", "ConcatSource", "Source", "Subset", "open_source"]
