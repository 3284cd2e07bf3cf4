"""What is known of the cells of fields: boxes, masks, or centres."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

from ...errors import InputError, MissingError
from ...segment import Objects
from ...sources.images.image_file import read_image
from ...sources.images.unreadable import UnreadableError

SAME = 0.5
"""Least IoU of a cell found and a cell known."""
LEAST_AREA = 200
"""Pixels of a known mask; smaller ones are crumbs of drawing."""
OVERSIZE = 2.2
"""Known masks larger than so many medians are several cells, and ignored."""
MOST_IGNORED = 0.5
"""What lies to this share in something ignored is ignored, too."""

Box = tuple[int, int, int, int]
"""y, x, height, width."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """What counts neither way.

    Parameters
    ----------
    types
        Of boxes.
    region
        What lies in this box.
    border
        Known boxes and masks cut by the border.
    """

    types: frozenset[str] = frozenset({"difficult"})
    region: Box | None = None
    border: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """Cells found in a field beside those known.

    Parameters
    ----------
    is_right, is_wrong
        bool (cell,): found cells that are known, and that are not. Neither where they do not count.
    n_missed
        Known cells that were not found.
    """

    is_right: NDArray[np.bool_]
    is_wrong: NDArray[np.bool_]
    n_missed: int


class Truth(Protocol):
    """What is known of the cells of each field."""

    def compare(self, path: Path, cells: Objects, size: tuple[int, int], /) -> Comparison:
        """Compare with the cells found in a field of a size, (y, x) in pixels.

        Raises
        ------
        InputError
            If nothing is known of the field, or it cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class Boxes:
    """Boxes of cells: a cell is found if its box has an IoU of 0.5 with a known one."""

    path: Path
    boxes: Mapping[str, Sequence[Mapping[str, Any]]]
    ignored: Ignored

    def compare(self, path: Path, cells: Objects, size: tuple[int, int], /) -> Comparison:
        """See Truth."""
        if path.name not in self.boxes:
            raise InputError(f"{self.path}: tells nothing of {path.name}")
        entries = self.boxes[path.name]
        try:
            known = np.array([[e["y"], e["x"], e["h"], e["w"]] for e in entries], np.float64)
            types = [str(e.get("type", "")) for e in entries]
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{self.path}: {path.name}: a box has x, y, w and h: {error!r}") from (
                error
            )
        known = known.reshape(-1, 4)
        ends = known[:, :2] + known[:, 2:]
        is_cut = (known[:, :2] <= 1).any(axis=1) | (ends >= np.array(size) - 1).any(axis=1)
        ignored = np.array([t in self.ignored.types for t in types], np.bool_)
        if self.ignored.border:
            ignored |= is_cut
        found = cells.boxes.astype(np.float64)
        in_region = np.zeros(len(found), np.bool_)
        if self.ignored.region is not None:
            there = np.array([self.ignored.region], np.float64)
            in_region = _overlaps(found, there)[:, 0] > 0
            ignored |= _overlaps(known, there)[:, 0] > 0
        ious = _ious(found, known)
        return _matched(ious, ignored, in_region | (ious[:, ignored] >= SAME).any(axis=1))


@dataclass(frozen=True, slots=True)
class Masks:
    """Images of masks, named as the fields: connected parts are cells, found as boxes are."""

    folder: Path
    ignored: Ignored

    def compare(self, path: Path, cells: Objects, size: tuple[int, int], /) -> Comparison:
        """See Truth."""
        mask = _image(_beside(self.folder, path))
        labels, n = ndimage.label(mask.reshape(*mask.shape[:2], -1).max(axis=2) > 127)
        if labels.shape != size:
            raise InputError(f"{self.folder}: the mask of {path.name} has shape {labels.shape}, "
                             f"the field {size}")  # fmt: skip
        areas = np.bincount(labels.ravel(), minlength=n + 1)[1:].astype(np.float64)
        median = np.median(areas[areas > LEAST_AREA]) if (areas > LEAST_AREA).any() else 0
        at_border = np.zeros(n + 1, np.bool_)
        for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
            at_border[side] = True
        ignored = (areas <= LEAST_AREA) | (areas > OVERSIZE * median)
        if self.ignored.border:
            ignored |= at_border[1:]
        common = np.zeros((len(cells), n))
        for k, (y, x, height, width) in enumerate(cells.boxes.tolist()):
            inside = labels[y : y + height, x : x + width][cells.mask(k)]
            common[k] = np.bincount(inside, minlength=n + 1)[1:]
        found = cells.areas.astype(np.float64)[:, np.newaxis]
        ious = common / np.maximum(found + areas - common, 1)
        in_ignored = common[:, ignored].sum(axis=1) >= MOST_IGNORED * found[:, 0]
        return _matched(ious, ignored, in_ignored)


@dataclass(frozen=True, slots=True)
class Centres:
    """Texts, named as the fields, with the ``x y`` of a cell's centre first on each line."""

    folder: Path

    def compare(self, path: Path, cells: Objects, size: tuple[int, int], /) -> Comparison:
        """See Truth."""
        file = _beside(self.folder, path)
        try:
            lines = [line.split() for line in file.read_text().splitlines() if line.strip()]
            points = np.array([[float(y), float(x)] for x, y, *_ in lines]).reshape(-1, 2)
        except (ValueError, OSError) as error:
            raise InputError(f"{file}: a line begins with x and y: {error}") from error
        rows = np.clip(points.astype(np.int64), 0, np.array(size) - 1)
        labels = np.zeros(size, np.int32)
        for k, (y, x, height, width) in enumerate(cells.boxes.tolist()):
            labels[y : y + height, x : x + width][cells.mask(k)] = k + 1
        holding = labels[rows[:, 0], rows[:, 1]]
        n_centres = np.bincount(holding, minlength=len(cells) + 1)
        is_hit = (holding > 0) & (n_centres[holding] == 1)
        return Comparison(
            is_right=n_centres[1:] == 1,
            is_wrong=n_centres[1:] == 0,
            n_missed=int((~is_hit).sum()),
        )


def open_truth(path: Path, ignored: Ignored) -> Truth:
    """A JSON file of boxes, a folder of images of masks, or a folder of texts of centres.

    Raises
    ------
    InputError
        If it is none of these.
    """
    if path.is_file():
        try:
            boxes = json.loads(path.read_text())
        except (ValueError, OSError) as error:
            raise InputError(f"{path}: is no JSON of boxes: {error}") from error
        if not isinstance(boxes, dict):
            raise InputError(f"{path}: boxes are {{file: [{{x, y, w, h}}, …]}}")
        return Boxes(path, boxes, ignored)
    if not path.is_dir():
        raise MissingError(f"{path}: there is no such file or folder: give what is known of fields")
    if any(p.suffix == ".txt" for p in path.iterdir()):
        return Centres(path)
    return Masks(path, ignored)


def _beside(folder: Path, field: Path) -> Path:
    """What the folder holds for a field, with any suffix."""
    found = sorted(p for p in folder.iterdir() if p.stem == field.stem)
    if not found:
        raise InputError(f"{folder}: holds nothing for {field.name}")
    return found[0]


def _image(path: Path) -> NDArray[np.uint8]:
    try:
        return np.asarray(read_image(str(path)).pixels, np.uint8)
    except UnreadableError as error:
        raise InputError(f"{path}: cannot be read: {error}") from error


def _matched(
    ious: NDArray[np.float64], ignored: NDArray[np.bool_], excused: NDArray[np.bool_]
) -> Comparison:
    """Pairs with the most IoU, one to one; found ones without a pair, known ones without.

    Parameters
    ----------
    ious
        (found, known).
    ignored
        bool (known,): do not count.
    excused
        bool (found,): are not wrong, if without a pair.
    """
    counted = ious[:, ~ignored]
    good = np.where(counted >= SAME, counted, 0)
    rows, columns = linear_sum_assignment(-good)
    is_pair = good[rows, columns] > 0
    is_right = np.zeros(len(ious), np.bool_)
    is_right[rows[is_pair]] = True
    n_missed = int((~ignored).sum()) - int(is_pair.sum())
    return Comparison(is_right=is_right, is_wrong=~is_right & ~excused, n_missed=n_missed)


def _overlaps(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Common area of each of some boxes with each of others."""
    low = np.maximum(a[:, np.newaxis, :2], b[:, :2])
    high = np.minimum((a[:, :2] + a[:, 2:])[:, np.newaxis], b[:, :2] + b[:, 2:])
    return np.asarray(np.clip(high - low, 0, None).prod(axis=2))


def _ious(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    common = _overlaps(a, b)
    total = a[:, 2:].prod(axis=1)[:, np.newaxis] + b[:, 2:].prod(axis=1) - common
    return np.asarray(common / np.maximum(total, 1e-9))
