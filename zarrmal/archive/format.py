"""What an archive looks like on disk (ARCHIVE 1): its arrays, its attribute, its grid of chunks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import ShardingCodec
from zarrmal_codecs import CompatibilityError, CorruptionError

from ..errors import InputError
from ..sources.arrays.archive_facts import ARCHIVE_ATTRIBUTE, DIGESTS_GROUP
from ..sources.columns.provenance import PROVENANCE
from ..sources.columns.provenance import UNITS as PROVENANCE_UNITS
from ..sources.dimensions import archive_dimensions
from ..sources.limits import MAX_LABELS as MAX_LABELS
from ..sources.preprocessing import Preprocessing
from .shard import IndexLocation

ARCHIVE_FORMAT = 1
ATTRIBUTE = ARCHIVE_ATTRIBUTE
NEEDS_ATTRIBUTE, NEEDS = "needs", "to read `cells`: pip install zarrmal-codecs"
"""On the group, which opens without the codec; zarr itself says only "Unknown codec: 'zarrmal'"."""
CELLS = "cells"
MASK = "mask"
PLANES = (CELLS, MASK)
"""Arrays with planes of each cell, in chunks of the same cells; the others hold a value a cell."""
CHANNEL_NAMES, MASK_NAMES = "channel_names", "mask_names"
"""Attributes of ``cells`` and ``mask``, where the names are known."""
JPEG_FRAME = "jpeg_frame"
"""Texts beside the cells, a chunk for each stored object of ``cells``; see JpegFrame."""
WITH_CELLS = (*PLANES, JPEG_FRAME)
"""Arrays that are stored object by object with the cells."""
PREDICTED_CLASS = "predicted_class"
CLASS_PROBABILITY = "class_probability"
LABEL = "label"
HEIGHT, WIDTH = "height", "width"
SIZES = (HEIGHT, WIDTH)
SOURCE_INDEX = "source_index"
SOURCE_NAME = "source_name"
SOURCE_GROUP = "source_group"
SPLIT = "split"

BACKUP = f"{CELLS}/zarrmal.json"
"""Key of an object that repeats the group's attribute.

Programs that copy arrays one by one do not copy it, and none changes it: it tells a copy, which
inherits the attribute, from the archive, and restores an attribute that was removed or replaced.
"""

LONG_NAMES = {
    CELLS: "cell image, grey levels",
    MASK: "mask that lay beside the cell image",
    JPEG_FRAME: "JPEG file of the cell without its coefficients: head, tail, fill bits in base64, "
    "CRC-32 in hexadecimal",
    PREDICTED_CLASS: "class whose model coded the cell",
    CLASS_PROBABILITY: "probability of the predicted class",
    LABEL: "class known beforehand",
    SOURCE_INDEX: "place of the cell in the source, from 0",
    SOURCE_NAME: "original name of the image",
    SOURCE_GROUP: "slide, or other group, that the cell comes from",
    SPLIT: "split of the data set that the cell belongs to, such as train or test",
    HEIGHT: "height of the cell in pixels; beyond it the image is zero",
    WIDTH: "width of the cell in pixels; beyond it the image is zero",
    **PROVENANCE,
}
UNITS = {CLASS_PROBABILITY: "1", HEIGHT: "pixel", WIDTH: "pixel", **PROVENANCE_UNITS}
ARRAY_NAMES = frozenset(LONG_NAMES)
BASE_NAMES = ARRAY_NAMES - frozenset(PROVENANCE)
"""The archive's own wherever they are; those of PROVENANCE only where its attribute names them, as
other programs use such names too."""
OWN_NAMES = ARRAY_NAMES | {DIGESTS_GROUP}
"""What an archive holds below its group."""
INDEX_CHUNK_CELLS = 65_536
MAX_CONSOLIDATED_MODEL_BYTES = 1_000_000
"""Consolidated metadata repeat the model; beyond this size that costs more than it saves.

A copy that exists is kept up to date whatever its size, or its readers would see the old state.
"""
DAMAGED_FACTS = (
    InputError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
)
"""What parsing damaged facts raises."""


def dimensions(name: str, rank: int, *, channel_first: bool = False) -> tuple[str, ...]:
    """Dimension names of one of an archive's arrays.

    Parameters
    ----------
    channel_first
        Of ``cells``: the channel lies before y and x.
    """
    if name == MASK and rank == 4:  # a dimension and a variable of one name would be a coordinate
        return ("cell", "mask_plane", "y", "x")
    return archive_dimensions(rank, channel_first and name == CELLS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """How an array's cells lie in chunks, and chunks in stored objects; a chunk holds whole cells.

    Parameters
    ----------
    chunk_cells
        Cells of a chunk.
    object_cells
        Cells of a stored object: of a shard, or, where there are none, of a chunk.
    sharded
        Objects are shards, even of a single chunk.
    index_location
        Of the index in a shard.
    """

    chunk_cells: int
    object_cells: int
    sharded: bool
    index_location: IndexLocation = "start"

    @classmethod
    def of(cls, array: zarr.Array[Any]) -> Self:
        """The grid of an array whose first dimension are cells."""
        shards = array.shards
        return cls(
            chunk_cells=array.chunks[0],
            object_cells=array.chunks[0] if shards is None else shards[0],
            sharded=shards is not None,
            index_location=_index_location(array),
        )

    @property
    def chunks_per_object(self) -> int:
        """Chunks in a stored object."""
        return self.object_cells // self.chunk_cells

    def n_objects(self, n_cells: int) -> int:
        """Stored objects that ``n_cells`` take."""
        return -(-n_cells // self.object_cells)

    def key(self, array: zarr.Array[Any], k: int) -> str:
        """Key of stored object ``k`` below the array."""
        return str(array.metadata.encode_chunk_key((k, *[0] * (array.ndim - 1))))


def _index_location(array: zarr.Array[Any]) -> IndexLocation:
    codecs = getattr(array.metadata, "codecs", ())
    sharding = next((codec for codec in codecs if isinstance(codec, ShardingCodec)), None)
    location: Any = None if sharding is None else sharding.index_location
    is_at_end = getattr(location, "value", location) == "end"  # zarr 3.1 has an enumeration here
    return "end" if is_at_end else "start"


@dataclass(frozen=True, slots=True, kw_only=True)
class LatticeSaving:
    """What a sample of the cells saves that are stored as JPEG coefficients.

    Parameters
    ----------
    n_cells
        Of the sample.
    stored_bytes, pixel_bytes
        Of their streams, and of those that their pixels would take.
    """

    n_cells: int = 0
    stored_bytes: int = 0
    pixel_bytes: int = 0

    @property
    def share(self) -> float | None:
        """Share of the bytes that is saved; None without a sample."""
        return 1 - self.stored_bytes / self.pixel_bytes if self.pixel_bytes else None

    def __add__(self, other: LatticeSaving) -> LatticeSaving:
        return LatticeSaving(
            n_cells=self.n_cells + other.n_cells,
            stored_bytes=self.stored_bytes + other.stored_bytes,
            pixel_bytes=self.pixel_bytes + other.pixel_bytes,
        )

    def to_json(self) -> dict[str, int]:
        """The tree of the attribute's member."""
        return asdict(self)

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Self:
        """Inverse of to_json."""
        return cls(**{each.name: int(tree[each.name]) for each in fields(cls)})


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveFacts:
    """The group's attribute ``zarrmal`` (ARCHIVE 2).

    Parameters
    ----------
    complete
        Everything else is stored; written last.
    n_cells
        Number of cells.
    classes
        Names, in the order of the class indices.
    segments
        One for the first write and one for each append: the cell at which each class starts in
        it, and the cell at which it ends. Within a segment cells are sorted by class.
    profile, sha256
        Of the model; both empty without one.
    arrays
        Names of the archive's arrays.
    digests
        SHA-256 of the stored digests, see digests.py; "" in an archive without cells, and in those
        of earlier drafts, whose attribute holds the digests themselves.
    software
        Name and version of the writer.
    backup
        The object BACKUP is stored; false while incomplete, and in stores without such objects.
    label_names
        Names that the array ``label`` refers to; empty without labels.
    preprocessing
        What was done to the original pixels; None in archives of earlier drafts, which do not
        record it.
    lattice
        What coefficients save, measured when the cells were written; absent where no cell is
        stored as such.
    """

    complete: bool
    n_cells: int
    classes: tuple[str, ...]
    segments: tuple[tuple[int, ...], ...]
    profile: str
    sha256: str
    software: str
    arrays: tuple[str, ...] = ()
    digests: str = ""
    label_names: tuple[str, ...] = ()
    backup: bool = False
    preprocessing: Preprocessing | None = None
    lattice: LatticeSaving = LatticeSaving()

    @property
    def class_counts(self) -> dict[str, int]:
        """Cells of each class."""
        counts = [sum(e[k + 1] - e[k] for e in self.segments) for k in range(len(self.classes))]
        return dict(zip(self.classes, counts, strict=True))

    @property
    def are_classes_told(self) -> bool:
        """False where nothing tells classes apart.

        The model has several, but all cells are in one of them, without labels or a classifier.
        """
        n_used = sum(n > 0 for n in self.class_counts.values())
        is_known = LABEL in self.arrays or CLASS_PROBABILITY in self.arrays
        return is_known or len(self.classes) < 2 or n_used != 1

    def cells_of(self, k: int) -> NDArray[np.int64]:
        """int64: the archive's cells of class ``k``, ascending."""
        runs = [np.arange(edges[k], edges[k + 1]) for edges in self.segments]
        return np.concatenate([np.empty(0, np.int64), *runs])

    def to_json(self) -> dict[str, Any]:
        """The tree of the attribute."""
        return {
            "format": ARCHIVE_FORMAT,
            "complete": self.complete,
            "n_cells": self.n_cells,
            "classes": list(self.classes),
            "segments": [list(edges) for edges in self.segments],
            "profile": self.profile,
            "sha256": self.sha256,
            "label_names": list(self.label_names),
            "preprocessing": None if self.preprocessing is None else self.preprocessing.to_json(),
            "arrays": list(self.arrays),
            "digests": self.digests,
            "software": self.software,
            "backup": self.backup,
            **({"lattice": self.lattice.to_json()} if self.lattice.n_cells else {}),
        }

    def to_attribute(self) -> str:
        """The attribute's value: JSON text, because netCDF holds no nested attributes."""
        return json.dumps(self.to_json())

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Self:
        """Inverse of to_json; takes trees of earlier drafts too.

        Raises
        ------
        CompatibilityError
            If the archive's format is newer.
        CorruptionError
            If a member is missing or of another type.
        """
        version = tree.get("format")
        if isinstance(version, int) and version > ARCHIVE_FORMAT:
            raise CompatibilityError(
                f"the archive has format {version}, this software reads up to {ARCHIVE_FORMAT}: "
                f"upgrade zarrmal"
            )
        if version != ARCHIVE_FORMAT:
            raise CorruptionError(f"the archive's format is {version!r}, not a number from 1 up")
        try:
            facts = cls(
                complete=tree["complete"] is True,
                n_cells=int(tree["n_cells"]),
                classes=tuple(map(str, tree["classes"])),
                segments=tuple(tuple(map(int, edges)) for edges in tree["segments"]),
                profile=str(tree["profile"]),
                sha256=str(tree["sha256"]),
                label_names=tuple(map(str, tree["label_names"])),
                arrays=tuple(map(str, tree["arrays" if "arrays" in tree else "digests"])),
                digests=_digests_sha256(tree["digests"]),
                preprocessing=_preprocessing(tree.get("preprocessing")),
                software=str(tree["software"]),
                backup=tree.get("backup") is True,
                lattice=LatticeSaving.from_json(tree["lattice"])
                if "lattice" in tree
                else LatticeSaving(),
            )
        except DAMAGED_FACTS as error:
            raise CorruptionError(
                f"the archive's attribute `{ATTRIBUTE}` is damaged: {error!r}"
            ) from None
        facts.check_segments()
        return facts

    def check_segments(self) -> None:
        """CorruptionError unless the segments follow one another from 0 to n_cells."""
        edges = [edge for segment in self.segments for edge in segment]
        ends = [0, *(segment[-1] for segment in self.segments if segment)]
        fits = all(len(segment) == len(self.classes) + 1 for segment in self.segments)
        joined = fits and all(s[0] == end for s, end in zip(self.segments, ends, strict=False))
        if not joined or edges != sorted(edges) or ends[-1] != self.n_cells:
            raise CorruptionError(
                f"the archive's segments {list(map(list, self.segments))} do not divide its "
                f"{self.n_cells} cells into {len(self.classes)} classes"
            )


def _digests_sha256(value: Any) -> str:
    if isinstance(value, Mapping):
        return ""  # an earlier draft's
    if not isinstance(value, str) or not re.fullmatch("([0-9a-f]{64})?", value):
        raise ValueError(f"digests are named by a SHA-256, not by {value!r}")
    return value


def _preprocessing(tree: Any) -> Preprocessing | None:
    return None if tree is None else Preprocessing.from_json(tree)


def coordinates(names: Iterable[str]) -> dict[str, str]:
    """The CF attribute of ``cells`` that names what of these arrays tells where a cell lies."""
    own = [name for name in PROVENANCE if name in set(names)]
    return {"coordinates": " ".join(own)} if own else {}


def flag_attributes(names: tuple[str, ...]) -> dict[str, Any]:
    """CF attributes of class indices; meanings are separated by blanks, so hold none themselves.

    A name of nothing but blanks becomes "_". So different names may have one meaning here; the
    archive's own attribute holds them as they are.
    """
    return {
        "flag_values": list(range(len(names))),
        "flag_meanings": " ".join("_".join(name.split()) or "_" for name in names),
    }
