"""Models trained for a benchmark, kept in a folder and found there again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from zarrmal_codecs import Model

from .. import choose
from ..errors import InputError
from ..progress import Progress
from ..sources import Source
from .console import say


def refuse_folder(folder: Path | None) -> None:
    """InputError before a long training, not after it, for a folder that could not be made."""
    if folder is not None and (
        not folder.parent.is_dir() or (folder.exists() and not folder.is_dir())
    ):
        raise InputError(
            f"{folder} cannot keep what is made: its folder must exist, and it be a folder"
        )


def made(folder: Path | None) -> Path | None:
    """The folder, made where it is not there; once a source is open, so mistakes leave nothing."""
    if folder is not None:
        folder.mkdir(exist_ok=True)
    return folder


def kept_or_trained(
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
        Where models are kept, beside what they were trained with; None keeps nothing.

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
    place, record = folder / f"{name}.zmal", folder / f"{name}.json"
    wanted = _trained_with(options, training)
    if place.exists():
        if not record.exists() or _differs(record, wanted):
            raise InputError(
                f"{place} was trained with other options or cells than these: choose another "
                f"--save-models, or give it as --model"
            )
        say(f"took {place} of an earlier run")
        return choose.load_model(place)
    checkpoint = place.with_name(place.name + ".checkpoint")
    model = learn.train_any(training, options, checkpoint=checkpoint, progress=named).model
    record.write_text(json.dumps(wanted, indent=2) + "\n")
    model.save(place)
    say(f"model kept in {place}")
    return model


def _trained_with(options: Any, training: Source) -> dict[str, Any]:
    """Options, and enough of the cells to tell another split from this one."""
    sample = np.unique(np.linspace(0, training.n_cells - 1, 64).astype(np.int64))
    digest = hashlib.sha256(training.read(sample).tobytes())
    for known in (training.labels, training.groups):
        if known is not None:
            digest.update("\0".join(map(str, known.tolist())).encode())
    # Labels are the classes of all that were kept before classes could be learned.
    without = {"device"} | ({"classes"} if getattr(options, "classes", None) is None else set())
    return {
        "profile": type(options).__name__,
        "options": {k: v for k, v in asdict(options).items() if k not in without},
        "n_cells": training.n_cells,
        "cell_shape": list(training.cell_shape),
        "classes": list(training.class_names),
        "cells_sha256": digest.hexdigest(),
    }


def _differs(record: Path, wanted: dict[str, Any]) -> bool:
    try:
        return bool(json.loads(record.read_text()) != json.loads(json.dumps(wanted)))
    except ValueError:
        return True
