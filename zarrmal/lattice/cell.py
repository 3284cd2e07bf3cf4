"""A camera tried with a whole cell: all blocks of all planes, and what they do not explain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.cells import FULLY_VISIBLE
from zarrmal_codecs.lattice.frame import LEAST_OF_FIRST, LEAST_OF_OTHERS
from zarrmal_codecs.lattice.jpeg.picture import Camera, Colour, decode, planes_of

from .constant import solve_constant_blocks
from .found import FoundCell, covered_pixels
from .preimage import Planes, with_chroma, with_luma
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
    found = _first_round(pixels, views, camera, phase)
    if camera.colour == "ycbcr" and (views.planes.has_preimage & ~views.planes.is_exact).any():
        for _ in range(CLAMPED_ROUNDS):
            if not found.misses.any():
                break
            again = _next_round(pixels, views, camera, phase, found)
            if again.cell.n_exact <= found.cell.n_exact:
                break
            found = again
        if found.misses.any() and set(camera.ratios) == {(1, 1)}:
            found = _with_constant_blocks(pixels, views, camera, phase, found)
    return found.cell


CLAMPED_ROUNDS = 2
"""Times that chroma is solved again with what luma tells of clamped colours."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Round:
    """A cell, its planes and as they were solved; where those do not give the pixels, (y, x)."""

    cell: FoundCell
    views: dict[int, PlaneView]
    solved: dict[int, SolvedPlane]
    misses: NDArray[np.bool_]


def _first_round(
    pixels: NDArray[np.uint8], views: CellViews, camera: Camera, phase: Phase
) -> _Round:
    """Each plane by itself, but the first one, where it is luma, with what chroma tells of it."""
    first = first_plane(camera.colour)
    order = [p for p in range(len(camera.ratios)) if p != first]
    plane_views = {p: _view(views, camera, phase, p) for p in order}
    solved = {p: _solved(view, camera, p, views) for p, view in plane_views.items()}
    return _with_first(pixels, views, camera, phase, plane_views, solved)


def _next_round(
    pixels: NDArray[np.uint8], views: CellViews, camera: Camera, phase: Phase, found: _Round
) -> _Round:
    """Cr with what luma tells of it, Cb with what both do, then luma again.

    Each plane may fit the colours, but all together not.
    """
    shape = found.cell.shape
    plane_views: dict[int, PlaneView] = {}
    solved: dict[int, SolvedPlane] = {}
    luma, told = _samples(found.solved[0], 0, camera, shape, phase)
    cr = None
    for plane in (2, 1):
        own = CellViews(with_luma(views.planes, pixels, luma, told, cr))
        plane_views[plane] = _view(own, camera, phase, plane)
        solved[plane] = _solved(plane_views[plane], camera, plane, views)
        cr = _samples(solved[plane], plane, camera, shape, phase)
    return _with_first(pixels, views, camera, phase, plane_views, solved)


def _samples(
    solved: SolvedPlane, plane: int, camera: Camera, shape: tuple[int, int], phase: Phase
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A plane at the resolution of pixels, uint8 (y, x), and where it is exact, bool (y, x)."""
    counts = camera.n_blocks(shape, phase)
    blocks = [np.zeros((*count, BLOCK, BLOCK), np.int16) for count in counts]
    known = [np.ones(count, np.bool_) for count in counts]
    blocks[plane], known[plane] = _blocks(solved), _is_exact(solved)
    values = planes_of(camera, blocks, shape, phase, known)[plane]
    return values, covered_pixels(camera, known, shape, phase)


def _view(views: CellViews, camera: Camera, phase: Phase, plane: int) -> PlaneView:
    return views.of(plane, camera.ratios[plane], phase, fancy=camera.fancy)


def _solved(view: PlaneView, camera: Camera, plane: int, views: CellViews) -> SolvedPlane:
    return solve_plane(
        view,
        steps_of(camera, plane),
        least_visible=_least_visible(plane, views.planes.visible),
        max_tries=MAX_TRIES,
    )


def _with_first(
    pixels: NDArray[np.uint8],
    views: CellViews,
    camera: Camera,
    phase: Phase,
    plane_views: dict[int, PlaneView],
    solved: dict[int, SolvedPlane],
) -> _Round:
    """The first plane too; then all of them compared with the pixels."""
    first = first_plane(camera.colour)
    luma_views = views
    if camera.colour == "ycbcr":
        chroma = _blocks(solved[1]), _blocks(solved[2])
        flags = _is_exact(solved[1]), _is_exact(solved[2])
        luma_views = with_luma_bounds(pixels, views, camera, phase, chroma, flags)
    plane_views[first] = _view(luma_views, camera, phase, first)
    solved[first] = _solved(plane_views[first], camera, first, views)
    return _compared(pixels, views.planes, camera, phase, plane_views, solved)


def _with_constant_blocks(
    pixels: NDArray[np.uint8], views: CellViews, camera: Camera, phase: Phase, found: _Round
) -> _Round:
    """The same with blocks of one clamped colour solved by all planes at once, if that is more."""
    solved = {
        plane: SolvedPlane(
            levels=own.levels.copy(), is_known=own.is_known.copy(), n_wrong=own.n_wrong.copy()
        )
        for plane, own in found.solved.items()
    }
    if not solve_constant_blocks(pixels, views.planes, camera, phase, solved, found.misses):
        return found
    again = _compared(pixels, views.planes, camera, phase, found.views, solved)
    return again if again.cell.n_exact > found.cell.n_exact else found


def _compared(
    pixels: NDArray[np.uint8],
    planes: Planes,
    camera: Camera,
    phase: Phase,
    plane_views: dict[int, PlaneView],
    solved: dict[int, SolvedPlane],
) -> _Round:
    """What was solved, and which pixels it does not give."""
    shape = planes.visible.shape[0], planes.visible.shape[1]
    first = first_plane(camera.colour)
    order = range(len(camera.ratios))
    coefficients = tuple(_blocks(solved[p]).copy() for p in order)
    is_known = tuple(solved[p].is_known.copy() for p in order)
    is_whole = [plane_views[p].blocks.is_whole for p in order]
    is_exact = tuple(_is_exact(solved[p]) for p in order)
    is_clear = [plane_views[p].blocks.is_exact & plane_views[p].is_inside for p in order]
    misses = np.zeros(shape, np.bool_)
    for _ in range(2):
        decoded = decode(camera, coefficients, shape, phase, is_known)
        covered = planes.visible & covered_pixels(camera, is_known, shape, phase)
        differs = decoded != pixels if pixels.ndim == 2 else (decoded != pixels).any(axis=2)
        differs &= covered
        misses |= differs
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
    cell = FoundCell(
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
    return _Round(cell=cell, views=plane_views, solved=solved, misses=misses)


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
