"""A camera tried with a whole cell: all blocks of all planes, and what they do not explain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.cells import FULLY_VISIBLE
from zarrmal_codecs.lattice.frame import LEAST_OF_FIRST, LEAST_OF_OTHERS
from zarrmal_codecs.lattice.jpeg.picture import Camera, Colour, decode, planes_of

from .found import FoundCell, covered_pixels
from .preimage import with_chroma
from .series import steps_of
from .solve.blocks import Phase
from .solve.dct import BLOCK
from .solve.plane import MAX_SHARE_WRONG, SolvedPlane, solve_plane
from .solve.views import CellViews, PlaneView
from .solve.whole import MAX_TRIES


def first_plane(colour: Colour) -> int:
    """The plane by which the phase is found."""
    return 1 if colour == "rgb" else 0


def solve_cell(
    pixels: NDArray[np.uint8], views: CellViews, camera: Camera, phase: Phase
) -> FoundCell:
    """All blocks of all planes, and what they do not explain.

    Parameters
    ----------
    pixels
        uint8 (y, x) or (y, x, 3).
    views
        Of its planes.
    camera, phase
        What is tried.
    """
    planes = views.planes
    shape = planes.visible.shape[0], planes.visible.shape[1]
    first = first_plane(camera.colour)
    solved: dict[int, SolvedPlane] = {}
    plane_views: dict[int, PlaneView] = {}
    luma_views = views
    for plane in [p for p in range(len(camera.ratios)) if p != first] + [first]:
        if plane == first and camera.colour == "ycbcr":
            chroma = _blocks(solved[1]), _blocks(solved[2])
            flags = _is_exact(solved[1]), _is_exact(solved[2])
            luma_views = with_luma_bounds(pixels, views, camera, phase, chroma, flags)
        own_views = luma_views if plane == first else views
        view = own_views.of(plane, camera.ratios[plane], phase, fancy=camera.fancy)
        plane_views[plane] = view
        solved[plane] = solve_plane(
            view,
            steps_of(camera, plane),
            least_visible=_least_visible(plane, planes.visible),
            max_tries=MAX_TRIES,
        )
    order = range(len(camera.ratios))
    coefficients = tuple(_blocks(solved[p]) for p in order)
    is_known = tuple(solved[p].is_known for p in order)
    is_whole = [plane_views[p].blocks.is_whole for p in order]
    is_exact = tuple(_is_exact(solved[p]) for p in order)
    is_clear = [plane_views[p].blocks.is_exact & plane_views[p].is_inside for p in order]
    for _ in range(2):
        decoded = decode(camera, coefficients, shape, phase, is_known)
        covered = planes.visible & covered_pixels(camera, is_known, shape, phase)
        differs = decoded != pixels if pixels.ndim == 2 else (decoded != pixels).any(axis=2)
        differs &= covered
        # Clamped colours tell the planes apart only together: a block may fit each, but not all.
        n_differing = _pixels_of_blocks(differs, is_known[first].shape, phase)
        n_covered = _pixels_of_blocks(covered, is_known[first].shape, phase)
        is_sure = is_clear[first] & is_exact[first]
        poor = n_differing > np.where(is_sure, MAX_SHARE_OF_SURE, MAX_SHARE_WRONG) * n_covered
        if not poor.any():
            break
        is_known[first][poor] = False
        coefficients[first][poor] = 0
    (positions,) = np.nonzero(differs.reshape(-1))
    both = list(zip(is_clear, is_exact, strict=True))
    return FoundCell(
        camera=camera,
        shape=shape,
        phase=phase,
        coefficients=coefficients,
        is_known=is_known,
        is_exact=is_exact,
        is_sure=tuple(
            whole & exact & known
            for whole, exact, known in zip(is_whole, is_exact, is_known, strict=True)
        ),
        correction_positions=positions.astype(np.int32),
        correction_values=pixels.reshape(-1, *pixels.shape[2:])[positions],
        n_visible=int(planes.visible.sum()),
        n_covered=int(covered.sum()),
        n_whole=tuple(int(whole.sum()) for whole in is_whole),
        n_whole_found=tuple(
            int((whole & exact).sum()) for whole, exact in zip(is_whole, is_exact, strict=True)
        ),
        n_clear=sum(int(clear.sum()) for clear, _ in both),
        n_clear_found=sum(int((clear & exact).sum()) for clear, exact in both),
    )


MAX_SHARE_OF_SURE = 0.5
"""Of the pixels of a block of the first plane may differ where the block itself is certain: it is
the chroma that is wrong."""


def with_luma_bounds(
    pixels: NDArray[np.uint8],
    views: CellViews,
    camera: Camera,
    phase: Phase,
    chroma: tuple[NDArray[np.int16], NDArray[np.int16]],
    is_exact: tuple[NDArray[np.bool_], NDArray[np.bool_]],
) -> CellViews:
    """Views with narrower bounds of luma where pixels are clamped, but chroma is known.

    Parameters
    ----------
    chroma, is_exact
        Coefficients of Cb and Cr, and which blocks have exact ones; see ``FoundCell``.
    """
    planes = views.planes
    is_clamped = planes.has_preimage & ~planes.is_exact
    if not is_clamped.any():
        return views
    shape = planes.visible.shape[0], planes.visible.shape[1]
    rows, columns = camera.n_blocks(shape, phase)[0]
    no_luma = np.zeros((rows, columns, BLOCK, BLOCK), np.int16)
    known = [np.ones((rows, columns), np.bool_), *is_exact]
    blocks = [no_luma, *chroma]
    _, cb, cr = planes_of(camera, blocks, shape, phase, known)
    told = is_clamped & covered_pixels(camera, known, shape, phase)
    return CellViews(with_chroma(planes, pixels, cb, cr, told))


def _is_exact(plane: SolvedPlane) -> NDArray[np.bool_]:
    return np.asarray(plane.is_known & (plane.n_wrong == 0))


def _blocks(plane: SolvedPlane) -> NDArray[np.int16]:
    return plane.levels.reshape(*plane.is_known.shape, BLOCK, BLOCK)


def _least_visible(plane: int, visible: NDArray[np.bool_]) -> float:
    """Share of a block from which on its coefficients are coded (FORMAT-lattice 3.1)."""
    if visible.all():
        return 0.0  # each block that has no coefficients is an exception, which has a price
    return (LEAST_OF_OTHERS if plane else LEAST_OF_FIRST) / FULLY_VISIBLE


def _pixels_of_blocks(
    marked: NDArray[np.bool_], n_blocks: tuple[int, ...], phase: Phase
) -> NDArray[np.int64]:
    """Number of marked pixels in each block of a plane with a sample in each pixel."""
    padded = np.zeros((n_blocks[0] * BLOCK, n_blocks[1] * BLOCK), np.bool_)
    inside = tuple(slice(p, p + n) for p, n in zip(phase, marked.shape, strict=True))
    padded[inside] = marked
    square = padded.reshape(n_blocks[0], BLOCK, n_blocks[1], BLOCK)
    count: NDArray[np.int64] = square.sum((1, 3), dtype=np.int64)
    return count
