"""An opened archive: its location, group and facts, its arrays, the model of its cells."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import ShardingCodec
from zarrmal_codecs import CorruptionError, Model, NumcodecsZarrmal, ZarrmalCodec, ZarrmalError
from zarrmal_codecs.chunk.coder import Coder
from zarrmal_codecs.plugins.configuration import Configuration

from ..classify.assignment import ONE_CLASS
from ..errors import InputError, MissingError
from ..lazy import lazy
from ..sources.arrays.archive_facts import archive_facts, parse_archive_attribute
from ..sources.arrays.zarr_names import channel_names, dimension_names
from ..sources.dimensions import archive_dimensions
from ..sources.limits import PIXEL_KINDS
from .contents import Contents
from .digests import Digests, read_digests
from .format import (
    ATTRIBUTE,
    BACKUP,
    BASE_NAMES,
    CELLS,
    DAMAGED_FACTS,
    LONG_NAMES,
    MASK,
    ArchiveFacts,
    Grid,
)
from .lock.journal import Journal, read_journal
from .lock.staging import staging_location
from .storage.location import UNREADABLE_METADATA, Location, Mode
from .storage.objects import get_bytes, join_key


class OpenArchive:
    """One state of an archive.

    Parameters
    ----------
    location, group
        The archive. The group goes by its consolidated metadata, or by each array's own documents.
    facts
        The group's attribute.
    digests
        Of what is stored; None reads them when they are needed.
    journal
        Of the append that goes on, or was interrupted; None where there is none or none was looked
        for.
    cells
        The array of cells; None looks it up in the group.
    n_cells
        None takes the facts' number.
    problems
        What is wrong with the documents, a line each.
    is_rewritten
        Another program has stored the arrays: their digests are not known, and each chunk of
        ``cells`` is checked by its own CRC-32 alone. See read/copied.py.
    """

    def __init__(
        self,
        location: Location,
        group: zarr.Group,
        facts: ArchiveFacts,
        *,
        digests: Digests | None = None,
        journal: Journal | None = None,
        cells: zarr.Array[Any] | None = None,
        n_cells: int | None = None,
        problems: tuple[str, ...] = (),
        is_rewritten: bool = False,
    ) -> None:
        self.location, self.group, self.facts = location, group, facts
        self.journal, self.problems = journal, problems
        self.is_rewritten = is_rewritten
        self.contents: Contents | None = None
        """What the headers of the chunks tell, where the writer has counted it."""
        self._arrays: dict[str, zarr.Array[Any] | None] = {}
        self.n_cells = facts.n_cells if n_cells is None else n_cells
        if cells is not None:
            self.cells = cells
        if digests is not None:
            self.digests = digests

    @classmethod
    def at(
        cls,
        location: Location,
        *,
        mode: Mode = "r",
        incomplete: bool = False,
        consolidated: bool | None = None,
    ) -> Self:
        """Open what is stored at a location.

        Parameters
        ----------
        incomplete
            Open an archive whose first write was interrupted, too.
        consolidated
            See Location.open_group.

        Raises
        ------
        MissingError
            If there is nothing.
        InputError
            If it is not an archive, or incomplete.
        ZarrmalError
            If its metadata are damaged.
        """
        try:
            group = location.open_group(mode, consolidated=consolidated)
        except MissingError:
            stage = staging_location(location)
            if stage is None or not stage.holds_zarr():
                raise
            journal = read_journal(location)
            remedy = "run `zarrmal archive` again" if journal is None else journal.remedy
            raise MissingError(
                f"{location.url} is being written, or that was interrupted: {remedy}"
            ) from None
        return cls(location, group, read_facts(group, location.url, incomplete=incomplete))

    @lazy
    def cells(self) -> zarr.Array[Any]:
        """The array of cell images; CorruptionError if it is not there."""
        return cells_array(self.group)

    @lazy
    def digests(self) -> Digests:
        """SHA-256 of the stored objects; empty, with a problem, where they cannot be read."""
        tree = archive_facts(self.group) or {}
        if isinstance(tree.get("digests"), Mapping):  # an earlier draft's
            try:
                return Digests.from_json(tree["digests"], tree["metadata_digests"])
            except DAMAGED_FACTS as error:
                raise CorruptionError(
                    f"the archive's attribute `{ATTRIBUTE}` is damaged: {error!r}"
                ) from None
        return read_digests(self.group, self.facts.digests)

    @property
    def cell_shape(self) -> tuple[int, ...]:
        """(y, x) or (y, x, channel), wherever the channel is stored."""
        shape = self.cells.shape[1:]
        return (*shape[1:], shape[0]) if self.channel_first else shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels, in this machine's byte order."""
        return np.dtype(self.cells.dtype).newbyteorder("=")

    @property
    def channel_first(self) -> bool:
        """Whether cells are stored as (cell, channel, y, x), by the names of the dimensions."""
        return dimension_names(self.cells) == archive_dimensions(4, True)

    def channel_last(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """A view of stored cells as (cell, y, x[, channel])."""
        return np.moveaxis(pixels, 1, 3) if self.channel_first else pixels

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Of the channels; empty where they are not known."""
        return channel_names(self.cells)

    @property
    def grid(self) -> Grid:
        """Chunks of the cells."""
        return Grid.of(self.cells)

    @lazy
    def configuration(self) -> Configuration:
        """Of the codec of the cells."""
        return codec_configuration(self.cells)

    @lazy
    def model(self) -> Model | None:
        """The model in the codec's configuration, parsed and checked anew; None without one."""
        return parsed_model(self.configuration)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Of the model's classes."""
        return classes_of(self.model)

    @lazy
    def coder(self) -> Coder | None:
        """Encodes and decodes with the model; None without one."""
        return None if self.model is None else Coder(self.model)

    @property
    def mask_array(self) -> zarr.Array[Any] | None:
        """The array ``mask``; None without."""
        return self.array(MASK)

    @property
    def n_masks(self) -> int:
        """Masks of each cell in the array ``mask``; 0 without it, or where it cannot be opened."""
        try:
            array = self.mask_array
        except ZarrmalError:
            return 0
        if array is None:
            return 0
        return array.shape[1] if array.ndim == 4 else 1

    @property
    def array_names(self) -> set[str]:
        """Names of the arrays that are there."""
        return {name for name in LONG_NAMES if self.array(name) is not None}

    def array(self, name: str) -> zarr.Array[Any] | None:
        """One of the archive's arrays, None if there is none; CorruptionError if it is damaged.

        It is looked for once, which costs requests.
        """
        if name not in BASE_NAMES and name not in self.facts.arrays:
            return None  # another program's
        if name not in self._arrays:
            self._arrays[name] = find_array(self.group, name)
        return self._arrays[name]

    def digest(self, array: str, key: str) -> str | None:
        """SHA-256 that a stored object must have; None if the archive states none."""
        return self.digests.of(array).get(key)


def parsed_model(configuration: Configuration) -> Model | None:
    """The model of a codec, parsed and checked anew; None without one."""
    if not configuration.model:
        return None
    return Model.from_base64(configuration.model, configuration.sha256)


def classes_of(model: Model | None) -> tuple[str, ...]:
    """Names of the classes of an archive with this model."""
    return ONE_CLASS if model is None else model.class_names


def read_facts(group: zarr.Group, where: str, *, incomplete: bool = False) -> ArchiveFacts:
    """The archive's facts; InputError if the group is no archive, or (by default) incomplete.

    Where another program has removed the group's attribute, its backup is read.
    """
    damage = None
    try:
        tree = parse_archive_attribute(group.attrs.get(ATTRIBUTE))
    except ValueError as error:
        tree, damage = None, f"the archive's attribute `{ATTRIBUTE}` is damaged: {error}"
    if tree is None:
        tree = stored_backup(group)
    if tree is None and damage is not None:
        raise CorruptionError(damage)
    if tree is None:
        raise InputError(f"{where} is a Zarr group, but not an archive that zarrmal wrote: open it "
                         f"with zarr or xarray")  # fmt: skip
    facts = ArchiveFacts.from_json(tree)
    if not facts.complete and not incomplete:
        raise InputError(
            f"{where} is an incomplete archive: its first write was interrupted. Resume it with "
            f"`zarrmal archive --resume`, or start anew with --overwrite"
        )
    return facts


def stored_backup(group: zarr.Group) -> Mapping[str, Any] | None:
    """The object that repeats the archive's attribute; None if there is none, or a damaged one."""
    try:
        tree = json.loads(get_bytes(group.store, join_key(group.path, BACKUP)) or b"null")
    except Exception:  # damaged, not readable, or a store that takes no such key, as Icechunk
        return None
    return tree if isinstance(tree, Mapping) else None


def find_array(group: zarr.Group, name: str) -> zarr.Array[Any] | None:
    """An array of the group, None if there is none.

    One that only the consolidated metadata lack is read by its own document.

    Raises
    ------
    CorruptionError
        If its metadata are damaged.
    """
    try:
        array = group.get(name)
        if array is None and _consolidated_metadata_lack(group, name):
            array = reopened(group, consolidated=False).get(name)
    except ZarrmalError:
        raise
    except UNREADABLE_METADATA as error:
        raise CorruptionError(f"the metadata of `{name}` are damaged: {error}") from error
    except OSError as error:
        why = error.strerror or error
        raise CorruptionError(f"the metadata of `{name}` cannot be read: {why}") from error
    return array if isinstance(array, zarr.Array) else None


def _consolidated_metadata_lack(group: zarr.Group, name: str) -> bool:
    """The group goes by consolidated metadata, yet its facts name such an array."""
    if group.metadata.consolidated_metadata is None:
        return False
    tree = archive_facts(group) or {}
    names = tree.get("arrays", tree.get("digests"))
    return isinstance(names, list | Mapping) and name in names


def reopened(group: zarr.Group, *, consolidated: bool) -> zarr.Group:
    """The same group by its consolidated metadata, or by each array's own documents."""
    return zarr.open_group(
        group.store,
        path=group.path,
        mode="r" if group.store.read_only else "r+",
        zarr_format=group.metadata.zarr_format,
        use_consolidated=consolidated,
    )


def cells_array(group: zarr.Group) -> zarr.Array[Any]:
    """The array ``cells``; CorruptionError if it is not there."""
    array = find_array(group, CELLS)
    if array is None or array.ndim not in (3, 4) or np.dtype(array.dtype).kind not in PIXEL_KINDS:
        raise CorruptionError(f"the archive has no array `{CELLS}` of cell images")
    return array


def codec_configuration(array: zarr.Array[Any]) -> Configuration:
    """The configuration of the zarrmal codec of an array; CorruptionError if it has none."""
    codecs: list[Any] = list(array.compressors)
    if array.metadata.zarr_format == 3:
        codecs = [array.serializer]
        if isinstance(codecs[0], ShardingCodec):
            codecs = list(codecs[0].codecs)
    for codec in codecs:
        if isinstance(codec, ZarrmalCodec | NumcodecsZarrmal):
            return codec.configuration
    raise CorruptionError(f"the array `{CELLS}` is not written with the zarrmal codec")


def shape_text(cell_shape: tuple[int, ...]) -> str:
    """``50 x 50 x 3``, for messages."""
    return " x ".join(map(str, cell_shape))
