"""What the caller asks of a write or an append."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from math import prod
from typing import Literal

from zarrmal_codecs.constants import MAX_CHUNK_PIXELS
from zarrmal_codecs.paper.golomb_rice import RiceChoice

from ...errors import InputError
from ..shard import IndexLocation
from .encode.lattice import LatticeMode, check_lattice_mode
from .runners import Runner

AZURE_PROTOCOLS = ("az", "abfs", "abfss", "adl")

MAX_AUTO_CHUNK_CELLS = 1024
MAX_AUTO_CHUNK_BYTES = 64 * 2**20
"""Decoded: a reader holds a few chunks at a time, a writer about a hundred times as much."""


def default_workers() -> int:
    """One per core, at most 4."""
    return min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """How a new archive is laid out and written.

    Parameters
    ----------
    chunk_cells
        Cells in a chunk, at least 1. None takes 1,024, halved until a decoded chunk has at most
        64 MiB.
    shard_cells
        Cells in a shard, a multiple of ``chunk_cells``; None stores each chunk as an object of its
        own. Format 3 only.
    canvas
        Height and width of the array's cells: smaller ones are padded with zeros, and their sizes
        stored, so that cells of any size up to this can be appended. None takes the largest of the
        source, and stores sizes where they differ.
    shard_index
        Where the index of a shard lies, see shard.py. "auto" takes the start in Azure, whose
        fsspec file system reads no other, and else the end, which every implementation of Zarr
        reads. Take "start" for an archive that is read through a cache of fsspec's.
    zarr_format
        3 or 2.
    rice
        How Rice parameters are chosen.
    overwrite
        Replace an existing archive.
    resume
        Continue an interrupted run, if there was one.
    lattice
        "auto" stores cells that are JPEG files, or were cut out of JPEG pictures, as the
        coefficients of these, where that is shorter: see zarrmal.coefficients. "known" takes those
        that the source knows, such as of JPEG files, and searches no pixels; "off" takes none.
        Only models with weights for coefficients code them.
    workers
        Chunks encoded at once; memory grows with it, by about 100 bytes a pixel of a chunk.
    runner
        Runs the encoding of chunks; None takes ``workers`` threads.
    """

    chunk_cells: int | None = None
    shard_cells: int | None = None
    shard_index: Literal["auto", "start", "end"] = "auto"
    canvas: tuple[int, int] | None = None
    zarr_format: Literal[2, 3] = 3
    rice: RiceChoice = "mean"
    overwrite: bool = False
    resume: bool = False
    lattice: LatticeMode = "auto"
    workers: int = field(default_factory=default_workers)
    runner: Runner | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_lattice_mode(self.lattice)
        if self.chunk_cells is not None and self.chunk_cells < 1:
            raise InputError(f"a chunk holds at least 1 cell, not {self.chunk_cells}")
        if self.zarr_format not in (2, 3):
            raise InputError(f"the Zarr format is 2 or 3, not {self.zarr_format}")
        if self.workers < 1:
            raise InputError(f"at least 1 worker is needed, not {self.workers}")
        if self.shard_index not in ("auto", "start", "end"):
            raise InputError(f"the index of a shard lies at its start or end (or auto), not "
                             f"{self.shard_index!r}")  # fmt: skip
        if self.canvas is not None and (len(self.canvas) != 2 or min(self.canvas) < 1):
            raise InputError(f"a canvas has a height and a width of at least 1 pixel, not "
                             f"{self.canvas}")  # fmt: skip
        if self.shard_cells is None:
            return
        if self.zarr_format == 2:
            raise InputError("Zarr format 2 has no shards: leave --shard-cells out, or take 3")
        if self.chunk_cells is not None:
            refuse_shard(self.shard_cells, self.chunk_cells)

    def canvas_shape(self, cell_shape: tuple[int, ...]) -> tuple[int, ...]:
        """(y, x[, channel]) of the archive's cells, of those of a source."""
        return cell_shape if self.canvas is None else (*self.canvas, *cell_shape[2:])

    def chunk_length(self, cell_shape: tuple[int, ...], item_bytes: int = 1) -> int:
        """Cells in a chunk, decided for cells of this shape.

        Parameters
        ----------
        item_bytes
            Of a pixel's value.

        Raises
        ------
        InputError
            If such a chunk has more bytes than the codec takes, or does not divide the shard.
        """
        n_values = prod(cell_shape) * item_bytes
        n_cells = self.chunk_cells
        if n_cells is None:
            n_cells = MAX_AUTO_CHUNK_CELLS
            while n_cells > 1 and n_cells * n_values > MAX_AUTO_CHUNK_BYTES:
                n_cells //= 2
        if n_cells * n_values > MAX_CHUNK_PIXELS:
            text, unit = " x ".join(map(str, cell_shape)), "values" if item_bytes == 1 else "bytes"
            most = max(MAX_CHUNK_PIXELS // n_values, 1)
            raise InputError(f"a chunk of {n_cells:,} cells of {text} has {n_cells * n_values:,} "
                             f"{unit}, at most {MAX_CHUNK_PIXELS:,} are possible: take "
                             f"--chunk-cells {most} or fewer, or leave it "
                             f"out")  # fmt: skip
        if self.shard_cells is not None:
            refuse_shard(self.shard_cells, n_cells)
        return n_cells

    def index_location(self, url: str) -> IndexLocation:
        """Where the index of a shard lies, decided for an archive at this path or URL."""
        if self.shard_index != "auto":
            return self.shard_index
        protocol, separator, _ = url.partition("://")
        return "start" if separator and protocol in AZURE_PROTOCOLS else "end"


def refuse_shard(shard_cells: int, chunk_cells: int) -> None:
    """InputError unless a shard holds 2 or more whole chunks."""
    if shard_cells % chunk_cells or shard_cells <= chunk_cells:
        raise InputError(f"a shard holds 2 or more whole chunks: its cells are a multiple of "
                         f"{chunk_cells}, not {shard_cells}")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendOptions:
    """How cells are appended; chunks, format and model are the archive's.

    Parameters
    ----------
    resume, lattice, workers, runner
        See WriteOptions.
    """

    resume: bool = False
    lattice: LatticeMode = "auto"
    workers: int = field(default_factory=default_workers)
    runner: Runner | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_lattice_mode(self.lattice)
