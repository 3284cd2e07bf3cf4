"""Training on archives: each cell once an epoch, over forked and spawned workers and ranks."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr
from killed import CONTEXT
from torch.utils.data import DataLoader
from zarr.storage import MemoryStore, ZipStore

from zarrmal import Archive, WriteOptions
from zarrmal.classify import LabelAssigner
from zarrmal.errors import InputError
from zarrmal.torch import CellDataset, ShuffledCells

N_CELLS = 240


@pytest.fixture(scope="module")
def path(tmp_path_factory, cells, model) -> Path:
    path = tmp_path_factory.mktemp("training") / "cells.zarr"
    Archive.write(
        cells,
        path,
        model=model,
        assigner=LabelAssigner(cells, model.class_names),
        options=WriteOptions(chunk_cells=16),
    )
    return path


@pytest.fixture(scope="module")
def whole(path):
    return np.asarray(Archive.open(path).cells[:])


@pytest.fixture(scope="module")
def labels(path):
    return np.asarray(Archive.open(path).array("label")[:]).tolist()


def double(pixels: torch.Tensor) -> torch.Tensor:
    return pixels.float() * 2


def loader(data, n_workers, start, **arguments):
    context = None
    if n_workers:
        context = CONTEXT if start == "forkserver" else start
    return DataLoader(
        data, num_workers=n_workers, multiprocessing_context=context, batch_size=32, **arguments
    )


def gathered(batches, whole, labels):
    """Positions in the order given; pixels and labels are those of the positions."""
    positions = []
    for pixels, label, position in batches:
        assert pixels.dtype == torch.uint8
        np.testing.assert_array_equal(pixels[:, 0].numpy(), whole[position.numpy()])
        assert label.tolist() == [labels[k] for k in position.tolist()]
        positions += position.tolist()
    return positions


WORKERS = [(0, "fork"), (2, "fork"), (2, "forkserver")]
"""A forkserver's workers get the data set as spawned ones do, and start sooner."""


@pytest.mark.parametrize(("n_workers", "start"), WORKERS)
def test_cells_by_position(path, whole, labels, n_workers, start):
    data = CellDataset(path)
    assert len(data) == N_CELLS
    data[0]  # this process has opened the archive before it forks
    positions = gathered(loader(data, n_workers, start, shuffle=True), whole, labels)
    assert sorted(positions) == list(range(N_CELLS))
    assert positions != sorted(positions)


def test_a_spawned_worker(path, whole, labels):
    batches = loader(CellDataset(path), 1, "spawn")
    assert gathered(batches, whole, labels) == list(range(N_CELLS))


@pytest.mark.parametrize(("n_workers", "start"), WORKERS)
def test_every_cell_once_an_epoch(path, whole, labels, n_workers, start):
    data = ShuffledCells(path, buffer_cells=64)
    assert len(data) == N_CELLS
    batches = loader(data, n_workers, start, persistent_workers=n_workers > 0)
    epochs = []
    for epoch in (0, 1):
        data.set_epoch(epoch)
        epochs.append(gathered(batches, whole, labels))
        assert sorted(epochs[-1]) == list(range(N_CELLS))
    assert epochs[0] != epochs[1]  # workers that persist see the new epoch too
    data.set_epoch(0)
    assert gathered(batches, whole, labels) == epochs[0]


@pytest.mark.parametrize("n_workers", [0, 2])
@pytest.mark.parametrize("world_size", [3, 7])
def test_every_cell_once_over_all_ranks(path, whole, labels, n_workers, world_size):
    positions, counts = [], []
    for rank in range(world_size):
        data = ShuffledCells(path, rank=rank, world_size=world_size, buffer_cells=20, seed=5)
        mine = gathered(loader(data, n_workers, "fork"), whole, labels)
        assert len(mine) == len(data)
        counts.append(len(mine))
        positions += mine
    assert sorted(positions) == list(range(N_CELLS))
    assert max(counts) - min(counts) <= 1


def test_ranks_of_torch_distributed(path, tmp_path):
    distributed = torch.distributed
    data = ShuffledCells(path)
    assert len(data) == N_CELLS
    distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'rendezvous'}", rank=0, world_size=1
    )
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(distributed, "get_rank", lambda: 1)
            patch.setattr(distributed, "get_world_size", lambda: 4)
            assert len(data) == N_CELLS // 4
            sent = pickle.dumps(data)
            positions = [sample[2] for sample in data]
    finally:
        distributed.destroy_process_group()
    # A spawned worker, which is no member of the run, has the rank of its parent.
    assert [sample[2] for sample in pickle.loads(sent)] == positions


def test_a_buffer_mixes_chunks(path):
    small, large = ShuffledCells(path, buffer_cells=1), ShuffledCells(path, buffer_cells=240)
    runs = [
        np.count_nonzero(np.diff(np.array([sample[2] for sample in data]) // 16))
        for data in (small, large)
    ]
    assert runs[1] > 180  # of 239 neighbours, all but 1 in 15 are of another chunk


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_no_group_is_in_both_parts(path, share):
    groups = np.array(Archive.open(path).array("source_group")[:].tolist())
    training, validation = (
        [sample[2] for sample in ShuffledCells(path, part=part, validation_share=share)]
        for part in ("train", "validation")
    )
    assert sorted(training + validation) == list(range(N_CELLS))
    assert training
    assert validation
    assert not set(groups[training]) & set(groups[validation])
    subsets = CellDataset(path).split(validation_share=share)
    assert [set(subset.indices) for subset in subsets] == [set(training), set(validation)]


def test_one_group_cannot_be_divided(tmp_path, model, cells):
    import zarrmal

    pixels = cells.read(np.arange(8))
    source = zarrmal.open_source(pixels, groups=["slide 1"] * 8)
    path = tmp_path / "a.zarr"
    Archive.write(source, path, model=model, assigner=lambda c, r: np.zeros(len(r), np.uint8))
    with pytest.raises(InputError, match="groups"):
        ShuffledCells(path, part="train")
    data = CellDataset(path)
    assert (data[3][1], data.label_names) == (-1, ())
    assert [sample[1] for sample in ShuffledCells(path)] == [-1] * 8


def test_a_transform(path, whole):
    data = CellDataset(path, transform=double)
    pixels, _, position = data[-1]
    assert position == N_CELLS - 1
    np.testing.assert_array_equal(pixels[0].numpy(), 2.0 * whole[-1])
    first = next(iter(ShuffledCells(path, transform=double)))
    assert first[0].dtype == torch.float32


@pytest.mark.parametrize("position", [N_CELLS, -N_CELLS - 1])
def test_no_such_cell(path, position):
    with pytest.raises(IndexError, match="0 to 239"):
        CellDataset(path)[position]


def test_a_batch_decodes_its_cells_alone(path, whole, monkeypatch):
    data = CellDataset(path)
    data[0]
    decoded = []
    reader = data.handle.archive._cell_reader
    read = type(reader).read
    monkeypatch.setattr(
        type(reader), "read", lambda self, rows, w: decoded.append(len(rows)) or read(self, rows, w)
    )
    samples = data.__getitems__([5, 200, 5, 17])
    assert decoded == [3]
    assert [sample[2] for sample in samples] == [5, 200, 5, 17]
    np.testing.assert_array_equal(samples[1][0][0].numpy(), whole[200])


@pytest.mark.parametrize("start", ["fork", "forkserver"])
def test_nothing_opened_here_is_used_in_a_worker(path, start, tmp_path):
    data = CellDataset(path)
    here = data.handle.archive
    archives = list(loader(Opened(data), 1, start))
    assert all(pid != os.getpid() for batch in archives for pid in batch[0].tolist())
    assert all(other != id(here) for batch in archives for other in batch[1].tolist())


class Opened(torch.utils.data.Dataset):
    """Which process opened the archive, and which object it is."""

    def __init__(self, data: CellDataset) -> None:
        self._data = data

    def __len__(self) -> int:
        return 2

    def __getitem__(self, position: int) -> tuple[int, int]:
        self._data[position]
        return self._data.handle._process, id(self._data.handle._archive)


@pytest.mark.parametrize("start", ["fork", "forkserver"])
def test_stores_of_zarr(path, whole, labels, start, tmp_path, cells, model):
    store = MemoryStore()
    with ZipStore(tmp_path / "a.zip", mode="w") as written:
        for where in (store, written):
            assigner = LabelAssigner(cells, model.class_names)
            options = WriteOptions(chunk_cells=16)
            Archive.write(cells, where, model=model, assigner=assigner, options=options)
    opened = [CellDataset(place) for place in (store, ZipStore(tmp_path / "a.zip", mode="r"))]
    for data in opened:
        data[7]
    both = torch.utils.data.ConcatDataset(opened)
    positions = gathered(loader(both, 1, start, shuffle=True), whole, labels)
    assert sorted(positions) == sorted([*range(N_CELLS)] * 2)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"part": "test"}, "train or validation"),
        ({"buffer_cells": 0}, "at least 1"),
        ({"rank": 0}, "together"),
        ({"rank": 2, "world_size": 2}, "0 to world_size - 1"),
        ({"part": "train", "validation_share": 1.0}, "between 0 and 1"),
    ],
    ids=str,
)
def test_arguments_that_do_not_fit(path, arguments, word):
    with pytest.raises(InputError, match=word):
        ShuffledCells(path, **arguments)


class PlainCells(torch.utils.data.Dataset):
    """Cells of a plain zarr array: of one that is opened already, or of a path."""

    def __init__(self, path: Path, *, opened: bool) -> None:
        self._path = path
        self._cells = self._open() if opened else None

    def _open(self) -> zarr.Array:
        return zarr.open_group(self._path, mode="r")["cells"]

    def __len__(self) -> int:
        return N_CELLS

    def __getitem__(self, position: int) -> tuple[torch.Tensor, int]:
        if self._cells is None:  # by each worker
            self._cells = self._open()
        return torch.from_numpy(np.asarray(self._cells[position])), position


@pytest.mark.parametrize("start", ["fork", "forkserver"])
def test_a_plain_array(path, whole, start):
    """Of a local folder; what a zip does then is shown in test_interop.py."""
    data = torch.utils.data.ConcatDataset([PlainCells(path, opened=k) for k in (False, True)])
    positions = []
    for pixels, position in loader(data, 1, start, shuffle=True):
        np.testing.assert_array_equal(pixels.numpy(), whole[position.numpy()])
        positions += position.tolist()
    assert sorted(positions) == sorted([*range(N_CELLS)] * 2)
