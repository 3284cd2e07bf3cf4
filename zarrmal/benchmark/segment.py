"""Segmentation measured on fields whose cells are known: boxes, masks, or centres."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

from ..errors import InputError, MissingError
from ..progress import Progress, silent
from ..segment import BloodCells, Objects, SegmentOptions, find_objects, open_slide
from ..segment.calibrate import calibrate
from ..segment.find import samples
from ..sources.images.image_file import is_image_name, read_image
from ..sources.images.unreadable import UnreadableError

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
class FieldScore:
    """What was found in one field.

    Parameters
    ----------
    name
        Of the file.
    n_pixels
        Of the field.
    n_right, n_wrong, n_missed
        Cells found that are known, that are not known; known cells that were not found. None
        without truth.
    segment_seconds, calibrate_seconds
        Processor time of this thread: segmenting, calibrating before that.
    """

    name: str
    n_pixels: int
    n_right: int | None = None
    n_wrong: int | None = None
    n_missed: int | None = None
    segment_seconds: float
    calibrate_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentScore:
    """Over all fields.

    Parameters
    ----------
    fields
        One by one.
    """

    fields: tuple[FieldScore, ...]

    @property
    def precision(self) -> float:
        """Share of the cells found that are known."""
        return self._share("n_wrong")

    @property
    def recall(self) -> float:
        """Share of the known cells that were found."""
        return self._share("n_missed")

    @property
    def mpx_per_second(self) -> float:
        """Million pixels segmented in a second by one thread, calibrated before."""
        return self._pixels / max(sum(f.segment_seconds for f in self.fields), 1e-9)

    @property
    def mpx_per_second_calibrating(self) -> float:
        """The same, each field calibrated for itself within that time."""
        seconds = sum(f.segment_seconds + f.calibrate_seconds for f in self.fields)
        return self._pixels / max(seconds, 1e-9)

    @property
    def _pixels(self) -> float:
        return sum(f.n_pixels for f in self.fields) / 1e6

    def _share(self, other: str) -> float:
        right = sum(f.n_right or 0 for f in self.fields)
        total = right + sum(getattr(f, other) or 0 for f in self.fields)
        return right / total if total else float("nan")


def measure(
    fields: Path,
    truth: Path | None = None,
    *,
    options: SegmentOptions | None = None,
    ignore: Iterable[str] = ("difficult",),
    ignore_region: Box | None = None,
    least_known: int = 0,
    count_border: bool = False,
    progress: Progress = silent,
) -> SegmentScore:
    """Segment each field of a folder, or one slide, and compare with what is known.

    Parameters
    ----------
    fields
        Folder of pictures, or one slide.
    truth
        One of

        * a JSON file ``{file: [{type, x, y, w, h}, …]}``: a cell is found if its box has an IoU of
          0.5 with a known one; those of an ignored type, cut by the border, or in the ignored
          region, count neither way;
        * a folder of images of masks, named as the fields: the same with the masks' connected
          parts of more than 200 pixels; those at the border and those of several cells (more than
          2.2 medians) count neither way;
        * a folder of texts, named as the fields, with ``x y`` first on each line: a cell is
          found if its centre lies in exactly one cell that holds no other centre; cells without a
          centre are wrong. Centres of cells cut by the border count.

        None measures the speed alone.
    options
        See SegmentOptions.
    ignore, ignore_region
        See truth.
    least_known
        Only fields with so many known cells are scored: where only some cells have been marked,
        the others are no mistakes.
    count_border
        Known boxes and masks cut by the border count, too: unless options keep such cells, they are
        missed.

    Raises
    ------
    InputError
        If there are no fields, or the truth cannot be read.
    """
    options = options or SegmentOptions()
    known = None if truth is None else _truth(truth)
    paths = _fields(fields)
    scores = []
    for k, path in enumerate(paths, start=1):
        slide = open_slide(path)
        slide.read(0, 0, *slide.size)  # decoding is not what is measured
        started = time.process_time()
        segmenter = options.segmenter or BloodCells(
            calibration=calibrate(samples(slide)), splitting=options.splitting
        )
        calibrated = time.process_time()
        objects = find_objects(
            slide,
            SegmentOptions(segmenter=segmenter, tile=options.tile, keep_border=options.keep_border),
        )
        ended = time.process_time()
        counts: dict[str, int] = {}
        if known is not None:
            right, wrong, missed = known.compare(
                path, objects, slide.size, frozenset(ignore), ignore_region, count_border
            )
            if right + missed >= least_known:
                counts = {"n_right": right, "n_wrong": wrong, "n_missed": missed}
        n_pixels = slide.size[0] * slide.size[1]
        scores.append(
            FieldScore(
                name=path.name,
                n_pixels=n_pixels,
                segment_seconds=ended - calibrated,
                calibrate_seconds=calibrated - started,
                **counts,
            )
        )
        progress("segmenting", k, len(paths))
    return SegmentScore(fields=tuple(scores))


def _fields(path: Path) -> list[Path]:
    if not path.exists():
        raise MissingError(f"{path}: there is no such file or folder: give fields or a slide")
    if not path.is_dir() or (path / "zarr.json").exists() or (path / ".zgroup").exists():
        return [path]
    names = sorted(p for p in path.iterdir() if is_image_name(p.name))
    if not names:
        raise InputError(f"{path}: holds no pictures of fields")
    from ..segment.slides.tile_folder import tile_names

    return [path] if tile_names(path) else names


class _Truth:
    """What is known of the cells of each field."""

    def compare(
        self,
        path: Path,
        objects: Objects,
        size: tuple[int, int],
        ignore: frozenset[str],
        region: Box | None,
        count_border: bool,
    ) -> tuple[int, int, int]:
        """Cells found that are known, cells found that are not, and cells that are missed."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class _Boxes(_Truth):
    path: Path
    boxes: Mapping[str, Sequence[Mapping[str, Any]]]

    def compare(
        self,
        path: Path,
        objects: Objects,
        size: tuple[int, int],
        ignore: frozenset[str],
        region: Box | None,
        count_border: bool,
    ) -> tuple[int, int, int]:
        """See _Truth."""
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
        ignored = (is_cut & (not count_border)) | np.array([t in ignore for t in types], np.bool_)
        found = objects.cells().boxes.astype(np.float64)
        in_region = np.zeros(len(found), np.bool_)
        if region is not None:
            there = np.array([region], np.float64)
            in_region = _overlaps(found, there)[:, 0] > 0
            ignored |= _overlaps(known, there)[:, 0] > 0
        ious = _ious(found, known)
        return _matched(ious, ignored, in_region | (ious[:, ignored] >= SAME).any(axis=1))


@dataclass(frozen=True, slots=True)
class _Masks(_Truth):
    folder: Path

    def compare(
        self,
        path: Path,
        objects: Objects,
        size: tuple[int, int],
        ignore: frozenset[str],
        region: Box | None,
        count_border: bool,
    ) -> tuple[int, int, int]:
        """See _Truth."""
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
        ignored |= at_border[1:] & (not count_border)
        cells = objects.cells()
        common = np.zeros((len(cells), n))
        for k, (y, x, height, width) in enumerate(cells.boxes.tolist()):
            inside = labels[y : y + height, x : x + width][cells.mask(k)]
            common[k] = np.bincount(inside, minlength=n + 1)[1:]
        found = cells.areas.astype(np.float64)[:, np.newaxis]
        ious = common / np.maximum(found + areas - common, 1)
        in_ignored = common[:, ignored].sum(axis=1) >= MOST_IGNORED * found[:, 0]
        return _matched(ious, ignored, in_ignored)


@dataclass(frozen=True, slots=True)
class _Centres(_Truth):
    folder: Path

    def compare(
        self,
        path: Path,
        objects: Objects,
        size: tuple[int, int],
        ignore: frozenset[str],
        region: Box | None,
        count_border: bool,
    ) -> tuple[int, int, int]:
        """See _Truth."""
        file = _beside(self.folder, path)
        try:
            lines = [line.split() for line in file.read_text().splitlines() if line.strip()]
            points = np.array([[float(y), float(x)] for x, y, *_ in lines]).reshape(-1, 2)
        except (ValueError, OSError) as error:
            raise InputError(f"{file}: a line begins with x and y: {error}") from error
        rows = np.clip(points.astype(np.int64), 0, np.array(size) - 1)
        labels = np.zeros(size, np.int32)
        cells = objects.cells()
        for k, (y, x, height, width) in enumerate(cells.boxes.tolist()):
            labels[y : y + height, x : x + width][cells.mask(k)] = k + 1
        holding = labels[rows[:, 0], rows[:, 1]]
        n_centres = np.bincount(holding, minlength=len(cells) + 1)
        is_hit = (holding > 0) & (n_centres[holding] == 1)
        wrong = int((n_centres[1:] == 0).sum())
        return int(is_hit.sum()), wrong, int((~is_hit).sum())


def _truth(path: Path) -> _Truth:
    if path.is_file():
        try:
            boxes = json.loads(path.read_text())
        except (ValueError, OSError) as error:
            raise InputError(f"{path}: is no JSON of boxes: {error}") from error
        if not isinstance(boxes, dict):
            raise InputError(f"{path}: boxes are {{file: [{{x, y, w, h}}, …]}}")
        return _Boxes(path, boxes)
    if not path.is_dir():
        raise MissingError(f"{path}: there is no such file or folder: give what is known of fields")
    if any(p.suffix == ".txt" for p in path.iterdir()):
        return _Centres(path)
    return _Masks(path)


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
) -> tuple[int, int, int]:
    """Pairs with the most IoU, one to one; found ones without a pair, known ones without."""
    counted = ious[:, ~ignored]
    good = np.where(counted >= SAME, counted, 0)
    rows, columns = linear_sum_assignment(-good)
    is_pair = good[rows, columns] > 0
    right = int(is_pair.sum())
    alone = np.ones(len(ious), np.bool_)
    alone[rows[is_pair]] = False
    return right, int((alone & ~excused).sum()), int((~ignored).sum()) - right


def _overlaps(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Common area of each of some boxes with each of others."""
    low = np.maximum(a[:, np.newaxis, :2], b[:, :2])
    high = np.minimum((a[:, :2] + a[:, 2:])[:, np.newaxis], b[:, :2] + b[:, 2:])
    return np.asarray(np.clip(high - low, 0, None).prod(axis=2))


def _ious(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    common = _overlaps(a, b)
    total = a[:, 2:].prod(axis=1)[:, np.newaxis] + b[:, 2:].prod(axis=1) - common
    return np.asarray(common / np.maximum(total, 1e-9))
