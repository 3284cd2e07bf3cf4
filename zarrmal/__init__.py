"""Archive millions of single-cell images in Zarr: class-wise learned, lossless, plain to read."""

from .api import append, open, train, write
from .archive import AppendOptions, ArchiveInfo, WriteOptions, read_cells
from .errors import InputError
from .sources import open_source

__all__ = [
    "AppendOptions",
    "ArchiveInfo",
    "InputError",
    "WriteOptions",
    "append",
    "open",
    "open_source",
    "read_cells",
    "train",
    "write",
]
