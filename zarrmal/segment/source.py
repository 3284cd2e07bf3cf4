"""The cells of a slide as a source: cut out along their masks, with the place of each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.cell import JpegCell
from zarrmal_codecs.silhouette.silhouettes import Silhouettes, is_codable

from ..errors import InputError
from ..progress import Progress, silent
from ..sources import Source
from ..sources.columns import provenance as columns
from ..sources.columns.annotations import AnnotationOptions, RawAnnotations, describe
from ..sources.columns.strings import STRINGS
from ..sources.limits import check_cell_shape
from ..sources.preprocessing import Channel, PreprocessingOptions, resample
from ..sources.sizes import MAX_SIDE, Pixels
from ..sources.source import checked_indices
from .find import SegmentOptions, equivalent_diameters, find_objects
from .objects import Objects
from .slides import Slide, open_slide

LEAST_CELL_SHARE = 0.4
"""Of what is stained: on smears it is more than two thirds, on tissue less than a fifth."""


class NoCellsError(InputError):
    """A slide without cells; what was found instead are ``slide`` and ``objects``, if known."""

    slide: Slide | None = None
    objects: Objects | None = None


class SlideSource(Source):
    """Cells of a slide, in the order in which they lie on it: tile by tile, row by row.

    The slide is segmented when it is opened; pixels are read when they are asked for.

    Parameters
    ----------
    slide
        See ``open_slide``.
    objects
        Of the slide; rejected ones are left out.
    preprocessing
        A channel, and a size to which the cells are resampled.
    keep_background
        See SegmentOptions.
    annotation
        The caller's names and groups; by default a cell is named by the slide and its place, and
        its group is the slide.

    Raises
    ------
    InputError
        If there are no cells, or the codec cannot code cells of their size.
    """

    def __init__(
        self,
        slide: Slide,
        objects: Objects,
        *,
        preprocessing: PreprocessingOptions | None = None,
        keep_background: bool = False,
        annotation: AnnotationOptions | None = None,
    ) -> None:
        options = preprocessing or PreprocessingOptions()
        annotation = annotation or AnnotationOptions(given=RawAnnotations())
        self.slide, self.objects = slide, objects
        self._cells, self._options = objects.cells(), options
        self._keep_background = keep_background
        # Beside the background lies the mask; without it the silhouettes are the masks.
        self.n_masks = 1 if keep_background else 0
        self.location = slide.location
        self.n_cells, self.dtype = len(self._cells), slide.dtype
        rejected = [f"{n:,} {text}" for text, n in objects.counts.items() if text != "cell"]
        notes = [f"rejected: {', '.join(rejected)}"] if rejected else []
        if objects.cell_share < LEAST_CELL_SHARE:
            notes.append(
                f"cells are {objects.cell_share:.0%} of what is stained: if this is tissue and no "
                f"smear, it needs a segmenter of its own"
            )
        if not self.n_cells:
            error = NoCellsError(
                f"{self.location}: no cells were found{f' ({notes[0]})' if notes else ''}: "
                f"`zarrmal segment` with --preview shows why"
            )
            error.slide, error.objects = slide, objects
            raise error
        boxes = self._cells.boxes
        size = options.size
        shape = (*boxes[:, 2:].max(axis=0).tolist(), *slide.shape[2:])
        self.cell_shape = options.cell_shape(shape, self.location)
        has_one_size = size is not None or bool((boxes[:, 2:] == boxes[0, 2:]).all())
        check_cell_shape(self.cell_shape, self.location, is_canvas=not has_one_size)
        if not has_one_size:
            if boxes[:, 2:].max() > MAX_SIDE:
                raise InputError(f"{self.location}: a cell has {boxes[:, 2:].max():,} rows or "
                                 f"columns, at most {MAX_SIDE:,} are possible")  # fmt: skip
            self.sizes = boxes[:, 2:].astype(np.uint16)
        native = {(h, w) for h, w in np.unique(boxes[:, 2:], axis=0).tolist()}
        self.preprocessing = options.record(native)
        slides = np.full(self.n_cells, slide.name, STRINGS)
        # Pillow writes no PNG of 16-bit RGB.
        suffix = ".tif" if slide.dtype.itemsize > 1 and len(self.cell_shape) == 3 else ".png"
        names = np.array(
            [f"{slide.name}_{x}_{y}{suffix}" for y, x in boxes[:, :2].tolist()], STRINGS
        )
        stored = RawAnnotations(groups=slides, names=names)
        if annotation.group_pattern is not None:
            stored = RawAnnotations(names=names)
        annotations = annotation.annotate(stored, self.n_cells, self.location)
        self.class_names, self.labels = annotations.class_names, annotations.labels
        self.groups, self.names = annotations.groups, annotations.names
        self.splits = annotations.splits
        self.columns = {
            columns.SLIDE: slides,
            columns.SLIDE_X: boxes[:, 1].copy(),
            columns.SLIDE_Y: boxes[:, 0].copy(),
            columns.SLIDE_WIDTH: boxes[:, 3].copy(),
            columns.SLIDE_HEIGHT: boxes[:, 2].copy(),
            columns.AREA: self._cells.areas,
            columns.EQUIVALENT_DIAMETER: equivalent_diameters(self._cells.areas),
            columns.CUT_SHARE: self._cells.cut_shares,
        }
        self.description = describe(
            self.location, self.n_cells, "cell", annotations, notes, self.sizes
        )

    def read(self, indices: NDArray[np.int64]) -> Pixels:
        """See Source.read."""
        rows = checked_indices(indices, self.n_cells)
        out = np.zeros((len(rows), *self.cell_shape), self.dtype)
        # In the order of the slide, so that each of its blocks is decoded once.
        for place in np.argsort(rows, kind="stable").tolist():
            index = int(rows[place])
            cell = self._options.apply(self.native(index)[np.newaxis])[0]
            out[place, : cell.shape[0], : cell.shape[1]] = cell
        return out

    def native(self, index: int) -> Pixels:
        """One cell at its native size, with all channels; (y, x[, 3]) of the slide's dtype."""
        y, x, height, width = self._cells.boxes[index].tolist()
        pixels = self.slide.read(y, x, height, width)
        if self._keep_background:
            return pixels
        mask = self._cells.mask(index)
        out: Pixels = pixels * (mask if pixels.ndim == 2 else mask[..., np.newaxis])
        return out

    def mask(self, index: int) -> NDArray[np.bool_]:
        """The mask of one cell at its native size."""
        return self._cells.mask(index)

    def masks(self, indices: NDArray[np.int64]) -> NDArray[np.bool_]:
        """See Source.masks; where the background is kept, at the size of the cells.

        A resized mask holds the pixels that the cell covers to one half at least.
        """
        rows = checked_indices(indices, self.n_cells)
        out = np.zeros((len(rows), self.n_masks, *self.cell_shape[:2]), np.bool_)
        for place, index in enumerate(rows.tolist() if self.n_masks else ()):
            mask = self._cells.mask(index)
            if self._options.size is not None:
                grey = mask.astype(np.uint8) * np.uint8(255)
                mask = resample(grey, self._options.size) > 127
            out[place, 0, : mask.shape[0], : mask.shape[1]] = mask
        return out

    def jpeg(self, indices: NDArray[np.int64]) -> list[JpegCell | None] | None:
        """See Source.jpeg: cut out of the slide's JPEG pictures, unless cells are preprocessed."""
        rows = checked_indices(indices, self.n_cells)
        if self.slide.jpeg_tiles is None or not self._options.keeps_pixels:
            return None
        out: list[JpegCell | None] = [None] * len(rows)
        for place in np.argsort(rows, kind="stable").tolist():
            y, x, height, width = self._cells.boxes[rows[place]].tolist()
            out[place] = self.slide.jpeg(y, x, height, width)
        return out

    def silhouettes(self, indices: NDArray[np.int64]) -> Silhouettes | None:
        """See Source.silhouettes: the native masks, unless the background was kept."""
        if self._keep_background:
            return None
        masks: list[NDArray[np.bool_] | None] = []
        for index in checked_indices(indices, self.n_cells).tolist():
            mask = self._cells.mask(index)
            masks.append(mask if is_codable(mask) else None)
        resampled = self._options.size is not None
        return Silhouettes(masks=masks, resampling="triangle" if resampled else "same")


def open_slide_cells(
    address: str | os.PathLike[str],
    *,
    options: SegmentOptions | None = None,
    channel: Channel = "auto",
    size: int | None = None,
    group_pattern: str | None = None,
    storage_options: Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> SlideSource:
    """Segment a slide, and open its cells.

    Parameters
    ----------
    address, storage_options
        See ``open_slide``.
    options
        See SegmentOptions.
    channel, size, group_pattern
        See ``zarrmal.open_source``.

    Raises
    ------
    InputError
        If the slide cannot be read, or holds no cells.
    """
    options = options or SegmentOptions()
    preprocessing = PreprocessingOptions(channel=channel, size=size)
    annotation = AnnotationOptions(given=RawAnnotations(), group_pattern=group_pattern)
    slide = open_slide(address, storage_options=storage_options)
    return SlideSource(
        slide,
        find_objects(slide, options, progress=progress),
        preprocessing=preprocessing,
        keep_background=options.keep_background,
        annotation=annotation,
    )
