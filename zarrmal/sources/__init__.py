"""Where cells come from: folders of images, array files, Zarr and xarray, arrays in memory."""

from .joined import Joined
from .open import open_source
from .shaping import Channel
from .source import Source, Subset

__all__ = ["Channel", "Joined", "Source", "Subset", "open_source"]
