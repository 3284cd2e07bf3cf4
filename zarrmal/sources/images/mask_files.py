"""Masks as image files: in a folder of their own, or beside the images of their cells."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ..masks.masks import Masks, is_beside, mask_path, missing_text, refuse_repeated
from ..masks.resampling import Mask
from .folder import image_names
from .image_file import read_image
from .unreadable import UnreadableError


class FileMasks(Masks):
    """Images of masks, a file for each: a pixel of 0 is background.

    Parameters
    ----------
    paths
        Of the masks.
    location
        Begins messages.
    """

    has_levels = False
    """Some mask that was read has several values that are not 0, of which nothing is kept."""

    def __init__(self, paths: Sequence[str], location: str) -> None:
        self._paths, self.location = paths, location

    @classmethod
    def in_folder(cls, folder: Path, names: Sequence[str]) -> Self:
        """Masks named as the cells, with any suffix, below a folder as the cells below theirs.

        Raises
        ------
        InputError
            If a cell has no mask, or two.
        """
        location = f"masks {folder}/"
        files = image_names(folder)[0]
        by_stem = {os.path.splitext(name)[0]: name for name in files}
        refuse_repeated(location, [os.path.splitext(name)[0] for name in files])
        paths = [by_stem.get(os.path.splitext(name)[0], "") for name in names]
        missing = [name for name, path in zip(names, paths) if not path]
        if missing:
            raise InputError(missing_text(location, missing))
        return cls([os.path.join(folder, path) for path in paths], location)

    @classmethod
    def by_pattern(cls, pattern: str, folder: Path | None, names: Sequence[str]) -> Self:
        """Masks whose path follows from that of the cell; see mask_path.

        Raises
        ------
        InputError
            If a cell has no mask.
        """
        location = f"masks {pattern}"
        if folder is None and is_beside(pattern):
            raise InputError(f"{location}: a pattern without a folder is for images: "
                             f"these cells are none, so give masks/{pattern}")  # fmt: skip
        paths = [mask_path(pattern, name) for name in names]
        if folder is not None and is_beside(pattern):
            paths = [os.path.join(folder, path) for path in paths]
        missing = [name for name, path in zip(names, paths) if not os.path.isfile(path)]
        if missing:
            raise InputError(f"{missing_text(location, missing)}, as in {mask_path(pattern, 'x')} "
                             f"for x.png")  # fmt: skip
        return cls(paths, location)

    def take(self, indices: NDArray[np.int64]) -> list[Mask | None]:
        """See Masks.take."""
        masks: list[Mask | None] = []
        for index in indices.tolist():
            path = self._paths[index]
            try:
                image = read_image(path).pixels
            except UnreadableError as error:
                raise InputError(f"{path}: cannot be read as a mask: {error}") from error
            inside: Mask = (image.reshape(*image.shape[:2], -1) != 0).any(axis=2)
            values = image[inside]
            self.has_levels |= bool(len(values) and (values != values[0]).any())
            masks.append(inside)
        return masks
