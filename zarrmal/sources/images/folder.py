"""A folder of image files, one sub-folder per class, or flat."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.cell import JpegCell
from zarrmal_codecs.silhouette.silhouettes import Silhouettes

from ...errors import InputError, input_error
from ...lattice.file_cell import FileCell, file_cell
from ..columns.annotations import MAX_EXAMPLES, AnnotationOptions, RawAnnotations, describe
from ..columns.strings import STRINGS, Strings, checked_strings
from ..dimensions import checked_letters
from ..limits import check_cell_shape
from ..masks.masks import mask_path
from ..masks.planes import Planes
from ..places.special_files import special_kind
from ..preprocessing import PreprocessingOptions
from ..sizes import MAX_SIDE, Pixels
from ..source import Source, checked_indices
from .image_file import (
    DECODING_ERRORS,
    is_image_name,
    is_jpeg_name,
    read_image,
    read_regular_file,
    read_with_pillow,
    suffix_for_count,
)
from .unreadable import UnreadableError

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
    planes
        Which channels are masks.
    mask_pattern
        Files that have the name of another's mask by this pattern are no cells; see mask_path.
    axes
        "yxc" or "cyx" says how an archive holds the channels; None goes by the first image: pages
        of a TIFF are channels that come first. "cyx" takes pages of any kind as channels.
    skip_unreadable
        Leave out images that cannot be read, and list them in ``unreadable``.
    progress
        Called after each image with the number of images decoded, and of all.

    Raises
    ------
    InputError
        If there are no images, some cannot be read, they are of several dtypes or numbers of
        channels, or the codec cannot code cells of their size.
    """

    def __init__(
        self,
        folder: Path,
        *,
        preprocessing: PreprocessingOptions,
        annotation: AnnotationOptions,
        planes: Planes | None = None,
        mask_pattern: str | None = None,
        axes: str | None = None,
        skip_unreadable: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._folder, self._options = folder.absolute(), preprocessing
        letters = None if axes is None else checked_letters(axes).replace("n", "")
        if letters not in (None, "yx", "yxc", "cyx"):
            raise InputError(f"{folder}: axes of images are yxc or cyx, not {axes}")
        self._pages_are_channels = letters == "cyx"
        names, skipped = image_names(folder)
        if mask_pattern is not None:
            masks = {mask_path(mask_pattern, name) for name in names}
            own = {name for name in names if mask_path(mask_pattern, name) == name}
            # Of a.bmp and a.png, which is the mask by "{name}.png", only the former is a cell.
            stems = Counter(os.path.splitext(name)[0] for name in names)
            alone = {name for name in own if stems[os.path.splitext(name)[0]] == 1}
            names = [name for name in names if name not in masks - alone]
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
        readable, sizes, kinds, unreadable = decode_all(
            folder, names, progress, pages_are_channels=self._pages_are_channels
        )
        del names  # Python strings take more memory than all else here
        if unreadable and (not skip_unreadable or not readable):
            raise InputError(unreadable_message(folder, unreadable, n_images))
        kind = common_kind(folder, kinds)
        self.dtype = kind.dtype
        preprocessing.check_dtype(self.dtype, f"{folder}")
        self._planes = (planes or Planes()).of(kind.channels, f"{folder}")
        self._n_channels = kind.channels
        self.n_masks = len(self._planes.masks)
        if self.n_masks and preprocessing.size is not None:
            raise InputError(f"{folder}: holds masks at the size of the cells, which --size does "
                             f"not resample: leave --size out, or choose --mask-channel "
                             f"none")  # fmt: skip
        canvas = sizes.max(axis=0).tolist()
        native = self._planes.image_shape((1, *canvas, *kind.channels))[1:]
        self._is_grey = native[2:] == (1,)
        self.cell_shape = preprocessing.cell_shape(native[: 2 + (not self._is_grey)], f"{folder}")
        first = kind.channel_first if letters is None else letters == "cyx"
        self.channel_first = first and len(self.cell_shape) == 3
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
        is_original = preprocessing.keeps_pixels and not self._planes.masks
        self.has_jpeg_files = is_original and any(map(is_jpeg_name, readable))
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

    def read(self, indices: NDArray[np.int64]) -> Pixels:
        """See Source.read."""
        rows = checked_indices(indices, self.n_cells).tolist()
        cells = np.zeros((len(rows), *self.cell_shape), self.dtype)
        for row, index in enumerate(rows):
            image = self._planes.image_planes(self._image(index))
            cell = self._options.apply((image[..., 0] if self._is_grey else image)[np.newaxis])[0]
            height, width = self._size(index)
            expected = (height, width, *self.cell_shape[2:])
            if cell.shape != expected:
                raise self._changed(index, f"it has shape {cell.shape}, not {expected}")
            cells[row, :height, :width] = cell
        return cells

    def masks(self, indices: NDArray[np.int64]) -> NDArray[np.bool_]:
        """See Source.masks."""
        masks = super().masks(indices)
        for row, index in enumerate(np.asarray(indices).tolist() if self.n_masks else ()):
            image = self._image(index)[np.newaxis]
            own = self._planes.mask_planes(image, np.array([index]), self.location)[0]
            height, width = self._size(index)
            if own.shape[1:] != (height, width):
                raise self._changed(index, f"it is {own.shape[1]} x {own.shape[2]}")
            masks[row, :, :height, :width] = own
        return masks

    def _size(self, index: int) -> tuple[int, int]:
        """Height and width of a cell."""
        if self.sizes is None:
            return self.cell_shape[0], self.cell_shape[1]
        height, width = self.sizes[index].tolist()
        return height, width

    def silhouettes(self, indices: NDArray[np.int64]) -> Silhouettes | None:
        """See Source.silhouettes: those of images whose background is 0, where they are resampled.

        The images are read once more.
        """
        if self._options.size is None:
            return None
        rows = checked_indices(indices, self.n_cells).tolist()
        return self._options.silhouettes([self._image(index) for index in rows])

    def jpeg(self, indices: NDArray[np.int64]) -> list[JpegCell | None] | None:
        """See Source.jpeg: of files named like a JPEG's whose pixels are taken as they are."""
        rows = checked_indices(indices, self.n_cells).tolist()
        if not self.has_jpeg_files:
            return None
        names = (str(self._paths[index]) for index in rows)
        pairs = zip(rows, map(is_jpeg_name, names), strict=True)
        return [self._file_cell(index) if is_jpeg else None for index, is_jpeg in pairs]

    def _file_cell(self, index: int) -> FileCell | None:
        """A cell of a JPEG file; None where its file is none that comes apart.

        The file is read once, so that pixels and coefficients are those of the same bytes.
        """
        try:
            data = read_regular_file(os.path.join(self._folder, self._paths[index]))
            return file_cell(data, read_with_pillow(data))
        except (UnreadableError, *DECODING_ERRORS):
            return None  # read() says what is wrong

    def _image(self, index: int) -> Pixels:
        """An original image, with its masks if there are any."""
        path = os.path.join(self._folder, self._paths[index])
        try:
            image = read_image(path, pages_are_channels=self._pages_are_channels).pixels
            kind = (image.dtype, image.shape[2:])
            if kind != (self.dtype, self._n_channels):
                before = ImageKind(dtype=self.dtype, channels=self._n_channels)
                now = ImageKind(dtype=image.dtype, channels=image.shape[2:])
                raise InputError(f"it is {now.text}, and was {before.text}")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageKind:
    """What all images of a folder have in common.

    Parameters
    ----------
    dtype
        Of the pixels.
    channels
        () is grey, (3,) RGB or three channels.
    channel_first
        Of the first such image; see DecodedImage.
    """

    dtype: np.dtype[Any]
    channels: tuple[int, ...]
    channel_first: bool = field(default=False, compare=False)

    @property
    def text(self) -> str:
        """``grey of uint8``, ``RGB of uint16``, ``5 channels of uint16``."""
        if not self.channels:
            colours = "grey"
        elif self.channels == (3,) and not self.channel_first:
            colours = "RGB"
        else:
            colours = f"{self.channels[0]} channels"
        return f"{colours} of {self.dtype}"


Kinds = dict[ImageKind, tuple[int, str]]
"""Kind -> how many images there are of it, and the name of the first."""


def decode_all(
    folder: Path,
    names: list[str],
    progress: Callable[[int, int], None] | None,
    *,
    pages_are_channels: bool = False,
) -> tuple[list[str], NDArray[np.int64], Kinds, dict[str, str]]:
    """Decode each image once.

    Returns
    -------
    readable
        Names of the readable images.
    sizes
        int64 (image, 2): height and width of each of them.
    kinds
        Of each kind of them the number, and the name of the first.
    unreadable
        Reason of each other image, by its name.
    """
    readable: list[str] = []
    sizes = np.empty((len(names), 2), np.int64)
    kinds: Kinds = {}
    unreadable: dict[str, str] = {}
    for n_done, name in enumerate(names, start=1):
        try:
            name.encode()
            image = read_image(os.path.join(folder, name), pages_are_channels=pages_are_channels)
            shape = image.pixels.shape
            sizes[len(readable)] = shape[:2]
            kind = ImageKind(
                dtype=image.pixels.dtype,
                channels=shape[2:],
                channel_first=image.channel_first and len(shape) == 3,
            )
            n_before, first = kinds.get(kind, (0, name))
            kinds[kind] = n_before + 1, first
            readable.append(name)
        except UnicodeEncodeError:
            # The name can neither be printed nor stored.
            unreadable[os.fsencode(name).decode(errors="replace")] = "its name is not UTF-8"
        except UnreadableError as error:
            unreadable[name] = str(error)
        if progress is not None:
            progress(n_done, len(names))
    return readable, sizes[: len(readable)], kinds, unreadable


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


def common_kind(folder: Path, kinds: Kinds) -> ImageKind:
    """The kind of all images.

    Raises
    ------
    InputError
        If there are several.
    """
    if len(kinds) > 1:
        (one, (n_one, first)), (other, (n_other, second)) = list(kinds.items())[:2]
        raise InputError(
            f"{folder}: {n_one:,} images are {one.text} (such as {first}) and {n_other:,} are "
            f"{other.text} (such as {second}): cells of one archive are alike, so convert one kind "
            f"or keep them in two folders"
        )
    return next(iter(kinds))
