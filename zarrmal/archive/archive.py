"""The archive and its verbs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from zarrmal_codecs import Model, ZarrmalError

from ..classify import Assigner
from ..errors import InputError, MissingError, UnreachableError
from ..progress import Progress, silent
from ..sources import Source
from .extract.cells import extract_cells
from .extract.report import ExtractReport
from .info import ArchiveInfo, archive_info
from .opened import OpenArchive
from .read.stable import stable_state
from .readable import ReadableArchive
from .sheet import ContactSheet, contact_sheet
from .storage.errors import store_errors
from .storage.store import Where, locate
from .verify.report import VerifyReport
from .verify.verify import verify_archive
from .write.adopt import adopt_arrays
from .write.append import append_cells, undo_append
from .write.new import write_new
from .write.options import AppendOptions, WriteOptions
from .write.repack import repack_archive


class Archive(ReadableArchive):
    """An archive of cells, at a path, a URL, or in a store of zarr.

    ``Archive.open`` and ``Archive.write`` make one, ``adopt`` and ``repack`` too. Reading verbs
    show the archive as it was when it was opened, or, after ``append`` and ``undo``, as these left
    it.

    Examples
    --------
    >>> from zarrmal import Archive
    >>> archive = Archive.open("cells.zarr")  # doctest: +SKIP
    >>> archive.read([3, 1, 4]).shape  # doctest: +SKIP
    (3, 50, 50)
    """

    @classmethod
    def open(
        cls,
        where: Where,
        *,
        incomplete: bool = False,
        storage_options: Mapping[str, Any] | None = None,
    ) -> Self:
        """Open an archive.

        Parameters
        ----------
        where
            A local path, any fsspec URL, or a store of zarr (MemoryStore, ZipStore, ObjectStore, an
            Icechunk session's store), or a zarr StorePath.
        incomplete
            Open an archive whose first write was interrupted, too.
        storage_options
            For fsspec, with a URL.

        Raises
        ------
        MissingError
            If nothing is there.
        InputError
            If it is not an archive, or an incomplete one.
        AccessError, UnreachableError
            If the store denies access, or its server fails.
        ZarrmalError
            If its metadata are damaged.
        """
        location = locate(where, storage_options)
        with store_errors():
            try:
                return cls.at(location, incomplete=incomplete)
            except (MissingError, UnreachableError):
                raise
            except (InputError, ZarrmalError, OSError):
                # Damaged consolidated metadata do not matter if each array's own are sound.
                return cls.at(location, incomplete=incomplete, consolidated=False)

    @classmethod
    def write(
        cls,
        source: Source,
        where: Where,
        *,
        model: Model | None,
        assigner: Assigner,
        options: WriteOptions | None = None,
        progress: Progress = silent,
        storage_options: Mapping[str, Any] | None = None,
    ) -> Self:
        """Write all cells of a source as a new archive.

        At a path or a URL a run that is killed or interrupted leaves what was there before, or, in
        an object store, an archive without cells that is marked as incomplete;
        ``options.resume`` completes it. In a store of zarr its owner is in charge of transactions:
        nothing is locked, nothing is staged, and a run that fails leaves what it has stored.

        Parameters
        ----------
        source
            Cells that the model can code; where their sizes differ, these are stored too.
        where
            See ``open``. Unless ``options.overwrite``, nothing may be there.
        model
            Stored with the array. None stores the cells without one. A resumed run continues with
            its own.
        assigner
            Gives each cell its class.

        Raises
        ------
        ExistsError
            If something is there already.
        LockedError
            If another process writes there.
        InputError
            Before anything is written, if the model does not fit the cells.
        """
        location = locate(where, storage_options)
        with store_errors():
            contents = write_new(
                source,
                location,
                model=model,
                assigner=assigner,
                options=options or WriteOptions(),
                progress=progress,
            )
            archive = cls.at(location)
        archive.contents = contents
        return archive

    @classmethod
    def adopt(
        cls,
        where: Where,
        *,
        progress: Progress = silent,
        storage_options: Mapping[str, Any] | None = None,
    ) -> Self:
        """Make an archive of arrays that another program has copied or changed.

        Every chunk is decoded and checked by its own CRC-32; then the group gets an attribute with
        digests of what is stored. Pixels are not touched. `source_index` is numbered anew where
        cells are missing or were added.

        Parameters
        ----------
        where
            As for ``open``: a copy that xarray has stored, an archive whose attribute was removed
            or replaced, or one to which cells were added by other means.

        Raises
        ------
        InputError
            If there is nothing to adopt, a column is missing, or the cells are not sorted by
            predicted class.
        LockedError
            If another process writes there.
        ZarrmalError
            If a chunk is damaged, or ``cells`` is not coded with a model.
        """
        location = locate(where, storage_options)
        with store_errors():
            adopt_arrays(location, progress)
            return cls.at(location)

    @classmethod
    def repack(
        cls,
        where: Where,
        to: Where | None = None,
        *,
        canvas: tuple[int, int] | None = None,
        workers: int | None = None,
        progress: Progress = silent,
        storage_options: Mapping[str, Any] | None = None,
        to_options: Mapping[str, Any] | None = None,
    ) -> Self:
        """Write an archive of many appends anew as one segment, each class whole.

        Cells, columns, model, chunks, and attributes that others have added stay; the cells lie as
        if all had been written in one go. The new archive is written beside the old one, decoded
        and compared with it, and only then takes its place; an interrupted run continues when it is
        repeated. In an object store, which renames nothing, there is no archive to read while the
        new one is copied to its place. An archive of one segment stays as it is, unless it gets
        another canvas.

        Parameters
        ----------
        where
            As for ``open``; in a store of zarr an archive cannot be replaced, so ``to`` is needed.
        to
            Where the new archive is written instead; nothing may be there.
        canvas
            Height and width, at least those of each cell: the new archive has this canvas, and the
            size of each cell, so that cells of any size up to it can be appended. Chunks have fewer
            cells where they would be larger than those of a new archive. None keeps the archive's.
        workers
            Chunks encoded at once; by default one per core, at most 4.
        storage_options, to_options
            For fsspec, with a URL; of ``where`` and of ``to``.

        Raises
        ------
        ExistsError
            If something lies in the archive that zarrmal did not write, or something is at ``to``.
        LockedError
            If another process writes there.
        InputError, ZarrmalError
            If it is no archive, or damaged: it stays as it was.
        """
        location = locate(where, storage_options)
        target = None if to is None else locate(to, to_options)
        with store_errors():
            repack_archive(location, target, canvas=canvas, workers=workers, progress=progress)
            return cls.at(target or location)

    def info(self) -> ArchiveInfo:
        """What the archive holds, and the size of each part.

        Raises
        ------
        ZarrmalError
            If its metadata are damaged.
        """
        with store_errors():
            return archive_info(self)

    def sheet(self, *, per_class: int = 24) -> ContactSheet:
        """A contact sheet: cells of each predicted class, evenly spread, their labels beneath.

        A label that is not the class is red, a damaged cell a crossed box. During an append the
        cells that were there before are shown.

        Parameters
        ----------
        per_class
            Cells of each class at most, at least 1.

        Raises
        ------
        ZarrmalError
            If the archive's metadata are damaged.
        """
        with store_errors():
            return contact_sheet(stable_state(self.location, partly=True), per_class)

    def verify(self, source: Source | None = None, *, progress: Progress = silent) -> VerifyReport:
        """Check every stored byte, decode every cell, and compare with the source if it is given.

        Damage is reported by chunk, with the cells that are lost when the chunk's cells are read
        one by one.

        Raises
        ------
        InputError
            If the source cannot be the one of the archive.
        ZarrmalError
            If the metadata are too damaged to continue.
        """
        with store_errors():
            documents = OpenArchive.at(self.location, incomplete=True, consolidated=False)
            return verify_archive(documents, source, progress)

    def extract(
        self,
        folder: Path,
        *,
        class_name: str | None = None,
        masks: Path | None = None,
        overwrite: bool = False,
        skip_damaged: bool = False,
        progress: Progress = silent,
    ) -> ExtractReport:
        """Write cells as PNG, TIFF or JPEG files, each at its own size.

        Files keep their original names below ``folder``. JPEG files that are stored as coefficients
        become JPEG files again, byte for byte where that was possible when they were archived (the
        report counts them). What was TIFF, and what no PNG holds
        (other numbers than uint8 and uint16, 2 channels, 5 and more), becomes TIFF, anything else
        PNG, with that suffix. Cells without a name
        are numbered as in the source, in one sub-folder per label where there are labels. Cells
        whose name is too long for the file system are named by their position in the archive, and
        listed. During an append, and after one that was interrupted, the cells that were there
        before are written.

        Parameters
        ----------
        folder
            Created if needed. No file in it is replaced unless ``overwrite``. A file that an
            earlier extraction wrote of a cell that is lost now stays, and the list says so.
        class_name
            Only cells of this predicted class; if there is none of that name, of the only one that
            differs in case.
        masks
            A folder for the masks of the array ``mask``, as PNG files of 0 and 255 with the names
            of the cells; in one folder for each mask where a cell has several.
        skip_damaged
            Save all that can be recovered of a damaged archive, and list the rest in the report and
            in ``folder``/damaged-cells.txt. Of a damaged chunk each cell is decoded alone, checked
            by its own CRC-16 only. Cells whose name is lost are named by their position; those
            whose size is lost are saved with the whole canvas, and listed.

        Raises
        ------
        ExistsError
            If a file exists already.
        InputError
            If the class is unknown, ``folder`` lies in the archive, or another process changes the
            archive.
        ZarrmalError
            If the archive is damaged, and not ``skip_damaged``, or nothing can be recovered.
        """
        with store_errors():
            return extract_cells(
                stable_state(self.location, partly=skip_damaged),
                folder,
                class_name=class_name,
                masks=masks,
                overwrite=overwrite,
                skip_damaged=skip_damaged,
                progress=progress,
            )

    def append(
        self,
        source: Source,
        *,
        assigner: Assigner,
        options: AppendOptions | None = None,
        progress: Progress = silent,
    ) -> None:
        """Add all cells of a source, as a segment sorted by class.

        Readers see the old archive until the append commits. Cells of the last chunk, where that is
        not full, are encoded again with the new ones, to the same pixels. In a store of zarr its
        owner is in charge of transactions, as for ``write``.

        Parameters
        ----------
        source
            Cells of the archive's shape, with the same columns: labels, names, groups. An archive
            that stores sizes takes any cells that fit its canvas.
        assigner
            Gives each cell its class, of the archive's model.

        Raises
        ------
        LockedError
            If another process writes the archive.
        InputError
            Before anything is written, if the cells do not fit.
        ZarrmalError
            If the archive's last chunk is damaged.
        """
        with store_errors():
            append_cells(
                source,
                self.location,
                assigner=assigner,
                options=options or AppendOptions(),
                progress=progress,
            )
            self._reload()

    def undo(self) -> int:
        """Take back an interrupted append; returns the number of its cells.

        The last chunk of each array is written again without the new cells; objects behind the end
        are removed.

        Raises
        ------
        LockedError
            If the append is still running.
        InputError
            If none was interrupted, or it had committed.
        """
        with store_errors():
            n_cells = undo_append(self.location)
            self._reload()
        return n_cells

    def _reload(self) -> None:
        now = type(self).at(self.location)
        self.__dict__.clear()
        self.__dict__.update(now.__dict__)
