"""One cell: from its pixels alone to its camera's quantised coefficients, or None."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.cell import JpegCell
from zarrmal_codecs.lattice.cells import FULLY_VISIBLE
from zarrmal_codecs.lattice.picture import Camera, Colour, decode
from zarrmal_codecs.lattice.pixels import LEAST_OF_FIRST, LEAST_OF_OTHERS
from zarrmal_codecs.lattice.upsampling import FANCY, upsampled

from .cameras import (
    CHROMA_SAMPLINGS,
    ChromaFit,
    camera_of,
    chroma_candidates,
    estimate_steps,
    fit_chroma,
    luma_fits,
    proven_steps,
    refined_tables,
    share_near_lattice,
    try_steps,
)
from .factors import coarser_steps, common_factors, count_levels
from .phase import rank_phases
from .preimage import Planes, own_planes, ycbcr_planes
from .repair import improved_standard, repaired_steps
from .series import OWN, Steps, series_name
from .solve.blocks import Phase
from .solve.dct import BLOCK
from .solve.plane import MAX_SHARE_WRONG, SolvedPlane, solve_plane
from .solve.views import CellViews, PlaneView
from .solve.whole import MAX_TRIES
from .tables import standard_table

MIN_SHARE_EXPLAINED = 0.98
"""Of the visible RGB pixels must be colours that YCbCr gives: a quarter of all are."""

MIN_MARGIN = 1.05
"""By so much the best phase's score must exceed the second best's."""

N_PHASES_TRIED = 2

MAX_GIVEN = 3
"""Of the given cameras that explain a sample of its blocks, so many are tried with a whole cell."""

MIN_SHARE_CLEAR = 0.9
"""Of the whole blocks without clamped pixels must be found, else the cell is left alone."""

MIN_SHARE_PIXELS = 0.25
"""Of the visible pixels must come out, else the cell is left alone."""

ENOUGH_WHOLE = 0.998
"""With a larger share of interpolated planes no other camera is tried: a few blocks of those stay
unexplained with the right steps too. Of other planes all must be found."""

ENOUGH_OF_STANDARD = 0.9
"""The same for cameras with standard tables only, which do not fit by a small mistake."""

MAX_SHARE_LEFT = 0.02
"""Of the whole blocks may stay unexplained by a standard table without another being looked for."""

MIN_SHARE_NEAR = 0.98
"""Of the blocks must be near a given camera's lattice, before it is tried."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoundCell:
    """The camera's own bits behind a cell's pixels.

    `zarrmal_codecs.lattice.picture.decode(camera, coefficients, shape, phase, is_known)` gives the
    pixels that ``covered_pixels`` tells, but for the corrections.

    Attributes
    ----------
    camera
        Tables, sampling and colour.
    shape
        Height and width in pixels.
    phase
        Row and column of the first pixel in its group of blocks.
    coefficients
        Of each plane int16 (row, column, 8, 8), vertical frequency first; 0 in blocks not known.
    is_known
        Of each plane bool (row, column): blocks with coefficients.
    correction_positions
        int32 (n,): y * width + x of the visible pixels that the coefficients do not give although
        they are covered, ascending.
    correction_values
        uint8 (n,) or (n, channel): those pixels.
    n_visible, n_covered
        Pixels of the cell, and those of them all of whose samples are in known blocks.
    n_whole, n_whole_found
        Of each plane, whole blocks and those of them whose coefficients are exact.
    n_clear, n_clear_found
        The same for blocks without a clamped pixel, of all planes.
    """

    camera: Camera
    shape: tuple[int, int]
    phase: Phase
    coefficients: tuple[NDArray[np.int16], ...]
    is_known: tuple[NDArray[np.bool_], ...]
    correction_positions: NDArray[np.int32]
    correction_values: NDArray[np.uint8]
    n_visible: int
    n_covered: int
    n_whole: tuple[int, ...]
    n_whole_found: tuple[int, ...]
    n_clear: int
    n_clear_found: int

    @property
    def is_worthwhile(self) -> bool:
        """Whether most of what can be found was found."""
        return (
            self.n_clear_found >= MIN_SHARE_CLEAR * self.n_clear
            and self.n_exact >= MIN_SHARE_PIXELS * self.n_visible
        )

    @property
    def share_whole(self) -> float:
        """Share of the whole blocks of all planes whose coefficients are exact."""
        return sum(self.n_whole_found) / max(sum(self.n_whole), 1)

    @property
    def n_exact(self) -> int:
        """Visible pixels that the coefficients alone give."""
        return self.n_covered - len(self.correction_positions)

    @property
    def jpeg_cell(self) -> JpegCell:
        """What the coder is told of the cell; it finds the corrections by decoding."""
        return JpegCell(
            camera=self.camera,
            phase=self.phase,
            coefficients=self.coefficients,
            coded=self.is_known,
        )


def find_cell(
    pixels: NDArray[np.uint8],
    visible: NDArray[np.bool_] | None = None,
    cameras: Sequence[Camera] = (),
) -> FoundCell | None:
    """The coefficients behind a cell's pixels, if it was cut out of a JPEG.

    Parameters
    ----------
    pixels
        uint8 (y, x) of grey, or (y, x, 3).
    visible
        bool (y, x): pixels of the cell; None: those that are not 0 in all channels.
    cameras
        Tried first, in this order; another is estimated from the cell itself.

    Returns
    -------
    FoundCell or None
        None if the cell is not known to come from a JPEG, or most of its blocks are not found.

    Raises
    ------
    ValueError
        If the arrays have other shapes or dtypes.
    """
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)):
        raise ValueError(
            f"pixels are {pixels.dtype} {pixels.shape}; they are uint8 (y, x) or (y, x, 3)"
        )
    if visible is None:
        visible = np.asarray(pixels != 0 if pixels.ndim == 2 else pixels.any(axis=2))
    if visible.shape != pixels.shape[:2] or visible.dtype != np.bool_:
        raise ValueError(
            f"visible is {visible.dtype} {visible.shape}; it is bool {pixels.shape[:2]}"
        )
    colour, planes = _planes(pixels, visible)
    views = CellViews(planes)
    best: FoundCell | None = None
    for camera, phase in _matches(colour, views, cameras):
        found = _solve(pixels, views, camera, phase)
        better = _repaired(views, found)
        if better != camera:
            again = _solve(pixels, views, better, phase)
            found = _with_standard_tables(again) if again.n_exact > found.n_exact else found
        if best is None or found.n_exact > best.n_exact:
            best = found
        if _is_enough(found):
            break
    if best is None or not best.is_worthwhile:
        return None
    return _with_greatest_steps(best, cameras)


def _planes(pixels: NDArray[np.uint8], visible: NDArray[np.bool_]) -> tuple[Colour, Planes]:
    if pixels.ndim == 2:
        return "grey", own_planes(pixels, visible)
    planes = ycbcr_planes(pixels, visible)
    if planes.share_explained >= MIN_SHARE_EXPLAINED:
        return "ycbcr", planes
    return "rgb", own_planes(pixels, visible)


def _first_plane(colour: Colour) -> int:
    """The plane by which the phase is found."""
    return 1 if colour == "rgb" else 0


def _matches(
    colour: Colour, views: CellViews, cameras: Sequence[Camera]
) -> Iterator[tuple[Camera, Phase]]:
    """Cameras and phases that explain a sample of a cell's blocks: given ones, then its own."""
    planes = views.planes
    first = _first_plane(colour)
    exact = planes.has_preimage & (planes.low[first] == planes.high[first])
    phases, scores = rank_phases(planes.low[first], exact)
    if not len(phases) or (len(phases) > 1 and scores[0] < MIN_MARGIN * max(scores[1], 0)):
        return
    rest = tuple(p for p in range(len(planes.low)) if p != first)
    for ranked in phases[:N_PHASES_TRIED].tolist():
        row, column = divmod(ranked, BLOCK)
        phase = -row % BLOCK, -column % BLOCK
        view = views.of(first, (1, 1), phase, fancy=True)
        is_phase = False
        n_given = 0
        for camera in cameras:
            if camera.colour != colour or n_given == MAX_GIVEN:
                continue
            steps = _steps(camera, first)
            if share_near_lattice(view, steps) < MIN_SHARE_NEAR:
                continue
            if not luma_fits(try_steps(view, steps), 0.0):
                continue
            is_phase = True
            fit = _chroma_of(views, rest, phase, camera)
            if fit is not None or not rest:
                n_given += 1
                yield camera, phase if fit is None else fit.phase
        own = _own_camera(colour, views, phase, view, rest, cameras)
        if own is not None:
            yield own
        if is_phase or own is not None:
            return


def _own_camera(
    colour: Colour,
    views: CellViews,
    phase: Phase,
    view: PlaneView,
    rest: tuple[int, ...],
    others: Sequence[Camera],
) -> tuple[Camera, Phase] | None:
    """A camera estimated from a cell's own blocks, and its phase."""
    first = _first_plane(colour)
    others = [camera for camera in others if camera.colour == colour]
    estimate = estimate_steps([view], seen=[_steps(c, first) for c in others])
    steps = None if estimate is None else proven_steps(view, estimate)
    if steps is None:
        return None
    if not rest:
        return camera_of(colour, steps, None, first), phase
    fit = fit_chroma(
        views,
        _pair(rest),
        phase,
        CHROMA_SAMPLINGS if colour == "ycbcr" else CHROMA_SAMPLINGS[:1],
        chroma_candidates(steps),
        estimate=True,
    )
    if fit is None:
        return None
    seen = [_steps(camera, plane) for camera in others for plane in rest]
    fit = replace(fit, tables=refined_tables(views, _pair(rest), fit, seen))
    return camera_of(colour, steps, fit, first), fit.phase


def _is_enough(found: FoundCell) -> bool:
    """Whether no other camera can explain clearly more.

    Steps off by one leave a block or two.
    """
    camera = found.camera
    if not any(series_name(_steps(camera, p)) == OWN for p in range(len(camera.ratios))):
        return found.share_whole >= ENOUGH_OF_STANDARD
    both = zip(found.n_whole_found, found.n_whole, camera.ratios, strict=True)
    return found.share_whole >= ENOUGH_WHOLE and all(
        n_found == n or (camera.fancy and ratio in FANCY) for n_found, n, ratio in both
    )


def _repaired(views: CellViews, found: FoundCell) -> Camera:
    """The camera with its steps corrected by the whole blocks that are not found.

    Standard tables only if many are not, or if few other steps explain them: else a few are damaged
    pixels more likely than another table.
    """
    camera = found.camera
    tables = camera.tables.copy()
    for plane, ratio in enumerate(camera.ratios):
        if found.n_whole_found[plane] == found.n_whole[plane]:
            continue
        view = views.of(plane, ratio, found.phase, fancy=camera.fancy)
        n_left = int((view.is_clear & ~found.is_known[plane]).sum())
        is_own = series_name(_steps(camera, plane)) == OWN
        steps = _steps(camera, plane)
        if is_own or n_left > MAX_SHARE_LEFT * view.is_clear.sum():
            steps = repaired_steps(view, steps)
        elif view.taps.shift == 0:
            # Of interpolated planes a few blocks may stay unexplained with the right steps too.
            steps = improved_standard(view, steps)
        tables[plane] = steps.reshape(BLOCK, BLOCK)
    return replace(camera, tables=tables)


def _with_standard_tables(found: FoundCell) -> FoundCell:
    """The same with standard tables, where they have the steps that are used."""
    both = zip(found.camera.tables, used_frequencies(found), strict=True)
    tables = np.stack([standard_table(table, is_used, table) for table, is_used in both])
    return replace(found, camera=replace(found.camera, tables=tables))


def _with_greatest_steps(found: FoundCell, cameras: Sequence[Camera]) -> FoundCell:
    """The same with no factor that all levels of a frequency have in common.

    Of standard tables the steps are known anyway; those of a given camera are kept where a factor
    may be chance.
    """
    camera = found.camera
    factors = common_factors(found.coefficients, camera.tables)
    for plane in range(len(camera.ratios)):
        if series_name(_steps(camera, plane)) != OWN:
            factors[plane] = 1
    if camera in cameras:
        n_levels = count_levels(found.coefficients)
        factors[~coarser_steps(camera, cameras, factors, n_levels)] = 1
    if (factors == 1).all():
        return found
    tables = (camera.tables * factors).astype(np.uint16)
    coefficients = tuple(
        (levels // factor).astype(np.int16)
        for levels, factor in zip(found.coefficients, factors, strict=True)
    )
    return replace(found, camera=replace(camera, tables=tables), coefficients=coefficients)


def used_frequencies(found: FoundCell) -> NDArray[np.bool_]:
    """Frequencies at which a cell has a non-zero coefficient, bool (plane, 8, 8)."""
    return np.stack([(levels != 0).any(axis=(0, 1)) for levels in found.coefficients])


def _pair(rest: tuple[int, ...]) -> tuple[int, int]:
    return rest[0], rest[1]


def _steps(camera: Camera, plane: int) -> Steps:
    steps: Steps = camera.tables[plane].reshape(-1).astype(np.int64)
    return steps


def _chroma_of(
    views: CellViews, rest: tuple[int, ...], phase: Phase, camera: Camera
) -> ChromaFit | None:
    if not rest:
        return None
    a, b = _pair(rest)
    sampling = (camera.ratios[a], camera.fancy)
    tables = _steps(camera, a), _steps(camera, b)
    return fit_chroma(views, (a, b), phase, [sampling], [tables], estimate=False)


def _least_visible(plane: int, visible: NDArray[np.bool_]) -> float:
    """Share of a block from which on its coefficients are coded (FORMAT-lattice 3.1)."""
    if visible.all():
        return 0.0  # each block that has no coefficients is an exception, which has a price
    return (LEAST_OF_OTHERS if plane else LEAST_OF_FIRST) / FULLY_VISIBLE


def _solve(pixels: NDArray[np.uint8], views: CellViews, camera: Camera, phase: Phase) -> FoundCell:
    """All blocks of all planes, and what they do not explain."""
    planes = views.planes
    shape = planes.visible.shape[0], planes.visible.shape[1]
    solved: list[SolvedPlane] = []
    n_whole: list[int] = []
    n_found: list[int] = []
    n_clear, n_clear_found = 0, 0
    for plane, ratio in enumerate(camera.ratios):
        view = views.of(plane, ratio, phase, fancy=camera.fancy)
        result = solve_plane(
            view,
            _steps(camera, plane),
            least_visible=_least_visible(plane, planes.visible),
            max_tries=MAX_TRIES,
        )
        whole = view.blocks.is_whole
        n_whole.append(int(whole.sum()))
        is_found = result.is_known & (result.n_wrong == 0)
        n_found.append(int((whole & is_found).sum()))
        is_clear = view.blocks.is_exact & view.is_inside
        n_clear += int(is_clear.sum())
        n_clear_found += int((is_clear & is_found).sum())
        solved.append(result)
    coefficients = tuple(
        plane.levels.reshape(*plane.is_known.shape, BLOCK, BLOCK) for plane in solved
    )
    is_known = tuple(plane.is_known for plane in solved)
    first = _first_plane(camera.colour)
    for _ in range(2):
        decoded = decode(camera, coefficients, shape, phase, is_known)
        covered = planes.visible & covered_pixels(camera, is_known, shape, phase)
        differs = decoded != pixels if pixels.ndim == 2 else (decoded != pixels).any(axis=2)
        differs &= covered
        # Clamped colours tell the planes apart only together: a block may fit each, but not all.
        poor = _pixels_of_blocks(differs, is_known[first].shape, phase) > MAX_SHARE_WRONG * (
            _pixels_of_blocks(covered, is_known[first].shape, phase)
        )
        if not poor.any():
            break
        is_known[first][poor] = False
        coefficients[first][poor] = 0
    (positions,) = np.nonzero(differs.reshape(-1))
    return FoundCell(
        camera=camera,
        shape=shape,
        phase=phase,
        coefficients=coefficients,
        is_known=is_known,
        correction_positions=positions.astype(np.int32),
        correction_values=pixels.reshape(-1, *pixels.shape[2:])[positions],
        n_visible=int(planes.visible.sum()),
        n_covered=int(covered.sum()),
        n_whole=tuple(n_whole),
        n_whole_found=tuple(n_found),
        n_clear=n_clear,
        n_clear_found=n_clear_found,
    )


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


def covered_pixels(
    camera: Camera,
    is_known: Sequence[NDArray[np.bool_]],
    shape: tuple[int, int],
    phase: Phase,
) -> NDArray[np.bool_]:
    """Pixels all of whose samples are in known blocks, in all planes; bool (y, x).

    A sample beyond the blocks of the cell takes no part, as at the edge of a picture.
    """
    covered = np.ones(shape, np.bool_)
    for plane, (known, ratio) in enumerate(zip(is_known, camera.ratios, strict=True)):
        rows, columns = camera.n_samples(shape, phase)[plane]
        samples = known.repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)[:rows, :columns]
        # Weights sum to a power of two, so that only a mean of 192s is 192.
        shown = upsampled(samples.astype(np.uint8) * np.uint8(192), ratio, fancy=camera.fancy)
        inside = tuple(slice(p, p + n) for p, n in zip(phase, shape, strict=True))
        covered &= (shown == 192)[inside]
    return covered
