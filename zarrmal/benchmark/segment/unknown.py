"""Cells found that are not known, beside those that are: where only some cells were marked.

A second method, Otsu's threshold of one channel, shares nothing with the segmentation but the
pixels. What it finds elsewhere, platelets and dirt, shows that the comparison can tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...segment import Objects
from ...segment.shape import ellipticity, moments, on_border
from ...segment.stain import otsu
from .truth import SAME, Comparison

MEASURES = ("area", "ellipticity", "contrast", "blueness")
"""Of an object. Area and contrast are in medians of the field's cells; the contrast is to the
median of the background, in the green channel or the grey one; blueness is blue less red, beyond
the median of the field's cells, in levels of the background."""
MIDDLE = (1, 99)
"""Percentiles of known cells between which an object looks like them."""
LEAST_AREA = 20
"""Pixels of an object of the threshold that is compared."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Looks:
    """How the objects of one field look.

    Parameters
    ----------
    known, unknown, others
        float64 (object, measure): known cells, cells that are not known, and objects of the
        threshold that are in no cell and not at the border.
    known_agrees, unknown_agrees
        bool (object,): the threshold finds the same object, with an IoU of 0.5 at least.
    """

    known: NDArray[np.float64]
    unknown: NDArray[np.float64]
    others: NDArray[np.float64]
    known_agrees: NDArray[np.bool_]
    unknown_agrees: NDArray[np.bool_]

    @classmethod
    def of(cls, pixels: NDArray[np.uint8], cells: Objects, compared: Comparison) -> Self:
        """Measure a field: uint8 (y, x[, 3]), and the cells found in it."""
        plain = _thresholded(pixels)
        plain_labels, n_plain = ndimage.label(plain)
        plain_areas = np.bincount(plain_labels.ravel(), minlength=n_plain + 1)
        found = np.zeros(plain.shape, np.int32)
        agrees = np.zeros(len(cells), np.bool_)
        for k, (y, x, height, width) in enumerate(cells.boxes.tolist()):
            mask = cells.mask(k)
            box = np.s_[y : y + height, x : x + width]
            found[box][mask] = k + 1
            common = np.bincount(plain_labels[box][mask], minlength=n_plain + 1)
            common[0] = 0
            total = plain_areas + np.count_nonzero(mask) - common
            agrees[k] = (common / np.maximum(total, 1)).max() >= SAME
        own = _measured(pixels, ~plain, found, len(cells))
        is_other = ~on_border(plain_labels, n_plain) & (plain_areas >= LEAST_AREA)
        is_other[plain_labels[found > 0]] = False
        others = _measured(pixels, ~plain, plain_labels, n_plain)[is_other[1:]]
        middle = np.median(own, axis=0) if len(own) else np.ones(len(MEASURES))
        for values in (own, others):
            values[:, [0, 2]] /= middle[[0, 2]]
            values[:, 3] -= middle[3]
        right, wrong = compared.is_right, compared.is_wrong
        return cls(
            known=own[right],
            unknown=own[wrong],
            others=others,
            known_agrees=agrees[right],
            unknown_agrees=agrees[wrong],
        )


def _thresholded(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """What is darker than Otsu's threshold, without holes; bool (y, x)."""
    green = _green(pixels)
    dark = green < otsu(green.ravel())
    out: NDArray[np.bool_] = ndimage.binary_fill_holes(dark)
    return out


def _green(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(pixels[..., 1] if pixels.ndim == 3 else pixels, np.float32)


def _measured(
    pixels: NDArray[np.uint8], outside: NDArray[np.bool_], labels: NDArray[np.int32], n: int
) -> NDArray[np.float64]:
    """MEASURES of regions 1 … n, not yet by the field's; float64 (region, measure)."""
    m = moments(labels, n)
    areas = np.maximum(m[0], 1)
    green = _green(pixels)
    background = float(np.median(green[outside])) if outside.any() else 255.0
    contrast = 1 - np.bincount(labels.ravel(), green.ravel(), n + 1) / areas / background
    blueness = np.zeros(n + 1)
    if pixels.ndim == 3:
        difference = pixels[..., 2].astype(np.float64) - pixels[..., 0]
        blueness = np.bincount(labels.ravel(), difference.ravel(), n + 1) / areas / background
    return np.stack([m[0], ellipticity(m), contrast, blueness], axis=1)[1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Objects of all fields together.

    Parameters
    ----------
    n
        How many.
    medians
        By the name of the measure.
    alike
        Share whose measures all are within the middle of the known cells'.
    agreed
        Share that the threshold finds, too. None of what only the threshold finds.
    """

    n: int
    medians: dict[str, float]
    alike: float
    agreed: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """What cells look like that are not known.

    Parameters
    ----------
    known, unknown, others
        Known cells, those that are not known, and other dark objects.
    confirmed_precision
        The precision if of the cells that are not known those are right that both look like known
        ones and are found by the threshold.
    """

    known: Group
    unknown: Group
    others: Group
    confirmed_precision: float


def compare_unknown(looks: Sequence[Looks]) -> Unknown:
    """Compare the objects of all fields, at least one."""
    known, unknown, others = (
        np.concatenate([getattr(field, name) for field in looks])
        for name in ("known", "unknown", "others")
    )
    known_agrees = np.concatenate([field.known_agrees for field in looks])
    unknown_agrees = np.concatenate([field.unknown_agrees for field in looks])
    low, high = np.percentile(known, MIDDLE, axis=0) if len(known) else np.zeros((2, len(MEASURES)))

    def alike(values: NDArray[np.float64]) -> NDArray[np.bool_]:
        return np.asarray(((values >= low) & (values <= high)).all(axis=1))

    def group(values: NDArray[np.float64], agrees: NDArray[np.bool_] | None) -> Group:
        has_some = len(values) > 0
        medians = np.median(values, axis=0) if has_some else np.full(len(MEASURES), np.nan)
        return Group(
            n=len(values),
            medians=dict(zip(MEASURES, medians.tolist(), strict=True)),
            alike=float(alike(values).mean()) if has_some else float("nan"),
            agreed=None if agrees is None or not has_some else float(agrees.mean()),
        )

    n_confirmed = int((alike(unknown) & unknown_agrees).sum())
    n_found = len(known) + len(unknown)
    return Unknown(
        known=group(known, known_agrees),
        unknown=group(unknown, unknown_agrees),
        others=group(others, None),
        confirmed_precision=(len(known) + n_confirmed) / n_found if n_found else float("nan"),
    )
