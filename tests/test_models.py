"""The models that ship."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from zarrmal_codecs.chunk import decode_chunk, encode_chunk
from zarrmal_codecs.coder import coder_for

import zarrmal
from zarrmal.models import NAMES, TRAINED_BY, shipped_model
from zarrmal.sources.synthetic import synthetic_cells

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("channels", NAMES)
def test_it_is_small_and_says_how_it_was_made(channels: int) -> None:
    model = shipped_model(channels)
    assert model is not None
    assert model.n_bytes <= 150_000
    assert model.profile == "hybrid"
    assert model.class_names == ("parasitized", "uninfected")
    assert model.cell_shape == (50, 50, 3)[: 2 + (channels > 1)]
    assert model.about["effort"] == "default"
    assert model.about["n_training_cells"] == 22_604
    assert f"-o {NAMES[channels]}" in TRAINED_BY[channels]


@pytest.mark.parametrize("channels", NAMES)
@pytest.mark.parametrize("size", [50, 31])
def test_it_codes_cells_of_any_size(channels: int, size: int) -> None:
    cells = synthetic_cells(12, n_slides=2, size=size, channels=channels, seed=4).cells
    model = shipped_model(channels)
    assert model is not None
    data = encode_chunk(cells, coder_for(model))
    assert np.array_equal(decode_chunk(data, coder_for(model)), cells)
    assert len(data) < cells.nbytes / 2


def test_there_is_none_for_two_channels() -> None:
    assert shipped_model(2) is None
    assert zarrmal.api.shipped_for((50, 50, 2)) is None
    assert zarrmal.api.shipped_for((50,)) is None


def test_write_takes_it_where_no_model_is_given(tmp_path: Path) -> None:
    drawn = synthetic_cells(30, n_slides=2, size=50, channels=1, seed=4)
    info = zarrmal.write(drawn.cells, tmp_path / "a.zarr")
    assert info.sha256 == shipped_model(1).digest  # type: ignore[union-attr]
    read = zarrmal.open(tmp_path / "a.zarr", source_order=True).cells.values
    assert np.array_equal(read, drawn.cells)
