"""The models that ship."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from zarrmal_codecs.chunk.chunk import decode_chunk, encode_chunk
from zarrmal_codecs.chunk.coder import coder_for

import zarrmal
from zarrmal.choose import shipped_for
from zarrmal.models import SHIPPED, Shipped, shipped_model, shipped_models
from zarrmal.sources import open_source
from zarrmal.sources.synthetic import synthetic_cells

ROOT = Path(__file__).parents[1]


RED_CELLS = [shipped for shipped in SHIPPED if shipped.depth == 8]
each_shipped = pytest.mark.parametrize("shipped", RED_CELLS, ids=lambda shipped: shipped.name)


@each_shipped
def test_it_is_small_and_says_how_it_was_made(shipped: Shipped) -> None:
    model = shipped.load()
    assert model is not None
    assert model.n_bytes <= 150_000
    assert model.profile == "hybrid"
    assert model.class_names == ("parasitized", "uninfected")
    is_native = "native" in shipped.name
    size = (304, 244) if is_native else (50, 50)
    assert model.cell_shape == (*size, 3)[: 2 + (shipped.n_channels > 1)]
    assert model.about["effort"] == shipped.effort
    n_cells = 3_742 if is_native else 17_207 if "masks" in shipped.name else 22_604
    assert model.about["n_training_cells"] == n_cells
    takes_silhouettes = "masks" in shipped.name or shipped.lattice_by is not None
    assert coder_for(model).takes_silhouettes == takes_silhouettes
    assert f"-o {shipped.name}" in shipped.trained_by
    assert all(bool(own.lattice) == bool(shipped.lattice_by) for own in model.classes)
    assert ("lattice" in model.about) == bool(shipped.lattice_by)


@each_shipped
@pytest.mark.parametrize("size", [50, 31])
def test_it_codes_cells_of_any_size(shipped: Shipped, size: int) -> None:
    channels = shipped.n_channels
    cells = synthetic_cells(12, n_slides=2, size=size, channels=channels, seed=4).cells
    model = shipped.load()
    assert model is not None
    data = encode_chunk(cells, coder_for(model))
    assert np.array_equal(decode_chunk(data, coder_for(model)), cells)
    assert len(data) < 0.55 * cells.nbytes


def test_there_is_none_for_two_channels() -> None:
    assert shipped_model(2) is None
    for shape in ((3, 50, 50, 2), (3, 50, 50, 4)):
        assert shipped_for(open_source(np.ones(shape, np.uint8))) is None


@pytest.mark.parametrize("channels", [1, 3])
def test_the_model_that_codes_some_of_the_cells_shorter_is_chosen(channels: int) -> None:
    small, masked, native = shipped_models(channels)
    drawn = synthetic_cells(40, n_slides=2, size=50, channels=channels, seed=4).cells
    magnified = drawn.repeat(3, axis=1).repeat(3, axis=2)
    for cells in (drawn, magnified):
        bits = [coder_for(model).bits(cells).min(axis=1).sum() for model in (small, masked, native)]
        expected = (small, masked, native)[int(np.argmin(bits))]
        assert shipped_for(open_source(cells)) is expected
    assert shipped_for(open_source(drawn)) is small


def test_write_takes_it_where_no_model_is_given(tmp_path: Path) -> None:
    drawn = synthetic_cells(30, n_slides=2, size=50, channels=1, seed=4)
    info = zarrmal.write(drawn.cells, tmp_path / "a.zarr")
    assert info.sha256 == shipped_model(1).digest  # type: ignore[union-attr]
    read = zarrmal.open(tmp_path / "a.zarr", source_order=True).cells.values
    assert np.array_equal(read, drawn.cells)


def test_that_for_flow_cytometry_is_taken_for_uint16(tmp_path: Path) -> None:
    (shipped,) = (each for each in SHIPPED if each.depth == 16)
    model = shipped.load()
    assert model is not None
    assert (model.depth, model.cell_shape, model.n_bytes <= 150_000) == (16, (40, 40, 3), True)
    assert f"-o {shipped.name}" in shipped.trained_by
    # Twelve bits above an offset, channels first.
    drawn = synthetic_cells(30, n_slides=2, size=40, channels=3, seed=4).cells.astype(np.uint16)
    noise = np.random.default_rng(1).integers(0, 9, drawn.shape).astype(np.uint16)
    cells = np.ascontiguousarray((16 * drawn + 300 + noise).transpose(0, 3, 1, 2))
    info = zarrmal.write(open_source(cells, axes="cyx"), tmp_path / "a.zarr")
    assert info.sha256 == model.digest
    assert info.payload_bytes < len(zlib.compress(cells.tobytes(), 9))
    read = zarrmal.open(tmp_path / "a.zarr", source_order=True).cells.values
    assert np.array_equal(read, cells)
