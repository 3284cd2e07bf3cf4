"""Archive millions of single-cell images in Zarr: class-wise learned, lossless, plain to read."""

from .api import open, train, write
from .archive import ArchiveInfo, WriteOptions, read_cells
from .errors import InputError
from .sources import open_source

__all__ = [
    "ArchiveInfo",
    "InputError",
    "WriteOptions",
    "open",
    "open_source",
    "read_cells",
    "train",
    "write",
]
