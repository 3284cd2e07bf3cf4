"""Cells of a chunk that come from JPEG pictures -> their streams, where these are shorter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..lattice.cell import JpegCell
from ..lattice.place import Place
from ..scales import Pixels
from ..silhouette.lattice import expand
from ..silhouette.outlined import Mask, Outlined
from ..wire import Writer
from .coder import Coder
from .index.lattice_index import LatticeIndex, without_cameras
from .profiles import Sizes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Candidate:
    """A cell as it could be coded."""

    row: int
    pixels: NDArray[np.uint8]
    jpeg: JpegCell
    points: Mask | None
    mask: Mask | None

    @property
    def place(self) -> Place:
        return Place(camera=self.jpeg.camera, phase=self.jpeg.phase, is_file=self.jpeg.is_file)


def encode_jpeg_cells(
    pixels: Pixels,
    coder: Coder,
    classes: NDArray[np.uint8],
    jpeg: Sequence[JpegCell | None],
    sizes: Sizes | None,
    outlined: Outlined | None,
    *,
    keep_outlines: bool,
) -> dict[int, tuple[Place, bytes]]:
    """Place and stream of each cell that can be coded as coefficients.

    Parameters
    ----------
    pixels
        uint8 (cell, y, x[, channel]).
    classes
        Of each cell, or BLANK_CLASS.
    jpeg
        Of each cell, or None.
    sizes, outlined
        With which the chunk is coded.
    keep_outlines
        Whether a whole file keeps its silhouette, and so loses blocks that have no visible pixel.
    """
    result: dict[int, tuple[Place, bytes]] = {}
    rows = np.flatnonzero([cell is not None for cell in jpeg])
    for k in range(len(coder.model.classes)):
        lattice = coder.lattice(k)
        if lattice is None:
            continue
        found = [
            candidate
            for row in rows[classes[rows] == k].tolist()
            for candidate in (_candidate(pixels, jpeg, sizes, outlined, row, keep_outlines),)
            if candidate is not None
        ]
        streams = lattice.encode(
            [c.pixels for c in found], [c.place for c in found], [c.jpeg for c in found],
            [c.points for c in found], [c.mask for c in found],
        )  # fmt: skip
        for candidate, stream in zip(found, streams, strict=True):
            result[candidate.row] = candidate.place, stream
    return result


def _candidate(
    pixels: Pixels,
    jpeg: Sequence[JpegCell | None],
    sizes: Sizes | None,
    outlined: Outlined | None,
    row: int,
    keep_outlines: bool,
) -> _Candidate | None:
    height, width = pixels.shape[1:3] if sizes is None else sizes[row].tolist()
    own, given = pixels[row, :height, :width], jpeg[row]
    own = own if own.ndim == 3 else own[..., None]
    fitted = None if given is None else given.fitted((height, width))
    if fitted is None or own.shape[2] != len(fitted.camera.ratios):
        return None
    points, mask = None, None
    has_mask = outlined is not None and outlined.outlines.spacings[row] > 0
    if outlined is not None and has_mask and (keep_outlines or not fitted.is_file):
        if outlined.outlines.resampling != "same":
            return None
        if fitted.is_file:
            assert given is not None
            fitted = replace(given, is_file=False).fitted((height, width))
            assert fitted is not None
        points = outlined.points[row]
        mask = expand(points, int(outlined.outlines.spacings[row]))
    return _Candidate(row=row, pixels=own, jpeg=fitted, points=points, mask=mask)


def replace_longer(
    streams: list[bytes], as_jpeg: dict[int, tuple[Place, bytes]]
) -> LatticeIndex | None:
    """Put those into ``streams`` that are shorter, and whole files, which come back as files.

    None if there are none, or if they are not worth their cameras.
    """
    places: list[Place | None] = [None] * len(streams)
    files: list[Place | None] = [None] * len(streams)
    for row, (place, stream) in as_jpeg.items():
        if place.is_file:
            places[row] = files[row] = place
        elif len(stream) < len(streams[row]):
            places[row] = place
    places = without_cameras(places)
    saved = sum(
        len(streams[row]) - len(as_jpeg[row][1])
        for row, place in enumerate(places)
        if place is not None and files[row] is None
    )
    if saved <= _header_bytes(places) - _header_bytes(files):
        places = without_cameras(files)
    if not any(places):
        return None
    for row, kept in enumerate(places):
        if kept is not None:
            streams[row] = as_jpeg[row][1]
    return LatticeIndex.of(places)


def _header_bytes(places: list[Place | None]) -> int:
    places = without_cameras(places)
    if not any(places):
        return 0
    header = Writer()
    LatticeIndex.of(places).write(header)
    return len(header.getvalue())
