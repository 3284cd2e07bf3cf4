"""The result of extract: what was saved, and which cells are lost or not certain."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...sources.preprocessing import Preprocessing
from ..preprocessing import pixels_notice

LISTING = "damaged-cells.txt"
LOST = "lost"
RECOVERED = "recovered, checked by its own CRC-16 only"
NO_DIGEST = "saved, the archive has no digest of its chunk"
UNSIZED = "saved with the whole canvas, its size is lost"
UNNAMED = "saved, its name is lost"
RENAMED = "saved, its name is too long for the file system"

ABOUT = """\
# Cells that were not extracted, or not with full certainty, or not under their names.
# lost: no file was written. recovered, checked by its own CRC-16 only: wrong pixels pass that check
# with a chance of 1 in 65,536; look at such an image before you use it.
# saved with the whole canvas, its size is lost: black rows at the bottom and black columns at the
# right may be no part of the image.
# position: in the archive, from 0. source_index: in the source, from 0; -1 where it is lost.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedCell:
    """One cell of the listing.

    Parameters
    ----------
    position
        In the archive.
    source_index
        In the source; -1 where it is lost.
    file
        Path below the folder that the cell was, or would have been, saved as.
    state
        LOST, RECOVERED, NO_DIGEST, UNSIZED, UNNAMED or RENAMED.
    chunk
        Key of its chunk.
    reason
        What is wrong.
    """

    position: int
    source_index: int
    file: str
    state: str
    chunk: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        """As a machine reads it."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractReport:
    """The result of extract.

    Parameters
    ----------
    n_cells
        Images written.
    damaged
        Cells that are lost, or were saved with less than full certainty or under another name; a
        name may be too long for the file system in a sound archive too.
    problems
        What is damaged in the archive, a line each.
    listing
        The file that lists the damaged cells; None if there are none.
    preprocessing
        What was done to the original pixels; None where the archive does not record it.
    n_masks
        Masks that the archive holds of each cell.
    n_masks_saved
        Cells whose masks were written.
    n_numbered
        Images whose name holds their number too, because another cell has the same name, or one
        that some disks take for the same, as ``A.png`` and ``a.png``.
    n_jpeg, n_jpeg_same
        Images that are JPEG files again, of the same coefficients, and those of them that are the
        original files byte for byte.
    """

    n_cells: int
    damaged: tuple[DamagedCell, ...] = ()
    problems: tuple[str, ...] = ()
    listing: Path | None = None
    preprocessing: Preprocessing | None = None
    n_masks: int = 0
    n_masks_saved: int = 0
    n_numbered: int = 0
    n_jpeg: int = 0
    n_jpeg_same: int = 0

    @property
    def pixels_notice(self) -> str:
        """Says that the images are not the original ones; "" where they are."""
        return pixels_notice(self.preprocessing)

    @property
    def n_lost(self) -> int:
        """Cells that were left out."""
        return sum(cell.state == LOST for cell in self.damaged)

    @property
    def n_recovered(self) -> int:
        """Cells of damaged chunks that were saved, checked by their own CRC-16 only."""
        return sum(cell.state == RECOVERED for cell in self.damaged)

    @property
    def n_renamed(self) -> int:
        """Cells that were saved under another name, as theirs is too long."""
        return sum(cell.state == RENAMED for cell in self.damaged)

    def to_json(self) -> dict[str, Any]:
        """As a machine reads it."""
        return {
            "n_cells": self.n_cells,
            "n_lost": self.n_lost,
            "n_recovered": self.n_recovered,
            "problems": list(self.problems),
            "damaged": [cell.to_json() for cell in self.damaged],
            "n_masks": self.n_masks,
            "n_numbered": self.n_numbered,
            "n_jpeg": self.n_jpeg,
            "n_jpeg_same": self.n_jpeg_same,
            "n_masks_saved": self.n_masks_saved,
            "pixels_notice": self.pixels_notice,
            "preprocessing": None if self.preprocessing is None else self.preprocessing.to_json(),
        }


COLUMNS = tuple(DamagedCell.__annotations__)


def write_listing(folder: Path, cells: Iterable[DamagedCell]) -> Path:
    """Write the listing, tab-separated, atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(COLUMNS)]
    lines += ["\t".join(_plain(value) for value in asdict(cell).values()) for cell in cells]
    path = folder / LISTING
    partial = path.with_name(f"{LISTING}.{uuid.uuid4().hex}.partial")
    text = ABOUT + "\n".join(lines) + "\n"
    partial.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
    partial.replace(path)
    return path


def _plain(value: object) -> str:
    """On one line and in one column, whatever a name holds."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(value))
