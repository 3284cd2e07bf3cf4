"""What an archive holds and where its bytes go."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

from zarr.abc.store import RangeByteRequest
from zarr.core.sync import sync
from zarrmal_codecs import ZarrmalError
from zarrmal_codecs.chunk.header import parse_header
from zarrmal_codecs.chunk.index.cell_index import CellIndex
from zarrmal_codecs.plugins.zarr import header_limit

from ..sources.arrays.archive_facts import DIGESTS_GROUP
from ..sources.preprocessing import Preprocessing
from .cameras import CameraInfo, camera_infos, codes_coefficients
from .contents import Contents, contents_of, latent_lengths
from .foreign import n_foreign_cells
from .format import ARRAY_NAMES, BACKUP, BASE_NAMES, CELLS, JPEG_FRAME, MASK, PLANES
from .lock.journal import read_journal
from .opened import OpenArchive
from .preprocessing import pixels_notice
from .read.chunks.chunks import expect_capacity
from .read.columns.sizes import read_sizes
from .read.copied import copied_state
from .shard import read_shard_index, shard_index_bytes
from .storage.location import METADATA_FILES
from .storage.objects import get_bytes, join_key

COLUMN_NAMES = ARRAY_NAMES - set(PLANES)
CONSOLIDATED = {2: ".zmetadata", 3: "zarr.json"}
METADATA_NAMES = (*METADATA_FILES, ".zattrs", ".zmetadata", BACKUP.rpartition("/")[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveInfo:
    """Contents and sizes.

    Parameters
    ----------
    cell_shape
        (y, x) or (y, x, channel); of the canvas where sizes differ.
    heights, widths
        Smallest and largest of the cells, where the archive stores their sizes; else None.
    n_pixels
        Of all cells at their own sizes; a colour pixel counts once.
    raw_bytes
        Of these pixels, decoded.
    preprocessing
        What was done to the original pixels; None where the archive does not record it.
    payload_bytes
        Chunks of ``cells``: streams, headers, checks; in profile paper without the latents.
    latent_bytes
        Latent vectors in the chunks, where they are stored apart from the pixels: 0 in profile
        hybrid, which codes both together.
    model_bytes
        The model, in base64 as it stands in the metadata of ``cells``.
    cells_metadata_bytes
        The other metadata of ``cells``.
    other_metadata_bytes
        All other metadata of the archive: the digests, documents of the group and of the columns, a
        consolidated copy, the model in it included.
    consolidated_bytes
        Of ``other_metadata_bytes`` the document that holds the consolidated copy, where there is
        one: in format 3 the group's own; 0 in format 2 without a copy.
    columns_bytes
        Chunks of the other arrays: labels, names, order, …
    are_classes_told
        False where nothing tells classes apart, see ArchiveFacts.
    dtype
        Of the pixels.
    n_channels, channel_first, channel_names
        1 where cells are (y, x); whether they are stored as (channel, y, x); names where known.
    n_masks, mask_bytes
        Masks of each cell in the array ``mask``, 0 without it, and the bytes of its chunks.
    n_silhouettes
        Cells that are coded with a silhouette.
    n_lattice
        Cells that are stored as the coefficients of the JPEG pictures that they come from.
    n_jpeg_files
        Those of them that are whole JPEG files, which come back as such.
    cameras
        Of these pictures, those of most cells first; cameras with the same names of tables and
        sampling count as one.
    lattice_saving
        What these cells save: of a few of them, measured when they were written, the share of the
        bytes that their pixels would take. None where nothing was measured.
    frame_bytes
        Of ``columns_bytes`` those of the array ``jpeg_frame``.
    n_foreign_cells
        Cells behind the archive's own that another program has stored; not in ``n_cells``.
    """

    url: str
    zarr_format: int
    complete: bool
    n_cells: int
    cell_shape: tuple[int, ...]
    chunk_cells: int
    classes: dict[str, int]
    profile: str
    sha256: str
    software: str
    model: str
    preprocessing: Preprocessing | None
    raw_bytes: int
    payload_bytes: int
    latent_bytes: int
    model_bytes: int
    cells_metadata_bytes: int
    other_metadata_bytes: int
    columns_bytes: int
    consolidated_bytes: int = 0
    n_foreign_cells: int = 0
    are_classes_told: bool = True
    dtype: str = "uint8"
    n_channels: int = 1
    channel_first: bool = False
    channel_names: tuple[str, ...] = ()
    n_masks: int = 0
    mask_bytes: int = 0
    n_silhouettes: int = 0
    n_lattice: int = 0
    n_jpeg_files: int = 0
    cameras: tuple[CameraInfo, ...] = ()
    lattice_saving: float | None = None
    frame_bytes: int = 0
    heights: tuple[int, int] | None = None
    widths: tuple[int, int] | None = None
    n_pixels: int = 0

    @property
    def sizes_text(self) -> str:
        """``50 x 50 x 3``, or ``46 to 394 x 49 to 394 x 3``."""
        sides = [str(side) for side in self.cell_shape]
        for axis, bounds in enumerate((self.heights, self.widths)):
            if bounds is not None:
                low, high = bounds
                sides[axis] = str(low) if low == high else f"{low} to {high}"
        return " x ".join(sides)

    @property
    def stored_bytes(self) -> int:
        """Everything that is stored below the archive."""
        return self.cells_bytes + self.mask_bytes + self.other_metadata_bytes + self.columns_bytes

    @property
    def cells_bytes(self) -> int:
        """Everything stored for the array ``cells``: chunks, metadata, the model."""
        chunks = self.payload_bytes + self.latent_bytes
        return chunks + self.model_bytes + self.cells_metadata_bytes

    @property
    def pixels_notice(self) -> str:
        """Says that the original pixels are not in the archive; "" where they are."""
        return pixels_notice(self.preprocessing)

    @property
    def bits_per_pixel(self) -> float:
        """Of everything stored: 8 x stored_bytes / n_pixels."""
        return self._bits_per_pixel(self.stored_bytes)

    @property
    def cells_bits_per_pixel(self) -> float:
        """Of the array ``cells`` alone, the model included."""
        return self._bits_per_pixel(self.cells_bytes)

    @property
    def cells_bits_per_pixel_without_model(self) -> float:
        """Of the array ``cells`` alone, without the model."""
        return self._bits_per_pixel(self.cells_bytes - self.model_bytes)

    def _bits_per_pixel(self, n_bytes: int) -> float:
        return 8 * n_bytes / max(self.n_pixels, 1)

    def to_json(self) -> dict[str, Any]:
        """As a machine reads it."""
        return asdict(self) | {
            "pixels_notice": self.pixels_notice,
            "preprocessing": None if self.preprocessing is None else self.preprocessing.to_json(),
            "cells_bytes": self.cells_bytes,
            "stored_bytes": self.stored_bytes,
            "bits_per_pixel": self.bits_per_pixel,
            "cells_bits_per_pixel": self.cells_bits_per_pixel,
            "cells_bits_per_pixel_without_model": self.cells_bits_per_pixel_without_model,
        }


def archive_info(archive: OpenArchive) -> ArchiveInfo:
    """Read what an archive states, and the sizes of what is stored. See Archive.info."""
    if (copy := copied_state(archive)) is not None:
        archive = copy
    facts, array = archive.facts, archive.cells
    # What somebody else has stored beside is not the archive's.
    own_nodes = {DIGESTS_GROUP, *BASE_NAMES, *archive.facts.arrays}
    sizes = {
        k: n
        for k, n in archive.location.sizes().items()
        if "/" not in k or k.partition("/")[0] in own_nodes
    }
    expect_capacity(max(array.shape[0], facts.n_cells), sum(sizes.values()))
    metadata = {k: n for k, n in sizes.items() if k.rsplit("/", 1)[-1] in METADATA_NAMES}
    columns = {k: n for k, n in sizes.items() if k.partition("/")[0] in COLUMN_NAMES}
    folder = f"{CELLS}/"
    cells_metadata = sum(n for k, n in metadata.items() if k.startswith(folder))
    chunk_bytes = sum(n for k, n in sizes.items() if k.startswith(folder)) - cells_metadata
    columns_bytes = sum(n for k, n in columns.items() if k not in metadata)
    is_mask = {k: n for k, n in sizes.items() if k.startswith(f"{MASK}/") and k not in metadata}
    mask_bytes = sum(is_mask.values())
    contents = archive.contents or _in_headers(archive)
    latent_bytes = contents.latent_bytes
    own_frames = {k: n for k, n in columns.items() if k.startswith(f"{JPEG_FRAME}/")}
    frame_bytes = sum(n for k, n in own_frames.items() if k not in metadata)
    shape = archive.cell_shape
    model_bytes = len(archive.configuration.model)
    own = read_sizes(archive)
    sides = (None, None) if own is None or not facts.n_cells else own.bounds
    n_pixels = facts.n_cells * prod(shape[:2]) if own is None else own.n_pixels
    return ArchiveInfo(
        url=archive.location.printable,
        zarr_format=archive.group.metadata.zarr_format,
        complete=facts.complete,
        n_cells=facts.n_cells,
        cell_shape=shape,
        chunk_cells=array.chunks[0],
        classes=facts.class_counts,
        profile=facts.profile,
        sha256=facts.sha256,
        software=facts.software,
        model="" if archive.model is None else repr(archive.model),
        preprocessing=facts.preprocessing,
        raw_bytes=n_pixels * prod(shape[2:]) * archive.dtype.itemsize,
        payload_bytes=chunk_bytes - latent_bytes,
        latent_bytes=latent_bytes,
        model_bytes=model_bytes,
        cells_metadata_bytes=cells_metadata - model_bytes,
        other_metadata_bytes=sum(sizes.values())
        - (chunk_bytes + cells_metadata + columns_bytes + mask_bytes),
        columns_bytes=columns_bytes,
        consolidated_bytes=sizes.get(CONSOLIDATED[archive.group.metadata.zarr_format], 0),
        are_classes_told=facts.are_classes_told,
        dtype=archive.dtype.name,
        n_channels=prod(shape[2:]),
        channel_first=archive.channel_first,
        channel_names=archive.channel_names,
        n_masks=archive.n_masks,
        mask_bytes=mask_bytes,
        n_silhouettes=contents.n_silhouettes,
        n_lattice=sum(contents.cameras.values()),
        n_jpeg_files=contents.n_files,
        cameras=camera_infos(contents.cameras),
        lattice_saving=facts.lattice.share,
        frame_bytes=frame_bytes,
        heights=sides[0],
        widths=sides[1],
        n_pixels=n_pixels,
        n_foreign_cells=0 if read_journal(archive.location) else n_foreign_cells(archive),
    )


def _in_headers(archive: OpenArchive) -> Contents:
    """What the chunks' headers tell.

    Blank cells and chunks in a fallback mode hold no latent vectors. In profile hybrid they are
    entropy-coded with the pixels, part of the payload.
    """
    model, coder = archive.model, archive.coder
    total, latents = Contents(), latent_lengths(model)
    if coder is None or not (latents.any() or coder.takes_silhouettes or codes_coefficients(model)):
        return total

    def in_object(k: int) -> Contents:
        own = Contents()
        try:
            for index in _indexes(archive, k):
                own.add(contents_of(index, latents))
        except (ZarrmalError, OSError):
            pass  # verify reports it
        return own

    with ThreadPoolExecutor(16) as pool:
        for own in pool.map(in_object, range(archive.grid.n_objects(archive.cells.shape[0]))):
            total.add(own)
    return total


def _indexes(archive: OpenArchive, k: int) -> Iterator[CellIndex]:
    """The cells' part of the headers of the chunks of stored object ``k``."""
    array, grid = archive.cells, archive.grid
    store, limit = array.store, header_limit(array.chunks)
    key = join_key(array.path, grid.key(array, k))
    parts: list[tuple[int, int] | None] = [(0, limit)]
    if grid.sharded:
        n_index = shard_index_bytes(grid.chunks_per_object)
        first = 0
        if grid.index_location == "end":  # not all stores take a request for the last bytes
            first = max(sync(store.getsize(key)) - n_index, 0)
        index = get_bytes(store, key, RangeByteRequest(first, first + n_index))
        parts = [] if index is None else read_shard_index(index, grid.chunks_per_object)
    for offset, length in filter(None, parts):
        head = get_bytes(store, key, RangeByteRequest(offset, offset + min(length, limit)))
        cell_index = None if head is None else parse_header(memoryview(head)).index
        if cell_index is not None:
            yield cell_index
