"""Writing an archive: plan, chunks, index arrays, digests, and ``complete`` last."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarrmal_codecs import Model, array_arguments
from zarrmal_codecs.chunk import encode_chunk
from zarrmal_codecs.coder import Coder, coder_for
from zarrmal_codecs.golomb_rice import RiceChoice

from ..classify import Assigner
from ..errors import InputError
from ..progress import Progress, silent
from ..sources import Source
from ..version import SOFTWARE
from . import layout
from .layout import ArchiveFacts
from .plan import Plan, make_plan
from .stored import join_key, metadata_digests, stored_digests
from .target import Target, refuse_occupied, staged

MAX_CONSOLIDATED_MODEL_BYTES = 1_000_000
"""Consolidated metadata repeat the model; beyond this size that costs more than it saves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """What the caller wishes.

    Parameters
    ----------
    chunk_cells
        Cells in a chunk, at least 1.
    zarr_format
        3 or 2.
    rice
        How Rice parameters are chosen.
    overwrite
        Replace an archive that is there.
    storage_options
        For fsspec.
    workers
        Chunks encoded at once; memory grows with it, by about 100 bytes a pixel of a chunk.
    """

    chunk_cells: int = 1024
    zarr_format: Literal[2, 3] = 3
    rice: RiceChoice = "mean"
    overwrite: bool = False
    storage_options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    workers: int = field(default_factory=lambda: min(4, os.cpu_count() or 1))

    def __post_init__(self) -> None:
        if self.chunk_cells < 1:
            raise InputError(f"a chunk holds at least 1 cell, not {self.chunk_cells}")
        if self.zarr_format not in (2, 3):
            raise InputError(f"the Zarr format is 2 or 3, not {self.zarr_format}")
        if self.workers < 1:
            raise InputError(f"at least 1 worker is needed, not {self.workers}")


def write_archive(
    source: Source,
    url: str,
    *,
    model: Model,
    assigner: Assigner,
    options: WriteOptions | None = None,
    progress: Progress = silent,
) -> ArchiveFacts:
    """Write all cells of a source as an archive.

    Parameters
    ----------
    source
        Cells of the model's shape.
    url
        Local path or fsspec URL. Unless ``options.overwrite``, nothing may be there.
    model
        Stored with the array.
    assigner
        Gives each cell its class.

    Raises
    ------
    InputError
        Before anything is written, if the model does not fit or the place is taken.
    """
    options = options or WriteOptions()
    target = Target(os.fspath(url), options.storage_options)
    refuse_occupied(target, overwrite=options.overwrite)
    if not coder_for(model).fits(source.cell_shape):
        raise InputError(
            f"the cells are {_times(source.cell_shape)}, the model is for "
            f"{_times(model.cell_shape)}: use --size or --channel, or train a model on them"
        )
    plan = make_plan(source, assigner, len(model.classes), progress)
    with staged(target, overwrite=options.overwrite) as place:
        return _write(source, place, model, plan, options, progress)


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _write(
    source: Source,
    place: Target,
    model: Model,
    plan: Plan,
    options: WriteOptions,
    progress: Progress,
) -> ArchiveFacts:
    group = place.open("w", options.zarr_format)
    facts = ArchiveFacts(
        complete=False,
        n_cells=source.n_cells,
        classes=model.class_names,
        class_offsets=plan.class_offsets,
        profile=model.profile,
        sha256=model.digest,
        software=SOFTWARE,
        label_names=source.class_names if source.labels is not None else (),
    )
    group.attrs[layout.ATTRIBUTE] = facts.to_json()
    digests = {layout.CELLS: _write_cells(group, source, model, plan, options, progress)}
    for name, values, attributes in _index_arrays(source, plan, facts):
        _write_index_array(group, name, values, attributes)
        digests[name] = stored_digests(group, name)
    facts = replace(
        facts, digests=digests, metadata_digests=metadata_digests(group, digests), complete=True
    )
    group.attrs[layout.ATTRIBUTE] = facts.to_json()
    if len(model.to_base64()) <= MAX_CONSOLIDATED_MODEL_BYTES:
        with warnings.catch_warnings():
            # zarr notes that format 3 has no agreed place for them; readers do without, too.
            warnings.filterwarnings("ignore", "Consolidated metadata", UserWarning)
            zarr.consolidate_metadata(group.store, path=group.path)
    return facts


def _write_cells(
    group: zarr.Group,
    source: Source,
    model: Model,
    plan: Plan,
    options: WriteOptions,
    progress: Progress,
) -> dict[str, str]:
    """Encode and store all chunks, a few at a time; their digests by chunk key."""
    n_cells = source.n_cells
    chunk_cells = min(options.chunk_cells, n_cells)
    array = _create(
        group,
        layout.CELLS,
        shape=(n_cells, *source.cell_shape),
        chunks=(chunk_cells, *source.cell_shape),
        dtype="uint8",
        **array_arguments(model, zarr_format=options.zarr_format, rice=options.rice),
    )
    coder = coder_for(model)
    digests: dict[str, str] = {}
    starts = range(0, n_cells, chunk_cells)
    done = 0

    def one(start: int) -> tuple[str, str, int]:
        rows = slice(start, min(start + chunk_cells, n_cells))
        data = _encode(source, plan, rows, chunk_cells, coder, options.rice)
        key = array.metadata.encode_chunk_key((start // chunk_cells, *[0] * len(model.cell_shape)))
        buffer = default_buffer_prototype().buffer.from_bytes(data)
        sync(group.store.set(join_key(array.path, key), buffer))
        return key, hashlib.sha256(data).hexdigest(), rows.stop - rows.start

    with ThreadPoolExecutor(options.workers) as pool:
        for key, digest, n in _in_flight(pool, one, starts, options.workers + 1):
            digests[key] = digest
            done += n
            progress("writing cells", done, n_cells)
    return digests


def _in_flight(pool: ThreadPoolExecutor, work: Any, items: range, window: int) -> Iterator[Any]:
    """Results in order, with at most ``window`` items begun and not yet taken."""
    pending: list[Future[Any]] = []
    try:
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) >= window:
                yield pending.pop(0).result()
        while pending:
            yield pending.pop(0).result()
    finally:
        for future in pending:
            future.cancel()


def _encode(
    source: Source, plan: Plan, rows: slice, chunk_cells: int, coder: Coder, rice: RiceChoice
) -> bytes:
    cells = source.read(plan.order[rows])
    classes = plan.predicted_class[rows]
    missing = chunk_cells - len(cells)
    if missing:  # Zarr's chunks are all of one size: the last is padded with the fill value
        cells = np.concatenate([cells, np.zeros((missing, *cells.shape[1:]), np.uint8)])
        classes = np.concatenate([classes, np.zeros(missing, np.uint8)])
    return encode_chunk(cells, coder, classes=classes, rice=rice)


def _index_arrays(
    source: Source, plan: Plan, facts: ArchiveFacts
) -> Iterator[tuple[str, NDArray[Any], dict[str, Any]]]:
    order = plan.order
    yield layout.PREDICTED_CLASS, plan.predicted_class, layout.flag_attributes(facts.classes)
    if plan.probability is not None:
        yield layout.CLASS_PROBABILITY, plan.probability, {"units": "1"}
    if source.labels is not None:
        attributes = layout.flag_attributes(facts.label_names)
        yield layout.LABEL, source.labels[order], attributes
    yield layout.SOURCE_INDEX, order, {}
    if source.names is not None:
        yield layout.SOURCE_NAME, source.names[order], {}
    if source.groups is not None:
        yield layout.SOURCE_GROUP, source.groups[order], {}


def _write_index_array(
    group: zarr.Group, name: str, values: NDArray[Any], attributes: dict[str, Any]
) -> None:
    is_text = values.dtype.kind in "UT"
    extra: dict[str, Any] = {}
    if group.metadata.zarr_format == 2:
        # Or xarray would take zeros for missing values.
        extra["fill_value"] = "" if is_text else None
    array = _create(
        group,
        name,
        shape=values.shape,
        chunks=(max(1, min(layout.INDEX_CHUNK_CELLS, len(values))),),
        dtype=str if is_text else values.dtype,
        config={"write_empty_chunks": True},
        attributes=attributes,
        **extra,
    )
    array[:] = values.astype(object) if is_text else values


def _create(group: zarr.Group, name: str, **arguments: Any) -> zarr.Array[Any]:
    """Create an array with its dimension names and attributes, in either format."""
    arguments.pop("zarr_format", None)  # the group's
    names = layout.dimensions(len(arguments["shape"]))
    attributes = arguments.pop("attributes", {}) | {"long_name": layout.LONG_NAMES[name]}
    if group.metadata.zarr_format == 2:
        attributes["_ARRAY_DIMENSIONS"] = list(names)
    else:
        arguments["dimension_names"] = names
    return group.create_array(name, attributes=attributes, **arguments)
