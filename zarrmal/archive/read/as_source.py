"""An archive as the source of another one: the coefficients that it holds go with its cells."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import ZarrmalError
from zarrmal_codecs.lattice.cell import JpegCell
from zarrmal_codecs.silhouette.silhouettes import Silhouettes

from ...errors import InputError
from ...lazy import lazy
from ...sources import Source
from ...sources.arrays.array_source import ArraySource
from ...sources.sizes import Pixels
from ...sources.source import FACTS, checked_indices
from ..cameras import codes_coefficients
from ..format import JPEG_FRAME
from ..opened import OpenArchive, find_array
from ..storage.location import Location
from ..storage.store import locate
from .coefficients import read_file_cells
from .stable import stable_state


def with_stored_coefficients(
    source: Source, address: Any, storage_options: Mapping[str, Any] | None
) -> Source:
    """The same source; if it is an archive with coefficients, one that knows them.

    Parameters
    ----------
    source
        Opened at the address, with the pixels as they are stored.
    address
        A path or a URL; nothing else is an archive.
    storage_options
        For fsspec, with a URL.
    """
    if not isinstance(source, ArraySource) or not isinstance(address, str | PurePath):
        return source
    try:
        cells = CellsWithCoefficients(source, locate(str(address), storage_options))
        archive = cells.archive
    except (InputError, ZarrmalError):
        return source  # no archive, or one that is damaged: its pixels tell what is wrong
    same = (archive.n_cells, archive.cell_shape) == (source.n_cells, source.cell_shape)
    if not same or not codes_coefficients(archive.model):
        return source
    cells.has_jpeg_files = find_array(archive.group, JPEG_FRAME) is not None
    return cells


class CellsWithCoefficients(Source):
    """The cells of an archive as a source has them, with the coefficients that are stored.

    Parameters
    ----------
    source
        The cells, in the order of the archive.
    location
        Of the archive, which is opened again in another process.
    """

    def __init__(self, source: Source, location: Location) -> None:
        self.source, self.archive_location = source, location
        for name in FACTS:
            setattr(self, name, getattr(source, name))

    @lazy
    def archive(self) -> OpenArchive:
        """The archive, as it was before an append that goes on."""
        return stable_state(self.archive_location)

    def __getstate__(self) -> dict[str, Any]:
        """Without the open archive."""
        return {name: value for name, value in self.__dict__.items() if name != "archive"}

    def read(self, indices: NDArray[np.int64]) -> Pixels:
        """See Source.read."""
        return self.source.read(indices)

    def silhouettes(self, indices: NDArray[np.int64]) -> Silhouettes | None:
        """See Source.silhouettes."""
        return self.source.silhouettes(indices)

    def masks(self, indices: NDArray[np.int64]) -> NDArray[np.bool_]:
        """See Source.masks."""
        return self.source.masks(indices)

    def jpeg(self, indices: NDArray[np.int64]) -> list[JpegCell | None]:
        """See Source.jpeg; CorruptionError if a stored chunk is damaged."""
        return read_file_cells(self.archive, checked_indices(indices, self.n_cells))
