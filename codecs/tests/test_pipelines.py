"""Arrays with zarr's codec pipelines: the default one, the fused one of zarr 3.3, and zarrs.

The pipeline of the package zarrs is Rust and runs no codec of Python's. It says so in a warning and
hands the array to zarr's own pipeline: slower than it could be, and exact.
"""

from __future__ import annotations

import asyncio
import importlib.util
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import models
import numpy as np
import pytest
import zarr
from any_dtype import filled
from golden_archives import ARCHIVES, INDEX, meets
from stores import CountingStore, FakeGetter, spec_of
from zarr.core import codec_pipeline
from zarr.storage import LocalStore
from zarrmal_codecs import CorruptionError, ZarrmalError, array_arguments
from zarrmal_codecs.chunk.items import octets_of

CELLS = models.pixels(81, (21, 6, 5))
PIPELINES = {
    "batched": "zarr.core.codec_pipeline.BatchedCodecPipeline",
    "fused": "zarr.core.codec_pipeline.FusedCodecPipeline",
    "zarrs": "zarrs.ZarrsCodecPipeline",
}
LAYOUTS = {
    "2": {"zarr_format": 2, "chunks": (8, 6, 5)},
    "3": {"zarr_format": 3, "chunks": (8, 6, 5)},
    "shards": {"zarr_format": 3, "chunks": (4, 6, 5), "shards": (16, 6, 5)},
}


@contextmanager
def pipeline_of(name: str) -> Iterator[list[warnings.WarningMessage]]:
    """Arrays opened in this context use the pipeline; its warnings are recorded."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with zarr.config.set({"codec_pipeline.path": PIPELINES[name]}):
            yield caught


@pytest.fixture(params=PIPELINES)
def pipeline(request) -> str:
    if request.param == "fused" and not hasattr(codec_pipeline, "FusedCodecPipeline"):
        pytest.skip(f"zarr {zarr.__version__} has no fused pipeline")
    if request.param == "zarrs" and importlib.util.find_spec("zarrs") is None:
        pytest.skip("the package zarrs is not installed")
    return str(request.param)


@pytest.fixture(params=LAYOUTS)
def layout(request) -> str:
    return str(request.param)


def create(path: Path, layout: str, dtype: str = "uint8") -> zarr.Array:
    zarr_format = LAYOUTS[layout]["zarr_format"]
    arguments = array_arguments(models.two_classes(), zarr_format=zarr_format)
    return zarr.create_array(
        store=path, shape=CELLS.shape, dtype=dtype, **(arguments | LAYOUTS[layout])
    )


def expect_warnings(caught: list[warnings.WarningMessage], pipeline: str) -> None:
    """Assert that nothing warns, except zarrs, which names the codec that it leaves to zarr."""
    texts = [str(warning.message) for warning in caught]
    assert all("unsupported codec zarrmal" in t or "codec zarrmal is not" in t for t in texts)
    assert bool(texts) == (pipeline == "zarrs")


def test_read(pipeline, layout, tmp_path):
    create(tmp_path / "a.zarr", layout)[:] = CELLS
    with pipeline_of(pipeline) as caught:
        array = zarr.open_array(tmp_path / "a.zarr", mode="r")
        assert type(array._async_array.codec_pipeline).__name__ in PIPELINES[pipeline]
        np.testing.assert_array_equal(array[:], CELLS)
        np.testing.assert_array_equal(array[9], CELLS[9])
        np.testing.assert_array_equal(array[2:19:3, 1:3], CELLS[2:19:3, 1:3])
        np.testing.assert_array_equal(array[[20, 3, 3]], CELLS[[20, 3, 3]])
    expect_warnings(caught, pipeline)


@pytest.mark.parametrize("dtype", ["bool", "<u2", ">i4", "<f8", ">c8"])
def test_other_dtypes(pipeline, layout, dtype, tmp_path):
    if pipeline == "zarrs" and dtype[0] == ">":
        pytest.skip("zarrs reads no array of format 2 in big-endian order")
    items = filled(np.dtype(dtype), CELLS.shape)
    with pipeline_of(pipeline):
        create(tmp_path / "a.zarr", layout, dtype)[:] = items
        again = zarr.open_array(tmp_path / "a.zarr", mode="r")
        for selection in (np.s_[:], np.s_[9], np.s_[2:19:3, 1:3]):
            np.testing.assert_array_equal(octets_of(again[selection]), octets_of(items[selection]))


def test_written_bytes_are_the_same(pipeline, layout, tmp_path):
    with pipeline_of(pipeline) as caught:
        create(tmp_path / "a.zarr", layout)[:] = CELLS
    expect_warnings(caught, pipeline)
    create(tmp_path / "b.zarr", layout)[:] = CELLS
    for path in (tmp_path / "b.zarr").rglob("*"):
        if path.is_file():
            twin = tmp_path / "a.zarr" / path.relative_to(tmp_path / "b.zarr")
            assert twin.read_bytes() == path.read_bytes(), path.name


def test_parts_are_rewritten(pipeline, layout, tmp_path):
    expected = CELLS.copy()
    with pipeline_of(pipeline):
        array = create(tmp_path / "a.zarr", layout)
        array[:] = CELLS
        for selection, value in [(np.s_[3], 9), (np.s_[7:9], 0), (np.s_[:, 2, 2], 200)]:
            array[selection] = value
            expected[selection] = value
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "a.zarr", mode="r")[:], expected)


@pytest.mark.parametrize("name", INDEX)
def test_golden_archives(pipeline, name):
    with pipeline_of(pipeline) as caught:
        group = zarr.open_group(ARCHIVES / f"{name}.zarr", mode="r")
        for array, expected in INDEX[name]["arrays"].items():
            meets(group[array][:], expected)
    assert pipeline == "zarrs" or not caught


@pytest.mark.parametrize("pipeline", ["batched", "fused"], indirect=True)
def test_single_cells_are_fetched_alone(pipeline):
    archive = ARCHIVES / "hybrid-3.zarr" / "cells"
    store = CountingStore(LocalStore(archive, read_only=True))
    with pipeline_of(pipeline):
        cells = zarr.open_array(store, mode="r")
        everything = cells[:]
        n_bytes = dict(store.reads)
        for row in (0, 7, 8, 15):
            store.reads.clear()
            np.testing.assert_array_equal(cells[row], everything[row])
            assert len(store.reads) <= 2
            assert sum(n for _, n in store.reads) < n_bytes[f"c/{row // 8}/0/0"] / 2


def test_reading_without_an_event_loop_gives_the_same():
    """The method of the fused pipeline gives the same pixels with the same requests."""
    archive = ARCHIVES / "hybrid-3.zarr" / "cells"
    codec = zarr.open_array(archive, mode="r").metadata.codecs[0]
    for chunk, n_bytes in (("0", None), ("1", None), ("1", 200), ("1", 30)):
        data = (archive / "c" / chunk / "0" / "0").read_bytes()[:n_bytes]
        for rows in ([3], [0, 7], [5], [2, 3], list(range(8))):
            selection = (np.array(rows), slice(None), slice(1, 4))
            spec, outcomes, requests = spec_of((8, 14, 12)), [], []
            for run in (lambda reading: reading, asyncio.run):
                getter = FakeGetter(data)
                sync = run is not asyncio.run
                read = codec._decode_partial_sync if sync else codec._decode_partial_single
                try:
                    outcomes.append(run(read(getter, selection, spec)).as_numpy_array().tobytes())
                except ZarrmalError as error:
                    outcomes.append((type(error), str(error)))
                requests.append(getter.requests)
            assert outcomes[0] == outcomes[1]
            assert requests[0] == requests[1]


def test_strict_zarrs_refuses_at_open(tmp_path):
    zarrs = pytest.importorskip("zarrs", reason="the package zarrs is not installed")
    create(tmp_path / "a.zarr", "3")[:] = CELLS
    with (
        zarr.config.set({"codec_pipeline.path": PIPELINES["zarrs"], "codec_pipeline.strict": True}),
        pytest.raises(zarrs.pipeline.UnsupportedMetadataError) as refused,
    ):
        zarr.open_array(tmp_path / "a.zarr", mode="r")
    assert "codec zarrmal is not supported" in str(refused.value.__cause__)


def test_damage_is_named(pipeline, tmp_path):
    archive = shutil.copytree(ARCHIVES / "hybrid-3.zarr", tmp_path / "a.zarr")
    chunk = archive / "cells" / "c" / "1" / "0" / "0"
    data = bytearray(chunk.read_bytes())
    data[-1] ^= 1
    chunk.write_bytes(data)
    with pipeline_of(pipeline):
        cells = zarr.open_group(archive, mode="r")["cells"]
        with pytest.raises(CorruptionError, match="damaged"):
            cells[:]
        assert cells[:8].any()
