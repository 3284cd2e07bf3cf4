"""The arrays beside the cells, read chunk by chunk: which values are sound, which are lost."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from ....sources.columns.provenance import CUT_SHARE, EQUIVALENT_DIAMETER, SLIDE
from ...format import CLASS_PROBABILITY, JPEG_FRAME, SOURCE_GROUP, SOURCE_NAME, SPLIT
from ...opened import OpenArchive
from ..chunks.chunks import chunk_key, chunk_starts, expected_digest, stored_object
from ..chunks.findings import Finding
from ..chunks.recover import Kind
from ..consolidated import find_or_copy

TEXTS = (SOURCE_NAME, SOURCE_GROUP, SPLIT, SLIDE, JPEG_FRAME)
INTEGERS = "iu"
KINDS = {
    **dict.fromkeys(TEXTS, "OSTU"),
    **dict.fromkeys((CLASS_PROBABILITY, EQUIVALENT_DIAMETER, CUT_SHARE), "f"),
}
"""NumPy kinds of the arrays that do not hold integers."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredColumn:
    """One value per cell.

    Parameters
    ----------
    name
        Of the array.
    values
        (cell,), in the archive's order; -1, nan or "" where a value is lost. Of JPEG_FRAME, whose
        texts can be as large as the cells, bool: whether a cell has one. See read_frames.
    known
        bool (cell,): the value is the one that was written.
    n_chunks
        Chunks read.
    problems, findings
        Of the array as a whole, and of its chunks.
    """

    name: str
    values: NDArray[Any]
    known: NDArray[np.bool_]
    n_chunks: int = 0
    problems: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = field(default=(), repr=False)

    @property
    def lines(self) -> tuple[str, ...]:
        """All problems, a line each."""
        return (*self.problems, *(finding.line for finding in self.findings))


def read_column(archive: OpenArchive, name: str, n_cells: int) -> StoredColumn | None:
    """What is sound of an array of the archive; None if the archive never had it."""
    array, problem = find_or_copy(archive.group, name, KINDS.get(name, INTEGERS))
    if array is None:
        missing = problem == f"`{name}` is missing" and name not in archive.facts.arrays
        return None if missing else _lost(name, n_cells, str(problem))
    is_longer = array.ndim == 1 and array.shape[0] > n_cells  # by an append, or another program
    if array.shape != (n_cells,) and not is_longer:
        return _lost(name, n_cells, f"`{name}` has shape {array.shape}, not ({n_cells},)")
    if is_longer:
        problem = f"`{name}` holds {array.shape[0]:,} values, the archive says {n_cells:,}"
    values = _kept(name, _empty(array.dtype, n_cells))
    known = np.zeros(n_cells, np.bool_)
    findings = []
    for start in chunk_starts(array, n_cells):
        stop = min(start + array.chunks[0], n_cells)
        kind, fault = _fault(archive, array, start)
        if kind in (None, "no digest"):
            try:
                values[start:stop] = _kept(name, np.asarray(array[start:stop]))
                known[start:stop] = True
            except Exception as error:  # damaged bytes reach numcodecs, which promises no errors
                kind, fault = "undecodable", f"cannot be decoded: {error}"
        if kind is not None:
            lost = () if known[start] else ((start, stop - 1),)
            findings.append(
                Finding(
                    array=name,
                    chunk=chunk_key(array, start),
                    kind=kind,
                    first_cell=start,
                    last_cell=stop - 1,
                    fault=fault,
                    lost=lost,
                )
            )
    return StoredColumn(
        name=name,
        values=values,
        known=known,
        n_chunks=len(chunk_starts(array, n_cells)),
        problems=() if problem is None else (problem,),
        findings=tuple(findings),
    )


def _fault(archive: OpenArchive, array: zarr.Array[Any], start: int) -> tuple[Kind | None, str]:
    try:
        data = stored_object(array, start)
    except OSError as error:
        return "unreadable", f"cannot be read: {error.strerror or error}"
    expected = expected_digest(archive, array, start)
    if archive.is_rewritten and (data is not None or array.fill_value is not None):
        return None, ""  # other writers of Zarr leave chunks of fill values out
    if data is None:
        return "missing", "is missing"  # zarr would give the fill value
    if expected is None:
        return "no digest", "has no digest"
    if hashlib.sha256(data).hexdigest() != expected:
        return "changed", "was changed: its sha256 does not match"
    return None, ""


def _lost(name: str, n_cells: int, problem: str) -> StoredColumn:
    empty = _empty("O" if name in TEXTS else np.int64, n_cells)
    return StoredColumn(
        name=name,
        values=_kept(name, empty),
        known=np.zeros(n_cells, np.bool_),
        problems=(problem,),
    )


def _kept(name: str, values: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(values != "", np.bool_) if name == JPEG_FRAME else values


def _empty(dtype: Any, n_cells: int) -> NDArray[Any]:
    kind = np.dtype(dtype).kind
    if kind in "iub":
        return np.full(n_cells, -1, np.int64)
    return np.full(n_cells, np.nan) if kind == "f" else np.full(n_cells, "", object)
