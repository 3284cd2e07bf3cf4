"""What reading costs, counted in HTTP requests and bytes at the server."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import xarray as xr
import zarr
from closing import close_file_systems

import zarrmal
from zarrmal.archive import WriteOptions
from zarrmal.sources import Subset, open_source
from zarrmal.sources.synthetic import synthetic_cells

URL = "s3://lab/requests/cells.zarr"
N_CELLS = 1024 + 76
FEW = {"max_concurrency": 1}
"""Of s3fs: no HEAD before a GET."""


@pytest.fixture(scope="module")
def source():
    """A whole chunk of cells at 50 x 50, and a part of one."""
    made = synthetic_cells(N_CELLS, n_slides=4, size=50, seed=7, channels=1)
    return open_source(made.cells, labels=made.label, groups=made.slide)


@pytest.fixture(scope="module")
def large(moto, source):
    """An archive at default chunking, with the model that ships."""
    store, _ = moto
    info = zarrmal.write(source, URL, storage_options=store.options, infer_masks="off")
    assert info.chunk_cells == 1024
    return store


@pytest.fixture
def log(moto, large):
    """Nothing is remembered of what was read before."""
    close_file_systems()
    moto[1].clear()
    yield moto[1]
    close_file_systems()


def test_opening_with_zarrmal(large, log):
    dataset = zarrmal.open(URL, storage_options=large.options)
    assert dataset.cells.shape == (N_CELLS, 50, 50)
    assert len(log.seen) <= 2, log.seen  # our look at the group, and xarray's
    assert log.n_bytes < 150_000
    dataset.close()


@pytest.mark.parametrize(
    ("options", "most"),
    [({}, 8), (FEW, 4)],  # without: s3fs asks of each object whether it is there, or a folder
)
def test_opening_with_xarray(large, log, options, most):
    dataset = xr.open_zarr(URL, storage_options={**large.options, **options})
    assert dataset.cells.shape == (N_CELLS, 50, 50)
    assert len(log.seen) <= most, log.seen
    dataset.close()


@pytest.mark.parametrize(
    ("opened", "options", "most"),
    [
        (zarr.open, {}, 14),  # looks for an array and a group, in both formats
        (zarr.open, FEW, 7),
        (zarr.open_group, {}, 8),
        (zarr.open_group, {"zarr_format": 3}, 2),
        (zarr.open_group, {"zarr_format": 3, **FEW}, 1),
    ],
)
def test_opening_with_zarr(large, log, opened, options, most):
    how = {k: options[k] for k in ("zarr_format",) if k in options}
    few = {k: v for k, v in options.items() if k in FEW}
    group = opened(URL, mode="r", storage_options={**large.options, **few}, **how)
    assert group["cells"].shape == (N_CELLS, 50, 50)
    assert len(log.seen) <= most, log.seen


@pytest.mark.parametrize("row", [0, 500, 1023, 1024, N_CELLS - 1])
def test_one_cell(large, log, source, row):
    group = zarr.open_group(URL, mode="r", storage_options=dict(large.options))
    cells = group["cells"]
    number = int(group["source_index"][row])
    log.clear()
    np.testing.assert_array_equal(cells[row], source.read(np.array([number]))[0])
    # The chunk's head, the cell; of a chunk to which more may be appended, the head again.
    assert len(log.seen) <= (2 if row < 1024 else 3), log.seen
    assert log.n_bytes <= 12_000


def test_one_cell_with_xarray(large, log, source):
    dataset = zarrmal.open(URL, storage_options=large.options)
    order = dataset.source_index.values
    log.clear()
    found = dataset.cells[700].values
    np.testing.assert_array_equal(found, source.read(order[[700]])[0])
    assert len(log.seen) <= 3, log.seen
    assert log.n_bytes <= 64_000
    dataset.close()


def test_verify_asks_for_each_object_once(large, log):
    target = zarrmal.archive.Location(URL, large.options)
    assert not zarrmal.verify(target).problems
    chunks = [path for method, path, _ in log.seen if "/c/" in path]
    assert {method for method, _, _ in log.seen} == {"GET"}
    assert len(chunks) <= 2 * len(set(chunks))


def test_writing_a_chunk_is_one_request(moto, source, log):
    """What comes to it does not grow with the number of chunks."""
    store, _ = moto
    counted = {}
    for chunk_cells in (550, 110):
        log.clear()
        options = WriteOptions(chunk_cells=chunk_cells)
        zarrmal.write(
            source,
            f"s3://lab/written-{chunk_cells}/cells.zarr",
            options=options,
            storage_options=store.options,
            infer_masks="off",  # which takes half a minute, and no request
        )
        chunks = [method for method, path, _ in log.seen if "/cells/c/" in path]
        n_chunks = N_CELLS // chunk_cells
        assert chunks == ["PUT"] * n_chunks  # the report at the end needs no other
        counted[chunk_cells] = len(log.seen) - len(chunks)
    assert counted[550] == counted[110] <= 100


def test_an_append_reads_the_documents_of_an_array_a_few_times(moto, source, log):
    url, how = "s3://lab/appended/cells.zarr", {"storage_options": moto[0].options}
    zarrmal.write(Subset(source, range(60)), url, infer_masks="off", **how)
    log.clear()
    zarrmal.append(Subset(source, range(60, 120)), url, infer_masks="off", **how)
    asked = Counter(path.rstrip("?") for method, path, _ in log.seen if method == "GET")
    assert 0 < asked[f"{url.removeprefix('s3:/')}/label/zarr.json"] <= 5, asked
