"""Extracting cells as image files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import CorruptionError, ZarrmalError

from ...classify.assignment import class_index
from ...errors import ExistsError, InputError
from ...progress import Progress
from .. import format as layout
from ..opened import OpenArchive
from ..read.chunks.chunks import CellsChunk, expect_stored, read_chunks
from ..read.chunks.findings import cells_finding
from ..read.columns.sizes import read_sizes
from ..read.columns.values import read_column
from ..read.consolidated import with_sound_cells
from ..read.stable import expect_unchanged
from .folder import fitting, refuse_inside
from .image import mask_files, mask_folders, png_holds, refuse_unwritable_dtype, save
from .jpeg import JpegFiles
from .names import file_names
from .report import (
    LISTING,
    LOST,
    NO_DIGEST,
    RECOVERED,
    RENAMED,
    UNNAMED,
    UNSIZED,
    DamagedCell,
    ExtractReport,
    write_listing,
)


def extract_cells(
    archive: OpenArchive,
    folder: Path,
    *,
    class_name: str | None,
    masks: Path | None = None,
    overwrite: bool,
    skip_damaged: bool,
    progress: Progress,
) -> ExtractReport:
    """See Archive.extract; ``archive`` is a stable state."""
    if masks is not None and archive.mask_array is None:
        raise InputError(f"{archive.location.url} holds no masks: leave --masks out")
    try:
        extraction = _Extraction(archive, folder, class_name, masks, overwrite, skip_damaged)
        report = extraction.run(progress)
        if masks is not None:
            report = extraction.run_masks(report, progress)
    except ZarrmalError:
        expect_unchanged(archive)
        raise
    if report.problems:
        expect_unchanged(archive)
    return report


class _Extraction:
    """One run: what is extracted, where to, and what was wrong so far."""

    def __init__(
        self,
        archive: OpenArchive,
        folder: Path,
        class_name: str | None,
        masks: Path | None,
        overwrite: bool,
        skip_damaged: bool,
    ) -> None:
        self._archive = archive = with_sound_cells(archive, prefer_copy=skip_damaged)
        self._folder, self._overwrite, self._skip_damaged = folder, overwrite, skip_damaged
        self._mask_folders: list[Path] = []
        if masks is not None:
            self._mask_folders = mask_folders(archive, masks)
        refuse_unwritable_dtype(archive.dtype)
        expect_stored(archive)
        self._rows = np.arange(archive.n_cells)
        if class_name is not None:
            self._rows = _rows_of_class(archive, class_name)
        is_png = png_holds(archive.dtype, archive.cell_shape[2:])
        self._jpeg = JpegFiles.of(archive)
        self._suffix = ".png" if is_png else ".tif"
        names = file_names(archive, self._suffix, self._jpeg.is_file)
        self._sizes = read_sizes(archive)
        self._problems = [*archive.problems, *names.problems, *self._jpeg.problems]
        if self._sizes is not None:
            self._problems += self._sizes.lines
        self._n_saved = 0
        if self._problems and not skip_damaged:
            raise self._refusal()
        for place in (folder, *self._mask_folders):
            refuse_inside(archive.location, place, names.files)
        self._names, self._too_long = fitting(names, folder)
        self._mask_files = mask_files(self._names.files) if self._mask_folders else []
        self._refuse_existing()

    def run(self, progress: Progress) -> ExtractReport:
        """Write the files."""
        rows, folder, chunk_cells = self._rows, self._folder, self._archive.grid.chunk_cells
        damaged: list[DamagedCell] = []
        n_done = 0
        starts = np.unique(rows // chunk_cells * chunk_cells).tolist()
        try:
            for chunk in read_chunks(self._archive, starts):
                low, high = np.searchsorted(rows, [chunk.start, chunk.stop]).tolist()
                if chunk.recovered.kind is not None:
                    finding = cells_finding(chunk, self._names.source_index, self._names.files)
                    self._problems.append(finding.line)
                    if not self._skip_damaged:
                        raise self._refusal()
                self._note_pixels_beyond(chunk)
                damaged += self._damaged_cells(chunk, rows[low:high])
                self._save(chunk, rows[low:high])
                n_done += high - low
                progress("extracting", n_done, len(rows))
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"{self._n_saved:,} images were written, in place of files of the same names"
                if self._overwrite
                else f"{self._n_saved:,} images were written"
            ) from None
        finally:  # list what was saved so far, even if the rest is interrupted
            listing = write_listing(folder, damaged) if damaged else None
        if self._skip_damaged and self._overwrite and listing is None:
            (folder / LISTING).unlink(missing_ok=True)  # of an earlier extraction
        return ExtractReport(
            n_cells=self._n_saved,
            damaged=tuple(damaged),
            problems=tuple(self._problems),
            listing=listing,
            preprocessing=self._archive.facts.preprocessing,
            n_masks=self._archive.n_masks,
            n_numbered=int(np.count_nonzero(self._names.numbered[rows])),
            n_jpeg=self._jpeg.n_written,
            n_jpeg_same=self._jpeg.n_same,
        )

    def run_masks(self, report: ExtractReport, progress: Progress) -> ExtractReport:
        """Write the masks too; the report with what is wrong with them."""
        rows, chunk_cells = self._rows, self._archive.grid.chunk_cells
        starts = np.unique(rows // chunk_cells * chunk_cells).tolist()
        n_saved, problems = 0, list(report.problems)
        for chunk in read_chunks(self._archive, starts, layout.MASK):
            low, high = np.searchsorted(rows, [chunk.start, chunk.stop]).tolist()
            if chunk.recovered.kind is not None:
                self._problems.insert(0, cells_finding(chunk, (), ()).line)
                if not self._skip_damaged:
                    raise self._refusal()
                problems.append(self._problems[0])
            for row in rows[low:high].tolist():
                if chunk.recovered.good[row - chunk.start]:
                    self._save_masks(chunk, row)
                    n_saved += 1
            progress("extracting masks", high, len(rows))
        return replace(report, problems=tuple(problems), n_masks_saved=n_saved)

    def _save_masks(self, chunk: CellsChunk, row: int) -> None:
        planes = chunk.cells[row - chunk.start]
        planes = planes[..., np.newaxis] if planes.ndim == 2 else planes
        if self._sizes is not None and self._sizes.known[row]:
            planes = self._sizes.crop(planes, row)
        for k, folder in enumerate(self._mask_folders):
            path = folder / self._mask_files[row]
            save(path, planes[..., k].astype(np.uint8) * np.uint8(255))

    def _save(self, chunk: CellsChunk, rows: NDArray[np.intp]) -> None:
        rows = rows[chunk.recovered.good[rows - chunk.start]]
        is_file = self._jpeg.is_file[rows]
        left = self._save_jpeg(rows[is_file])
        for row in [*rows[~is_file].tolist(), *left]:
            pixels = chunk.cells[row - chunk.start]
            if self._sizes is not None and self._sizes.known[row]:
                pixels = self._sizes.crop(pixels, row)
            pages = self._archive.channel_first
            path = self._folder / self._names.files[row]
            if row in left:
                path = path.with_name(f"{path.name}{self._suffix}")
            save(path, pixels, pages=pages)
            self._n_saved += 1

    def _save_jpeg(self, rows: NDArray[np.intp]) -> list[int]:
        """Write cells as the JPEG files that they are; those that do not come back as such."""
        if not len(rows):
            return []
        paths = [self._folder / self._names.files[row] for row in rows.tolist()]
        failed = self._jpeg.write(rows, paths)
        for row, why in failed.items():
            self._problems.append(f"the JPEG file {self._names.files[row]} cannot be written "
                                  f"again: {why}")  # fmt: skip
            if not self._skip_damaged:
                raise self._refusal()
        self._n_saved += len(rows) - len(failed)
        return list(failed)

    def _note_pixels_beyond(self, chunk: CellsChunk) -> None:
        """A cell that has pixels outside its size is saved whole: its size is not known."""
        sizes, n = self._sizes, chunk.stop - chunk.start
        if sizes is None:
            return
        rows = chunk.start + np.flatnonzero(chunk.recovered.good[:n])
        wrong = rows[sizes.beyond(chunk.cells[rows - chunk.start], rows)]
        if len(wrong):
            sizes.known[wrong] = False
            self._problems.append(f"cell {wrong[0]} has pixels outside its size, the archive's "
                                  f"`{layout.HEIGHT}` and `{layout.WIDTH}`")  # fmt: skip
            if not self._skip_damaged:
                raise self._refusal()

    def _refuse_existing(self) -> None:
        if self._overwrite:
            return
        files = [self._names.files[row] for row in self._rows.tolist()]
        paths = [self._folder / file for file in files]
        for place in self._mask_folders:
            paths += [place / self._mask_files[row] for row in self._rows.tolist()]
        if self._skip_damaged or self._too_long:
            paths.append(self._folder / LISTING)
        existing = [path for path in paths if path.exists()]
        if existing:
            raise ExistsError(f"{len(existing)} files exist already, the first is {existing[0]}: "
                              f"choose an empty folder, or --overwrite")  # fmt: skip

    def _refusal(self) -> CorruptionError:
        so_far = f"{self._n_saved:,} images were written before. " if self._n_saved else ""
        options = "--skip-damaged"
        if self._n_saved or self._overwrite:
            options += " --overwrite"
        return CorruptionError(
            f"{self._problems[0]}. {so_far}`zarrmal verify` shows all "
            f"damage; {options} extracts the rest"
        )

    def _damaged_cells(self, chunk: CellsChunk, rows: NDArray[np.intp]) -> list[DamagedCell]:
        """Those of the rows, which all lie in the chunk, that must be listed."""
        names, recovered = self._names, chunk.recovered
        listed = []
        for row in rows.tolist():
            i = row - chunk.start
            if not recovered.good[i]:
                state, reason = LOST, recovered.reasons[i]
                if (self._folder / names.files[row]).exists():
                    reason += "; the file of that name is of an earlier extraction"
            elif not recovered.certain:
                state, reason = RECOVERED, f"the chunk {recovered.fault}"
            elif recovered.kind == "no digest":
                state, reason = NO_DIGEST, f"the chunk {recovered.fault}"
            elif self._sizes is not None and not self._sizes.known[row]:
                state, reason = UNSIZED, "the arrays `height` and `width` are damaged"
            elif not names.named[row]:
                state, reason = UNNAMED, "the array that holds its name is damaged"
            elif row in self._too_long:
                state, reason = RENAMED, f"its name is {self._too_long[row]}"
            else:
                continue
            listed.append(
                DamagedCell(
                    position=row,
                    source_index=int(names.source_index[row]),
                    file=names.files[row],
                    state=state,
                    chunk=chunk.key,
                    reason=reason,
                )
            )
        return listed


def _rows_of_class(archive: OpenArchive, class_name: str) -> NDArray[np.intp]:
    index = class_index(class_name, archive.facts.classes)
    if index is None:
        raise InputError(f"the archive has no class {class_name!r}: choose among "
                         f"{', '.join(archive.facts.classes)}")  # fmt: skip
    column = read_column(archive, layout.PREDICTED_CLASS, archive.n_cells)
    if column is None or not column.known.all():
        why = column.lines[0] if column else f"`{layout.PREDICTED_CLASS}` is missing"
        raise CorruptionError(f"{why}, so the class of some cells is not known: extract without "
                              f"--class")  # fmt: skip
    return np.flatnonzero(column.values == index)
