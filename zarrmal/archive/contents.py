"""What the headers of chunks tell of the cells in them, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import Model
from zarrmal_codecs.chunk.index.cell_index import CellIndex
from zarrmal_codecs.constants import PROFILE_PAPER
from zarrmal_codecs.lattice.jpeg.picture import Camera

from .cameras import cell_cameras


@dataclass(slots=True)
class Contents:
    """Of some chunks.

    Parameters
    ----------
    latent_bytes
        Of latent vectors that are stored apart from the pixels.
    n_silhouettes
        Cells that are coded with a silhouette.
    n_files
        Cells that are whole JPEG files.
    cameras
        Cells that are stored as coefficients, by their camera.
    """

    latent_bytes: int = 0
    n_silhouettes: int = 0
    n_files: int = 0
    cameras: Counter[Camera] = field(default_factory=Counter)

    def add(self, other: Contents) -> None:
        """Add those of other chunks."""
        self.latent_bytes += other.latent_bytes
        self.n_silhouettes += other.n_silhouettes
        self.n_files += other.n_files
        self.cameras.update(other.cameras)


def contents_of(index: CellIndex, latents: NDArray[np.int64]) -> Contents:
    """Of the chunk with this index; ``latents``: see latent_lengths."""
    contents = Contents()
    classes = index.classes[index.classes < len(latents)]  # blank cells have no latent vector
    contents.latent_bytes = int(latents[classes].sum())
    if index.outlines is not None:
        contents.n_silhouettes = int(np.count_nonzero(index.outlines.spacings))
    if index.lattice is not None:
        contents.cameras.update(cell_cameras(index.lattice))
        contents.n_files = int(np.count_nonzero(index.lattice.are_files))
    return contents


def latent_lengths(model: Model | None) -> NDArray[np.int64]:
    """Bytes of a cell's latent vector, int64 (class,); 0 where they are coded with the pixels."""
    if model is None:
        return np.zeros(0, np.int64)
    if model.profile != PROFILE_PAPER:
        return np.zeros(len(model.classes), np.int64)
    return np.array([each.network("decoder")[0].n_inputs for each in model.classes], np.int64)
