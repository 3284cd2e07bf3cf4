"""The zarrmal codec for Zarr arrays of cell images, coded with models of their classes."""

from .errors import CompatibilityError, CorruptionError, ModelError, TruncatedError, ZarrmalError
from .lattice.cell import JpegCell
from .model.model import Model
from .plugins.arguments import array_arguments
from .plugins.numcodecs import NumcodecsZarrmal
from .plugins.zarr import ZarrmalCodec

__all__ = [
    "CompatibilityError",
    "CorruptionError",
    "JpegCell",
    "Model",
    "ModelError",
    "NumcodecsZarrmal",
    "TruncatedError",
    "ZarrmalCodec",
    "ZarrmalError",
    "array_arguments",
]
