"""Archives of a model on local disk: their sizes, speeds and reading times."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarrmal_codecs import Model
from zarrmal_codecs.chunk.header import parse_header
from zarrmal_codecs.silhouette.silhouettes import Silhouettes

from ..archive import Archive, ArchiveInfo, WriteOptions
from ..archive.write.encode.lattice import LatticeMode
from ..classify import Assigner, LabelAssigner, ShortestAssigner
from ..errors import InputError
from ..progress import Progress, silent
from ..sources import Source
from .measurement import (
    TRAINING,
    UNSEEN,
    LossyError,
    Measurement,
    SlideSums,
    pixels_by_cell,
    sample_rows,
    single_cells,
    slides_of,
)
from .speed.codec import Speed, codec_speed
from .speed.coefficients import Coefficients
from .speed.reading import Reading, measure_reading

Assignment = Literal["labels", "shortest"]

SPEED_CELLS = 1024
MAX_SPEED_BYTES = 2**24
"""Of the chunk that is timed: the NumPy reference needs a minute for so many."""
SIZES = (
    "n_cells", "raw_bytes", "payload_bytes", "latent_bytes", "model_bytes",
    "cells_metadata_bytes", "other_metadata_bytes", "columns_bytes", "cells_bytes", "stored_bytes",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResult:
    """Measurements of one model.

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
        """Bytes of the model in base64, as stored."""
        return len(self.model.to_base64())

    def to_json(self) -> dict[str, Any]:
        """All fields but the measurements, which the table holds."""
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


def model_names(models: Sequence[Model]) -> tuple[str, ...]:
    """``zarrmal:hybrid,effort=fast``, with the start of the digest where two names are equal."""
    names = []
    for model in models:
        effort = model.about.get("effort")
        names.append(f"zarrmal:{model.profile}" + (f",effort={effort}" if effort else ""))
    return tuple(
        name if names.count(name) == 1 else f"{name},sha256={model.digest[:8]}"
        for name, model in zip(names, models, strict=True)
    )


def measure_model(
    name: str,
    model: Model,
    training: Source,
    unseen: Source,
    progress: Progress = silent,
    *,
    lattice: LatticeMode = "auto",
) -> ModelResult:
    """Archive both sets of cells and verify them; time the unseen ones.

    Parameters
    ----------
    name
        For the table.
    training
        The cells that the model was trained on; may be none. Classes by label, or by the shorter
        code where there are no labels.
    unseen
        Cells of other slides, archived once for each way to assign classes.
    lattice
        See ``WriteOptions``.

    Raises
    ------
    LossyError
        If any pixel comes back changed.
    """
    assigners = _assigners(model, unseen)
    speed = codec_speed(model, *_sorted_chunk(unseen, assigners[0][1], model, lattice))
    options = WriteOptions(lattice=lattice)
    rows: list[Measurement] = []
    sizes = {}
    with tempfile.TemporaryDirectory(prefix="zarrmal-benchmark-") as folder:
        for assignment, assigner in assigners:
            path = Path(folder) / f"unseen-{assignment}.zarr"
            info, stream_bytes = _write_verified(unseen, path, model, assigner, options, progress)
            rows += _rows(name, info, UNSEEN, assignment, speed, stream_bytes, unseen)
            if UNSEEN not in sizes:
                reading = measure_reading(path)
                sizes[UNSEEN] = _sizes(info)
        if training.n_cells:
            assignment, assigner = _assigners(model, training)[0]
            path = Path(folder) / "training.zarr"
            info, stream_bytes = _write_verified(training, path, model, assigner, options, progress)
            rows += _rows(name, info, TRAINING, assignment, None, stream_bytes, training)
            sizes[TRAINING] = _sizes(info)
    return ModelResult(
        name=name,
        model=model,
        measurements=tuple(rows),
        sizes=sizes,
        speed=speed,
        reading=reading,
    )


def _assigners(model: Model, cells: Source) -> list[tuple[Assignment, Assigner]]:
    """All ways to assign classes, labels first."""
    assigners: list[tuple[Assignment, Assigner]] = []
    with suppress(InputError):
        assigners.append(("labels", LabelAssigner(cells, model.class_names)))
    if not assigners or len(model.classes) > 1:
        assigners.append(("shortest", ShortestAssigner(model, cells)))
    return assigners


def _write_verified(
    cells: Source,
    path: Path,
    model: Model,
    assigner: Assigner,
    options: WriteOptions,
    progress: Progress,
) -> tuple[ArchiveInfo, NDArray[np.float64]]:
    """Sizes of the archive, and the bytes of each cell's stream, (cell,).

    Latents are included. Model, headers and metadata belong to no cell and are not counted. A chunk
    in a fallback mode is divided evenly among its cells.
    """
    archive = Archive.write(
        cells, path, model=model, assigner=assigner, options=options, progress=progress
    )
    problems = archive.verify(cells).problems
    if problems:
        raise LossyError(f"the archive is not the source: {problems[0]}")
    group: Any = archive.group
    stream_bytes = np.empty(cells.n_cells)
    stream_bytes[np.asarray(group["source_index"][:])] = _stream_bytes(group["cells"])
    return archive.info(), stream_bytes


def _stream_bytes(array: zarr.Array[Any]) -> NDArray[np.float64]:
    """float64 (cell,), in the archive's order."""
    n_cells, chunk_cells = array.shape[0], array.chunks[0]
    lengths = np.zeros(n_cells)
    for k in range(-(-n_cells // chunk_cells)):
        coordinates = (k, *[0] * (array.ndim - 1))
        key = f"{array.path}/{array.metadata.encode_chunk_key(coordinates)}"
        data = sync(array.store.get(key, default_buffer_prototype()))
        if data is None:
            continue  # a black chunk is not stored
        header = parse_header(memoryview(data.to_bytes()))
        rows = lengths[k * chunk_cells : (k + 1) * chunk_cells]
        # The last chunk is as long as the others; its cells beyond the array are blank.
        rows[:] = header.payload_bytes / chunk_cells if header.index is None else (
            header.index.lengths[: len(rows)]
        )  # fmt: skip
    return lengths


def _rows(
    name: str,
    info: ArchiveInfo,
    cells_name: str,
    assignment: Assignment,
    speed: Speed | None,
    stream_bytes: NDArray[np.float64],
    cells: Source,
) -> list[Measurement]:
    """One row with the model and one without; rates of the classes are the same in both."""
    encode = decode = None
    if speed is not None:
        shortest = assignment == "shortest"
        encode = speed.encode_shortest_mb_s if shortest else speed.encode_mb_s
        decode = speed.decode_mb_s
    pixels = pixels_by_cell(cells)
    by_class = {}
    for k, label in enumerate(() if cells.labels is None else cells.class_names):
        members = np.flatnonzero(cells.labels == k)
        if len(members):
            by_class[label] = float(8 * stream_bytes[members].sum() / pixels[members].sum())
    single = single_cells(cells) if cells_name == UNSEEN else np.empty(0, np.int64)
    slides = slides_of(cells, np.arange(cells.n_cells))
    samples = {"cell": single} if len(single) else {}
    if cells_name == UNSEEN and cells.sizes is None:
        samples["sheet"] = np.arange(cells.n_cells)
    measurements = []
    for model_counted, rate, stored in [
        (True, info.cells_bits_per_pixel, info.cells_bytes),
        (False, info.cells_bits_per_pixel_without_model, info.cells_bytes - info.model_bytes),
    ]:
        shared = (stored - stream_bytes.sum()) / pixels.sum()  # bytes per pixel
        cell_bytes = stream_bytes + shared * pixels
        measurements.append(
            Measurement(
                coder=name + ("" if model_counted else ", without model"),
                arrangement="chunk",
                cells=cells_name,
                n_cells=info.n_cells,
                bits_per_pixel=rate,
                encode_mb_s=encode,
                decode_mb_s=decode,
                assignment=assignment,
                model_counted=model_counted,
                class_bits_per_pixel=by_class,
                shared_bits_per_pixel=float(8 * shared) if by_class else 0.0,
                slides={
                    arrangement: SlideSums.of(pixels[rows], cell_bytes[rows], slides[rows])
                    for arrangement, rows in samples.items()
                },
            )
        )
    return measurements


def _sizes(info: ArchiveInfo) -> dict[str, int]:
    return {name: getattr(info, name) for name in SIZES}


def _sorted_chunk(
    cells: Source, assigner: Assigner, model: Model, lattice: LatticeMode = "auto"
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], int, Coefficients | None, Silhouettes | None]:
    """A chunk of cells, sorted by class; their classes, raw bytes, coefficients, silhouettes."""
    n_cells = max(1, min(SPEED_CELLS, MAX_SPEED_BYTES // prod(cells.cell_shape)))
    rows = sample_rows(cells.n_cells, n_cells)
    pixels = cells.read(rows)
    classes = assigner(pixels, rows).predicted_class
    order = np.argsort(classes, kind="stable")
    raw_bytes = int(pixels_by_cell(cells)[rows].sum()) * prod(cells.cell_shape[2:])
    coefficients = Coefficients.of(cells, rows[order], model, lattice)
    silhouettes = cells.silhouettes(rows[order])
    return pixels[order], classes[order].astype(np.uint8), raw_bytes, coefficients, silhouettes
