"""Arrays by the consolidated copy of their metadata, where their own documents are damaged."""

from __future__ import annotations

from typing import Any

import numpy as np
import zarr
from zarrmal_codecs import CorruptionError, Model, ZarrmalError

from ..digests import Digests
from ..format import CELLS, ArchiveFacts, Grid
from ..opened import (
    OpenArchive,
    cells_array,
    codec_configuration,
    find_array,
    parsed_model,
    reopened,
)
from ..storage.objects import metadata_digests
from .chunks.chunks import expect_whole_cells

MAX_UNBACKED_CELLS = 10_000_000


def find_or_copy(
    group: zarr.Group, name: str, kinds: str | None = None
) -> tuple[zarr.Array[Any] | None, str | None]:
    """An array, and what is wrong with its metadata; None if neither document can be used.

    Parameters
    ----------
    kinds
        What its values may be, as NumPy's ``dtype.kind``; None takes any.
    """

    def fits(array: zarr.Array[Any]) -> bool:
        return kinds is None or np.dtype(array.dtype).kind in kinds

    try:
        array = find_array(group, name)
    except ZarrmalError as error:
        problem = str(error)
    else:
        if array is not None and fits(array):
            return array, None
        problem = f"`{name}` is missing"
        if array is not None:
            problem = f"the metadata of `{name}` are wrong: it would hold {array.dtype}"
    consolidated = _by_consolidated(group)
    try:
        array = None if consolidated is None else find_array(consolidated, name)
    except ZarrmalError:
        array = None
    if array is None or not fits(array):
        return None, problem
    return array, _with_copy(problem)


def with_sound_cells(archive: OpenArchive, *, prefer_copy: bool = False) -> OpenArchive:
    """The archive with an array ``cells`` that can be read, and the problems of its metadata.

    Where the array and the archive state different numbers of cells, the number is taken from
    whichever of the two is unchanged.

    Parameters
    ----------
    prefer_copy
        Where the metadata of ``cells`` can be read, but do not match their digest, take the copy
        if it differs. Else they are taken as any reader of Zarr takes them.

    Raises
    ------
    ZarrmalError
        If they are damaged, and no sound copy holds the archive's model; or if far more cells are
        declared than there are digests for.
    """
    if archive.is_rewritten:
        return archive  # its facts were taken from the array
    group, facts = archive.group, archive.facts
    array, problem = _find_cells(archive, prefer_copy)
    problems = [text for text in (archive.digests.problem, problem) if text]
    n_cells = array.shape[0]
    if n_cells != facts.n_cells:
        problems.append(f"`{CELLS}` holds {n_cells} cells, the archive promises {facts.n_cells}")
        if _is_changed(archive):
            n_cells = facts.n_cells
    _expect_digests(n_cells, array, archive.digests)
    return OpenArchive(
        archive.location,
        group,
        facts,
        digests=archive.digests,
        journal=archive.journal,
        cells=array,
        n_cells=n_cells,
        problems=(*archive.problems, *problems),
    )


def _find_cells(archive: OpenArchive, prefer_copy: bool) -> tuple[zarr.Array[Any], str | None]:
    group, facts = archive.group, archive.facts
    try:
        array, _ = _cells(group)
    except ZarrmalError as error:
        copy = _copied_cells(group, facts)
        if copy is None:
            raise
        return copy, _with_copy(f"the metadata of `{CELLS}` cannot be used: {error}")
    if prefer_copy and _is_changed(archive):
        copy = _copied_cells(group, facts)
        if copy is not None and copy.metadata.to_dict() != array.metadata.to_dict():
            return copy, _with_copy(f"the metadata of `{CELLS}` were changed")
    return array, None


def _expect_digests(n_cells: int, array: zarr.Array[Any], digests: Digests) -> None:
    """CorruptionError if far more cells are declared than there are digests for.

    Arrays beside the cells are read whole, so that a hostile document could ask for any memory.
    """
    backed = Grid.of(array).object_cells * len(digests.of(CELLS))
    if n_cells > backed + MAX_UNBACKED_CELLS:
        raise CorruptionError(
            f"the archive declares {n_cells:,} cells, its digests are of {backed:,} at most"
        )


def _is_changed(archive: OpenArchive) -> bool:
    """The metadata documents of ``cells`` do not match their digests."""
    actual = metadata_digests(archive.group, [CELLS])
    expected = archive.digests.documents
    return any(expected.get(key) != digest for key, digest in actual.items())


def _copied_cells(group: zarr.Group, facts: ArchiveFacts) -> zarr.Array[Any] | None:
    consolidated = _by_consolidated(group)
    if consolidated is None:
        return None
    try:
        array, model = _cells(consolidated)
    except ZarrmalError:
        return None
    return array if ("" if model is None else model.digest) == facts.sha256 else None


def _cells(group: zarr.Group) -> tuple[zarr.Array[Any], Model | None]:
    array = cells_array(group)
    expect_whole_cells(array)
    return array, parsed_model(codec_configuration(array))


def _with_copy(problem: str) -> str:
    return f"{problem}; the consolidated copy of its metadata is used"


def _by_consolidated(group: zarr.Group) -> zarr.Group | None:
    try:
        return reopened(group, consolidated=True)
    except Exception:  # there is no copy, or it is damaged in whatever way
        return None
