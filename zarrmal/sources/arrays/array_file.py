"""Array files: .npy is memory-mapped, .npz is unpacked to a temporary file and then mapped.

Nothing is ever unpickled.
"""

from __future__ import annotations

import os
import tempfile
import weakref
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import fsspec
import numpy as np
from numpy.typing import NDArray

from ...errors import AccessError, InputError, input_error, is_store_error
from ..columns.annotations import PACKED_KEYS, SIZE_KEYS, RawAnnotations
from ..masks.planes import MASK_KEY
from ..places.timeout import first_answer

ARRAY_SUFFIXES = (".npy", ".npz")
SMALL_BYTES = 1 << 24  # a member up to this size that is not compressed is read into memory
COPY_BYTES = 1 << 20
DAMAGE_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,  # zipfile, for an encrypted member or an unknown compression
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArrayFile:
    """Contents of an array file.

    Parameters
    ----------
    array
        The cells, memory-mapped.
    annotations
        Columns beside the cells.
    heights, widths
        Integers, of each cell; None where the file does not tell both.
    packed_masks
        The columns of MASK_KEYS, where all are there: `height` and `width` are then those of the
        masks.
    masks
        The array `mask`, where it is one of bool.
    unused
        Keys of other arrays.
    """

    array: NDArray[Any]
    annotations: RawAnnotations = field(default_factory=RawAnnotations)
    heights: NDArray[Any] | None = None
    widths: NDArray[Any] | None = None
    packed_masks: Mapping[str, NDArray[Any]] | None = None
    masks: NDArray[np.bool_] | None = None
    unused: frozenset[str] = frozenset()


def open_array_file(path: Path) -> ArrayFile:
    """The cells of a local file, and their annotations.

    Parameters
    ----------
    path
        .npy, or .npz with the keys `cells` and, if known, those of annotations (KEYS), sizes
        (SIZE_KEYS) and `mask`.

    Raises
    ------
    InputError
        If the file is damaged, holds Python objects, or holds no cells.
    AccessError
        If the file must not be read.
    """
    with _named_errors(path):
        if path.suffix.lower() == ".npy":
            return ArrayFile(array=np.load(path, mmap_mode="r", allow_pickle=False))
        with zipfile.ZipFile(path) as archive:
            members = {
                name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")
            }
            if "cells" not in members:
                raise InputError(
                    f"{path}: holds {', '.join(sorted(members)) or 'nothing'}, but no `cells`: "
                    "save with np.savez(path, cells=..., label=..., slide=..., path=...)"
                )
            annotations, used = RawAnnotations.from_lookup(
                lambda key: read_column(archive, key) if key in members else None
            )
            sizes = [read_column(archive, key) for key in SIZE_KEYS if key in members]
            has_sizes = len(sizes) == 2 and all(values.dtype.kind in "iu" for values in sizes)
            used |= set(SIZE_KEYS) if has_sizes else set()
            packed = None
            if has_sizes and members.issuperset(PACKED_KEYS):
                packed = dict(zip(SIZE_KEYS, sizes, strict=True))
                packed |= {key: read_column(archive, key) for key in PACKED_KEYS}
                used |= set(PACKED_KEYS)
                has_sizes = False
            masks = map_member(archive, MASK_KEY) if MASK_KEY in members else None
            if masks is not None and masks.dtype != np.bool_:
                masks = None
            used |= {"cells"} if masks is None else {"cells", MASK_KEY}
            return ArrayFile(
                array=map_member(archive, "cells"),
                annotations=annotations,
                heights=sizes[0] if has_sizes else None,
                widths=sizes[1] if has_sizes else None,
                packed_masks=packed,
                masks=masks,
                unused=frozenset(members - used),
            )


def read_columns(path: Path, keys: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """Those of the arrays of an .npz file that are there; errors as of open_array_file."""
    with _named_errors(path), zipfile.ZipFile(path) as archive:
        members = set(archive.namelist())
        return {key: read_column(archive, key) for key in keys if f"{key}.npy" in members}


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    """Errors of reading an array file as those of open_array_file."""
    try:
        yield
    except InputError:
        raise
    except PermissionError as error:
        raise AccessError(
            f"{path}: cannot be read: {error.strerror}: change its permissions"
        ) from error
    except DAMAGE_ERRORS as error:
        raise damage(f"{path}", error) from error


def damage(location: str, error: Exception) -> InputError:
    """The InputError for an error of NumPy or zipfile."""
    if "Python objects" in str(error) or "Object arrays" in str(error):
        return InputError(
            f"{location}: holds Python objects, which are never unpickled: save plain arrays "
            "(cells as numbers, text as str)"
        )
    return InputError(f"{location}: is no array file, or damaged: {error}: save it again")


def read_member(archive: zipfile.ZipFile, key: str) -> NDArray[Any]:
    """One array of an .npz file, in memory."""
    with archive.open(f"{key}.npy") as member:
        return np.asarray(np.lib.format.read_array(member, allow_pickle=False))


def read_column(archive: zipfile.ZipFile, key: str) -> NDArray[Any]:
    """A column of an .npz file: mapped from a temporary copy if it is large, else in memory."""
    entry = archive.getinfo(f"{key}.npy")
    if entry.file_size <= SMALL_BYTES:
        return read_member(archive, key)
    with archive.open(entry) as member:
        return map_stream(member, f"{key} of {archive.filename}")


def map_member(archive: zipfile.ZipFile, key: str) -> NDArray[Any]:
    """One array of an .npz file, mapped from a temporary copy; in memory if small and stored."""
    entry = archive.getinfo(f"{key}.npy")
    if entry.compress_type == zipfile.ZIP_STORED and entry.file_size <= SMALL_BYTES:
        return read_member(archive, key)
    with archive.open(entry) as member:
        return map_stream(member, f"{key} of {archive.filename}")


def map_stream(stream: IO[bytes], what: str) -> NDArray[Any]:
    """Map a stream in .npy format from a temporary file that lives as long as the array."""
    path = temporary_copy(stream, ".npy", what)
    with ExitStack() as on_failure:
        on_failure.callback(path.unlink)
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        on_failure.pop_all()
    weakref.finalize(array, path.unlink, missing_ok=True)
    return array


def temporary_copy(stream: IO[bytes], suffix: str, what: str) -> Path:
    """Copy a stream to a file in tempfile.gettempdir(), which the caller removes.

    Parameters
    ----------
    stream
        Read to its end.
    suffix
        Of the file.
    what
        Begins messages.

    Raises
    ------
    InputError
        If the disk is full.
    """
    handle, name = tempfile.mkstemp(suffix, "zarrmal-")
    with ExitStack() as on_failure, os.fdopen(handle, "wb") as file:
        on_failure.callback(os.unlink, name)
        while block := stream.read(COPY_BYTES):
            try:
                file.write(block)
                file.flush()  # else a full disk shows only when the file is closed
            except OSError as error:
                raise InputError(
                    f"{what}: cannot be copied to {tempfile.gettempdir()}: {error.strerror}: "
                    "free some space, or set TMPDIR to a larger disk"
                ) from error
        on_failure.pop_all()
    return Path(name)


@contextmanager
def downloaded(url: str, storage_options: Mapping[str, Any]) -> Iterator[Path]:
    """A local copy of a remote file, removed when the context ends.

    Raises
    ------
    InputError
        If it cannot be fetched: MissingError, AccessError or UnreachableError where that is why.
    """
    try:
        with _opened(url, storage_options) as stream:
            path = temporary_copy(stream, Path(url).suffix.lower(), url)
    except InputError:
        raise
    except ImportError as error:
        raise InputError(f"{url}: needs a package that is not installed: {error}") from error
    except Exception as error:  # errors of stores' libraries have no class in common
        if not (isinstance(error, OSError | ValueError) or is_store_error(error)):
            raise
        raise input_error(f"{url}: cannot be fetched: {error}", error) from error
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _opened(url: str, storage_options: Mapping[str, Any]) -> IO[bytes]:
    """The file at a URL, open for reading."""

    def call() -> IO[bytes]:
        stream: IO[bytes] = fsspec.open(url, "rb", **storage_options).open()
        return stream

    # A cache (simplecache::) fetches the whole file first, which may take long.
    return call() if "::" in url else first_answer(call, url)


def open_remote_array_file(url: str, storage_options: Mapping[str, Any]) -> ArrayFile:
    """The same as open_array_file for a file at any URL that fsspec knows."""
    with downloaded(url, storage_options) as path:
        if path.suffix == ".npz":
            return open_array_file(path)
        try:
            with path.open("rb") as stream:
                return ArrayFile(array=map_stream(stream, url))
        except ValueError as error:
            raise damage(url, error) from error
