"""The other coders on the very cells of the study."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

from ..benchmark import Rival, all_rivals, measure_rival
from ..progress import Progress, silent
from .cells import Chosen
from .keep import Keep, digest
from .results import RivalRate

FAMILIES = {
    "jpeg2000": "JPEG2000",
    "jpegls": "JPEG-LS",
    "webp": "WebP",
    "calic": "CALIC",
    "jxl": "JPEG XL",
}
"""Beginnings of names -> the paper's four, and JPEG XL, which came after it."""

SKIPPED = {"jxl:effort=7"}  # its slower efforts are smaller
QUICK = {"jpeg2000", "jpegls", "webp"}


def study_rivals(quick: bool) -> tuple[Rival, ...]:
    """Those that the paper compares with, and JPEG XL; few where it has to be quick."""
    found = [r for r in all_rivals(1) if _kind(r.name) in FAMILIES and r.name not in SKIPPED]
    return tuple(r for r in found if not quick or _kind(r.name) in QUICK)


def _kind(name: str) -> str:
    return name.split(":")[0]


def rival_rates(
    rivals: tuple[Rival, ...], cells: Chosen, keep: Keep, progress: Progress = silent
) -> Iterator[RivalRate | str]:
    """Rates, kept; for a rival that cannot run here a note instead.

    Slow ones are measured on sheets only.

    Raises
    ------
    LossyError
        If pixels came back changed.
    """
    for k, rival in enumerate(rivals):
        for arrangement in ("sheet",) if rival.slow else ("sheet", "cell"):
            progress(f"other coders, {cells.name}", k, len(rivals), f"{rival.name}, {arrangement}")
            library = version("imagecodecs")
            key = digest(rival.name, rival.columns, arrangement, library, cells.sha256)

            def measured(rival: Rival = rival, arrangement: str = arrangement) -> float:
                return measure_rival(
                    rival,
                    cells.pixels,
                    arrangement,  # type: ignore[arg-type]
                    of=cells.name,
                    timed=False,
                ).bits_per_pixel

            try:
                rate = keep.tree("rival", key, measured)
            except ImportError as error:
                yield f"{rival.name} was not measured: {error}"
                break
            yield RivalRate(
                name=rival.name,
                family=FAMILIES[_kind(rival.name)],
                arrangement=arrangement,
                cells=cells.name,
                n_cells=len(cells.rows),
                bits_per_pixel=rate,
            )
    progress(f"other coders, {cells.name}", len(rivals), len(rivals))
