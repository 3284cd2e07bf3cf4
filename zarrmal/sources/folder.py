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

from ..errors import InputError
from .annotations import Annotator, Columns, describe
from .images import counted_suffix, is_image_name, read_image
from .shaping import Shaping
from .source import Source, checked_indices
from .unreadable import UnreadableError

N_EXAMPLES = 5  # unreadable files told in a message


class FolderSource(Source):
    """Images of a folder and its sub-folders, in the order of their paths.

    The first part of a path below the folder is the class; if all images lie in the folder
    itself, there are no labels. Every image is decoded once on opening, so that a damaged one is
    found before anything is written; no pixels are kept.

    Parameters
    ----------
    folder
        Hidden files are passed over, and files without the suffix of an image; the description
        counts the latter.
    shaping, annotator
        What the caller wants and gives.
    skip_unreadable
        Leave out, and list in ``unreadable``, what cannot be read.
    progress
        Called after each image with the number of images checked, and of all.

    Raises
    ------
    InputError
        If there are no images, some cannot be read, or they are not of one shape.
    """

    def __init__(
        self,
        folder: Path,
        *,
        shaping: Shaping,
        annotator: Annotator,
        skip_unreadable: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._folder, self._shaping = folder.absolute(), shaping
        names, others = image_names(folder)
        if not names:
            raise InputError(
                f"{folder}: holds no PNG, TIFF, JPEG or BMP images{passed_over(others)}, and is no "
                "Zarr (no zarr.json, .zgroup or .zarray): give a folder of images, one sub-folder "
                "per class"
            )
        n_flat = sum("/" not in name for name in names)
        if 0 < n_flat < len(names):
            raise InputError(
                f"{folder}: {n_flat:,} images lie beside the class folders and so have no class: "
                "move each into a class folder, or all into one flat folder"
            )
        readable, shapes, unreadable = check(folder, names, progress)
        if unreadable and (not skip_unreadable or not readable):
            raise InputError(unreadable_message(folder, unreadable, len(names)))
        self.cell_shape = common_shape(folder, shapes, shaping)
        self.n_cells = len(readable)
        self.unreadable = tuple(unreadable)
        classes = None if n_flat else [name.split("/")[0] for name in readable]
        known = annotator.annotate(
            Columns(labels=classes, names=readable), self.n_cells, f"{folder}"
        )
        self.class_names, self.labels = known.class_names, known.labels
        self.groups, self.names = known.groups, known.names
        described = describe(f"folder {folder}/", self.n_cells, "image", known)
        self.description = described + passed_over(others)
        self._paths = readable

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """See Source.read."""
        rows = checked_indices(indices, self.n_cells).tolist()
        cells = np.empty((len(rows), *self.cell_shape), np.uint8)
        for row, index in enumerate(rows):
            path = self._folder / self._paths[index]
            try:
                cell = self._shaping(read_image(path)[np.newaxis])[0]
            except (UnreadableError, InputError) as error:
                if _fails(error.__cause__, self._folder):
                    raise error.__cause__ from None
                raise InputError(
                    f"{path}: has changed since the folder was opened: {error}"
                ) from error
            if cell.shape != self.cell_shape:
                raise InputError(
                    f"{path}: has changed since the folder was opened: it has shape {cell.shape}, "
                    f"not {self.cell_shape}"
                )
            cells[row] = cell
        return cells


def _fails(cause: BaseException | None, folder: Path) -> TypeGuard[OSError]:
    """It is a disk or a network that fails, and may come back: nobody has changed an image."""
    if not isinstance(cause, OSError) or not cause.errno:
        return False
    return cause.errno != errno.ENOENT or not folder.is_dir()


def image_names(folder: Path) -> tuple[list[str], Counter[str]]:
    """Sorted paths below the folder, '/' between the parts, of all that is named like an image.

    A directory named like an image counts too, so that it is told, not passed over. With them the
    number of other files by their suffix, but for hidden ones.
    """

    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename}: cannot be listed: {error.strerror}") from error

    names: list[str] = []
    others: Counter[str] = Counter()
    seen: dict[str, str] = {}
    for parent, folders, files in os.walk(folder, followlinks=True, onerror=refuse):
        real = os.path.realpath(parent)
        if real in seen:
            raise InputError(
                f"{parent}: is the same folder as {seen[real]}, so its images would count twice: "
                "remove the link"
            )
        seen[real] = parent
        found = [name for name in files + folders if is_image_name(name)]
        folders[:] = [name for name in folders if not (name.startswith(".") or name in found)]
        names += [Path(parent, name).relative_to(folder).as_posix() for name in found]
        others.update(
            counted_suffix(name) for name in files if not (name.startswith(".") or name in found)
        )
    return sorted(names), others


def passed_over(others: Counter[str]) -> str:
    """How many files of which suffix are no images, in brackets; nothing if there are none."""
    if not others:
        return ""
    counts = sorted(others.items(), key=lambda item: (-item[1], item[0]))
    told = [f"{count:,} {suffix}" for suffix, count in counts[:N_EXAMPLES]]
    n_more = sum(count for _, count in counts[N_EXAMPLES:])
    more = f" and {n_more:,} more" if n_more else ""
    return f" (passed over {', '.join(told)}{more})"


def check(
    folder: Path, names: list[str], progress: Callable[[int, int], None] | None
) -> tuple[list[str], Counter[tuple[int, ...]], dict[str, str]]:
    """Decode each image: names of the readable, count of each shape, reason of each unreadable."""
    readable: list[str] = []
    shapes: Counter[tuple[int, ...]] = Counter()
    unreadable: dict[str, str] = {}
    for done, name in enumerate(names, start=1):
        try:
            name.encode()
            shapes[read_image(folder / name).shape] += 1
            readable.append(name)
        except UnicodeEncodeError:
            # The name would break whatever is printed or stored later.
            unreadable[os.fsencode(name).decode(errors="replace")] = "its name is not UTF-8"
        except UnreadableError as error:
            unreadable[name] = str(error)
        if progress is not None:
            progress(done, len(names))
    return readable, shapes, unreadable


def unreadable_message(folder: Path, unreadable: dict[str, str], n_all: int) -> str:
    """One line: how many, the first few with their reasons, what to do."""
    examples = [f"{name} ({reason})" for name, reason in list(unreadable.items())[:N_EXAMPLES]]
    n_more = len(unreadable) - len(examples)
    more = f" and {n_more:,} more" if n_more else ""
    advice = "repair or remove them, or leave them out with --skip-unreadable"
    if len(unreadable) == n_all:
        advice = "give readable images"
    return (
        f"{folder}: {len(unreadable):,} of {n_all:,} images cannot be read: "
        f"{', '.join(examples)}{more}: {advice}"
    )


def common_shape(
    folder: Path, shapes: Counter[tuple[int, ...]], shaping: Shaping
) -> tuple[int, ...]:
    """The one shape of all cells after shaping.

    Raises
    ------
    InputError
        If grey and RGB images are mixed, a plane of grey images is wanted, or sizes differ.
    """
    n_grey = sum(count for shape, count in shapes.items() if len(shape) == 2)
    n_all = sum(shapes.values())
    if 0 < n_grey < n_all:
        raise InputError(
            f"{folder}: {n_grey:,} images are grey and {n_all - n_grey:,} are RGB: cells of one "
            "archive are alike, so convert one kind or keep them in two folders"
        )
    if shaping.size is None and len(shapes) > 1:
        smallest, *_, largest = sorted(shapes, key=lambda shape: (shape[0] * shape[1], shape))
        raise InputError(
            f"{folder}: {n_all:,} images have {len(shapes):,} different shapes, from "
            f"{smallest[0]}x{smallest[1]} to {largest[0]}x{largest[1]} (height x width): cells of "
            "one archive have one shape, --size N resizes them to NxN"
        )
    return shaping.cell_shape(next(iter(shapes)), f"{folder}")
