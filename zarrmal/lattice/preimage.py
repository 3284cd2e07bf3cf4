"""Pixels to the planes of a JPEG: the Y, Cb and Cr that a decoder turned into each RGB pixel.

libjpeg's integer conversion (facts in docs/lattice.md) has exactly one preimage for a quarter of
all RGB triples and none for the rest, but for colours with a channel at 0 or 255, where it clamps:
those have a set of preimages, of which the least and greatest value of each plane are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled

Interval = NDArray[np.uint8]

SCALE_BITS = 16
HALF = 1 << (SCALE_BITS - 1)
_CENTRED = np.arange(256, dtype=np.int64) - 128
RED_OF_CR = ((91881 * _CENTRED + HALF) >> SCALE_BITS).astype(np.int32)
BLUE_OF_CB = ((116130 * _CENTRED + HALF) >> SCALE_BITS).astype(np.int32)
GREEN_OF_CB_CR = (
    (-22554 * _CENTRED[:, None] - 46802 * _CENTRED[None, :] + HALF) >> SCALE_BITS
).astype(np.int32)
"""(cb, cr), falling in both."""

_OFFSET = 512


def _inverse(table: NDArray[np.int32]) -> NDArray[np.int16]:
    """Chroma by difference + _OFFSET; -1 where no chroma gives that difference."""
    inverse = np.full(2 * _OFFSET, -1, np.int16)
    inverse[table + _OFFSET] = np.arange(256)
    return inverse


CR_OF_RED = _inverse(RED_OF_CR)
CB_OF_BLUE = _inverse(BLUE_OF_CB)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planes:
    """Intervals that hold the samples of each plane, at the resolution of the pixels.

    Attributes
    ----------
    low, high
        uint8 (plane, y, x), low <= high; 0 and 255 where nothing is known.
    visible
        bool (y, x): pixels of the cell.
    has_preimage
        bool (y, x): visible pixels that the planes can explain.
    is_exact
        bool (y, x): each plane is known to be one value that was not clamped.
    """

    low: Interval
    high: Interval
    visible: NDArray[np.bool_]
    has_preimage: NDArray[np.bool_]
    is_exact: NDArray[np.bool_]

    @property
    def share_explained(self) -> float:
        """Share of visible pixels with a preimage; 1 if none is visible."""
        n_visible = int(self.visible.sum())
        return 1.0 if not n_visible else float(self.has_preimage.sum()) / n_visible


def own_planes(pixels: NDArray[np.uint8], visible: NDArray[np.bool_]) -> Planes:
    """Grey, or RGB stored as such: each channel is a plane.

    Parameters
    ----------
    pixels
        uint8 (y, x) or (y, x, channel).
    visible
        bool (y, x).
    """
    planes = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, 2, 0)
    clamped = ((planes == 0) | (planes == 255)).any(axis=0)
    return Planes(
        low=np.where(visible, planes, 0).astype(np.uint8),
        high=np.where(visible, planes, 255).astype(np.uint8),
        visible=visible,
        has_preimage=visible.copy(),
        is_exact=visible & ~clamped,
    )


def ycbcr_planes(pixels: NDArray[np.uint8], visible: NDArray[np.bool_]) -> Planes:
    """Y, Cb and Cr behind RGB pixels.

    Parameters
    ----------
    pixels
        uint8 (y, x, 3).
    visible
        bool (y, x).
    """
    shape = (3, *visible.shape)
    low, high = np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)
    kind = np.zeros(visible.shape, np.uint8)
    _ycbcr(np.ascontiguousarray(pixels), visible, low, high, kind, *_TABLES, _known, _bounds)
    return Planes(low=low, high=high, visible=visible, has_preimage=kind > 0, is_exact=kind == 1)


def with_chroma(
    planes: Planes,
    pixels: NDArray[np.uint8],
    cb: NDArray[np.uint8],
    cr: NDArray[np.uint8],
    told: NDArray[np.bool_],
) -> Planes:
    """The same planes with bounds of luma that follow from chroma.

    Parameters
    ----------
    planes
        Of these pixels; see ``ycbcr_planes``.
    pixels
        uint8 (y, x, 3).
    cb, cr
        uint8 (y, x).
    told
        bool (y, x): where chroma is known. Pixels that it contradicts keep their bounds.
    """
    added = RED_OF_CR[cr], GREEN_OF_CB_CR[cb, cr], BLUE_OF_CB[cb]
    low, high = np.zeros(told.shape, np.int32), np.full(told.shape, 255, np.int32)
    for channel, difference in enumerate(added):
        value = pixels[..., channel].astype(np.int32)
        low = np.maximum(low, np.where(value == 0, 0, value - difference))
        high = np.minimum(high, np.where(value == 255, 255, value - difference))
    fits = told & (low <= high)
    luma_low, luma_high = planes.low.copy(), planes.high.copy()
    luma_low[0][fits], luma_high[0][fits] = low[fits], high[fits]
    return replace(planes, low=luma_low, high=luma_high)


def with_luma(
    planes: Planes,
    pixels: NDArray[np.uint8],
    luma: NDArray[np.uint8],
    told: NDArray[np.bool_],
    cr: tuple[NDArray[np.uint8], NDArray[np.bool_]] | None = None,
) -> Planes:
    """The same planes with bounds of chroma that follow from luma, where colours are clamped.

    Parameters
    ----------
    planes
        Of these pixels; see ``ycbcr_planes``.
    pixels
        uint8 (y, x, 3).
    luma
        uint8 (y, x).
    told
        bool (y, x): where luma is known. Pixels that it contradicts keep their bounds.
    cr
        Cr, uint8 (y, x), and where it is known, bool (y, x).
    """
    low, high = planes.low.copy(), planes.high.copy()
    is_told = told & planes.has_preimage & ~planes.is_exact
    if cr is not None:
        values, flags = cr
        low[2][is_told & flags] = high[2][is_told & flags] = values[is_told & flags]
    _chroma_of_luma(pixels, luma, is_told, low, high, RED_OF_CR, BLUE_OF_CB, GREEN_OF_CB_CR)
    return replace(planes, low=low, high=high)


@compiled
def _fits(value: int, wanted: int) -> bool:
    """Whether a value is clamped to the wanted one."""
    return value == wanted or (wanted == 0 and value < 0) or (wanted == 255 and value > 255)


@compiled
def _chroma_of_luma(
    pixels: NDArray[np.uint8],
    luma: NDArray[np.uint8],
    told: NDArray[np.bool_],
    low: Interval,
    high: Interval,
    red: NDArray[np.int32],
    blue: NDArray[np.int32],
    green: NDArray[np.int32],
) -> None:
    """Least and greatest Cb and Cr that give each colour with this luma, within their bounds."""
    for y in range(told.shape[0]):
        for x in range(told.shape[1]):
            if not told[y, x]:
                continue
            r, g, b = int(pixels[y, x, 0]), int(pixels[y, x, 1]), int(pixels[y, x, 2])
            own = int(luma[y, x])
            cb_least, cb_most, cr_least, cr_most = 255, 0, 255, 0
            for cr in range(low[2, y, x], high[2, y, x] + 1):
                if not _fits(own + red[cr], r):
                    continue
                for cb in range(low[1, y, x], high[1, y, x] + 1):
                    if _fits(own + blue[cb], b) and _fits(own + green[cb, cr], g):
                        cb_least, cb_most = min(cb_least, cb), max(cb_most, cb)
                        cr_least, cr_most = min(cr_least, cr), max(cr_most, cr)
            if cb_least <= cb_most:
                low[1, y, x], high[1, y, x] = cb_least, cb_most
                low[2, y, x], high[2, y, x] = cr_least, cr_most


_TABLES = (RED_OF_CR, BLUE_OF_CB, GREEN_OF_CB_CR, CR_OF_RED, CB_OF_BLUE)
_known = np.zeros((6, 256, 256), np.uint8)
_bounds = np.zeros((6, 256, 256, 6), np.uint8)
"""Intervals of clamped colours, computed when first met (the same, whoever computes them)."""


@compiled
def _ycbcr(
    pixels: NDArray[np.uint8],
    visible: NDArray[np.bool_],
    low: Interval,
    high: Interval,
    kind: NDArray[np.uint8],
    red: NDArray[np.int32],
    blue: NDArray[np.int32],
    green: NDArray[np.int32],
    cr_of_red: NDArray[np.int16],
    cb_of_blue: NDArray[np.int16],
    known: NDArray[np.uint8],
    bounds: NDArray[np.uint8],
) -> None:
    """Fill intervals and the kind of each pixel: 0 no preimage, 1 exact, 2 clamped."""
    height, width = visible.shape
    found = np.empty(6, np.uint8)
    for y in range(height):
        for x in range(width):
            if not visible[y, x]:
                continue
            r, g, b = int(pixels[y, x, 0]), int(pixels[y, x, 1]), int(pixels[y, x, 2])
            if min(r, g, b) > 0 and max(r, g, b) < 255:
                # Y = 0.299 R + 0.587 G + 0.114 B but for the rounding of each channel.
                middle = (19595 * r + 38470 * g + 7471 * b + 32768) >> 16
                for luma in range(max(middle - 2, 0), min(middle + 3, 256)):
                    cr, cb = cr_of_red[r - luma + 512], cb_of_blue[b - luma + 512]
                    if cr >= 0 and cb >= 0 and luma + green[cb, cr] == g:
                        low[0, y, x] = high[0, y, x] = luma
                        low[1, y, x] = high[1, y, x] = cb
                        low[2, y, x] = high[2, y, x] = cr
                        kind[y, x] = 1
                        break
                continue
            # A face of the colour cube, and where on it.
            if r == 0 or r == 255:
                face, i, j = (0 if r == 0 else 1), g, b
            elif g == 0 or g == 255:
                face, i, j = (2 if g == 0 else 3), r, b
            else:
                face, i, j = (4 if b == 0 else 5), r, g
            if known[face, i, j] == 0:
                some = _clamped(r, g, b, red, blue, green, cr_of_red, cb_of_blue, found)
                bounds[face, i, j] = found
                known[face, i, j] = 1 if some else 2
            if known[face, i, j] == 1:
                kind[y, x] = 2
                for plane in range(3):
                    low[plane, y, x] = bounds[face, i, j, 2 * plane]
                    high[plane, y, x] = bounds[face, i, j, 2 * plane + 1]


@compiled
def _clamped(
    r: int,
    g: int,
    b: int,
    red: NDArray[np.int32],
    blue: NDArray[np.int32],
    green: NDArray[np.int32],
    cr_of_red: NDArray[np.int16],
    cb_of_blue: NDArray[np.int16],
    found: NDArray[np.uint8],
) -> bool:
    """Least and greatest Y, Cb, Cr of all triples that become this colour; False if none does."""
    least = np.full(3, 255, np.int64)
    most = np.zeros(3, np.int64)
    some = False
    for luma in range(256):
        cr_from, cr_to, cb_from, cb_to = 0, 255, 0, 255
        if 0 < r < 255:
            cr_from = cr_to = cr_of_red[r - luma + 512]
        if 0 < b < 255:
            cb_from = cb_to = cb_of_blue[b - luma + 512]
        if cr_from < 0 or cb_from < 0:
            continue
        for cr in range(cr_from, cr_to + 1):
            if not _fits(luma + red[cr], r):
                continue
            for cb in range(cb_from, cb_to + 1):
                if not _fits(luma + blue[cb], b) or not _fits(luma + green[cb, cr], g):
                    continue
                some = True
                least[0], most[0] = min(least[0], luma), max(most[0], luma)
                least[1], most[1] = min(least[1], cb), max(most[1], cb)
                least[2], most[2] = min(least[2], cr), max(most[2], cr)
    for plane in range(3):
        found[2 * plane], found[2 * plane + 1] = least[plane], most[plane]
    return some
