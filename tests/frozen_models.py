"""Small models for tests: two that were trained once and are stored, others made of integers.

`python tests/frozen_models.py` trains the two again and writes them into `tests/frozen`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import models
import numpy as np
from zarrmal_codecs import Model

from zarrmal.sources import Source, open_source
from zarrmal.sources.synthetic import synthetic_cells

FOLDER = Path(__file__).with_name("frozen")
PAPER = {"hidden": (48, 24, 6), "epochs": 40, "pretrain_epochs": 2, "seed": 3}
HYBRID = {"effort": "fast", "steps": 12, "sae": 1, "validation": 0.0}
"""Arguments of TrainOptions and HybridOptions: seconds of training."""


def drawn_cells() -> Source:
    """240 drawn grey cells of 24 x 24 on 6 slides, with labels and names."""
    drawn = synthetic_cells(240, n_slides=6, size=24, seed=5, channels=1)
    names = np.array([f"{label}/{i:04d}.png" for i, label in enumerate(drawn.label)])
    return open_source(drawn.cells, labels=drawn.label, groups=drawn.slide, names=names)


@cache
def frozen_paper() -> Model:
    """Profile `paper`, trained on the drawn cells."""
    return Model.load(FOLDER / "paper.zmal")


@cache
def frozen_hybrid() -> Model:
    """Profile `hybrid` with an autoencoder, trained on the drawn cells."""
    return Model.load(FOLDER / "hybrid.zmal")


@cache
def untrained(cell_shape: tuple[int, ...], class_names: tuple[str, ...] = ("cell",)) -> Model:
    """Profile `paper` for cells of any shape: its weights are pseudo-random integers."""
    n_pixels = int(np.prod(cell_shape))
    classes = (
        models.mirrored(1000 * k, name, 4, 8, n_pixels) for k, name in enumerate(class_names, 1)
    )
    return models.model_of(cell_shape, *classes)


def write() -> None:
    """Train both."""
    from zarrmal.learn import HybridOptions, TrainOptions, train_hybrid, train_model

    FOLDER.mkdir(exist_ok=True)
    cells = drawn_cells()
    train_model(cells, TrainOptions(**PAPER)).model.save(FOLDER / "paper.zmal")
    train_hybrid(cells, HybridOptions(**HYBRID)).model.save(FOLDER / "hybrid.zmal")


if __name__ == "__main__":
    write()
