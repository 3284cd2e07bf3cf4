"""One cell: from its pixels alone to its camera's quantised coefficients, or None."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs.lattice.jpeg.picture import Camera, Colour
from zarrmal_codecs.lattice.jpeg.upsampling import FANCY

from .cameras import (
    CHROMA_SAMPLINGS,
    ChromaFit,
    camera_of,
    chroma_candidates,
    fit_chroma,
    refined_tables,
)
from .cell import first_plane, solve_cell, with_luma_bounds
from .factors import (
    chance_bits,
    coarser_steps,
    common_factors,
    count_levels,
    likely_factors,
)
from .found import FoundCell, used_frequencies
from .phase import rank_by_steps, rank_phases
from .preimage import Planes, own_planes, ycbcr_planes
from .repair import improved_standard, repaired_steps
from .series import OWN, Steps, series_name, steps_of
from .solve.blocks import Phase, Where
from .solve.cut import Sizes
from .solve.dct import BLOCK, N_COEFFICIENTS
from .solve.plane import solve_doubtful_blocks, solve_listed_blocks
from .solve.views import CellViews, PlaneView
from .tables import FEW_BLOCKS, standard_table
from .trial import (
    FEW_CLEAR_BLOCKS,
    estimate_steps,
    luma_fits,
    proven_steps,
    share_near_lattice,
    try_steps,
)

MIN_SHARE_EXPLAINED = 0.98
"""Of the visible RGB pixels must be colours that YCbCr gives: a quarter of all are."""

MIN_MARGIN = 1.05
"""By so much the best phase's score must exceed the second best's, before it is tried."""

MIN_MARGIN_BY_STEPS = 1.1
"""The same by steps. Drawings may look as if they had steps, but at several phases."""

N_PHASES_TRIED = 2

N_IN_LINE = 4
"""Phases that hardly have a row or a column in common by chance."""

MAX_GIVEN = 3
"""Of the given cameras that explain a sample of its blocks, so many are tried with a whole cell."""

ENOUGH_WHOLE = 0.998
"""With a larger share of interpolated planes no other camera is tried: a few blocks of those stay
unexplained with the right steps too. Of other planes all must be found."""

ENOUGH_OF_STANDARD = 0.9
"""The same for cameras with standard tables only, which do not fit by a small mistake."""

MAX_SHARE_LEFT = 0.02
"""Of the whole blocks may stay unexplained by a standard table without another being looked for."""

MIN_BITS_OF_FACTORS, MIN_SHARE_AGAIN = 10.0, 0.99
"""Factors that are less likely chance may leave so many of the pixels that finer steps explain: in
cut blocks those explain more by chance."""

N_LEFT = 16
"""Unexplained blocks by which the tables of the two planes of chroma are compared."""

LARGEST_UNSEEN = 1
"""Values of coefficients up to which they may change no sample at all, and tell no step."""

MIN_SHARE_NEAR = 0.98
"""Of the blocks must be near a given camera's lattice, before it is tried."""


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
        found = solve_cell(pixels, views, camera, phase)
        better = _repaired(pixels, views, found)
        if better != camera:
            again = solve_cell(pixels, views, better, phase)
            found = _with_standard_tables(again) if again.n_exact > found.n_exact else found
        if best is None or found.n_exact > best.n_exact:
            best = found
        if _is_enough(found):
            break
    if best is None or not best.is_worthwhile:
        return None
    best = _with_greatest_steps(pixels, views, best, cameras)
    return best if best.camera in cameras else _with_likely_factors(pixels, views, best)


def _planes(pixels: NDArray[np.uint8], visible: NDArray[np.bool_]) -> tuple[Colour, Planes]:
    if pixels.ndim == 2:
        return "grey", own_planes(pixels, visible)
    planes = ycbcr_planes(pixels, visible)
    if planes.share_explained >= MIN_SHARE_EXPLAINED:
        return "ycbcr", planes
    return "rgb", own_planes(pixels, visible)


def _matches(
    colour: Colour, views: CellViews, cameras: Sequence[Camera]
) -> Iterator[tuple[Camera, Phase]]:
    """Cameras and phases that explain a sample of a cell's blocks: given ones, then its own."""
    planes = views.planes
    first = first_plane(colour)
    rest = tuple(p for p in range(len(planes.low)) if p != first)
    for phase in _likely_phases(planes, first):
        view = views.of(first, (1, 1), phase, fancy=True)
        is_phase = False
        n_given = 0
        for camera in cameras:
            if camera.colour != colour or n_given == MAX_GIVEN:
                continue
            steps = steps_of(camera, first)
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


def _likely_phases(planes: Planes, first: int) -> Iterator[Phase]:
    """Phases to try, the likeliest first."""
    samples = planes.low[first]
    exact = planes.has_preimage & (samples == planes.high[first])
    phases, scores = rank_phases(samples, exact)
    tried = phases[:N_PHASES_TRIED].tolist()
    line = _common_line(phases)
    if line is not None:
        tried = phases[line].tolist()
    elif len(phases) > 1 and scores[0] < MIN_MARGIN * max(scores[1], 0):
        tried = []
    yield from map(_phase_of, tried)
    if len(phases):
        others, likelihoods = rank_by_steps(samples, exact)
        is_alone = len(others) == 1 or likelihoods[0] > MIN_MARGIN_BY_STEPS * likelihoods[1]
        if is_alone and others[0] not in tried:
            yield _phase_of(int(others[0]))


def _common_line(phases: NDArray[np.int64]) -> NDArray[np.bool_] | None:
    """Which phases have the row, or the column, that the likeliest all have; None if there is none.

    Then the picture tells the one, and all that is open is the other.
    """
    for lines in (phases % BLOCK, phases // BLOCK):
        if len(lines) >= N_IN_LINE and (lines[:N_IN_LINE] == lines[0]).all():
            return np.asarray(lines == lines[0])
    return None


def _phase_of(ranked: int) -> Phase:
    """Row and column of the first pixel in its block, from those of the first whole block."""
    row, column = divmod(ranked, BLOCK)
    return -row % BLOCK, -column % BLOCK


def _own_camera(
    colour: Colour,
    views: CellViews,
    phase: Phase,
    view: PlaneView,
    rest: tuple[int, ...],
    others: Sequence[Camera],
) -> tuple[Camera, Phase] | None:
    """A camera estimated from a cell's own blocks, and its phase."""
    first = first_plane(colour)
    others = [camera for camera in others if camera.colour == colour]
    seen_first = [steps_of(c, first) for c in others]
    estimate = estimate_steps([view], seen=seen_first, enough=FEW_CLEAR_BLOCKS)
    steps = None if estimate is None else proven_steps(view, estimate)
    if steps is None and FEW_CLEAR_BLOCKS <= view.is_clear.sum() < FEW_BLOCKS:
        # Few smooth blocks tell less than these with doubtful ones; few others tell more.
        estimate = estimate_steps([view], seen=seen_first)
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
    seen = [steps_of(camera, plane) for camera in others for plane in rest]
    fit = replace(fit, tables=refined_tables(views, _pair(rest), fit, seen))
    return camera_of(colour, steps, fit, first), fit.phase


def _is_enough(found: FoundCell) -> bool:
    """Whether no other camera can explain clearly more.

    Steps off by one leave a block or two.
    """
    camera = found.camera
    if not any(series_name(steps_of(camera, p)) == OWN for p in range(len(camera.ratios))):
        return found.share_whole >= ENOUGH_OF_STANDARD
    both = zip(found.n_whole_found, found.n_whole, camera.ratios, strict=True)
    return found.share_whole >= ENOUGH_WHOLE and all(
        n_found == n or (camera.fancy and ratio in FANCY) for n_found, n, ratio in both
    )


def _repaired(pixels: NDArray[np.uint8], views: CellViews, found: FoundCell) -> Camera:
    """The camera with its steps corrected by the whole blocks that are not found.

    Standard tables only if many are not, or if few other steps explain them: else a few are damaged
    pixels more likely than another table.
    """
    camera = found.camera
    tables = camera.tables.copy()
    for plane, ratio in enumerate(camera.ratios):
        if found.n_whole_found[plane] == found.n_whole[plane]:
            continue
        own_views = views
        if plane == 0 and camera.colour == "ycbcr":
            chroma = found.coefficients[1], found.coefficients[2]
            flags = found.is_exact[1], found.is_exact[2]
            own_views = with_luma_bounds(pixels, views, camera, found.phase, chroma, flags)
        view = own_views.of(plane, ratio, found.phase, fancy=camera.fancy)
        n_left = int((view.is_clear & ~found.is_known[plane]).sum())
        is_own = series_name(steps_of(camera, plane)) == OWN
        steps = steps_of(camera, plane)
        if is_own or n_left > MAX_SHARE_LEFT * view.is_clear.sum():
            steps = repaired_steps(view, steps)
            if plane > 0:
                # Both planes of chroma have one table, most likely.
                other = steps_of(replace(camera, tables=tables), 3 - plane)
                rows, columns = np.nonzero(view.blocks.is_whole & ~found.is_exact[plane])
                left = rows[:N_LEFT], columns[:N_LEFT]
                if (other != steps).any() and _n_explained(view, left, other) > _n_explained(
                    view, left, steps
                ):
                    steps = other
        elif view.taps.shift == 0:
            # Of interpolated planes a few blocks may stay unexplained with the right steps too.
            steps = improved_standard(view, steps)
        tables[plane] = steps.reshape(BLOCK, BLOCK)
    return replace(camera, tables=tables)


def _n_explained(view: PlaneView, where: Where, steps: Steps) -> int:
    """How many of some blocks come out with these steps."""
    sizes = Sizes.of(np.zeros((0, N_COEFFICIENTS), np.int16), steps)
    return int(solve_doubtful_blocks(view, where, steps, sizes)[1].sum())


def _with_standard_tables(found: FoundCell) -> FoundCell:
    """The same with standard tables, where they have the steps that are used."""
    both = zip(found.camera.tables, used_frequencies(found), strict=True)
    tables = np.stack([standard_table(table, is_used, table) for table, is_used in both])
    return replace(found, camera=replace(found.camera, tables=tables))


def _with_greatest_steps(
    pixels: NDArray[np.uint8], views: CellViews, found: FoundCell, cameras: Sequence[Camera]
) -> FoundCell:
    """The same with no factor that all levels of a frequency have in common.

    Of standard tables the steps are known anyway; those of a given camera are kept where a factor
    may be chance. What is certain decides: cut blocks are solved again.
    """
    camera = found.camera
    triples = zip(found.coefficients, found.is_sure, camera.tables.astype(np.int64), strict=True)
    sure = [
        np.where(is_sure[:, :, None, None] & (abs(levels * table) > LARGEST_UNSEEN), levels, 0)
        for levels, is_sure, table in triples
    ]
    n_levels = count_levels(sure)
    factors = common_factors(sure, camera.tables)
    for plane in range(len(camera.ratios)):
        if series_name(steps_of(camera, plane)) != OWN:
            factors[plane] = 1
    if camera in cameras:
        factors[~coarser_steps(camera, cameras, factors, n_levels)] = 1
    if not _divide(found, factors):
        coarse = replace(camera, tables=(camera.tables * factors).astype(np.uint16))
        again = solve_cell(pixels, views, coarse, found.phase)
        is_chance = chance_bits(factors, n_levels).sum() < MIN_BITS_OF_FACTORS
        pairs_found = zip(again.n_whole_found, found.n_whole_found, strict=True)
        if all(n >= before for n, before in pairs_found) and again.n_exact >= found.n_exact * (
            1.0 if is_chance else MIN_SHARE_AGAIN
        ):
            return again
        factors = np.gcd(factors, common_factors(found.coefficients, camera.tables))
    if (factors == 1).all():
        return found
    tables = (camera.tables * factors).astype(np.uint16)
    coefficients = tuple(
        (levels // factor).astype(np.int16)
        for levels, factor in zip(found.coefficients, factors, strict=True)
    )
    return replace(found, camera=replace(camera, tables=tables), coefficients=coefficients)


def _with_likely_factors(
    pixels: NDArray[np.uint8], views: CellViews, found: FoundCell
) -> FoundCell:
    """The same with factors that all levels but a few have, where those come out as well then."""
    camera = found.camera
    tables = camera.tables.copy()
    for plane, ratio in enumerate(camera.ratios):
        steps = steps_of(camera, plane)
        if series_name(steps) != OWN:
            continue
        view = views.of(plane, ratio, found.phase, fancy=camera.fancy)
        rows, columns = np.nonzero(found.is_sure[plane] & view.is_clear)
        levels = found.coefficients[plane][rows, columns].reshape(-1, N_COEFFICIENTS)
        coarse = steps.copy()
        for frequency, factor, is_other in likely_factors(levels, steps):
            trial = coarse.copy()
            trial[frequency] *= factor
            where = rows[is_other], columns[is_other]
            is_first = coarse[frequency] == steps[frequency]
            if is_first and solve_listed_blocks(view, where, trial, MAX_TRIES_COARSE)[1].all():
                coarse = trial
        tables[plane] = coarse.reshape(BLOCK, BLOCK)
    if (tables == camera.tables).all():
        return found
    again = solve_cell(pixels, views, replace(camera, tables=tables), found.phase)
    pairs_found = zip(again.n_whole_found, found.n_whole_found, strict=True)
    is_as_good = all(n >= before for n, before in pairs_found)
    return again if is_as_good and again.n_exact >= MIN_SHARE_AGAIN * found.n_exact else found


MAX_TRIES_COARSE = 400
"""Sets of changes tried for a block that may come out with coarser steps."""


def _divide(found: FoundCell, factors: NDArray[np.int64]) -> bool:
    """Whether all levels are multiples of these factors."""
    pairs = zip(found.coefficients, factors, strict=True)
    return all(not (levels % factor).any() for levels, factor in pairs)


def _pair(rest: tuple[int, ...]) -> tuple[int, int]:
    return rest[0], rest[1]


def _chroma_of(
    views: CellViews, rest: tuple[int, ...], phase: Phase, camera: Camera
) -> ChromaFit | None:
    if not rest:
        return None
    a, b = _pair(rest)
    sampling = (camera.ratios[a], camera.fancy)
    tables = steps_of(camera, a), steps_of(camera, b)
    return fit_chroma(views, (a, b), phase, [sampling], [tables], estimate=False)
