"""Cells of a chunk -> their index and streams (FORMAT 4.3, 4.4)."""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constants import BLANK_CLASS, CHECK_INITIAL, DIGEST_PREFIX_BYTES
from ..lattice.cell import JpegCell
from ..paper.golomb_rice import RiceChoice
from ..scales import Pixels
from ..silhouette.silhouettes import Silhouettes
from .coder import Coder
from .index.cell_index import CellIndex
from .jpeg_cells import encode_jpeg_cells, replace_longer
from .reduction import Reduction

SIZES_SHARE = 0.9
"""Cells have sizes of their own where they take at most this share of the array's pixels."""


def encode_cells(
    pixels: Pixels,
    coder: Coder,
    classes: NDArray[np.integer[Any]] | None,
    rice: RiceChoice,
    silhouettes: Silhouettes | None,
    reduction: Reduction | None = None,
    jpeg: Sequence[JpegCell | None] | None = None,
) -> tuple[CellIndex, bytes]:
    """The index and the streams of some cells; see encode_chunk.

    Parameters
    ----------
    pixels
        (cell, y, x[, channel]): values, where the items were reduced.
    """
    if jpeg is not None and len(jpeg) != len(pixels):
        raise ValueError(f"there are {len(jpeg)} entries of `jpeg` for {len(pixels)} cells")
    if jpeg is None or pixels.dtype != np.uint8:
        jpeg = [None] * len(pixels)
    scales = None if reduction is None else reduction.scales
    n_classes = len(coder.model.classes)
    # The padding of an array's last chunk is blank. Coded with a class, it would cost a bit per
    # pixel.
    blank = ~np.logical_or.reduce(pixels.reshape(len(pixels), -1), axis=1)
    sizes = None
    # Coverage is that of the whole array where pixels were resampled to it.
    if coder.takes_sizes and (silhouettes is None or silhouettes.resampling == "same"):
        sizes = _worthwhile_sizes(pixels, blank, jpeg)
    are_given = silhouettes is not None
    if silhouettes is not None:
        if len(silhouettes) != len(pixels):
            raise ValueError(f"there are {len(silhouettes)} silhouettes for {len(pixels)} cells")
        silhouettes = silhouettes.without(blank)
        if silhouettes.resampling == "same":
            whole = np.broadcast_to(np.array(pixels.shape[1:3], np.uint16), (len(pixels), 2))
            silhouettes = silhouettes.fitted(whole if sizes is None else sizes)
    outlined = coder.outline(pixels, sizes, silhouettes)
    if classes is None:
        chosen = np.empty(len(pixels), np.uint8)
        own = None if sizes is None else sizes[~blank]
        of_cells = None if outlined is None else outlined.take(np.flatnonzero(~blank))
        chosen[~blank] = coder.shortest_outlined(pixels[~blank], own, of_cells, scales)
    else:
        chosen = np.asarray(classes)
        if chosen.shape != pixels.shape[:1] or not np.issubdtype(chosen.dtype, np.integer):
            raise ValueError(
                f"classes must be {len(pixels)} integers, one per cell, not {chosen.dtype} "
                f"{chosen.shape}"
            )
        if int(chosen.min()) < 0 or int(chosen.max()) >= n_classes:
            raise ValueError(
                f"classes must be 0..{n_classes - 1}, not {chosen.min()}..{chosen.max()}"
            )
        chosen = chosen.astype(np.uint8)
    codings = bytearray(n_classes)
    streams = [b""] * len(pixels)
    chosen[blank] = BLANK_CLASS

    def code_as_pixels(rows: NDArray[np.int64]) -> None:
        for k in used_classes(chosen[rows]):
            members = rows[chosen[rows] == k]
            own = None if sizes is None else sizes[members]
            of_class = None if outlined is None else outlined.take(members)
            codings[k], bodies = coder.cells(k).encode(pixels[members], rice, own, of_class, scales)
            for i, body in zip(members.tolist(), bodies, strict=True):
                streams[i] = body

    as_jpeg = encode_jpeg_cells(
        pixels, coder, chosen, jpeg, sizes, outlined, keep_outlines=are_given
    )
    # Whole files stay files, so that their pixels need not be coded.
    are_files = np.zeros(len(pixels), bool)
    are_files[[i for i, (place, _) in as_jpeg.items() if place.is_file]] = True
    code_as_pixels(np.flatnonzero(~are_files))
    lattice = replace_longer(streams, as_jpeg)
    # But those of more cameras than a chunk can have.
    code_as_pixels(np.array([i for i in np.flatnonzero(are_files) if not streams[i]], np.int64))
    outlines = None if outlined is None else outlined.outlines
    if lattice is not None and outlines is not None and not are_given:
        outlines = outlines.without(lattice.are_files)
    index = CellIndex(
        digest_prefix=bytes.fromhex(coder.model.digest)[:DIGEST_PREFIX_BYTES],
        codings=bytes(codings),
        classes=chosen,
        lengths=np.array([len(s) for s in streams], np.int64),
        checks=_checks(streams) if coder.has_checks else None,
        sizes=sizes,
        outlines=outlines,
        reduction=reduction,
        lattice=lattice,
    )
    return index, b"".join(streams)


def _worthwhile_sizes(
    pixels: Pixels, blank: NDArray[np.bool_], jpeg: Sequence[JpegCell | None]
) -> NDArray[np.uint16] | None:
    """Height and width of each cell without the zeros below and to the right, uint16 (cell, 2).

    None where that leaves out few pixels: then cells have the array's size, for which the model was
    made. Only those that lie in a JPEG picture have a size of their own all the same, a whole file
    one of as many groups of blocks.
    """
    sizes = np.ones((len(pixels), 2), np.uint16)
    if blank.all():
        return None
    for i, lines in ((0, pixels), (1, pixels.max(axis=1))):
        # Along contiguous items: NumPy is fifty times as slow where channels are the inner axis.
        has = np.logical_or.reduce(lines.reshape(*lines.shape[:2], -1), axis=2)
        sizes[:, i] = np.where(blank, 1, has.shape[1] - has[:, ::-1].argmax(axis=1))
    whole = np.array(pixels.shape[1:3], np.uint16)
    areas = sizes[~blank].astype(np.int64).prod(axis=1)
    if int(areas.sum()) > SIZES_SHARE * len(areas) * int(whole.astype(np.int64).prod()):
        has_none = np.array([cell is None for cell in jpeg])
        sizes[has_none & ~blank] = whole
        if (sizes[~blank] == whole).all():
            return None
    for i, cell in enumerate(jpeg):
        n_groups = None if cell is None or not cell.is_file else cell.n_groups
        if cell is not None and n_groups is not None:
            least = [
                (n - 1) * side + 1 for n, side in zip(n_groups, cell.camera.group, strict=True)
            ]
            sizes[i] = np.minimum(np.maximum(sizes[i], least), whole)
    return sizes


def _checks(streams: list[bytes]) -> NDArray[np.uint16]:
    return np.array([crc_hqx(s, CHECK_INITIAL) for s in streams], np.uint16)


def used_classes(classes: NDArray[np.uint8]) -> list[int]:
    """Those of which there are cells."""
    # Not np.unique, whose first call imports numpy.ma.
    return np.flatnonzero(np.bincount(classes, minlength=BLANK_CLASS)[:BLANK_CLASS]).tolist()
