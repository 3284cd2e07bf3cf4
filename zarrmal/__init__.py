"""Archive millions of single-cell images in Zarr: class-wise learned, lossless, plain to read."""

from .api import (
    adopt,
    append,
    coefficients,
    extract,
    info,
    open,
    recover_cells,
    repack,
    show,
    train,
    undo,
    verify,
    write,
)
from .archive import AppendOptions, Archive, ArchiveInfo, WriteOptions
from .errors import (
    AccessError,
    ExistsError,
    InputError,
    LockedError,
    MissingError,
    UnreachableError,
)
from .sources import open_source

__all__ = [
    "AccessError",
    "AppendOptions",
    "Archive",
    "ArchiveInfo",
    "ExistsError",
    "InputError",
    "LockedError",
    "MissingError",
    "UnreachableError",
    "WriteOptions",
    "adopt",
    "append",
    "coefficients",
    "extract",
    "info",
    "open",
    "open_source",
    "recover_cells",
    "repack",
    "show",
    "train",
    "undo",
    "verify",
    "write",
]
