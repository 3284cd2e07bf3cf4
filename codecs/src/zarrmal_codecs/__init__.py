"""The zarrmal codec for Zarr arrays of cell images, coded with models of their classes."""

from .arguments import array_arguments
from .errors import CompatibilityError, CorruptionError, ModelError, TruncatedError, ZarrmalError
from .model import Model
from .numcodecs_plugin import NumcodecsZarrmal
from .zarr_plugin import ZarrmalCodec

__all__ = [
    "CompatibilityError",
    "CorruptionError",
    "Model",
    "ModelError",
    "NumcodecsZarrmal",
    "TruncatedError",
    "ZarrmalCodec",
    "ZarrmalError",
    "array_arguments",
]
