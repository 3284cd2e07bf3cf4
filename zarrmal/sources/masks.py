"""Masks of cells beside their pixels: packed in an array file, or a folder of images."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.cell import JpegCell
from zarrmal_codecs.silhouette.coverage import FULL, RESAMPLINGS, Resampling, coverage
from zarrmal_codecs.silhouette.silhouettes import Silhouettes, is_codable

from ..errors import InputError, MissingError
from .annotations import PACKED_KEYS, SIZE_KEYS
from .array_file import read_columns
from .mask_planes import MaskArray
from .sizes import Pixels, block_cells
from .source import FACTS, Source, checked_indices

Mask = NDArray[np.bool_]

MASK_KEYS = (*SIZE_KEYS, *PACKED_KEYS)

SAMPLE_CELLS = 48
"""Cells by which it is found how pixels were resampled."""


PLACE = "{name}"
"""Stands for the name of a cell in a pattern of masks."""


def is_beside(pattern: str) -> bool:
    """Whether a pattern is of masks in the folders of their cells."""
    return not os.path.dirname(pattern)


def mask_path(pattern: str, name: str) -> str:
    """Path of the mask of a cell.

    Parameters
    ----------
    pattern
        With ``{name}`` in place of the cell's name, such as ``{name}_mask.png``, which lies beside
        the cell, or ``masks/{name}.tif``.
    name
        Of the cell: its path below the folder of cells.
    """
    stem = os.path.splitext(name)[0]
    if not is_beside(pattern):
        return pattern.replace(PLACE, stem)
    folder, own = os.path.split(stem)
    return os.path.join(folder, pattern.replace(PLACE, own))


class Masks(ABC):
    """A mask of each cell of a source, read by index."""

    location: str
    _resampling: Resampling | None = None

    @abstractmethod
    def take(self, indices: NDArray[np.int64]) -> list[Mask | None]:
        """Masks of some cells, bool (y, x) each, of any size; None for a cell that has none."""

    def silhouettes(self, source: Source, rows: NDArray[np.int64]) -> Silhouettes:
        """Silhouettes of some cells of a source; how they were resampled is found once."""
        if self._resampling is None:
            some = np.unique(np.linspace(0, source.n_cells - 1, SAMPLE_CELLS).astype(np.int64))
            sizes = None if source.sizes is None else source.sizes[some]
            self._resampling = find_resampling(source.read(some), self.take(some), sizes)
        masks = [
            mask if mask is not None and is_codable(mask) else None for mask in self.take(rows)
        ]
        return Silhouettes(masks=masks, resampling=self._resampling)


class PackedMasks(Masks):
    """Masks as array files hold them, see PACKED_KEYS.

    Parameters
    ----------
    columns
        By key.
    n_cells
        So many masks there must be.
    location
        Begins messages.

    Raises
    ------
    InputError
        If the columns do not fit each other.
    """

    def __init__(self, columns: Mapping[str, NDArray[Any]], n_cells: int, location: str) -> None:
        heights, widths, self._bits, starts = (np.asarray(columns[key]) for key in MASK_KEYS)
        self.location = location
        lengths = ((heights, n_cells), (widths, n_cells), (starts, n_cells + 1))
        are_integers = all(
            values.shape == (length,) and values.dtype.kind in "iu" for values, length in lengths
        )
        if not are_integers or self._bits.dtype != np.uint8 or self._bits.ndim != 1:
            raise InputError(
                f"{location}: masks need integers `height` and `width` of each of {n_cells:,} "
                f"cells, `start` of one more, and `bits` of uint8, as numpy.packbits gives them"
            )
        sizes = np.stack([heights, widths], axis=1).astype(np.int64)
        n_bytes = (sizes.prod(axis=1) + 7) // 8
        starts = starts.astype(np.int64)
        if (
            sizes.min(initial=1) < 1
            or (np.diff(starts) != n_bytes).any()
            or starts[0] < 0
            or starts[-1] > len(self._bits)
        ):
            raise InputError(
                f"{location}: `start` does not tell where the masks of these sizes begin in "
                f"`bits`: each takes the bytes of height * width bits, and begins at a byte"
            )
        self._sizes, self._starts = sizes, starts

    def of_size(self, size: tuple[int, ...]) -> MaskArray | None:
        """All of them as an array, if each has this height and width."""
        if (self._sizes != size).any():
            return None

        def fetch(indices: NDArray[np.int64]) -> Pixels:
            masks = [mask for mask in self.take(indices) if mask is not None]
            return np.stack(masks) if masks else np.zeros((0, *size), np.bool_)

        shape = (len(self._sizes), *size)
        return MaskArray(fetch=fetch, shape=shape, dtype=np.dtype(np.bool_))

    def take(self, indices: NDArray[np.int64]) -> list[Mask | None]:
        """See Masks.take."""
        masks: list[Mask | None] = []
        for index in indices.tolist():
            height, width = self._sizes[index].tolist()
            packed = self._bits[self._starts[index] : self._starts[index + 1]]
            bits = np.unpackbits(np.asarray(packed), count=height * width)
            masks.append(bits.astype(bool).reshape(height, width))
        return masks


class NamedMasks(Masks):
    """Masks in another order.

    Parameters
    ----------
    masks
        Of cells with these names.
    names
        Of the masks' cells.
    wanted
        Names of the cells whose masks are asked for.

    Raises
    ------
    InputError
        If a cell has no mask, or a name is there twice.
    """

    def __init__(self, masks: Masks, names: Sequence[str], wanted: Sequence[str]) -> None:
        self._masks, self.location = masks, masks.location
        number = {name: i for i, name in enumerate(names)}
        _refuse_repeated(self.location, names)
        missing = [name for name in wanted if name not in number]
        if missing:
            raise InputError(_missing_text(masks.location, missing))
        self._rows = np.array([number[name] for name in wanted], np.int64)

    def take(self, indices: NDArray[np.int64]) -> list[Mask | None]:
        """See Masks.take."""
        return self._masks.take(self._rows[indices])


def _refuse_repeated(location: str, names: Sequence[str]) -> None:
    """InputError if a name is there twice: which mask is meant?"""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(f"{location}: holds more than one mask of {name}: leave one of them")
        seen.add(name)


def _missing_text(location: str, missing: Sequence[str]) -> str:
    more = f" and {len(missing) - 1:,} other cells" if len(missing) > 1 else ""
    return (
        f"{location}: holds no mask of {missing[0]}{more}: masks have the names of the "
        f"cells, those in a folder but for the suffix"
    )


class FileMasks(Masks):
    """Images of masks, a file for each: a pixel of 0 is background.

    Parameters
    ----------
    paths
        Of the masks.
    location
        Begins messages.
    """

    has_levels = False
    """Some mask that was read has several values that are not 0, of which nothing is kept."""

    def __init__(self, paths: Sequence[str], location: str) -> None:
        self._paths, self.location = paths, location

    @classmethod
    def in_folder(cls, folder: Path, names: Sequence[str]) -> Self:
        """Masks named as the cells, with any suffix, below a folder as the cells below theirs.

        Raises
        ------
        InputError
            If a cell has no mask, or two.
        """
        from .folder import image_names

        location = f"masks {folder}/"
        files = image_names(folder)[0]
        found = {os.path.splitext(name)[0]: name for name in files}
        _refuse_repeated(location, [os.path.splitext(name)[0] for name in files])
        paths = [found.get(os.path.splitext(name)[0], "") for name in names]
        missing = [name for name, path in zip(names, paths) if not path]
        if missing:
            raise InputError(_missing_text(location, missing))
        return cls([os.path.join(folder, path) for path in paths], location)

    @classmethod
    def by_pattern(cls, pattern: str, folder: Path | None, names: Sequence[str]) -> Self:
        """Masks whose path follows from that of the cell; see mask_path.

        Raises
        ------
        InputError
            If a cell has no mask.
        """
        location = f"masks {pattern}"
        if folder is None and is_beside(pattern):
            raise InputError(f"{location}: a pattern without a folder is for images: "
                             f"these cells are none, so give masks/{pattern}")  # fmt: skip
        paths = [mask_path(pattern, name) for name in names]
        if folder is not None and is_beside(pattern):
            paths = [os.path.join(folder, path) for path in paths]
        missing = [name for name, path in zip(names, paths) if not os.path.isfile(path)]
        if missing:
            raise InputError(f"{_missing_text(location, missing)}, as in {mask_path(pattern, 'x')} "
                             f"for x.png")  # fmt: skip
        return cls(paths, location)

    def take(self, indices: NDArray[np.int64]) -> list[Mask | None]:
        """See Masks.take."""
        from .image_file import read_image
        from .unreadable import UnreadableError

        masks: list[Mask | None] = []
        for index in indices.tolist():
            path = self._paths[index]
            try:
                image = read_image(path).pixels
            except UnreadableError as error:
                raise InputError(f"{path}: cannot be read as a mask: {error}") from error
            inside: Mask = (image.reshape(*image.shape[:2], -1) != 0).any(axis=2)
            values = image[inside]
            self.has_levels |= bool(len(values) and (values != values[0]).any())
            masks.append(inside)
        return masks


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


def find_resampling(
    cells: Pixels, masks: Sequence[Mask | None], sizes: NDArray[np.uint16] | None
) -> Resampling:
    """How pixels were resampled after they had been cut out along the masks.

    Pixels at the edge are about as bright as those within the cell beside them, times the coverage.
    That which says so best is taken.

    Parameters
    ----------
    cells
        (cell, y, x[, channel]).
    sizes
        Height and width of each; None where all have those of the array.
    """
    shape = cells.shape[1:3]
    own = [shape if sizes is None else tuple(sizes[i].tolist()) for i in range(len(cells))]
    present = [(i, mask) for i, mask in enumerate(masks) if mask is not None]
    if all(mask.shape == own[i] for i, mask in present):
        return "same"
    grey = cells.reshape(*cells.shape[:3], -1).mean(axis=3)
    errors = np.zeros(len(RESAMPLINGS) - 1)
    for i, mask in present:
        errors += _edge_errors(grey[i, : own[i][0], : own[i][1]], mask)
    return RESAMPLINGS[1:][int(errors.argmin())]


def _edge_errors(cell: NDArray[np.float64], mask: Mask) -> NDArray[np.float64]:
    """How far the pixels at the edge are from what each resampling would make of the cell.

    That is their coverage times the brightness of the pixels about them that are within the mask
    by each resampling. float64 (resampling,): sums of differences, in the order of RESAMPLINGS.
    """
    shape = (cell.shape[0], cell.shape[1])
    covered = np.stack([coverage(mask, shape, each) for each in RESAMPLINGS[1:]])
    whole = (covered == FULL).all(axis=0)
    padded, inside = np.pad(cell * whole, 2), np.pad(whole.astype(float), 2)
    sums, counts = np.zeros(shape), np.zeros(shape)
    for y in range(5):
        for x in range(5):
            part = (slice(y, y + shape[0]), slice(x, x + shape[1]))
            sums += padded[part]
            counts += inside[part]
    edge = ~whole & (counts > 0)
    expected = covered[:, edge] / FULL * (sums[edge] / counts[edge])
    differences: NDArray[np.float64] = np.abs(cell[edge] - expected).sum(axis=1)
    return differences
