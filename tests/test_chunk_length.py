"""The length of a chunk, and cells that no codec takes: known before anything is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from damaged import run
from zarrmal_codecs import Model
from zarrmal_codecs.constants import MAX_CHUNK_PIXELS

import zarrmal
from zarrmal import InputError, WriteOptions
from zarrmal.sources import Source


@pytest.mark.parametrize(
    ("cell_shape", "n_cells"),
    [
        ((50, 50), 1024),
        ((256, 256), 1024),
        ((257, 256), 512),
        ((837, 837, 3), 16),
        ((2048, 2048), 16),
        ((9000, 9000), 1),
    ],
)
def test_the_default_goes_by_bytes(cell_shape: tuple[int, ...], n_cells: int) -> None:
    assert WriteOptions().chunk_length(cell_shape) == n_cells
    assert n_cells * np.prod(cell_shape) <= max(64 * 2**20, np.prod(cell_shape))
    assert WriteOptions(chunk_cells=3).chunk_length(cell_shape) == 3


def test_two_large_images_and_a_resumed_run(hybrid: Model, tmp_path: Path) -> None:
    """A chunk of 1,024 of them would have 2,149,991,424 values. The first is black and quick."""
    pixels = np.zeros((2, 1449, 1449), np.uint8)
    pixels[1, 400:420, 400:420] = np.arange(20, dtype=np.uint8)[:, None]
    info = zarrmal.write(pixels, tmp_path / "a", model=hybrid, options=WriteOptions(resume=True))
    assert info.chunk_cells == 16
    np.testing.assert_array_equal(
        zarrmal.open(tmp_path / "a", source_order=True).cells.values, pixels
    )


def test_a_chunk_that_no_codec_takes_is_refused_before_anything_is_written(
    cells: Source, hybrid: Model, tmp_path: Path
) -> None:
    n_cells = MAX_CHUNK_PIXELS // (24 * 24) + 1
    for url in (tmp_path / "a", "memory://chunk-length"):
        with pytest.raises(InputError, match=rf"--chunk-cells {n_cells - 1} or fewer"):
            zarrmal.write(cells, url, model=hybrid, options=WriteOptions(chunk_cells=n_cells))
    assert list(tmp_path.iterdir()) == []
    np.save(tmp_path / "cells.npy", cells.read(np.arange(4)))
    arguments = ["archive", tmp_path / "cells.npy", tmp_path / "b", "--chunk-cells", n_cells]
    for extra in ([], ["--resume"]):
        done = run(*arguments, *extra)
        assert done.exit_code == 2
        assert "or fewer" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "b").exists()


@pytest.mark.training
@pytest.mark.parametrize("profile", ["hybrid", "paper"])
def test_cells_that_no_model_codes_are_refused_before_training(
    profile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zarrmal import learn

    def train(*_: object, **__: object) -> None:
        raise AssertionError("it trains")

    monkeypatch.setattr(learn, "train_hybrid", train)
    monkeypatch.setattr(learn, "train_model", train)
    shape = (1, 4097, 16) if profile == "hybrid" else (1, 1025, 1025)
    options = learn.HybridOptions() if profile == "hybrid" else learn.TrainOptions()
    with pytest.raises(InputError, match="at most"):
        zarrmal.train(np.zeros(shape, np.uint8), options=options)
    with pytest.raises(InputError, match="at most"):
        zarrmal.write(np.zeros(shape, np.uint8), tmp_path / "a", train_options=options)
    assert list(tmp_path.iterdir()) == []


def test_cells_that_the_models_profile_cannot_code_are_refused_before_writing(
    model: Model, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"profile paper takes at most 1,048,576"):
        zarrmal.write(np.zeros((1, 1025, 1025), np.uint8), tmp_path / "a", model=model)
    assert list(tmp_path.iterdir()) == []
