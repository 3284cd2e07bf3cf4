"""Repacking: an archive of many appends becomes one segment, as if written in one go."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import CorruptionError
from zarrmal_codecs.lattice.cell import JpegCell
from zarrmal_codecs.silhouette.silhouettes import Silhouettes

from ...classify import Assignment
from ...errors import InputError, LockedError
from ...progress import Progress
from ...sources import Source
from ...sources.arrays.array_source import Fetch
from ...sources.arrays.digests import ArchiveDigests
from ...sources.arrays.zarr_array import zarr_fetch
from ...sources.arrays.zarr_names import mask_names
from ...sources.columns.provenance import DTYPES, PROVENANCE
from ...sources.columns.strings import STRINGS, Strings
from ...sources.fit import model_fits
from ...sources.limits import check_cell_shape
from ...sources.preprocessing import Preprocessing
from ...sources.sizes import Pixels
from ...sources.source import OnCanvas, checked_indices
from .. import format as layout
from ..foreign import refuse_longer
from ..lock.journal import Journal, busy_message, read_journal
from ..lock.staging import publish, refuse_unwritable, stage_of, staging_location
from ..lock.writer_lock import writer_lock
from ..opened import OpenArchive, shape_text
from ..read.coefficients import read_file_cells
from ..read.columns.values import read_column
from ..read.copied import attribute_problem
from ..read.silhouettes import read_silhouettes
from ..storage.location import Location
from ..storage.replaceable import expect_replaceable
from ..verify.verify import verify_archive
from .new import Kept, StageWriter, write_new
from .options import WriteOptions, default_workers


def repack_archive(
    location: Location,
    target: Location | None,
    *,
    canvas: tuple[int, int] | None = None,
    workers: int | None,
    progress: Progress,
) -> None:
    """Write the cells of an archive as one segment, in its place or elsewhere. See Archive.repack.

    In its place, the new archive is written beside the old one, and compared with it, before it
    replaces it.
    """
    previous = _refuse_repack(location, in_place=target is None)
    if target is not None:
        _write_elsewhere(location, target, canvas, workers, progress)
        return
    if previous is None:
        archive = _opened(location)
        if len(archive.facts.segments) < 2 and not _changes(archive, canvas):
            return
        if canvas is not None:  # an InputError before anything is written
            _options(archive, canvas, workers)
            OnCanvas(StoredCells(archive), canvas)
    journal = previous or Journal(
        operation="repack", n_stored=0, n_new=0, source="", overwrite=True, beside=True
    )
    stage = stage_of(location, beside=True)
    with writer_lock(location, journal, previous) as lock:
        if lock.journal.phase != "whole":
            archive = _opened(location)
            expect_replaceable(location)
            cells = StoredCells(archive)
            options = _options(archive, canvas, workers)
            StageWriter(
                stage, cells, archive.model, cells.assign, options, lock, progress, _kept(archive)
            ).write()
            _expect_equal(stage, cells, progress)
            lock.enter("whole")
        publish(stage, location, overwrite=True)


def _write_elsewhere(
    location: Location,
    target: Location,
    canvas: tuple[int, int] | None,
    workers: int | None,
    progress: Progress,
) -> None:
    archive = _opened(location)
    cells = StoredCells(archive)
    options = _options(archive, canvas, workers, resume=not target.owner_commits)
    write_new(
        cells,
        target,
        model=archive.model,
        assigner=cells.assign,
        options=options,
        progress=progress,
        kept=_kept(archive),
    )
    _expect_equal(target, cells, progress)


class StoredCells(Source):
    """The cells of an archive, in the order of their source, with their columns.

    Stored chunks are compared with their SHA-256 before they are decoded.

    Parameters
    ----------
    archive
        By each array's own documents.

    Raises
    ------
    ZarrmalError, InputError
        If a column is damaged.
    """

    def __init__(self, archive: OpenArchive) -> None:
        facts, self.archive = archive.facts, archive
        self.n_cells, self.cell_shape = archive.n_cells, archive.cell_shape
        self.dtype, self.channel_first = archive.dtype, archive.channel_first
        self.channel_names = archive.channel_names
        self.preprocessing = facts.preprocessing or Preprocessing()
        self.location = self.description = f"archive {archive.location.printable}"
        index = _column(archive, layout.SOURCE_INDEX)
        if index is None or not np.array_equal(np.sort(index), np.arange(self.n_cells)):
            raise CorruptionError(f"{archive.location.url}: `{layout.SOURCE_INDEX}` does not name "
                                  f"each cell once: see `zarrmal verify`")  # fmt: skip
        self._positions = np.argsort(index)

        def column(name: str) -> NDArray[Any] | None:
            values = _column(archive, name)
            return None if values is None else values[self._positions]

        def texts(name: str) -> Strings | None:
            values = column(name)
            return None if values is None else values.astype(STRINGS)

        self.labels = column(layout.LABEL)
        self.class_names = facts.label_names
        self.groups, self.names = texts(layout.SOURCE_GROUP), texts(layout.SOURCE_NAME)
        self.splits = texts(layout.SPLIT)
        self.columns = {
            name: values.astype(DTYPES[name])
            for name in PROVENANCE
            if (values := column(name)) is not None
        }
        heights, widths = column(layout.HEIGHT), column(layout.WIDTH)
        if heights is not None and widths is not None:
            self.sizes = np.stack([heights, widths], axis=1).astype(np.uint16)
        self.assign = _StoredClasses(
            column(layout.PREDICTED_CLASS), column(layout.CLASS_PROBABILITY)
        )
        self.has_jpeg_files = _column(archive, layout.JPEG_FRAME) is not None
        digests = ArchiveDigests(archive.group, archive.location.printable)
        axes = (0, 2, 3, 1) if archive.channel_first else tuple(range(archive.cells.ndim))
        self._fetch = zarr_fetch(archive.cells, axes, digests)
        masks = archive.mask_array
        if masks is not None:
            self.n_masks, self.mask_names = archive.n_masks, mask_names(masks)
            self._fetch_masks = zarr_fetch(masks, tuple(range(masks.ndim)), digests)

    def read(self, indices: NDArray[np.int64]) -> Pixels:
        """See Source.read; CorruptionError if a stored chunk is damaged."""
        cells = self._stored(self._fetch, indices)
        return np.ascontiguousarray(cells, self.dtype)

    def masks(self, indices: NDArray[np.int64]) -> NDArray[np.bool_]:
        """See Source.masks; CorruptionError if a stored chunk is damaged."""
        if not self.n_masks:
            return super().masks(indices)
        masks = self._stored(self._fetch_masks, indices)
        return masks.reshape(len(masks), self.n_masks, *masks.shape[-2:])

    def _stored(self, fetch: Fetch, indices: NDArray[np.int64]) -> Pixels:
        positions = self._positions[checked_indices(indices, self.n_cells)]
        try:
            return fetch(positions)
        except InputError as error:  # of a source; this one is the archive itself
            raise CorruptionError(str(error)) from None

    def jpeg(self, indices: NDArray[np.int64]) -> list[JpegCell | None]:
        """See Source.jpeg; those that are stored, so that nothing is searched again."""
        positions = self._positions[checked_indices(indices, self.n_cells)]
        return read_file_cells(self.archive, positions)

    def silhouettes(self, indices: NDArray[np.int64]) -> Silhouettes | None:
        """See Source.silhouettes; those with which the cells are stored."""
        return read_silhouettes(
            self.archive, self._positions[checked_indices(indices, self.n_cells)]
        )


class _StoredClasses:
    """An Assigner that gives each cell the class that it has."""

    needs_pixels = False

    def __init__(self, classes: NDArray[Any] | None, probability: NDArray[Any] | None) -> None:
        assert classes is not None  # every archive has it
        self._classes, self._probability = classes, probability

    def __call__(self, cells: Pixels, rows: NDArray[np.int64]) -> Assignment:
        probability = None if self._probability is None else self._probability[rows]
        return Assignment(predicted_class=self._classes[rows], probability=probability)


def _refuse_repack(location: Location, *, in_place: bool) -> Journal | None:
    """InputError if the archive cannot be repacked; the journal of an interrupted run, if any."""
    if in_place:
        refuse_unwritable(location)
        if location.owner_commits or staging_location(location) is None:
            raise InputError(f"{location.url} cannot be replaced by another archive while it is "
                             f"read: repack it to another place")  # fmt: skip
    previous = read_journal(location)
    if previous is not None and previous.is_alive:
        raise LockedError(busy_message(location, previous))
    if previous is not None and not (in_place and previous.operation == "repack"):
        raise InputError(f"{location.url} was interrupted in {previous.description}: "
                         f"{previous.remedy} first")  # fmt: skip
    return previous


def _opened(location: Location) -> OpenArchive:
    """The archive; InputError if another program has changed it."""
    archive = OpenArchive.at(location, consolidated=False)
    problem = attribute_problem(archive)
    if problem is not None:
        raise InputError(f"{location.url}: {problem}")
    refuse_longer(archive)
    return archive


def _changes(archive: OpenArchive, canvas: tuple[int, int] | None) -> bool:
    """Whether this is another canvas than the archive's, or its first one."""
    if canvas is None:
        return False
    return canvas != archive.cell_shape[:2] or layout.HEIGHT not in archive.facts.arrays


def _options(
    archive: OpenArchive,
    canvas: tuple[int, int] | None,
    workers: int | None,
    *,
    resume: bool = False,
) -> WriteOptions:
    """The layout of the archive, on another canvas where that is given.

    Chunks have no more cells than a new archive's would then have.

    Raises
    ------
    InputError
        If the codec, or the archive's model, does not take cells of that size.
    """
    grid = archive.grid
    chunk_cells = grid.chunk_cells
    if canvas is not None:
        shape = WriteOptions(canvas=canvas).canvas_shape(archive.cell_shape)
        url, model = archive.location.url, archive.model
        check_cell_shape(shape, url, None if model is None else model.profile, is_canvas=True)
        fits = model is None or model_fits(
            model, archive.dtype, shape, channel_first=archive.channel_first
        )
        if not fits:
            raise InputError(f"the model of {url} takes no cells of {shape_text(shape)}: write a "
                             f"new archive with another one")  # fmt: skip
        chunk_cells = min(chunk_cells, WriteOptions().chunk_length(shape, archive.dtype.itemsize))
    return WriteOptions(
        canvas=canvas,
        chunk_cells=chunk_cells,
        shard_cells=grid.object_cells if grid.sharded else None,
        shard_index=grid.index_location if grid.sharded else "auto",
        zarr_format=archive.group.metadata.zarr_format,
        resume=resume,
        lattice="known",
        workers=workers or default_workers(),
    )


def _kept(archive: OpenArchive) -> Kept:
    """What others have added to the attributes, and what the archive records of its pixels."""
    group = archive.group
    attributes = {name: dict(group[name].attrs) for name in archive.facts.arrays}
    return Kept(
        attributes=attributes | {"": dict(group.attrs)},
        preprocessing=archive.facts.preprocessing,
    )


def _column(archive: OpenArchive, name: str) -> NDArray[Any] | None:
    """Values of a column; None if the archive has none; CorruptionError if some are lost."""
    column = read_column(archive, name, archive.n_cells)
    if column is None:
        return None
    if column.lines or not column.known.all():
        line = column.lines[0] if column.lines else f"values of `{name}` are lost"
        raise CorruptionError(f"{archive.location.url}: {line}: see `zarrmal verify`")
    values: NDArray[Any] = column.values
    return values


def _expect_equal(written: Location, cells: StoredCells, progress: Progress) -> None:
    """CorruptionError unless the repacked archive is sound, and equal to the stored one."""
    archive = OpenArchive.at(written, consolidated=False)
    report = verify_archive(archive, cells, progress)
    problems = list(report.problems)
    if _n_files(archive) != _n_files(cells.archive):
        problems.append("it has another number of JPEG files")
    if problems:
        raise CorruptionError(f"{written.url}: the repacked archive is not equal to the old one, "
                              f"which stays: {problems[0]}")  # fmt: skip


def _n_files(archive: OpenArchive) -> int:
    """Cells that come back as JPEG files."""
    column = read_column(archive, layout.JPEG_FRAME, archive.n_cells)
    return 0 if column is None else int(np.count_nonzero(column.values))
