"""The cells of a source with masks that lie beside them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.cell import JpegCell
from zarrmal_codecs.silhouette.silhouettes import Silhouettes

from ..errors import InputError, MissingError
from .arrays.array_file import read_columns
from .images.mask_files import FileMasks
from .masks.masks import PLACE, Masks, NamedMasks
from .masks.packed import MASK_KEYS, PackedMasks
from .sizes import Pixels, block_cells
from .source import FACTS, Source, checked_indices


class Masked(Source):
    """The cells of a source with masks beside them.

    Parameters
    ----------
    source
        Everything but the silhouettes is taken over.
    masks
        Of the cells at their native size, or at that of the source.
    """

    def __init__(
        self,
        source: Source,
        masks: Masks,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        for name in FACTS:
            setattr(self, name, getattr(source, name))
        self._source, self._masks = source, masks
        if source.n_masks:
            raise InputError(f"{source.location or source.description}: holds masks of its own: "
                             f"leave {masks.location} out")  # fmt: skip
        self.n_masks, self.has_background = self._compared(progress)
        kept = "" if self.n_masks else ", which are not those of the cells as they are"
        if isinstance(masks, FileMasks) and masks.has_levels and self.n_masks:
            kept = ", which hold several values: only whether they are 0 is kept"
        self.description = f"{source.description}, with {masks.location}{kept}"

    def _compared(self, progress: Callable[[int, int], None] | None) -> tuple[int, bool]:
        """How many masks of the size of its pixels each cell has, and whether any has a background.

        All cells are read, but not beyond the first whose mask has another size.
        """
        n_cells, n_block = self.n_cells, block_cells(self.cell_shape, self.dtype.itemsize)
        has_background = False
        for start in range(0, n_cells, n_block):
            rows = np.arange(start, min(start + n_block, n_cells))
            if not self._have_own_size(rows):
                return 0, True
            if not has_background:
                cells = self._source.read(rows)
                has = (cells.reshape(*cells.shape[:3], -1) != 0).any(axis=3)
                has_background = bool((has & ~self._on_canvas(rows)).any())
            if progress is not None:
                progress(int(rows[-1]) + 1, n_cells)
        return 1, has_background

    def _have_own_size(self, rows: NDArray[np.int64]) -> bool:
        masks = self._masks.take(rows)
        sizes = self._sizes_of(rows)
        return all(mask is not None and mask.shape == size for mask, size in zip(masks, sizes))

    def _sizes_of(self, rows: NDArray[np.int64]) -> list[tuple[int, ...]]:
        if self.sizes is None:
            return [self.cell_shape[:2]] * len(rows)
        return [tuple(size) for size in self.sizes[rows].tolist()]

    def _on_canvas(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Masks bool (cell, y, x)."""
        out = np.zeros((len(rows), *self.cell_shape[:2]), np.bool_)
        for i, (mask, size) in enumerate(zip(self._masks.take(rows), self._sizes_of(rows))):
            if mask is None or mask.shape != size:
                raise InputError(f"{self._masks.location}: the mask of cell {rows[i]} has changed "
                                 f"since it was opened")  # fmt: skip
            out[i, : size[0], : size[1]] = mask
        return out

    def read(self, indices: NDArray[np.int64]) -> Pixels:
        """See Source.read."""
        return self._source.read(indices)

    def masks(self, indices: NDArray[np.int64]) -> NDArray[np.bool_]:
        """See Source.masks."""
        rows = checked_indices(indices, self.n_cells)
        return self._on_canvas(rows)[:, None] if self.n_masks else super().masks(rows)

    def silhouettes(self, indices: NDArray[np.int64]) -> Silhouettes | None:
        """See Source.silhouettes."""
        return self._masks.silhouettes(self._source, checked_indices(indices, self.n_cells))

    def jpeg(self, indices: NDArray[np.int64]) -> list[JpegCell | None] | None:
        """See Source.jpeg."""
        return self._source.jpeg(indices)


def with_masks(
    source: Source,
    masks: str | os.PathLike[str],
    progress: Callable[[int, int], None] | None = None,
    folder: Path | None = None,
) -> Source:
    """A source with the masks that lie in a folder, or in an .npz file (MASK_KEYS, `path`).

    Parameters
    ----------
    masks
        A folder or a file; or a pattern, see mask_path.
    folder
        Of the cells, where they are images.
    progress
        Called with (done, total) while cells are compared with their masks.

    Raises
    ------
    InputError
        If a cell has no mask, or they cannot be read. MissingError if there is nothing there.
    """
    path = Path(masks)
    names = None if source.names is None else source.names.tolist()
    if PLACE in str(masks):
        if names is None:
            raise InputError(f"{path}: a pattern of masks is for cells with names, which "
                             f"{source.location or 'the source'} has not")  # fmt: skip
        return Masked(source, FileMasks.by_pattern(str(masks), folder, names), progress)
    if path.is_dir():
        if names is None:
            raise InputError(f"{path}: a folder of masks is for cells with names, which "
                             f"{source.location or 'the source'} has not")  # fmt: skip
        return Masked(source, FileMasks.in_folder(path, names), progress)
    if not path.exists():
        raise MissingError(f"{path}: there are no masks: give a folder of images, or an .npz file")
    columns = read_columns(path, (*MASK_KEYS, "path"))
    if any(key not in columns for key in MASK_KEYS):
        raise InputError(f"{path}: holds no {', '.join(MASK_KEYS)}: those are the masks of an .npz "
                         f"file, as numpy.packbits gives them")  # fmt: skip
    n_masks = columns["height"].size
    packed = PackedMasks(columns, n_masks, f"file {path}")
    if "path" in columns and names is not None:
        if columns["path"].shape != (n_masks,):
            raise InputError(f"{path}: `path` has shape {columns['path'].shape}, not ({n_masks},): "
                             f"give the name of each mask's cell")  # fmt: skip
        return Masked(source, NamedMasks(packed, columns["path"].tolist(), names), progress)
    if n_masks != source.n_cells:
        raise InputError(f"{path}: holds {n_masks:,} masks for {source.n_cells:,} cells, and no "
                         f"`path` that tells whose they are")  # fmt: skip
    return Masked(source, packed, progress)
