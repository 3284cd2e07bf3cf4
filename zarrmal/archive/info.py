"""What an archive holds and where its bytes go."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarr.abc.store import RangeByteRequest
from zarr.core.sync import sync
from zarrmal_codecs import ZarrmalError
from zarrmal_codecs.constants import PROFILE_PAPER
from zarrmal_codecs.header import parse_header
from zarrmal_codecs.zarr_plugin import header_limit

from .format import CELLS
from .opened import OpenArchive, n_pixels
from .read.chunks import expect_capacity
from .shard import read_shard_index, shard_index_bytes
from .storage.location import METADATA_FILES
from .storage.objects import get_bytes, join_key

METADATA_NAMES = (*METADATA_FILES, ".zattrs", ".zmetadata")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveInfo:
    """Contents and sizes.

    Parameters
    ----------
    payload_bytes
        Chunks of ``cells``: streams, headers, checks; in profile paper without the latents.
    latent_bytes
        Latent vectors in the chunks, where they are stored apart from the pixels: 0 in profile
        hybrid, which codes both together.
    model_bytes
        The model, in base64 as it stands in the metadata of ``cells``.
    other_metadata_bytes
        All other metadata of the archive, a consolidated copy of the model included.
    index_bytes
        Chunks of the other arrays.
    cells_bytes
        Everything stored for the array ``cells``: its chunks and its own metadata files.
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
    raw_bytes: int
    payload_bytes: int
    latent_bytes: int
    model_bytes: int
    other_metadata_bytes: int
    index_bytes: int
    cells_bytes: int

    @property
    def bits_per_pixel(self) -> float:
        """8 x cells_bytes / (cells x y x x): a colour pixel counts once."""
        return 8 * self.cells_bytes / max(self.n_cells * n_pixels(self.cell_shape), 1)

    @property
    def bits_per_pixel_without_model(self) -> float:
        """The same without the model."""
        stored = self.cells_bytes - self.model_bytes
        return 8 * stored / max(self.n_cells * n_pixels(self.cell_shape), 1)

    def to_json(self) -> dict[str, Any]:
        """As a machine reads it."""
        return asdict(self) | {
            "bits_per_pixel": self.bits_per_pixel,
            "bits_per_pixel_without_model": self.bits_per_pixel_without_model,
        }


def archive_info(archive: OpenArchive) -> ArchiveInfo:
    """Read what an archive states, and the sizes of what is stored. See Archive.info."""
    facts, array = archive.facts, archive.cells
    sizes = archive.location.sizes()
    expect_capacity(max(array.shape[0], facts.n_cells), sum(sizes.values()))
    metadata = {k: n for k, n in sizes.items() if k.rsplit("/", 1)[-1] in METADATA_NAMES}
    chunks = {k: n for k, n in sizes.items() if k not in metadata}
    folder = f"{CELLS}/"
    chunk_bytes = sum(n for k, n in chunks.items() if k.startswith(folder))
    latent_bytes = _latent_bytes(archive)
    model_bytes = len(archive.configuration.model)
    return ArchiveInfo(
        url=archive.location.printable,
        zarr_format=archive.group.metadata.zarr_format,
        complete=facts.complete,
        n_cells=facts.n_cells,
        cell_shape=array.shape[1:],
        chunk_cells=array.chunks[0],
        classes=facts.class_counts,
        profile=facts.profile,
        sha256=facts.sha256,
        software=facts.software,
        model=repr(archive.model),
        raw_bytes=prod(array.shape),
        payload_bytes=chunk_bytes - latent_bytes,
        latent_bytes=latent_bytes,
        model_bytes=model_bytes,
        other_metadata_bytes=sum(metadata.values()) - model_bytes,
        index_bytes=sum(n for k, n in chunks.items() if not k.startswith(folder)),
        cells_bytes=chunk_bytes + sum(n for k, n in metadata.items() if k.startswith(folder)),
    )


def _latent_bytes(archive: OpenArchive) -> int:
    """By the chunks' headers: blank cells and chunks in a fallback mode hold no latent vectors."""
    model = archive.model
    if model.profile != PROFILE_PAPER:
        return 0  # entropy-coded with the pixels: part of the payload
    latents = np.array([c.network("decoder")[0].n_inputs for c in model.classes])

    def in_object(k: int) -> int:
        try:
            return sum(int(latents[c[c < len(latents)]].sum()) for c in _classes(archive, k))
        except (ZarrmalError, OSError):
            return 0  # verify reports it

    with ThreadPoolExecutor(16) as pool:
        return sum(pool.map(in_object, range(archive.grid.n_objects(archive.cells.shape[0]))))


def _classes(archive: OpenArchive, k: int) -> Iterator[NDArray[np.uint8]]:
    """Classes of the cells that are not blank in stored object ``k``, by its chunks' headers."""
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
            yield cell_index.classes
