"""Rates of other coders on the measured cells."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib.metadata import version

from ...benchmark import Rival, all_rivals, measure_rival
from ...progress import Progress, silent
from ..cache import Cache, cache_key
from ..cells import CellSample
from ..results.study_results import RivalRate

FAMILIES = {
    "jpeg2000": "JPEG2000",
    "jpegls": "JPEG-LS",
    "webp": "WebP",
    "calic": "CALIC",
    "jxl": "JPEG XL",
}
"""Name without settings -> family: the paper's four, and JPEG XL, which is younger."""

SKIPPED = {"jxl:effort=7"}  # its slower efforts are smaller
QUICK = {"jpeg2000", "jpegls", "webp"}


def study_rivals(quick: bool) -> tuple[Rival, ...]:
    """The paper's rivals and JPEG XL; only fast ones in a quick study."""
    return tuple(
        rival
        for rival in all_rivals(1)
        if _kind(rival) in (QUICK if quick else FAMILIES) and rival.name not in SKIPPED
    )


def _kind(rival: Rival) -> str:
    return rival.name.split(":")[0]


def rival_rates(
    rivals: tuple[Rival, ...], cells: CellSample, cache: Cache, progress: Progress = silent
) -> Iterator[RivalRate | str]:
    """Measure the rivals. Slow ones are measured on sheets only.

    Yields
    ------
    A rate, or a note on a rival that cannot run here.

    Raises
    ------
    LossyError
        If a rival does not return the exact pixels.
    """
    task = f"other coders, {cells.name}"
    for k, rival in enumerate(rivals):
        for arrangement in ("sheet",) if rival.slow else ("sheet", "cell"):
            progress(task, k, len(rivals), f"{rival.name}, {arrangement}")
            library = version("imagecodecs")
            key = cache_key(rival.name, rival.columns, arrangement, library, cells.sha256)
            try:
                rate = cache.json("rival", key, partial(_measured, rival, cells, arrangement))
            except ImportError as error:
                yield f"{rival.name} was not measured: {error}"
                break
            yield RivalRate(
                name=rival.name,
                family=FAMILIES[_kind(rival)],
                arrangement=arrangement,
                cells=cells.name,
                n_cells=len(cells.rows),
                bits_per_pixel=rate,
            )
    progress(task, len(rivals), len(rivals))


def _measured(rival: Rival, cells: CellSample, arrangement: str) -> float:
    return measure_rival(
        rival,
        cells.pixels,
        arrangement,  # type: ignore[arg-type]
        cells_name=cells.name,
        with_speed=False,
    ).bits_per_pixel
