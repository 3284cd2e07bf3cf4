"""Models trained for a benchmark, saved in a folder and reused."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from zarrmal_codecs import Model

from ... import choose
from ...errors import InputError
from ...progress import Progress
from ...sources import Source
from ..terminal.console import say


def refuse_folder(folder: Path | None) -> None:
    """InputError before a long training, not after it, for a folder that could not be made."""
    if folder is not None and (
        not folder.parent.is_dir() or (folder.exists() and not folder.is_dir())
    ):
        raise InputError(
            f"{folder} cannot be created: its parent folder must exist, and it must be a folder"
        )


def created(folder: Path | None) -> Path | None:
    """The folder, created if needed, once the source is open: mistakes leave nothing behind."""
    if folder is not None:
        folder.mkdir(exist_ok=True)
    return folder


def reused_or_trained(
    name: str, options: Any, training: Source, folder: Path | None, progress: Progress
) -> Model:
    """The model of an earlier run with these very options and cells, or a new one.

    Parameters
    ----------
    name
        Of the model's file, without its end.
    options
        HybridOptions or TrainOptions.
    folder
        Where models are saved, beside what they were trained with; None saves nothing.

    Raises
    ------
    InputError
        If the folder has a model of that name that was trained otherwise.
    """
    learn = choose.import_learn()

    def named(task: str, done: int, total: int, note: str = "") -> None:
        progress(f"{name}: {task}", done, total, note)

    if folder is None:
        model: Model = learn.train_any(training, options, progress=named).model
        return model
    path, record = folder / f"{name}.zmal", folder / f"{name}.json"
    expected = _trained_with(options, training)
    if path.exists():
        if not record.exists() or _differs(record, expected):
            raise InputError(
                f"{path} was trained with other options or cells than these: choose another "
                f"--save-models, or give it as --model"
            )
        say(f"using {path} of an earlier run")
        return choose.load_model(path)
    checkpoint = path.with_name(path.name + ".checkpoint")
    model = learn.train_any(training, options, checkpoint=checkpoint, progress=named).model
    record.write_text(json.dumps(expected, indent=2) + "\n")
    model.save(path)
    say(f"model saved as {path}")
    return model


def _trained_with(options: Any, training: Source) -> dict[str, Any]:
    """Options, and enough of the cells to tell another split from this one."""
    sample = np.unique(np.linspace(0, training.n_cells - 1, 64).astype(np.int64))
    digest = hashlib.sha256(training.read(sample).tobytes())
    for column in (training.labels, training.groups):
        if column is not None:
            digest.update("\0".join(map(str, column.tolist())).encode())
    if training.sizes is not None:
        digest.update(np.ascontiguousarray(training.sizes).tobytes())
    # The classes of models saved before classes could be learned are the labels.
    without = {"device"} | ({"classes"} if getattr(options, "classes", None) is None else set())
    return {
        "profile": type(options).__name__,
        "options": {k: v for k, v in asdict(options).items() if k not in without},
        "n_cells": training.n_cells,
        "cell_shape": list(training.cell_shape),
        "classes": list(training.class_names),
        "cells_sha256": digest.hexdigest(),
    }


def _differs(record: Path, expected: dict[str, Any]) -> bool:
    try:
        return bool(json.loads(record.read_text()) != json.loads(json.dumps(expected)))
    except ValueError:
        return True
