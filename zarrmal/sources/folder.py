"""A folder of image files, one sub-folder per class, or flat."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.silhouette.silhouettes import Silhouettes

from ..errors import InputError, input_error
from .annotations import MAX_EXAMPLES, AnnotationOptions, RawAnnotations, describe
from .image_file import (
    UnreadableError,
    is_image_name,
    read_image,
    suffix_for_count,
)
from .limits import check_cell_shape
from .preprocessing import PreprocessingOptions
from .sizes import MAX_SIDE
from .source import Source, checked_indices
from .special_files import special_kind
from .strings import STRINGS, Strings, checked_strings

SPLIT_NAMES = frozenset({"train", "training", "test", "testing", "val", "valid", "validation"})


class FolderSource(Source):
    """Images of a folder and its sub-folders, in the order of their paths.

    The first part of a path below the folder is the class; if all images lie in the folder
    itself, there are no labels. If all folders of the first level are called like splits (train,
    test, validation, ...; ignoring case), the first part is the split, and the next one the class.
    Opening decodes every image once, so that a damaged one is found
    before anything is written; no pixels stay in memory.

    Parameters
    ----------
    folder
        Hidden files are ignored. Files without the suffix of an image are skipped, and the
        description counts them.
    preprocessing, annotation
        The caller's options.
    skip_unreadable
        Leave out images that cannot be read, and list them in ``unreadable``.
    progress
        Called after each image with the number of images decoded, and of all.

    Raises
    ------
    InputError
        If there are no images, some cannot be read, grey and RGB are mixed, or the codec cannot
        code cells of their size.
    """

    def __init__(
        self,
        folder: Path,
        *,
        preprocessing: PreprocessingOptions,
        annotation: AnnotationOptions,
        skip_unreadable: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._folder, self._options = folder.absolute(), preprocessing
        names, skipped = image_names(folder)
        if not names:
            noted = "".join(f" ({note})" for note in skipped_notes(skipped))
            raise InputError(
                f"{folder}: holds no PNG, TIFF, JPEG or BMP images{noted}, and is "
                "no Zarr (no zarr.json, .zgroup or .zarray): give a folder of images, one "
                "sub-folder per class"
            )
        has_splits = all(name.partition("/")[0].casefold() in SPLIT_NAMES for name in names)
        class_level = 1 if has_splits else 0
        n_flat = sum(name.count("/") == class_level for name in names)
        if 0 < n_flat < len(names):
            raise InputError(
                f"{folder}: {n_flat:,} images lie beside the class folders and so have no class: "
                "move each into a class folder, or all into one flat folder"
            )
        n_images = len(names)
        readable, sizes, channels, unreadable = decode_all(folder, names, progress)
        del names  # Python strings take more memory than all else here
        if unreadable and (not skip_unreadable or not readable):
            raise InputError(unreadable_message(folder, unreadable, n_images))
        self.cell_shape = common_shape(folder, sizes, channels, preprocessing)
        has_one_size = preprocessing.size is not None or bool((sizes == sizes[0]).all())
        check_cell_shape(self.cell_shape, f"{folder}", is_canvas=not has_one_size)
        if not has_one_size:
            if sizes.max() > MAX_SIDE:
                raise InputError(f"{folder}: an image has {sizes.max():,} rows or columns, where "
                                 f"sizes differ at most {MAX_SIDE:,} are possible")  # fmt: skip
            self.sizes = sizes.astype(np.uint16)
        native = np.unique(sizes, axis=0).tolist()
        self.preprocessing = preprocessing.record({(height, width) for height, width in native})
        self.n_cells = len(readable)
        self.unreadable = tuple(unreadable)
        classes = None if n_flat else path_parts(readable, class_level)
        splits = path_parts(readable, 0) if has_splits else None
        self._paths = checked_strings(readable, self.n_cells, f"{folder}: the names")
        del readable
        stored = RawAnnotations(labels=classes, names=self._paths, splits=splits)
        annotations = annotation.annotate(stored, self.n_cells, f"{folder}")
        self.class_names, self.labels = annotations.class_names, annotations.labels
        self.groups, self.names = annotations.groups, annotations.names
        self.splits = annotations.splits
        self.location = f"folder {folder}/"
        self.description = describe(
            self.location, self.n_cells, "image", annotations, skipped_notes(skipped), self.sizes
        )

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """See Source.read."""
        rows = checked_indices(indices, self.n_cells).tolist()
        cells = np.zeros((len(rows), *self.cell_shape), np.uint8)
        for row, index in enumerate(rows):
            cell = self._options.apply(self._image(index)[np.newaxis])[0]
            height, width = (
                self.cell_shape[:2] if self.sizes is None else self.sizes[index].tolist()
            )
            expected = (height, width, *self.cell_shape[2:])
            if cell.shape != expected:
                raise self._changed(index, f"it has shape {cell.shape}, not {expected}")
            cells[row, :height, :width] = cell
        return cells

    def silhouettes(self, indices: NDArray[np.int64]) -> Silhouettes | None:
        """See Source.silhouettes: those of images whose background is 0, where they are resampled.

        The images are read once more.
        """
        if self._options.size is None:
            return None
        rows = checked_indices(indices, self.n_cells).tolist()
        return self._options.silhouettes([self._image(index) for index in rows])

    def _image(self, index: int) -> NDArray[np.uint8]:
        """An original image."""
        path = os.path.join(self._folder, self._paths[index])
        try:
            image = read_image(path)
            self._options.cell_shape(image.shape, path)  # refuses one that has become grey
            return image
        except (UnreadableError, InputError) as error:
            if _is_storage_failure(error.__cause__, self._folder):
                raise error.__cause__ from None
            raise self._changed(index, f"{error}") from error

    def _changed(self, index: int, how: str) -> InputError:
        path = os.path.join(self._folder, self._paths[index])
        return InputError(f"{path}: has changed since the folder was opened: {how}")


def _is_storage_failure(cause: BaseException | None, folder: Path) -> TypeGuard[OSError]:
    """Whether a disk or network failed, which may recover, rather than an image that changed."""
    if not isinstance(cause, OSError) or not cause.errno:
        return False
    return cause.errno != errno.ENOENT or not folder.is_dir()


def path_parts(paths: list[str], level: int) -> Strings:
    """The part at a level of each path."""
    parts = np.empty(len(paths), STRINGS)
    for index, path in enumerate(paths):
        parts[index] = path.split("/", level + 1)[level]
    return parts


def image_names(folder: Path) -> tuple[list[str], Counter[str]]:
    """Names of the images of a folder, and the number of other files.

    Returns
    -------
    names
        Sorted paths below the folder, '/' between the parts, of all that is named like an image.
        A directory named like an image is among them, so that it is reported as unreadable.
    skipped
        Number of other files by suffix, and of FIFOs, sockets and devices whatever their names;
        without hidden ones.

    Raises
    ------
    InputError
        If a directory cannot be listed, or is linked from within.
    """

    def refuse(error: OSError) -> None:
        raise input_error(f"{error.filename}: cannot be listed: {error.strerror}", error) from error

    names: list[str] = []
    skipped: Counter[str] = Counter()
    visited: dict[str, str] = {}
    top = os.fspath(folder)
    for parent, folders, files in os.walk(top, followlinks=True, onerror=refuse):
        real = os.path.realpath(parent)
        if real in visited:
            raise InputError(
                f"{parent}: is the same folder as {visited[real]}, so its images would count "
                "twice: remove the link"
            )
        visited[real] = parent
        special = {name: kind for name in files if (kind := _special_kind(parent, name))}
        images = {name for name in files + folders if is_image_name(name) and name not in special}
        folders[:] = [name for name in folders if not (name.startswith(".") or name in images)]
        # Not with pathlib, which interns every part of every path.
        below = "" if parent == top else os.path.relpath(parent, top).replace(os.sep, "/") + "/"
        names += [below + name for name in images]
        skipped.update(
            special.get(name) or suffix_for_count(name)
            for name in files
            if not (name.startswith(".") or name in images)
        )
    return sorted(names), skipped


def _special_kind(parent: str, name: str) -> str | None:
    """See special_kind; None also for what cannot be examined, such as a dangling link."""
    try:
        return special_kind(os.stat(os.path.join(parent, name)).st_mode)
    except OSError:
        return None


def skipped_notes(skipped: Counter[str]) -> list[str]:
    """A note with the number of skipped files by suffix; none if there are none."""
    if not skipped:
        return []
    counts = sorted(skipped.items(), key=lambda item: (-item[1], item[0]))
    listed = [f"{count:,} {suffix}" for suffix, count in counts[:MAX_EXAMPLES]]
    n_more = sum(count for _, count in counts[MAX_EXAMPLES:])
    more = f" and {n_more:,} more" if n_more else ""
    return [f"skipped {', '.join(listed)}{more}"]


def decode_all(
    folder: Path, names: list[str], progress: Callable[[int, int], None] | None
) -> tuple[list[str], NDArray[np.int64], Counter[tuple[int, ...]], dict[str, str]]:
    """Decode each image once.

    Returns
    -------
    readable
        Names of the readable images.
    sizes
        int64 (image, 2): height and width of each of them.
    channels
        Number of images of each kind: () is grey, (3,) RGB.
    unreadable
        Reason of each other image, by its name.
    """
    readable: list[str] = []
    sizes = np.empty((len(names), 2), np.int64)
    channels: Counter[tuple[int, ...]] = Counter()
    unreadable: dict[str, str] = {}
    for n_done, name in enumerate(names, start=1):
        try:
            name.encode()
            shape = read_image(os.path.join(folder, name)).shape
            sizes[len(readable)] = shape[:2]
            channels[shape[2:]] += 1
            readable.append(name)
        except UnicodeEncodeError:
            # The name can neither be printed nor stored.
            unreadable[os.fsencode(name).decode(errors="replace")] = "its name is not UTF-8"
        except UnreadableError as error:
            unreadable[name] = str(error)
        if progress is not None:
            progress(n_done, len(names))
    return readable, sizes[: len(readable)], channels, unreadable


def unreadable_message(folder: Path, unreadable: dict[str, str], n_images: int) -> str:
    """One line: how many, the first few with their reasons, what to do."""
    examples = [f"{name} ({reason})" for name, reason in list(unreadable.items())[:MAX_EXAMPLES]]
    n_more = len(unreadable) - len(examples)
    more = f" and {n_more:,} more" if n_more else ""
    advice = "repair or remove them, or leave them out with --skip-unreadable"
    if len(unreadable) == n_images:
        advice = "give readable images"
    return (
        f"{folder}: {len(unreadable):,} of {n_images:,} images cannot be read: "
        f"{', '.join(examples)}{more}: {advice}"
    )


def common_shape(
    folder: Path,
    sizes: NDArray[np.int64],
    channels: Counter[tuple[int, ...]],
    preprocessing: PreprocessingOptions,
) -> tuple[int, ...]:
    """The shape of all cells after preprocessing; where sizes differ, of their canvas.

    Raises
    ------
    InputError
        If grey and RGB images are mixed, or a channel of grey images is asked for.
    """
    n_grey, n_images = channels[()], len(sizes)
    if 0 < n_grey < n_images:
        raise InputError(
            f"{folder}: {n_grey:,} images are grey and {n_images - n_grey:,} are RGB: cells of one "
            "archive are alike, so convert one kind or keep them in two folders"
        )
    canvas = sizes.max(axis=0).tolist()
    return preprocessing.cell_shape((*canvas, *next(iter(channels))), f"{folder}")
