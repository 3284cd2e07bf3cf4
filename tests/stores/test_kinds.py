"""Cells of every kind on a server of objects: interrupted, appended, extracted, repacked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from every_moment import EXHAUSTIVE, crossed, killed_at_store
from object_store import ObjectStore
from PIL import Image
from zarrmal_codecs import Model
from zarrmal_codecs.lattice.stored import lattice_of, with_lattice

import zarrmal
from zarrmal import AppendOptions, Archive, WriteOptions
from zarrmal.models import SHIPPED
from zarrmal.sources import Source, Subset, open_source

STORES = ["s3", "azure", "gcs", "memory"] if EXHAUSTIVE else ["s3", "memory"]
N, N_FIRST = 7, 4


def grey(k: int, shape: tuple[int, ...], dtype: str = "u2") -> np.ndarray:
    noise = np.random.default_rng(k).integers(0, 60, shape)
    return (np.linspace(3, 150, shape[-1]) + noise).astype(dtype)


def ragged(folder: Path) -> Source:
    return open_source([20 * grey(k, (9 + 3 * k % 5, 14 - k % 4)) for k in range(N)])


def channels_first(folder: Path) -> Source:
    dimensions = ("cell", "channel", "y", "x")
    return open_source(xr.DataArray(grey(1, (N, 5, 9, 8)), dims=dimensions))


def with_masks(folder: Path) -> Source:
    cells = grey(2, (N, 12, 11), "u1")
    np.savez(folder / "cells.npz", cells=cells, mask=cells > 90)
    return open_source(folder / "cells.npz")


def jpeg_files(folder: Path) -> Source:
    (folder / "in").mkdir()
    for k in range(N):
        pixels = np.moveaxis(grey(k, (3, 30 + k, 33), "u1"), 0, 2)
        Image.fromarray(pixels).save(folder / f"in/{k}.jpg", quality=80 + k, optimize=k > 3)
    return open_source(folder / "in")


def lattice_model() -> Model:
    (shipped,) = (each for each in SHIPPED if each.name == "nih-native-rgb.zmal")
    model = shipped.load()
    return with_lattice(model, lattice_of(model.classes[0]))


KINDS = {
    "ragged uint16": (ragged, None),
    "uint16 channels first": (channels_first, None),
    "masks": (with_masks, None),
    "jpeg files": (jpeg_files, lattice_model),
}


@pytest.mark.parametrize(
    ("kind", "store"),
    crossed([*KINDS], STORES),
    indirect=["store"],
)
def test_every_kind_of_cells(
    kind: str, store: ObjectStore, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, make_model = KINDS[kind]
    source = opened(tmp_path)
    first, second = Subset(source, range(N_FIRST)), Subset(source, range(N_FIRST, N))
    options = store.options

    def write(**more: bool) -> None:
        wishes = WriteOptions(chunk_cells=3, workers=1, **more)
        model = None if make_model is None else make_model()
        zarrmal.write(first, place, model=model, options=wishes, storage_options=options)

    def append(**more: bool) -> None:
        wishes = AppendOptions(workers=1, **more)
        zarrmal.append(second, place, options=wishes, storage_options=options)

    for run in (write, append):
        with killed_at_store(9, monkeypatch) as keys:
            run()
        assert len(keys) > 9
        run(resume=True)
    is_sound(place, source, options)
    zarrmal.repack(place, storage_options=options)
    is_sound(place, source, options)

    masks = tmp_path / "masks" if kind == "masks" else None
    report = zarrmal.extract(place, tmp_path / "out", masks=masks, storage_options=options)
    assert (report.n_cells, report.damaged) == (N, ())
    assert report.n_jpeg_same == N * (kind == "jpeg files")
    files = sorted((tmp_path / "out").rglob("*.*"))
    assert len(files) == N
    if kind == "jpeg files":
        for path in files:
            assert path.read_bytes() == (tmp_path / "in" / path.name).read_bytes()
    else:
        again = open_source(tmp_path / "out")
        for k in range(N):
            np.testing.assert_array_equal(again.original(k), source.original(k))
    if masks is not None:
        for k, path in enumerate(sorted(masks.rglob("*.png"))):
            found = np.asarray(Image.open(path)) != 0
            np.testing.assert_array_equal(found, source.masks(np.array([k]))[0, 0])


def is_sound(url: str, source: Source, options: Mapping[str, Any]) -> None:
    """The archive holds what the source holds, whoever reads it."""
    parts = [Subset(source, range(N_FIRST)), Subset(source, range(N_FIRST, N))]
    assert zarrmal.verify(url, parts, storage_options=options).problems == ()
    archive = Archive.open(url, storage_options=options)
    dataset = xr.open_zarr(url, storage_options=dict(options) or None)
    order = dataset.source_index.values
    stored = dataset.cells.values
    if archive.channel_first:
        stored = np.moveaxis(stored, 1, -1)
    np.testing.assert_array_equal(stored, source.read(order))
    for position, k in enumerate(order.tolist()):
        cell = archive.cell(position)
        cell = np.moveaxis(cell, 0, -1) if archive.channel_first else cell
        np.testing.assert_array_equal(cell, source.original(k))
    if source.n_masks:
        masks = archive.masks(np.arange(N)).reshape(N, source.n_masks, *source.cell_shape[:2])
        np.testing.assert_array_equal(masks, source.masks(order))
    if source.has_jpeg_files:
        for position in range(N):
            assert archive.coefficients(position).is_file
    dataset.close()
