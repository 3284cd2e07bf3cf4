"""Encode one stored object of the cells, a chunk or a shard, or reuse it from an interrupted run.

The object of the masks of the same cells is encoded with it, where an archive has masks.
"""

from __future__ import annotations

import hashlib
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from functools import partial
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarrmal_codecs import CorruptionError, Model, ZarrmalError
from zarrmal_codecs.chunk.chunk import decode_chunk, encode_chunk
from zarrmal_codecs.chunk.coder import Coder, coder_for
from zarrmal_codecs.chunk.header import header_bytes, parse_header
from zarrmal_codecs.constants import BLANK_CLASS, DIGEST_PREFIX_BYTES
from zarrmal_codecs.lattice.cell import JpegCell
from zarrmal_codecs.silhouette.silhouettes import Silhouettes

from ....errors import InputError
from ....sources import Source
from ....sources.bits import differing
from ....sources.sizes import Pixels, beyond
from ...contents import Contents, contents_of, latent_lengths
from ...format import JPEG_FRAME, Grid
from ...opened import OpenArchive, codec_configuration
from ...read.coefficients import chunk_coefficients
from ...read.silhouettes import chunk_silhouettes
from ...shard import join_shard, split_shard
from ...storage.objects import get_bytes, join_key, put_bytes
from .frames import FrameWriter, frame_texts
from .lattice import LatticeSearch
from .task import Task, TaskResult

Chunk = bytes | memoryview
Coefficients = Callable[
    [LatticeSearch, Source, NDArray[np.int64], Pixels, Silhouettes | None],
    list[JpegCell | None],
]
"""Coefficients behind new planes of some cells of a source."""


class ObjectWriter:
    """Encodes and stores the objects of an archive's cells, and of their masks.

    Parameters
    ----------
    archive
        Open for writing. Tasks may lie behind its last cell.
    reuse
        Reuse objects of an interrupted run where they hold the very cells.
    cancelled
        Once it is set, nothing more is stored.
    """

    def __init__(
        self, archive: OpenArchive, *, reuse: bool, cancelled: threading.Event | None = None
    ) -> None:
        is_first = archive.channel_first
        self._cells = ArrayWriter(
            archive.cells,
            partial(_stored_cells, channel_first=is_first),
            model=archive.model,
            reuse=reuse,
            cancelled=cancelled,
            coefficients=partial(_coefficients, channel_first=is_first),
        )
        masks = archive.mask_array
        self._masks = None
        if masks is not None:
            self._masks = ArrayWriter(masks, _stored_masks, reuse=reuse, cancelled=cancelled)
        frames = archive.array(JPEG_FRAME)
        self._frames = None if frames is None else FrameWriter(frames, cancelled)

    def __call__(self, task: Task, source: Source | None) -> TaskResult:
        """Run one task; a source is needed where it has new cells.

        Raises
        ------
        ZarrmalError
            If stored cells of the object are damaged.
        CancelledError
            If the run was cancelled before the object was stored.
        """
        frames: list[str] = []
        contents = Contents()
        sha256, reused = self._cells.write(task, source, frames, contents)
        of_masks, masks_reused = (
            (None, True) if self._masks is None else self._masks.write(task, source)
        )
        return TaskResult(
            number=task.number,
            sha256=sha256,
            mask_sha256=of_masks,
            frame_sha256=None if self._frames is None else self._frames.write(task, frames),
            n_cells=len(task.rows),
            reused=reused and masks_reused,
            contents=contents,
        )


class ArrayWriter:
    """Encodes and stores the objects of one array with planes of each cell.

    Parameters
    ----------
    array
        The cells, or their masks; chunks hold whole cells.
    read
        New planes of some cells of a source, as the array holds them.
    model
        That codes the planes; None takes the codec's own.
    reuse, cancelled
        See ObjectWriter.
    coefficients
        Those of new planes, where they come from JPEG pictures; None: they never do.
    """

    def __init__(
        self,
        array: zarr.Array[Any],
        read: Callable[[Source, NDArray[np.int64]], Pixels],
        *,
        reuse: bool,
        cancelled: threading.Event | None,
        model: Model | None = None,
        coefficients: Coefficients | None = None,
    ) -> None:
        self._array, self._grid, self._read = array, Grid.of(array), read
        self._dtype = np.dtype(array.dtype).newbyteorder("=")
        self._reuse, self._cancelled, self._coefficients = reuse, cancelled, coefficients
        self._coder = codec_configuration(array).coder() if model is None else coder_for(model)
        self._latents = latent_lengths(model)

    def write(
        self,
        task: Task,
        source: Source | None,
        frames: list[str] | None = None,
        contents: Contents | None = None,
    ) -> tuple[str, bool]:
        """SHA-256 of the task's object, and whether an earlier run had stored it.

        Parameters
        ----------
        frames
            Gets a text for each new cell: what surrounds its coefficients in its JPEG file; "" for
            others.
        contents
            Gets what the headers of the chunks tell.
        """
        key = join_key(self._array.path, self._grid.key(self._array, task.number))
        store = self._array.store
        old = get_bytes(store, key) if task.n_stored or self._reuse else None
        if task.n_stored and old is None:
            raise CorruptionError(f"chunk {key} is missing: see `zarrmal verify`")
        chunks = list(self._chunks(task, source, old, [] if frames is None else frames))
        for chunk in chunks if contents is not None else ():
            index = None if chunk is None else parse_header(memoryview(chunk)).index
            if contents is not None and index is not None:
                contents.add(contents_of(index, self._latents))
        if self._grid.sharded:
            data = join_shard(chunks, self._grid.index_location)
        else:
            data = bytes(chunks[0] or b"")
        reused = data == old
        if not reused:
            if self._cancelled is not None and self._cancelled.is_set():
                raise CancelledError
            put_bytes(store, key, data)
        return hashlib.sha256(data).hexdigest(), reused

    def _chunks(
        self, task: Task, source: Source | None, old: bytes | None, frames: list[str]
    ) -> Iterator[Chunk | None]:
        n, n_here = self._grid.chunk_cells, len(task.classes)
        stored = self._old_chunks(old, required=task.n_stored > 0)
        for j in range(self._grid.chunks_per_object):
            first, last = j * n, min((j + 1) * n, n_here)
            if first >= n_here:
                yield None
                continue
            chunk = stored[j]
            n_stored = min(max(task.n_stored - first, 0), n)
            if n_stored == n and chunk is not None:
                self._decoded(chunk)  # damage must not get a digest of its own
                yield chunk
                continue
            pixels = np.zeros((n, *self._array.shape[1:]), self._dtype)  # Zarr pads the last chunk
            parts: list[Silhouettes | None] = []
            jpeg: list[JpegCell | None] = []
            if n_stored:
                if chunk is None:
                    raise CorruptionError(
                        f"object {task.number} lacks a chunk: see `zarrmal verify`"
                    )
                pixels[:n_stored] = self._decoded(chunk)[:n_stored]
                if self._coder is not None:
                    parts.append(chunk_silhouettes(chunk, np.arange(n_stored), self._coder))
                    jpeg += chunk_coefficients(chunk, np.arange(n_stored), self._coder)
            if last - first > n_stored:
                assert source is not None
                new = slice(first + n_stored - task.n_stored, last - task.n_stored)
                pixels[n_stored : last - first] = self._read(source, task.rows[new])
                if self._coder is not None and self._coder.takes_silhouettes:
                    parts.append(source.silhouettes(task.rows[new]))
                if self._coefficients is not None and task.lattice is not None:
                    planes = pixels[n_stored : last - first]
                    outlines = parts[-1] if parts and len(parts) > (n_stored > 0) else None
                    jpeg += self._coefficients(
                        task.lattice, source, task.rows[new], planes, outlines
                    )
            classes = np.zeros(n, np.uint8)
            classes[: last - first] = task.classes[first:last]
            if (
                self._reuse
                and chunk is not None
                and is_chunk_of(chunk, pixels, classes, self._coder)
            ):
                coded = chunk
            else:
                coded = encode_chunk(
                    pixels,
                    self._coder,
                    classes=None if self._coder is None else classes,
                    rice=task.rice,
                    silhouettes=_joined(parts, n),
                    jpeg=_padded(jpeg, n),
                )
            frames += frame_texts(jpeg, coded, n_stored, last - first)
            yield coded

    def _decoded(self, chunk: Chunk) -> Pixels:
        shape = (self._grid.chunk_cells, *self._array.shape[1:])
        return decode_chunk(chunk, self._coder, shape=shape, dtype=self._dtype)

    def _old_chunks(self, old: bytes | None, *, required: bool) -> list[Chunk | None]:
        n = self._grid.chunks_per_object
        if old is None:
            return [None] * n
        if not self._grid.sharded:
            return [old]
        try:
            return list(split_shard(old, n, self._grid.index_location))
        except ZarrmalError:
            if required:
                raise
            return [None] * n


def _stored_cells(source: Source, rows: NDArray[np.int64], *, channel_first: bool) -> Pixels:
    """Cells of a source as an archive holds them.

    InputError if one has pixels beyond its size, which no reader expects.
    """
    cells = source.read(rows)
    _refuse_beyond(cells, source, rows, "pixels")
    return np.moveaxis(cells, 3, 1) if channel_first else cells


def _stored_masks(source: Source, rows: NDArray[np.int64]) -> Pixels:
    """Masks of cells as an archive holds them, without an axis for a single one."""
    masks = source.masks(rows)
    _refuse_beyond(np.moveaxis(masks, 1, 3), source, rows, "a mask")
    return masks[:, 0] if source.n_masks == 1 else masks


def _refuse_beyond(cells: Pixels, source: Source, rows: NDArray[np.int64], what: str) -> None:
    if source.sizes is not None and (wrong := beyond(cells, source.sizes[rows])).any():
        height, width = source.sizes[rows[wrong][0]].tolist()
        raise InputError(f"{source.location}: cell {rows[wrong][0]} is {height} x {width}, but has "
                         f"{what} beyond that: make them 0")  # fmt: skip


def _coefficients(
    search: LatticeSearch,
    source: Source,
    rows: NDArray[np.int64],
    cells: Pixels,
    silhouettes: Silhouettes | None,
    *,
    channel_first: bool,
) -> list[JpegCell | None]:
    """Coefficients behind cells as an archive holds them."""
    pixels = np.moveaxis(cells, 1, 3) if channel_first else cells
    return search.coefficients(source, rows, pixels, silhouettes)


def _padded(jpeg: list[JpegCell | None], n: int) -> list[JpegCell | None] | None:
    """Coefficients of a chunk's cells, and none of its padding; None where no cell has any."""
    if all(cell is None for cell in jpeg):
        return None
    return [*jpeg, *[None] * (n - len(jpeg))]


def _joined(parts: list[Silhouettes | None], n: int) -> Silhouettes | None:
    """Silhouettes of stored and of new cells, and of none as padding.

    None, so that the pixels show them, unless both were resampled alike.
    """
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts) or len({part.resampling for part in known}) > 1:
        return None
    masks = [mask for part in known for mask in part.masks]
    return Silhouettes(masks=masks + [None] * (n - len(masks)), resampling=known[0].resampling)


def is_chunk_of(
    chunk: Chunk, pixels: Pixels, classes: NDArray[np.uint8], coder: Coder | None
) -> bool:
    """A stored chunk holds these very pixels in these classes, and decodes to them.

    The header tells at once which chunks are others. Its CRC-32 is of the pixels that were encoded,
    so that a damaged payload shows only when it is decoded: it must not get a digest of its own.
    """
    try:
        view = memoryview(chunk).cast("B")
        header = parse_header(view)
        whole = len(view) == header_bytes(view) + header.payload_bytes
    except ZarrmalError:
        return False
    if not whole or header.shape != pixels.shape or header.pixel_crc32 != zlib.crc32(pixels.data):
        return False
    index = header.index
    if index is not None:  # stored or deflated pixels have no class
        blank = index.classes == BLANK_CLASS
        if not np.array_equal(index.classes[~blank], classes[~blank]):
            return False
        digest = "" if coder is None else coder.model.digest
        if index.digest_prefix != bytes.fromhex(digest)[:DIGEST_PREFIX_BYTES]:
            return False
    try:
        decoded = decode_chunk(view, coder, shape=pixels.shape, dtype=pixels.dtype)
        return not differing(decoded, pixels).any()
    except ZarrmalError:
        return False
