"""What the masks of a source have in common: how its cells were resampled, on which lattice masks
were drawn, and of which sizes they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.silhouette.coverage import Resampling
from zarrmal_codecs.silhouette.lattice import find_spacing
from zarrmal_codecs.silhouette.silhouettes import Silhouettes

Mask = NDArray[np.bool_]

SAMPLE_CELLS: Final = 48
"""Cells of a source that are looked at."""

LEAST_KNOWN: Final = 8
"""Masks that must be known to tell what others have in common with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What the masks of a source have in common.

    Parameters
    ----------
    resampling
        Of the pixels, after they were cut out.
    spacing
        Of the lattice on which masks were drawn.
    usual
        Numbers of rows and columns of lattice points that most masks have, (first, last).
    widest
        Those that any may have, tried where none of the usual convinces.
    """

    resampling: Resampling
    spacing: int
    usual: tuple[int, int]
    widest: tuple[int, int]


def rule_of(known: Silhouettes | None) -> Rule | None:
    """The rule that known masks of other cells follow.

    None where these are few, of the size of their cells' pixels, or drawn on every pixel: such
    masks are not inferred (see ``survey``).
    """
    if known is None or known.resampling == "same":
        return None
    masks = [mask for mask in known.masks if mask is not None]
    spacings = [find_spacing(mask) for mask in masks]
    drawn = Counter(spacing for spacing in spacings if spacing > 1)
    if not drawn:
        return None
    (spacing, n_drawn), *_ = drawn.most_common(1)
    if n_drawn < max(LEAST_KNOWN, len(masks) // 2):
        return None
    usual, widest = usual_and_widest(
        [mask[::spacing, ::spacing].shape for mask, own in zip(masks, spacings) if own == spacing]
    )
    return Rule(resampling=known.resampling, spacing=spacing, usual=usual, widest=widest)


def usual_and_widest(shapes: Sequence[tuple[int, ...]]) -> tuple[tuple[int, int], tuple[int, int]]:
    """See Rule; of some masks of it, rows and columns of lattice points each."""
    sizes = np.array(shapes)
    least, most = np.percentile(sizes, [5, 95]).astype(int).tolist()
    return (
        (max(least - 1, 2), most + 1),
        (max(int(sizes.min()) // 2, 2), 7 * int(sizes.max()) // 5),
    )
