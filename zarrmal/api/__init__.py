"""The verbs of the library: one function each."""

from .changing import adopt, repack, undo
from .opening import open_cells
from .reading import coefficients, extract, info, open, recover_cells, show, verify
from .writing import append, train, write

__all__ = [
    "adopt",
    "append",
    "coefficients",
    "extract",
    "info",
    "open",
    "open_cells",
    "recover_cells",
    "repack",
    "show",
    "train",
    "undo",
    "verify",
    "write",
]
