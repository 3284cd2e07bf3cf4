"""All that a study found: what stands in ``results.json``, and every number that is plotted.

Unless a name says otherwise, rates are in bits per pixel. A misclassification rate is a
probability, 0..1, and ``rates`` is its axis in all curves and surfaces. i is the true class (S_i),
j the class whose model codes (C_j), as in the paper's P(Cj|Si) and R_ij.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from .measured import ModelResults, Row, Surface
from .tree import from_tree, to_tree

SCHEMA = 1
RESULTS_NAME = "results.json"

UNSEEN = "unseen slides"
TRAINING = "training cells"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSet:
    """Cells that were measured.

    Parameters
    ----------
    name
        "unseen slides" or "training cells".
    n_cells
        Of each class; their shares are the priors P(Si).
    rows
        Of each class: places in the source.
    slides
        Those they lie on.
    sha256
        Of their pixels, class by class.
    """

    name: str
    n_cells: tuple[int, ...]
    rows: tuple[tuple[int, ...], ...]
    slides: tuple[str, ...]
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RivalRate:
    """Another coder on the very same cells.

    Parameters
    ----------
    family
        "JPEG2000", "JPEG-LS", "WebP", "CALIC", "JPEG XL"; settings are in ``name``.
    arrangement
        "sheet" (all cells in one picture, class by class) or "cell" (a file each).
    cells
        Name of the CellSet.
    """

    name: str
    family: str
    arrangement: str
    cells: str
    n_cells: int
    bits_per_pixel: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierRates:
    """The real classifier on all cells of the unseen slides.

    Parameters
    ----------
    confusion
        (true class, predicted class): counts.
    rates
        (true class, predicted class): P(Cj|Si).
    """

    name: str
    n_cells: int
    accuracy: float
    confusion: tuple[tuple[int, ...], ...]
    rates: Surface


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleCell:
    """One unseen cell, pixel by pixel, (y, x) throughout, under the models of its own class.

    Parameters
    ----------
    row
        Its place in the source.
    prediction, residue
        Of the autoencoder of profile ``paper``; residue = pixel - prediction.
    paper_bits
        Length of each pixel's Rice codeword.
    hybrid_bits
        -log2 of each pixel's probability. None where there was no model of this profile.
    """

    class_name: str
    row: int
    slide: str
    pixels: tuple[tuple[int, ...], ...]
    prediction: tuple[tuple[int, ...], ...] | None
    residue: tuple[tuple[int, ...], ...] | None
    paper_bits: tuple[tuple[int, ...], ...] | None
    hybrid_bits: Surface | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One claim of the paper against our numbers.

    Parameters
    ----------
    paper
        What it says, and where.
    verdict
        "holds", "does not hold", "holds only on training cells", "holds only before side
        information", "holds in part" or "not measured".
    evidence
        The figures behind it.
    """

    name: str
    paper: str
    where: str
    verdict: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyResults:
    """Everything.

    Parameters
    ----------
    quick
        Fewer cells, short training, few rivals: only to see whether it runs.
    source
        What the cells were read from, in words.
    settings
        The command's options.
    rates
        The axis of all curves.
    priors
        P(Si) of the measured cells.
    n_slides
        "training" and "unseen" -> slides; ``n_source_cells`` likewise.
    examples
        One cell a class.
    notes
        What else a reader should know: rivals that were not there, and so on.
    """

    schema: int
    quick: bool
    source: str
    settings: dict[str, Any]
    versions: dict[str, str]
    class_names: tuple[str, ...]
    cell_shape: tuple[int, ...]
    n_source_cells: dict[str, int]
    n_slides: dict[str, int]
    rates: Row
    priors: Row
    cell_sets: tuple[CellSet, ...]
    models: tuple[ModelResults, ...]
    rivals: tuple[RivalRate, ...]
    classifier: ClassifierRates | None
    examples: tuple[ExampleCell, ...]
    claims: tuple[Claim, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As a machine reads it."""
        tree: dict[str, Any] = to_tree(self)
        return tree

    @classmethod
    def from_json(cls, tree: Any) -> StudyResults:
        """Inverse of to_json; InputError if it is not what this version writes."""
        if isinstance(tree, dict) and tree.get("schema") != SCHEMA:
            raise InputError(f"results of schema {tree.get('schema')!r}, this version writes "
                             f"{SCHEMA}: run the study again")  # fmt: skip
        return from_tree(cls, tree)

    def save(self, folder: Path) -> Path:
        """Write ``results.json`` into the folder."""
        place = folder / RESULTS_NAME
        text = json.dumps(self.to_json(), ensure_ascii=False, allow_nan=False)
        partial = place.with_name(RESULTS_NAME + ".partial")
        partial.write_text(text + "\n", encoding="utf-8")
        partial.replace(place)
        return place

    @classmethod
    def load(cls, folder: Path) -> StudyResults:
        """Read ``results.json`` of a folder."""
        place = folder / RESULTS_NAME
        try:
            return cls.from_json(json.loads(place.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise InputError(f"{place}: {error}") from None
