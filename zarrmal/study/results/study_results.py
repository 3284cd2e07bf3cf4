"""All results of a study: the content of ``results.json``, and every number that is plotted.

Unless a name says otherwise, rates are in bits per pixel. A misclassification rate is a
probability, 0..1, and ``rates`` is its axis in all curves and surfaces. i is the true class (S_i),
j the class whose model codes the cell (C_j), as in the paper's P(Cj|Si) and R_ij.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import InputError
from .json_tree import from_tree, to_tree
from .model_results import ModelResults, Row, Surface

SCHEMA = 1
RESULTS_NAME = "results.json"

UNSEEN = "unseen slides"
TRAINING = "training cells"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSet:
    """The measured cells.

    Parameters
    ----------
    name
        "unseen slides" or "training cells".
    n_cells
        For each class; their shares are the priors P(Si).
    rows
        For each class, indices into the source.
    slides
        Slides of these cells.
    sha256
        Digest of their classes and pixels.
    """

    name: str
    n_cells: tuple[int, ...]
    rows: tuple[tuple[int, ...], ...]
    slides: tuple[str, ...]
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RivalRate:
    """Rate of another coder on the same cells.

    Parameters
    ----------
    family
        "JPEG2000", "JPEG-LS", "WebP", "CALIC" or "JPEG XL"; ``name`` has the settings.
    arrangement
        "sheet" (all cells in one image, class by class) or "cell" (one file per cell).
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
        Counts, (true class, predicted class).
    rates
        P(Cj|Si), (true class, predicted class).
    """

    name: str
    n_cells: int
    accuracy: float
    confusion: tuple[tuple[int, ...], ...]
    rates: Surface


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleCell:
    """One unseen cell under the models of its own class, all arrays (y, x).

    Parameters
    ----------
    row
        Index into the source.
    prediction, residue
        By the autoencoder of profile ``paper``; residue = pixel - prediction. None without such a
        model.
    paper_bits
        Length of each pixel's Rice codeword. None without a model of profile ``paper``.
    hybrid_bits
        -log2 of each pixel's probability. None without a model of profile ``hybrid``.
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
    """One claim of the paper, judged by the study's numbers.

    Parameters
    ----------
    paper
        The claim.
    where
        Section or figure of the paper.
    verdict
        "holds", "does not hold", "holds only on training cells", "holds only before side
        information", "holds in part" or "not measured".
    evidence
        The numbers behind the verdict.
    """

    name: str
    paper: str
    where: str
    verdict: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyResults:
    """All results of a study.

    Parameters
    ----------
    quick
        Whether it had fewer cells, short training and few rivals, only to see that it runs.
    source
        Description of the cells' source.
    settings
        The command's options.
    rates
        Axis of all curves.
    priors
        P(Si) of the measured cells.
    n_slides, n_source_cells
        "training" and "unseen" -> number.
    examples
        One cell per class.
    notes
        Remarks for the reader, such as missing rivals.
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
        """Content of ``results.json``."""
        tree: dict[str, Any] = to_tree(self)
        return tree

    @classmethod
    def from_json(cls, tree: Any) -> StudyResults:
        """Inverse of to_json.

        Raises
        ------
        InputError
            If another version wrote the tree.
        """
        if isinstance(tree, dict) and tree.get("schema") != SCHEMA:
            raise InputError(f"results of schema {tree.get('schema')!r}, this version writes "
                             f"{SCHEMA}: run the study again")  # fmt: skip
        return from_tree(cls, tree)

    def save(self, folder: Path) -> Path:
        """Write ``results.json`` into the folder, and return its path."""
        path = folder / RESULTS_NAME
        text = json.dumps(self.to_json(), ensure_ascii=False, allow_nan=False)
        partial = path.with_name(RESULTS_NAME + ".partial")
        partial.write_text(text + "\n", encoding="utf-8")
        partial.replace(path)
        return path

    @classmethod
    def load(cls, folder: Path) -> StudyResults:
        """Read ``results.json`` of a folder.

        Raises
        ------
        InputError
            If the file is missing, damaged, or of another version.
        """
        path = folder / RESULTS_NAME
        try:
            return cls.from_json(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: {error}") from None
