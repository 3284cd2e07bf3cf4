"""Learning the weights of the coder of JPEG coefficients, from cells of any cameras (torch).

First the linear predictions by least squares; then for each kind of plane two small networks, of
the coefficients and of the last diagonal, and one of rim pixels. What the networks see is what the
integer coder gives them, so training and coding cannot drift apart.
"""

from ...lattice.known import KnownCell
from .cells import known_cells
from .fit import fit_weights
from .options import LatticeOptions
from .train import LatticeResult, train_lattice

__all__ = [
    "KnownCell",
    "LatticeOptions",
    "LatticeResult",
    "fit_weights",
    "known_cells",
    "train_lattice",
]
