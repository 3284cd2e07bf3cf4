"""Re-reading an archive and checking everything that can be checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarrmal_codecs import CorruptionError, ZarrmalError
from zarrmal_codecs.chunk import decode_chunk
from zarrmal_codecs.coder import Coder

from ..errors import InputError
from ..progress import Progress, silent
from ..sources import Source
from . import layout
from .info import cells_array, codec_configuration, model_of
from .layout import ArchiveFacts
from .stored import metadata_digests, stored_bytes
from .target import UNREADABLE_METADATA, Target, find_array, read_facts


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What was found.

    Parameters
    ----------
    problems
        One line each; empty when all is well.
    n_cells, n_chunks
        Checked.
    compared
        The pixels were compared with the source.
    """

    problems: tuple[str, ...]
    n_cells: int
    n_chunks: int
    compared: bool

    def to_json(self) -> dict[str, Any]:
        """As a machine reads it."""
        return asdict(self) | {"ok": not self.problems}


def verify_archive(
    target: Target, source: Source | None = None, progress: Progress = silent
) -> VerifyReport:
    """Check every stored byte, decode every cell, and compare with the source if it is given.

    Raises
    ------
    InputError
        If there is no archive at all, or the source is not the one of the archive.
    ZarrmalError
        If the metadata are too damaged to go on.
    """
    group = target.open(consolidated=False)  # every document itself
    facts = read_facts(group, target.url, incomplete=True)
    problems: list[str] = []
    if not facts.complete:
        problems.append("the archive is marked as incomplete: its writing was interrupted")
    array = cells_array(group)
    model = model_of(codec_configuration(array))
    if (model.class_names, model.profile) != (facts.classes, facts.profile):
        problems.append("the model has other classes, or another profile, than the archive says")
    _check_metadata(group, facts, problems)
    if model.digest != facts.sha256:
        problems.append(f"the model has sha256 {model.digest}, the archive promises {facts.sha256}")
    index = _read_index(group, facts, problems)
    if source is not None and (source.n_cells, source.cell_shape) != (
        facts.n_cells,
        array.shape[1:],
    ):
        raise InputError(
            f"the source has {source.n_cells} cells of {source.cell_shape}, the archive "
            f"{facts.n_cells} of {array.shape[1:]}: give the same --size and --channel as when "
            f"it was written"
        )
    if array.shape[0] != facts.n_cells:
        problems.append(f"`cells` holds {array.shape[0]} cells, the archive promises "
                        f"{facts.n_cells}")  # fmt: skip
    coder = Coder(model)
    n_chunks = 0
    held = {name for name in layout.LONG_NAMES if find_array(group, name) is not None}
    for name in sorted({*facts.digests, *held} - {layout.CELLS}):
        n_chunks += _check_digests(group, name, facts, problems)
    _check_metadata_digests(group, facts, problems)
    if array.chunks[1:] != array.shape[1:]:
        raise CorruptionError(
            f"`{layout.CELLS}` is cut into chunks of {array.chunks}: a chunk of an archive holds "
            f"whole cells"
        )
    for start in range(0, array.shape[0], array.chunks[0]):
        rows = np.arange(start, min(start + array.chunks[0], array.shape[0]))
        _check_cells(group, array, rows, coder, index, facts, source, problems)
        n_chunks += 1
        progress("verifying cells", int(rows[-1]) + 1, array.shape[0])
    if source is not None:
        _compare_index(index, source, facts, problems)
    return VerifyReport(
        problems=tuple(problems),
        n_cells=facts.n_cells,
        n_chunks=n_chunks,
        compared=source is not None,
    )


Index = dict[str, NDArray[Any]]


def _read_index(group: zarr.Group, facts: ArchiveFacts, problems: list[str]) -> Index:
    index: Index = {}
    for name in (
        layout.PREDICTED_CLASS,
        layout.LABEL,
        layout.SOURCE_INDEX,
        layout.SOURCE_NAME,
        layout.SOURCE_GROUP,
    ):
        array = find_array(group, name)
        if array is None:
            continue
        try:
            values = np.asarray(array[:])
        except Exception as error:  # damaged bytes reach numcodecs, which promises no errors
            problems.append(f"`{name}` cannot be read: {error}")
            continue
        if values.shape != (facts.n_cells,):
            problems.append(f"`{name}` has shape {values.shape}, not ({facts.n_cells},)")
            continue
        index[name] = values
    order = index.get(layout.SOURCE_INDEX)
    if order is None or not np.array_equal(np.sort(order), np.arange(facts.n_cells)):
        problems.append(f"`{layout.SOURCE_INDEX}` does not name every cell of the source once")
        index.pop(layout.SOURCE_INDEX, None)
    classes = index.get(layout.PREDICTED_CLASS)
    if classes is None:
        problems.append(f"`{layout.PREDICTED_CLASS}` is missing")
    else:
        wanted = np.empty(facts.n_cells, np.uint8)
        for k in range(len(facts.classes)):
            wanted[facts.cells_of(k)] = k
        if not np.array_equal(classes, wanted):
            problems.append(f"`{layout.PREDICTED_CLASS}` is not sorted as the archive promises")
    return index


def _check_metadata(group: zarr.Group, facts: ArchiveFacts, problems: list[str]) -> None:
    """What readers go by beside the pixels: dimension names, flags, the consolidated copy."""
    flags = {layout.PREDICTED_CLASS: facts.classes, layout.LABEL: facts.label_names}
    for name in layout.LONG_NAMES:
        array = find_array(group, name)
        if array is None:
            continue
        attributes = dict(array.attrs)
        wanted = layout.flag_attributes(flags[name]) if name in flags else {}
        if any(attributes.get(key) != value for key, value in wanted.items()):
            problems.append(f"`{name}`: its flags do not name the archive's classes")
        v3 = group.metadata.zarr_format == 3
        names: Any = attributes.get("_ARRAY_DIMENSIONS")
        if v3:
            names = getattr(array.metadata, "dimension_names", None)
        if list(names or ()) != list(layout.dimensions(array.ndim)):
            problems.append(f"`{name}`: its dimensions are named {names}")
    for key, copy in _consolidated(group).items():
        data = stored_bytes(group, f"{group.path}/{key}".lstrip("/"))
        if data is None or json.loads(data) != copy:
            problems.append(f"the consolidated metadata differ from {key}: readers may take either")


def _consolidated(group: zarr.Group) -> dict[str, Any]:
    """The copy of each metadata document, by the document's key."""
    v3 = group.metadata.zarr_format == 3
    name = "zarr.json" if v3 else ".zmetadata"
    data = stored_bytes(group, f"{group.path}/{name}".lstrip("/"))
    try:
        tree = {} if data is None else json.loads(data)
        if not v3:
            return dict(tree["metadata"]) if tree else {}
        copies = (tree.get("consolidated_metadata") or {"metadata": {}})["metadata"]
        return {f"{key}/{name}": copy for key, copy in copies.items()}
    except UNREADABLE_METADATA as error:
        raise CorruptionError(f"the consolidated metadata are damaged: {error}") from error


def _check_digests(group: zarr.Group, name: str, facts: ArchiveFacts, problems: list[str]) -> int:
    promised = facts.digests.get(name, {})
    array = find_array(group, name)
    if array is None:
        problems.append(f"`{name}` is missing")
        return 0
    keys = [array.metadata.encode_chunk_key(c) for c in np.ndindex(array.cdata_shape)]
    for key in keys:
        _check_digest(name, key, stored_bytes(group, f"{array.path}/{key}"), promised, problems)
    return len(keys)


def _check_digest(
    name: str, key: str, data: bytes | None, promised: Mapping[str, str], problems: list[str]
) -> None:
    if data is None:
        problems.append(f"`{name}`: chunk {key} is missing")
    elif key not in promised:
        problems.append(f"`{name}`: chunk {key} has no digest")
    elif hashlib.sha256(data).hexdigest() != promised[key]:
        problems.append(f"`{name}`: chunk {key} was changed: its sha256 does not match")


def _check_metadata_digests(group: zarr.Group, facts: ArchiveFacts, problems: list[str]) -> None:
    found = metadata_digests(group, facts.digests)
    for key in sorted(found.keys() | facts.metadata_digests.keys()):
        if found.get(key) != facts.metadata_digests.get(key):
            problems.append(f"{key} was changed after the archive was written")


def _check_cells(
    group: zarr.Group,
    array: zarr.Array[Any],
    rows: NDArray[np.int64],
    coder: Coder,
    index: Index,
    facts: ArchiveFacts,
    source: Source | None,
    problems: list[str],
) -> None:
    """Fetch a chunk once: its digest, its pixels, and the source's."""
    chunk = (int(rows[0]) // array.chunks[0], *[0] * (array.ndim - 1))
    key = array.metadata.encode_chunk_key(chunk)
    where = f"`cells`: chunk {key} (cells {rows[0]} to {rows[-1]})"
    data = stored_bytes(group, f"{array.path}/{key}")
    _check_digest(layout.CELLS, key, data, facts.digests.get(layout.CELLS, {}), problems)
    if data is None:
        return
    try:
        pixels = decode_chunk(data, coder, shape=array.chunks)
    except ZarrmalError as error:
        problems.append(f"{where} cannot be decoded: {error}")
        return
    if pixels[len(rows) :].any():
        problems.append(f"{where} is padded with something else than zeros")
    order = index.get(layout.SOURCE_INDEX)
    if source is not None and order is not None:
        wanted = source.read(order[rows])
        differ = (pixels[: len(rows)] != wanted).reshape(len(rows), -1).any(axis=1)
        if differ.any():
            first = int(order[rows[int(differ.argmax())]])
            problems.append(f"{where}: {int(differ.sum())} cells differ from the source, the first "
                            f"is number {first} there")  # fmt: skip


def _compare_index(index: Index, source: Source, facts: ArchiveFacts, problems: list[str]) -> None:
    order = index.get(layout.SOURCE_INDEX)
    if order is None:
        return
    pairs: list[tuple[str, NDArray[Any] | None, NDArray[Any] | None]] = []
    names = index.get(layout.SOURCE_NAME)
    groups = index.get(layout.SOURCE_GROUP)
    pairs.append((layout.SOURCE_NAME, names, source.names))
    pairs.append((layout.SOURCE_GROUP, groups, source.groups))
    labels = index.get(layout.LABEL)
    if labels is not None and int(labels.max()) >= len(facts.label_names):
        problems.append(f"`{layout.LABEL}` holds {labels.max()}, the archive names "
                        f"{len(facts.label_names)} labels")  # fmt: skip
    elif labels is not None and source.labels is not None:
        mine = np.array(facts.label_names)[labels]
        theirs = np.array(source.class_names)[source.labels]
        pairs.append((layout.LABEL, mine, theirs))
    for name, stored, given in pairs:
        if stored is None or given is None:
            continue
        if stored.tolist() != np.asarray(given)[order].tolist():
            problems.append(f"`{name}` differs from the source")
