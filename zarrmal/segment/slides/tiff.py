"""Slides in TIFF: SVS, NDPI, pyramidal, OME-TIFF and others that tifffile reads."""

from __future__ import annotations

import math
import weakref
from pathlib import PurePosixPath
from typing import IO, Any

import numpy as np
import tifffile
import zarr

from ...errors import InputError
from ...sources.sizes import Pixels
from .jpeg_tiles import JpegTiles, Place, complete
from .slide import ONE_PLANE, Slide, as_image, block_of, checked_shape, said

MAX_UNTILED_BYTES = 1 << 30
"""A file without tiles is decoded as a whole, up to this size."""


class TiffSlide(Slide):
    """The first series of a TIFF file, at full resolution.

    Parameters
    ----------
    file
        Path, or a file opened for reading.
    address
        For messages and the name.

    Raises
    ------
    InputError
        If it is no TIFF, its first series is no single plane, or its compression is not known.
    """

    def __init__(self, file: str | IO[bytes], address: str) -> None:
        location = f"slide {address}"
        try:
            self._file = tifffile.TiffFile(file)
        except OSError:
            raise
        except Exception as error:  # whatever a damaged header leads to
            raise InputError(
                f"{address}: is no TIFF, or its header is damaged: copy it again"
                f"{said('tifffile', error)}"
            ) from error
        try:
            series = self._file.series[0]
            self._refuse_incomplete(series.keyframe, address)
            store = series.aszarr(level=0)
            # Of a file in memory tifffile has no store that is for reading only.
            array = zarr.open(store, mode="r" if store.read_only else "r+")
        except InputError:
            self._file.close()
            raise
        except Exception as error:  # whatever a damaged directory leads to
            self._file.close()
            raise InputError(
                f"{address}: the TIFF holds no image, or its directory is damaged: copy it again"
                f"{said('tifffile', error)}"
            ) from error
        assert isinstance(array, zarr.Array)
        self._array: zarr.Array[Any] = array
        weakref.finalize(self, self._file.close)
        axes = series.axes
        self._planes_first = axes == "SYX"
        shape, chunks = array.shape, array.chunks
        if self._planes_first:
            shape, chunks = (*shape[1:], shape[0]), (*chunks[1:], chunks[0])
        elif axes not in ("YX", "YXS"):
            shape = (*shape, 0)  # refused below
        try:
            shape = checked_shape(shape, array.dtype, address, axes)
        except InputError:
            self._file.close()
            raise InputError(
                f"{address}: holds {array.dtype} of shape {array.shape} (axes {axes}); {ONE_PLANE}"
            ) from None
        block = block_of((chunks[0], chunks[1]))
        super().__init__(
            shape,
            location=location,
            name=slide_name(address),
            block=block,
            dtype=np.dtype(array.dtype),
        )
        self.address = address
        self.n_bytes = self._file.filehandle.size
        self.jpeg_tiles = self._jpeg_tiles(series.keyframe)

    def decode(self, y: int, x: int, height: int, width: int) -> Pixels:
        """See Slide.decode."""
        rows, columns = slice(y, y + height), slice(x, x + width)
        try:
            if self._planes_first:
                planes = np.asarray(self._array[:, rows, columns])
                return as_image(np.moveaxis(planes, 0, 2), self.shape)
            return as_image(np.asarray(self._array[rows, columns]), self.shape)
        except Exception as error:  # the decoders' own kinds
            raise InputError(
                f"{self.address}: cannot be decoded at row {y:,}, column {x:,}: the file is "
                f"damaged, or its compression unknown{said('tifffile', error)}"
            ) from error

    def _jpeg_tiles(self, page: Any) -> JpegTiles | None:
        """The page's tiles or strips, where each is a JPEG picture of all channels."""
        if page.compression != tifffile.COMPRESSION.JPEG or self._planes_first or page.extrasamples:
            return None
        rows, columns = page.chunks[:2]
        n_columns = -(-self.shape[1] // columns)
        file = self._file.filehandle

        def load(place: Place) -> bytes | None:
            k = place[0] * n_columns + place[1]
            if not page.databytecounts[k]:
                return None
            with file.lock:
                file.seek(page.dataoffsets[k])
                data = file.read(page.databytecounts[k])
            return complete(data, tables=page.jpegtables, header=page.jpegheader)

        # As tifffile: such files hold red, green and blue, whatever the numbers of their planes.
        is_rgb = page.photometric == tifffile.PHOTOMETRIC.RGB and not page.is_jfif
        return JpegTiles((rows, columns), load, colour="rgb" if is_rgb else None)

    def _refuse_incomplete(self, page: Any, address: str) -> None:
        # tifffile takes what is missing for zeros, and does not say so.
        size = self._file.filehandle.size
        n_parts = math.prod(page.chunked)
        listed = min(len(page.dataoffsets), len(page.databytecounts))
        if listed < n_parts:
            raise InputError(
                f"{address}: lists {listed:,} of its image's {n_parts:,} tiles or strips: the "
                f"file is damaged: copy it again"
            )
        ends = [o + n for o, n in zip(page.dataoffsets, page.databytecounts, strict=False)]
        if ends and max(ends) > size:
            raise InputError(
                f"{address}: the file is cut short: it has {size:,} bytes, its image ends at "
                f"{max(ends):,}: copy it again"
            )


def slide_name(address: str) -> str:
    """The last part of an address, without suffix."""
    name = PurePosixPath(address.rstrip("/").replace("\\", "/")).name
    for suffix in (".ome.tiff", ".ome.tif", ".ome.zarr"):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    stem, dot, _ = name.rpartition(".")
    return stem if dot and stem else name
