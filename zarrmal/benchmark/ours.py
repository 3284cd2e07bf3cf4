"""Our side of the benchmark: real archives of a model, their sizes, speeds and reading times."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from zarrmal_codecs import Model

from ..archive import Archive, ArchiveInfo
from ..classify import Assigner, LabelAssigner, ShortestAssigner
from ..errors import InputError
from ..progress import Progress, silent
from ..sources import Source
from .measure import LossyError, Measurement
from .reading import Reading, measure_reading
from .speed import Speed, codec_speed
from .streams import class_bytes

T = TypeVar("T", bound=np.generic)
Assignment = Literal["labels", "shortest"]

UNSEEN = "unseen slides"
TRAINING = "training cells"
SIZES = (
    "n_cells", "raw_bytes", "payload_bytes", "latent_bytes", "model_bytes", "other_metadata_bytes",
    "index_bytes", "cells_bytes",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """What was measured of one model.

    Parameters
    ----------
    name
        As in the table: profile and effort.
    sizes
        "unseen slides" and "training cells" -> bytes of the archive; see ArchiveInfo.
    """

    name: str
    model: Model
    measurements: tuple[Measurement, ...]
    sizes: dict[str, dict[str, int]]
    speed: Speed
    reading: Reading

    @property
    def model_bytes(self) -> int:
        """In base64, as it is stored."""
        return len(self.model.to_base64())

    def to_json(self) -> dict[str, Any]:
        """As a machine reads it; the measurements stand elsewhere."""
        return {
            "name": self.name,
            "profile": self.model.profile,
            "about": dict(self.model.about),
            "sha256": self.model.digest,
            "model_bytes": self.model_bytes,
            "sizes": self.sizes,
            "speed": self.speed.to_json(),
            "reading": self.reading.to_json(),
        }


def names_of(models: Sequence[Model]) -> tuple[str, ...]:
    """``zarrmal:hybrid,effort=fast``; with the digest's beginning where two are of one kind."""
    names = []
    for model in models:
        effort = model.about.get("effort")
        names.append(f"zarrmal:{model.profile}" + (f",effort={effort}" if effort else ""))
    return tuple(
        name if names.count(name) == 1 else f"{name},sha256={model.digest[:8]}"
        for name, model in zip(names, models, strict=True)
    )


def measure_ours(
    name: str, model: Model, training: Source, unseen: Source, progress: Progress = silent
) -> Ours:
    """Archives of both sets of cells on local disk, verified; the unseen one is timed.

    Parameters
    ----------
    name
        For the table.
    training
        The cells that the model was trained on: classes by label, else by the shorter code.
    unseen
        Cells of other slides: both ways.

    Raises
    ------
    LossyError
        If any pixel came back changed.
    """
    known = _assigners(model, unseen)
    chunk, classes = _chunk(unseen, known[0][1])
    speed = codec_speed(model, chunk, classes)
    rows: list[Measurement] = []
    sizes = {}
    with tempfile.TemporaryDirectory(prefix="zarrmal-benchmark-") as folder:
        place = Path(folder) / "unseen.zarr"
        info, classes_bytes = _archived(unseen, place, model, known[0][1], progress)
        reading = measure_reading(place)
        rows += _rows(name, info, UNSEEN, known[0][0], speed, classes_bytes, unseen)
        sizes[UNSEEN] = _sizes(info)
        for assignment, assigner in known[1:]:
            place = Path(folder) / assignment
            info, classes_bytes = _archived(unseen, place, model, assigner, progress)
            rows += _rows(name, info, UNSEEN, assignment, speed, classes_bytes, unseen)
        assignment, assigner = _assigners(model, training)[0]
        place = Path(folder) / "training.zarr"
        info, classes_bytes = _archived(training, place, model, assigner, progress)
        rows += _rows(name, info, TRAINING, assignment, None, classes_bytes, training)
        sizes[TRAINING] = _sizes(info)
    return Ours(
        name=name,
        model=model,
        measurements=tuple(rows),
        sizes=sizes,
        speed=speed,
        reading=reading,
    )


def _assigners(model: Model, cells: Source) -> list[tuple[Assignment, Assigner]]:
    """The ways to give a class, labels first."""
    ways: list[tuple[Assignment, Assigner]] = []
    with suppress(InputError):
        ways.append(("labels", LabelAssigner(cells, model.class_names)))
    if not ways or len(model.classes) > 1:
        ways.append(("shortest", ShortestAssigner(model)))
    return ways


def _archived(
    cells: Source, place: Path, model: Model, assigner: Assigner, progress: Progress
) -> tuple[ArchiveInfo, dict[str, int]]:
    """What is stored, and of it the bytes of each class's cells."""
    archive = Archive.write(cells, place, model=model, assigner=assigner, progress=progress)
    problems = archive.verify(cells).problems
    if problems:
        raise LossyError(f"the archive is not the source: {problems[0]}")
    return archive.info(), class_bytes(archive, cells)


def _rows(
    name: str,
    info: ArchiveInfo,
    of: str,
    assignment: Assignment,
    speed: Speed | None,
    classes_bytes: dict[str, int],
    cells: Source,
) -> list[Measurement]:
    """The archive with the model and without it; rates by class are the same in both."""
    encode = decode = None
    if speed is not None:
        shortest = assignment == "shortest"
        encode = speed.encode_shortest_mb_s if shortest else speed.encode_mb_s
        decode = speed.decode_mb_s
    y_x = prod(info.cell_shape[:2])
    labels = None if cells.labels is None else np.asarray(cells.class_names)[cells.labels]
    by_class = {
        label: 8 * n / (y_x * int(np.count_nonzero(labels == label)))
        for label, n in classes_bytes.items()
    }
    of_cells, pixels = sum(classes_bytes.values()), y_x * info.n_cells
    return [
        Measurement(
            coder=name + ("" if counted else ", without model"),
            arrangement="chunk",
            cells=of,
            n_cells=info.n_cells,
            bits_per_pixel=rate,
            encode_mb_s=encode,
            decode_mb_s=decode,
            assignment=assignment,
            model_counted=counted,
            class_bits_per_pixel=by_class,
            shared_bits_per_pixel=8 * (stored - of_cells) / pixels if by_class else 0.0,
        )
        for counted, rate, stored in [
            (True, info.bits_per_pixel, info.cells_bytes),
            (False, info.bits_per_pixel_without_model, info.cells_bytes - info.model_bytes),
        ]
    ]


def _sizes(info: ArchiveInfo) -> dict[str, int]:
    return {name: getattr(info, name) for name in SIZES}


def _chunk(
    cells: Source, assigner: Assigner, chunk_cells: int = 1024
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A chunk of cells of all classes, sorted by class, and the classes."""
    rows = spread(np.arange(cells.n_cells), chunk_cells)
    pixels = cells.read(rows)
    classes = assigner(pixels, rows).predicted_class
    order = np.argsort(classes, kind="stable")
    return pixels[order], classes[order].astype(np.uint8)


def spread(values: NDArray[T], n: int) -> NDArray[T]:
    """At most n of them, evenly spread."""
    rows = np.linspace(0, len(values) - 1, min(n, len(values))).astype(int)
    chosen: NDArray[T] = values[rows]
    return chosen
