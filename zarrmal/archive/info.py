"""What an archive holds and where its bytes go."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.abc.store import RangeByteRequest
from zarr.codecs import ShardingCodec
from zarrmal_codecs import CorruptionError, Model, NumcodecsZarrmal, ZarrmalCodec, ZarrmalError
from zarrmal_codecs.configuration import Configuration
from zarrmal_codecs.constants import PROFILE_PAPER
from zarrmal_codecs.header import parse_header
from zarrmal_codecs.zarr_plugin import header_limit

from .chunks import expect_room
from .grid import Grid
from .layout import CELLS
from .shard import index_bytes, read_index
from .stored import get_bytes, join_key
from .target import METADATA_FILES, Target, find_array, read_facts

METADATA_NAMES = (*METADATA_FILES, ".zattrs", ".zmetadata")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveInfo:
    """Contents and sizes.

    Parameters
    ----------
    payload_bytes
        Chunks of ``cells``: streams, headers, checks; in the profile paper without the latents.
    latent_bytes
        Latent vectors inside the chunks, where they are apart from the pixels' streams: 0 in
        profile hybrid, which codes both together.
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
        return 8 * self.cells_bytes / max(self.n_cells * prod(self.cell_shape[:2]), 1)

    @property
    def bits_per_pixel_without_model(self) -> float:
        """The same without the model."""
        stored = self.cells_bytes - self.model_bytes
        return 8 * stored / max(self.n_cells * prod(self.cell_shape[:2]), 1)

    def to_json(self) -> dict[str, Any]:
        """As a machine reads it."""
        return asdict(self) | {
            "bits_per_pixel": self.bits_per_pixel,
            "bits_per_pixel_without_model": self.bits_per_pixel_without_model,
        }


def archive_info(target: Target) -> ArchiveInfo:
    """Read what an archive says of itself, and the sizes of what is stored.

    Raises
    ------
    InputError
        If there is no archive.
    ZarrmalError
        If its metadata are damaged.
    """
    group = target.open()
    facts = read_facts(group, target.url, incomplete=True)
    array = cells_array(group)
    configuration = codec_configuration(array)
    model = model_of(configuration)
    sizes = target.sizes()
    expect_room(max(array.shape[0], facts.n_cells), sum(sizes.values()))
    metadata = {k: n for k, n in sizes.items() if k.rsplit("/", 1)[-1] in METADATA_NAMES}
    chunks = {k: n for k, n in sizes.items() if k not in metadata}
    mine = f"{CELLS}/"
    chunk_bytes = sum(n for k, n in chunks.items() if k.startswith(mine))
    latent_bytes = _latent_bytes(model, group, array)
    model_bytes = len(configuration.model)
    return ArchiveInfo(
        url=target.shown,
        zarr_format=group.metadata.zarr_format,
        complete=facts.complete,
        n_cells=facts.n_cells,
        cell_shape=array.shape[1:],
        chunk_cells=array.chunks[0],
        classes=facts.class_counts,
        profile=facts.profile,
        sha256=facts.sha256,
        software=facts.software,
        model=repr(model),
        raw_bytes=prod(array.shape),
        payload_bytes=chunk_bytes - latent_bytes,
        latent_bytes=latent_bytes,
        model_bytes=model_bytes,
        other_metadata_bytes=sum(metadata.values()) - model_bytes,
        index_bytes=sum(n for k, n in chunks.items() if not k.startswith(mine)),
        cells_bytes=chunk_bytes + sum(n for k, n in metadata.items() if k.startswith(mine)),
    )


def _latent_bytes(model: Model, group: zarr.Group, array: zarr.Array[Any]) -> int:
    """By the chunks' headers: blank cells and chunks in a fallback mode hold no latent vectors."""
    if model.profile != PROFILE_PAPER:
        return 0  # entropy-coded with the pixels: part of the payload
    latents = np.array([one.network("decoder")[0].n_inputs for one in model.classes])

    def one(k: int) -> int:
        try:
            return sum(int(latents[c[c < len(latents)]].sum()) for c in _classes(group, array, k))
        except (ZarrmalError, OSError):
            return 0  # for verify to tell

    with ThreadPoolExecutor(16) as pool:
        return sum(pool.map(one, range(Grid.of(array).n_objects(array.shape[0]))))


def _classes(group: zarr.Group, array: zarr.Array[Any], k: int) -> Iterator[NDArray[np.uint8]]:
    """Class of each cell that is not blank, of the chunks in stored object ``k``, by headers."""
    grid, limit = Grid.of(array), header_limit(array.chunks)
    key = join_key(array.path, grid.key(array, k))
    places: list[tuple[int, int] | None] = [(0, limit)]
    if grid.sharded:
        n_index = index_bytes(grid.chunks_per_object)
        index = get_bytes(group.store, key, RangeByteRequest(0, n_index))
        places = [] if index is None else read_index(index, grid.chunks_per_object)
    for offset, length in filter(None, places):
        part = RangeByteRequest(offset, offset + min(length, limit))
        head = get_bytes(group.store, key, part)
        found = None if head is None else parse_header(memoryview(head)).index
        if found is not None:
            yield found.classes


def cells_array(group: zarr.Group) -> zarr.Array[Any]:
    """The array ``cells``; CorruptionError if it isn't there."""
    array = find_array(group, CELLS)
    if array is None or array.ndim not in (3, 4) or array.dtype != "uint8":
        raise CorruptionError(f"the archive has no array `{CELLS}` of cell images")
    return array


def codec_configuration(array: zarr.Array[Any]) -> Configuration:
    """The configuration of the zarrmal codec of an array."""
    codecs: list[Any] = list(array.compressors)
    if array.metadata.zarr_format == 3:
        codecs = [array.serializer]
        if isinstance(codecs[0], ShardingCodec):
            codecs = list(codecs[0].codecs)
    for codec in codecs:
        if isinstance(codec, ZarrmalCodec):
            return codec.configuration
        if isinstance(codec, NumcodecsZarrmal):
            return codec.configuration
    raise CorruptionError(f"the array `{CELLS}` is not written with the zarrmal codec")


def model_of(configuration: Configuration) -> Model:
    """The model in a configuration, parsed and checked anew."""
    return Model.from_base64(configuration.model, configuration.sha256)
