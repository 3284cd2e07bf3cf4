"""What is wrong with a chunk: a line for people, all of it for machines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...format import CELLS
from .chunks import CellsChunk
from .recover import Kind

Ranges = tuple[tuple[int, int], ...]
MAX_RANGES = 8
MAX_NAMES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong with one chunk.

    Parameters
    ----------
    array, chunk
        Name of the array, key of the chunk.
    kind
        ``missing``; ``unreadable``: the store gives an error; ``changed``: other bytes than were
        written, sound in themselves; ``undecodable``; ``no digest``: the archive states none, or
        a damaged one; ``padded`` with something else than zeros; ``beyond``: a cell has pixels
        outside its size; ``differs`` from the source.
    first_cell, last_cell
        The chunk's, as positions in the archive.
    fault
        In words, to follow the chunk's name.
    lost
        Inclusive ranges of positions: the cells of the chunk that cannot be recovered one by one.
        Of kind ``differs`` those that differ. For other arrays than ``cells``, the cells whose
        value is lost.
    source_index, names
        Of the lost cells, in order, as far as the archive still knows them; else -1 and "".
    """

    array: str
    chunk: str
    kind: Kind
    first_cell: int
    last_cell: int
    fault: str
    lost: Ranges = ()
    source_index: tuple[int, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def n_lost(self) -> int:
        """Number of lost cells."""
        return count(self.lost)

    @property
    def line(self) -> str:
        """All of it on one line, long lists cut short."""
        where = f"`{self.array}`: chunk {self.chunk} (cells {self.first_cell} to {self.last_cell})"
        line = f"{where} {self.fault}"
        if self.array != CELLS or self.kind in ("padded", "beyond", "no digest", "differs"):
            return line
        n = self.last_cell - self.first_cell + 1
        if not self.lost:
            return f"{line}; none of its cells is lost"
        if self.n_lost == n:
            return f"{line}; all its {n} cells are lost{self._who()}"
        return f"{line}; {self.n_lost} of its {n} cells lost: {ranges_text(self.lost)}{self._who()}"

    def _who(self) -> str:
        """The first few lost cells by name, or by their index in the source."""
        who: Sequence[Any] = [name for name in self.names if name]
        if not who:
            who = [f"source {k}" for k in self.source_index if k >= 0]
        if not who:
            return ""
        more = ", …" if len(who) > MAX_NAMES else ""
        return f" ({', '.join(who[:MAX_NAMES])}{more})"

    def to_json(self) -> dict[str, Any]:
        """As a machine reads it."""
        return asdict(self) | {"n_lost": self.n_lost}


def cells_finding(
    chunk: CellsChunk,
    source_index: Sequence[int] | NDArray[np.int64],
    names: Sequence[str],
    *,
    kind: Kind | None = None,
    fault: str = "",
    lost: NDArray[np.intp] | None = None,
) -> Finding:
    """A finding about a chunk of ``cells``: by default its fault, and the cells lost by it.

    Parameters
    ----------
    source_index, names
        Of every cell of the archive, -1 and "" where not known; empty where nothing is.
    lost
        Ascending positions in the archive.
    """
    if lost is None:
        bad = ~chunk.recovered.good[: chunk.stop - chunk.start]
        lost = chunk.start + np.flatnonzero(bad)
    kind = kind or chunk.recovered.kind
    assert kind is not None
    positions = lost.tolist()
    return Finding(
        array=chunk.array,
        chunk=chunk.key,
        kind=kind,
        first_cell=chunk.start,
        last_cell=chunk.stop - 1,
        fault=fault or chunk.recovered.fault,
        lost=ranges(lost),
        source_index=tuple(int(source_index[k]) for k in positions) if len(source_index) else (),
        names=tuple(names[k] for k in positions) if len(names) else (),
    )


def ranges(positions: NDArray[np.integer[Any]] | Iterable[int]) -> Ranges:
    """Ascending positions as inclusive ranges."""
    ordered = np.asarray(list(positions), np.int64)
    if not len(ordered):
        return ()
    parts = np.split(ordered, np.flatnonzero(np.diff(ordered) != 1) + 1)
    return tuple((int(part[0]), int(part[-1])) for part in parts)


def count(lost: Ranges) -> int:
    """How many positions the ranges hold."""
    return sum(last - first + 1 for first, last in lost)


def ranges_text(lost: Ranges) -> str:
    """Ranges in words: 3, 7 to 9, …"""
    parts = [str(a) if a == b else f"{a} to {b}" for a, b in lost[:MAX_RANGES]]
    return ", ".join([*parts, "…"] if len(lost) > MAX_RANGES else parts)
