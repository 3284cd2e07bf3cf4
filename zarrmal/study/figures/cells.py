"""One cell of each class: pixels, the autoencoder's prediction, its residue, and bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..results.study_results import ExampleCell, StudyResults
from .style import WIDTH

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Images of one kind, which share a scale."""

    title: str
    unit: str
    colours: str
    scale: str
    get: Callable[[ExampleCell], Any]


COLUMNS = (
    Column(title="pixels", unit="grey value", colours="gray", scale="grey",
           get=lambda example: example.pixels),
    Column(title="prediction", unit="grey value", colours="gray", scale="grey",
           get=lambda example: example.prediction),
    Column(title="residue", unit="grey values", colours="PuOr", scale="residue",
           get=lambda example: example.residue),
    Column(title="paper: bits", unit="bits", colours="cividis", scale="paper",
           get=lambda example: example.paper_bits),
    Column(title="hybrid: bits", unit="bits", colours="cividis", scale="hybrid",
           get=lambda example: example.hybrid_bits),
)  # fmt: skip


def draw(results: StudyResults) -> Figure | None:
    """One row per class; each column has its scale below."""
    from matplotlib.figure import Figure

    columns = [c for c in COLUMNS if any(c.get(e) is not None for e in results.examples)]
    if not columns:
        return None
    rows = len(results.examples)
    size = WIDTH / len(columns)
    figure = Figure(figsize=(WIDTH, rows * (size + 0.06) + 1.1), layout="constrained")
    grid = figure.subplots(rows, len(columns), squeeze=False)
    for k, column in enumerate(columns):
        low, high = _ends(results, column)
        image = None
        for axes, example in zip(grid[:, k], results.examples, strict=True):
            axes.set_xticks([])
            axes.set_yticks([])
            axes.grid(False)
            axes.spines[:].set_visible(False)
            values = column.get(example)
            if values is None:
                continue
            image = axes.imshow(
                np.array(values, float), cmap=column.colours, vmin=low, vmax=high,
                interpolation="none",
            )  # fmt: skip
            if column.unit == "bits":
                axes.set_xlabel(f"{np.mean(values):.2f} bits/pixel", fontsize=9)
        grid[0, k].set_title(column.title)
        if image is not None:
            figure.colorbar(
                image, ax=list(grid[:, k]), orientation="horizontal", label=column.unit,
                aspect=14, pad=0.03, extend=_exceeded(results, column),
            )  # fmt: skip
    for axes, example in zip(grid[:, 0], results.examples, strict=True):
        axes.set_ylabel(example.class_name)
    return figure


def _values(results: StudyResults, column: Column) -> Any:
    images = [column.get(example) for example in results.examples]
    return np.concatenate([np.ravel(image) for image in images if image is not None])


def _ends(results: StudyResults, column: Column) -> tuple[float, float]:
    """Ends of a column's scale, the same for all its cells."""
    values = _values(results, column)
    if column.scale == "grey":
        return 0, 255
    if column.scale == "residue":
        # A few pixels at the ragged edge would compress the scale of all others.
        far = max(1.0, float(np.percentile(np.abs(values), 99.5)))
        return -far, far
    return 0, max(1.0, float(np.percentile(values, 99.5)))


def _exceeded(results: StudyResults, column: Column) -> str:
    """Which ends of the scale some pixels exceed, as ``colorbar`` calls them."""
    low, high = _ends(results, column)
    values = _values(results, column)
    under, over = values.min() < low, values.max() > high
    return {(True, True): "both", (True, False): "min", (False, True): "max"}.get(
        (bool(under), bool(over)), "neither"
    )
