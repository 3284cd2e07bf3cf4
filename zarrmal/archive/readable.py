"""Reading cells of an archive: the verbs that give arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import bool_, uint16
from numpy.typing import NDArray
from zarrmal_codecs import CorruptionError
from zarrmal_codecs.lattice.cell import JpegCell

from ..lazy import lazy
from .opened import OpenArchive
from .read.cells import Positions, read_cells, read_masks, recover_cells
from .read.coefficients import read_coefficients
from .read.columns.sizes import StoredSizes, read_sizes
from .read.dataset import Chunks, open_dataset
from .read.selected.reader import CellReader
from .read.stable import stable_state
from .storage.errors import store_errors

if TYPE_CHECKING:
    import xarray as xr


class ReadableArchive(OpenArchive):
    """An open archive whose cells, masks and coefficients can be read."""

    def dataset(self, *, source_order: bool = False, chunks: Chunks = None) -> xr.Dataset:
        """The archive as an xarray.Dataset; pixels are decoded when they are used.

        Parameters
        ----------
        source_order
            Order the cells as in the source instead of class by class. Reading a run of cells then
            touches several chunks.
        chunks
            As for ``xarray.open_zarr``: ``{}`` gives dask arrays in the stored chunks; None no
            dask, so that ``dataset.cells[rows]`` decodes those cells alone, or whole chunks where
            that is cheaper.

        Returns
        -------
        xarray.Dataset
            ``cells`` (cell, y, x[, channel]) or (cell, channel, y, x), and the arrays of ARCHIVE 1.
        """
        with store_errors():
            return open_dataset(self, source_order=source_order, chunks=chunks)

    @lazy
    def _cell_reader(self) -> CellReader:
        return CellReader(self.cells, self.n_cells, self.configuration.coder())

    def read(self, positions: Positions, *, workers: int | None = None) -> NDArray[Any]:
        """Read some cells: only these are fetched and decoded, those of one class together.

        Each cell is checked by its CRC-16; where all cells of a chunk are read, their CRC-32 is
        compared too. The headers of chunks that were read stay in memory.

        Parameters
        ----------
        positions
            Integers (cell,), 0 <= position < n_cells, in any order, repeats allowed.
        workers
            Threads that decode; by default one per core, at most 4.

        Returns
        -------
        ndarray
            ``dtype`` (cell, y, x), (cell, y, x, channel) or, where ``channel_first``, (cell,
            channel, y, x), in the order asked for. Cells of different sizes are padded with zeros
            at the bottom and right; see ``sizes`` and ``cell``.

        Raises
        ------
        InputError
            If there is no such cell, or the positions are not integers.
        ZarrmalError
            If a chunk is damaged: see ``recover``.
        """
        with store_errors():
            return read_cells(self, self._cell_reader, positions, workers)

    @lazy
    def _stored_sizes(self) -> StoredSizes | None:
        with store_errors():
            return read_sizes(self)

    @property
    def sizes(self) -> NDArray[uint16] | None:
        """uint16 (cell, 2): height and width of each cell; None where all fill ``cell_shape``.

        Raises
        ------
        ZarrmalError
            If some are damaged.
        """
        sizes = self._stored_sizes
        if sizes is None:
            return None
        if sizes.lines:
            raise CorruptionError(f"{sizes.lines[0]}: see `zarrmal verify`")
        return sizes.values.astype(uint16)

    def cell(self, position: int) -> NDArray[Any]:
        """Read one cell at its own size, (y, x), (y, x, channel) or (channel, y, x).

        Parameters
        ----------
        position
            0 <= position < n_cells.

        Raises
        ------
        InputError
            If there is no such cell.
        ZarrmalError
            If its chunk or its size is damaged.
        """
        pixels: NDArray[Any] = self.read([position])[0]
        sizes = self._stored_sizes
        if sizes is None:
            return pixels
        if not sizes.known[position]:
            raise CorruptionError(f"the size of cell {position} is lost: {sizes.lines[0]}: see "
                                  f"`zarrmal verify`")  # fmt: skip
        height, width = sizes.values[position].tolist()
        own = pixels[:, :height, :width] if self.channel_first else pixels[:height, :width]
        return np.ascontiguousarray(own)

    def masks(self, positions: Positions) -> NDArray[bool_]:
        """Read the masks of some cells, which lay beside them.

        Parameters
        ----------
        positions
            As for ``read``.

        Returns
        -------
        ndarray
            bool (cell, y, x), or (cell, mask, y, x) where each cell has several.

        Raises
        ------
        InputError
            If the archive holds no masks, or there is no such cell.
        ZarrmalError
            If a chunk is damaged.
        """
        with store_errors():
            return read_masks(self, positions)

    def recover(self, positions: Positions | None = None) -> tuple[NDArray[Any], NDArray[bool_]]:
        """Read cells of an archive that may be damaged: those that are left, and which they are.

        Whole chunks are compared with their SHA-256. Of a damaged chunk each cell is decoded alone;
        its own CRC-16 is then its only check, which wrong pixels pass with a chance of 2**-16
        (FORMAT 4.4). During an append, and after one that was interrupted, the cells that were
        there before are read.

        Parameters
        ----------
        positions
            As for ``read``; None for all.

        Returns
        -------
        pixels
            As of ``read``; zeros where a cell is lost.
        good
            bool (cell,).

        Raises
        ------
        InputError
            If there is no such cell, or another process changes the archive.
        ZarrmalError
            If its metadata are damaged.
        """
        with store_errors():
            return recover_cells(stable_state(self.location), positions)

    def coefficients(self, position: int) -> JpegCell | None:
        """The JPEG coefficients that a cell is stored as.

        Parameters
        ----------
        position
            In the archive; a negative one counts from the end.

        Returns
        -------
        JpegCell or None
            ``camera`` (tables of steps, sampling, colour), ``phase``, ``coefficients`` and
            ``coded``, see there. None where the cell is stored as pixels.

        Raises
        ------
        IndexError
            If there is no such cell.
        ZarrmalError
            If its chunk is missing or damaged.
        """
        if not -self.n_cells <= position < self.n_cells:
            raise IndexError(f"cell {position} of {self.n_cells:,}")
        with store_errors():
            rows = np.array([position % self.n_cells])
            return read_coefficients(self, rows)[0]
