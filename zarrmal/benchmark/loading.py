"""Speed of loading cells to train on: random batches, and a shuffled epoch. Needs torch.

Each store is read by torch's DataLoader: an archive by zarrmal.torch; Zarr with Blosc-zstd by the
same data sets over zarr's own reading; PNG files by a data set that does what torchvision's
ImageFolder does, without torchvision: one file a cell in a folder a class, opened by Pillow when
it is asked for. All give uint8 tensors, and the pixels of all are compared.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from PIL import Image
from zarr.codecs import BloscCodec, BloscShuffle
from zarrmal_codecs import Model
from zarrmal_codecs.hybrid.engine import chosen_level

from ..archive import Archive, WriteOptions
from ..classify import Assigner
from ..progress import Progress, silent
from ..sources import Source
from .machine import machine_facts
from .measurement import LossyError

BATCH_CELLS = 256
N_BATCHES = 20
N_ROUNDS = 3
ORDER_CELLS = 1024
OUR_CHUNKS = (256, 1024)
ZARR_CHUNKS = (16, 64, 256, 1024)
WORKERS = (0, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadingSpeed:
    """Cells per second of one store, the fastest of several rounds.

    Parameters
    ----------
    store
        Name with settings.
    workers
        Of the DataLoader; 0 reads in the process itself.
    random_cells_s
        Batches of 256 cells drawn from everywhere.
    epoch_cells_s
        A whole shuffled epoch.
    order_cells_s
        All cells in the order in which they are stored.
    stored_bytes
        Of all files.
    """

    store: str
    workers: int
    random_cells_s: float
    epoch_cells_s: float
    order_cells_s: float
    stored_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadingResult:
    """All measurements, and the machine; speeds of a ``busy`` machine are not reliable."""

    speeds: tuple[LoadingSpeed, ...]
    n_cells: int
    cell_shape: tuple[int, ...]
    machine: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The object that ``zarrmal benchmark-loading --json`` prints."""
        return asdict(self)

    def best(self, kind: str, quantity: str) -> LoadingSpeed:
        """The fastest store of a kind: "zarrmal", "png" or "zarr"."""
        speeds = [speed for speed in self.speeds if speed.store.split(":")[0] == kind]
        return max(speeds, key=lambda speed: getattr(speed, quantity))


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """One way to keep the cells.

    Parameters
    ----------
    cells, shuffled
        Data sets: by position, and shuffled chunk by chunk, which single files need not.
    order
        source_index of each position.
    folder
        Of its files.
    """

    name: str
    cells: Any
    shuffled: Any
    order: NDArray[np.int64]
    folder: Path


def measure_loading(
    source: Source,
    folder: Path,
    *,
    model: Model,
    assigner: Assigner,
    progress: Progress = silent,
) -> LoadingResult:
    """Write the cells in each way below a folder, compare all pixels, and time reading.

    Raises
    ------
    LossyError
        If a store gives other pixels than the source.
    """
    machine = machine_facts() | {"kernel": chosen_level()}
    pixels = source.read(np.arange(source.n_cells))
    stores = [
        *(_archive(source, folder, model, assigner, chunk, progress) for chunk in OUR_CHUNKS),
        _png_files(source, pixels, folder),
    ]
    ours = stores[0]
    stores += [_plain_zarr(pixels[ours.order], ours, folder, chunk) for chunk in ZARR_CHUNKS]
    for store in stores:
        _expect_equal(store, pixels)
    fastest: dict[tuple[str, int], dict[str, float]] = {}
    # In turns, so that other load on the machine slows all stores alike.
    total = N_ROUNDS * len(stores) * len(WORKERS)
    for k in range(N_ROUNDS):
        for store in stores:
            for workers in WORKERS:
                best = fastest.setdefault((store.name, workers), {})
                for quantity, speed in _speeds(store, workers, seed=k).items():
                    best[quantity] = max(best.get(quantity, 0.0), speed)
                n_done = k * len(stores) * len(WORKERS) + len(fastest)
                progress("timing", min(n_done, total), total)
    speeds = tuple(
        LoadingSpeed(
            store=store.name,
            workers=workers,
            stored_bytes=sum(p.stat().st_size for p in store.folder.rglob("*") if p.is_file()),
            **fastest[store.name, workers],
        )
        for store in stores
        for workers in WORKERS
    )
    return LoadingResult(
        speeds=speeds, n_cells=source.n_cells, cell_shape=source.cell_shape, machine=machine
    )


def _speeds(store: Store, workers: int, seed: int) -> dict[str, float]:
    from ..torch.loading import batches

    order = np.random.default_rng(seed).permutation(len(store.cells)).tolist()
    options: dict[str, Any] = {"batch_cells": BATCH_CELLS, "workers": workers}
    random = batches(store.cells, positions=order[: BATCH_CELLS * N_BATCHES], **options)
    if store.shuffled is None:
        epoch = batches(store.cells, positions=order, **options)
    else:
        store.shuffled.set_epoch(seed)
        epoch = batches(store.shuffled, **options)
    in_order = batches(store.cells, batch_cells=ORDER_CELLS, workers=workers)
    return {
        "random_cells_s": _cells_per_second(random),
        "epoch_cells_s": _cells_per_second(epoch),
        "order_cells_s": _cells_per_second(in_order),
    }


def _cells_per_second(batches: Iterable[Any]) -> float:
    n_cells = 0
    start = time.perf_counter()
    for batch in batches:
        n_cells += len(batch[0])
    return n_cells / (time.perf_counter() - start)


def _expect_equal(store: Store, pixels: NDArray[np.uint8]) -> None:
    from ..torch.loading import batches

    seen = []
    for data in (store.cells, store.shuffled):
        if data is None:
            continue
        for cells, _, positions in batches(data, batch_cells=ORDER_CELLS):
            expected = pixels[store.order[positions.numpy()]]
            given = cells.numpy()
            given = given[:, 0] if pixels.ndim == 3 else np.moveaxis(given, 1, 3)
            if not np.array_equal(given, expected):
                raise LossyError(f"{store.name} gives other pixels than the source")
            seen.append(positions.numpy())
        if not np.array_equal(np.sort(np.concatenate(seen)), np.arange(len(pixels))):
            raise LossyError(f"{store.name} does not give every cell once")
        seen.clear()


def _archive(
    source: Source, folder: Path, model: Model, assigner: Assigner, chunk: int, progress: Progress
) -> Store:
    from ..torch import CellDataset, ShuffledCells

    path = folder / f"archive-{chunk}.zarr"
    archive = Archive.write(
        source,
        path,
        model=model,
        assigner=assigner,
        options=WriteOptions(chunk_cells=chunk),
        progress=progress,
    )
    return Store(
        name=f"zarrmal:chunk={chunk}",
        cells=CellDataset(path),
        shuffled=ShuffledCells(path),
        order=np.asarray(archive.group["source_index"]),
        folder=path,
    )


def _plain_zarr(pixels: NDArray[np.uint8], ours: Store, folder: Path, chunk: int) -> Store:
    """The cells in the order of our archive, with the same data sets over zarr's own reading."""
    from ..torch import CellDataset, ShuffledCells
    from .plain_zarr import PlainHandle

    path = folder / f"blosc-{chunk}.zarr"
    array = zarr.create_array(
        path,
        shape=pixels.shape,
        chunks=(chunk, *pixels.shape[1:]),
        dtype="uint8",
        compressors=BloscCodec(cname="zstd", clevel=5, shuffle=BloscShuffle.bitshuffle),
    )
    array[:] = pixels
    cells, shuffled = CellDataset(ours.folder), ShuffledCells(ours.folder)
    cells.handle, shuffled.handle = PlainHandle(path), PlainHandle(path)
    shuffled.chunk_cells = chunk
    return Store(
        name=f"zarr:blosc-zstd,chunk={chunk}",
        cells=cells,
        shuffled=shuffled,
        order=ours.order,
        folder=path,
    )


def _png_files(source: Source, pixels: NDArray[np.uint8], folder: Path) -> Store:
    path = folder / "png"
    names = source.class_names or ("cells",)
    labels = [0] * len(pixels) if source.labels is None else source.labels.tolist()
    for k in range(len(names)):
        (path / str(k)).mkdir(parents=True)
    files = [path / str(label) / f"{k}.png" for k, label in enumerate(labels)]
    for file, cell in zip(files, pixels, strict=True):
        Image.fromarray(cell).save(file)
    return Store(
        name="png:one file a cell",
        cells=PngFiles(files, labels),
        shuffled=None,
        order=np.arange(len(files)),
        folder=path,
    )


class PngFiles:
    """A map-style data set of image files, as torchvision's ImageFolder reads them."""

    def __init__(self, files: list[Path], labels: list[int]) -> None:
        self._files, self._labels = files, labels

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, position: int) -> tuple[NDArray[np.uint8], int, int]:
        with self._files[position].open("rb") as file:
            pixels = np.array(Image.open(file))
        pixels = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, 2, 0)
        return pixels, self._labels[position], position
