"""Segmentation measured on fields whose cells are known."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ...errors import InputError, MissingError
from ...progress import Progress, silent
from ...segment import BloodCells, SegmentOptions, find_objects, open_slide
from ...segment.calibrate import calibrate
from ...segment.slides.tile_folder import tile_names
from ...segment.tiles import samples
from ...sources.images.image_file import is_image_name
from .truth import Box, Ignored, open_truth
from .unknown import Looks, Unknown, compare_unknown


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
    unknown
        The cells that are not known beside those that are, if they were compared.
    """

    fields: tuple[FieldScore, ...]
    unknown: Unknown | None = None

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
    with_unknown: bool = False,
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
    with_unknown
        Compare the cells that are not known with those that are, see ``compare_unknown``.

    Raises
    ------
    InputError
        If there are no fields, or the truth cannot be read.
    """
    options = options or SegmentOptions()
    ignored = Ignored(types=frozenset(ignore), region=ignore_region, border=not count_border)
    known = None if truth is None else open_truth(truth, ignored)
    paths = _fields(fields)
    scores, looks = [], []
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
            cells = objects.cells()
            compared = known.compare(path, cells, slide.size)
            n_right, n_missed = int(compared.is_right.sum()), compared.n_missed
            if n_right + n_missed >= least_known:
                n_wrong = int(compared.is_wrong.sum())
                counts = {"n_right": n_right, "n_wrong": n_wrong, "n_missed": n_missed}
                if with_unknown:
                    pixels = slide.read_8_bits(0, 0, *slide.size)
                    looks.append(Looks.of(pixels, cells, compared))
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
    unknown = compare_unknown(looks) if looks else None
    return SegmentScore(fields=tuple(scores), unknown=unknown)


def _fields(path: Path) -> list[Path]:
    if not path.exists():
        raise MissingError(f"{path}: there is no such file or folder: give fields or a slide")
    if not path.is_dir() or (path / "zarr.json").exists() or (path / ".zgroup").exists():
        return [path]
    names = sorted(p for p in path.iterdir() if is_image_name(p.name))
    if not names:
        raise InputError(f"{path}: holds no pictures of fields")
    return [path] if tile_names(path) else names
