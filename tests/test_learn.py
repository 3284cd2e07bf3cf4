"""Training: repeatable, resumable, and little lost by integers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from zarrmal_codecs import Model
from zarrmal_codecs.autoencoder import Autoencoder

from zarrmal import InputError
from zarrmal.learn import TrainOptions, TrainResult, fit, train_model
from zarrmal.learn.quantise import quantise
from zarrmal.sources import Source, Subset, open_source
from zarrmal.split import split_by_group


@pytest.fixture(scope="module")
def tiny() -> TrainOptions:
    """A network small enough for a second's training."""
    return TrainOptions(hidden=(48, 24, 6), epochs=40, pretrain_epochs=2, seed=3)


@pytest.fixture(scope="module")
def trained(cells: Source, tiny: TrainOptions) -> TrainResult:
    return train_model(cells, tiny)


@pytest.fixture(scope="module")
def model(trained: TrainResult) -> Model:
    return trained.model


def test_same_seed_gives_the_same_bytes(cells: Source, model: Model, tiny: TrainOptions) -> None:
    again = train_model(cells, tiny).model
    assert again.to_bytes() == model.to_bytes()
    other = train_model(cells, replace(tiny, seed=4)).model
    assert other.to_bytes() != model.to_bytes()


@pytest.mark.parametrize("stop_after", [1, 9, 50, 70])
def test_interrupted_run_goes_on_to_the_same_model(
    cells: Source,
    model: Model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stop_after: int,
    tiny: TrainOptions,
) -> None:
    monkeypatch.setattr("zarrmal.learn.train.CHECKPOINT_SECONDS", -1.0)
    seen, full = 0, 2 * (3 * 2 + 40 + 10 + 1)

    def interrupt(task: str, done: int, total: int, note: str = "") -> None:
        nonlocal seen
        seen += 1
        if seen > stop_after:
            raise KeyboardInterrupt

    path = tmp_path / "run.checkpoint"
    with pytest.raises(KeyboardInterrupt):
        train_model(cells, tiny, checkpoint=path, progress=interrupt)
    assert path.exists()
    steps: list[tuple[str, int]] = []
    result = train_model(
        cells,
        tiny,
        checkpoint=path,
        progress=lambda task, done, total, note="": steps.append((task, done)),
    )
    assert result.model.to_bytes() == model.to_bytes()
    assert len(steps) < full  # it did not begin anew
    assert not path.exists()


def test_checkpoint_of_other_cells_or_damaged_is_not_used(
    cells: Source, model: Model, tmp_path: Path, tiny: TrainOptions
) -> None:
    path = tmp_path / "run.checkpoint"
    path.write_bytes(b"not a checkpoint")
    assert train_model(cells, tiny, checkpoint=path).model == model


def test_integers_cost_less_than_two_percent(trained: TrainResult) -> None:
    for report in trained.reports:
        assert report.int8_bits == pytest.approx(report.float_bits, rel=0.02)
        assert report.n_validation > 0


def test_model_has_learnt_something(cells: Source, model: Model, tiny: TrainOptions) -> None:
    """Its prediction of unseen cells beats the mean image of the class."""
    training, kept = split_by_group(cells.n_cells, cells.groups, tiny.validation, tiny.seed)
    assert cells.labels is not None
    for k, one in enumerate(model.classes):
        seen = cells.read(training[cells.labels[training] == k]).reshape(-1, model.n_pixels)
        unseen = cells.read(kept[cells.labels[kept] == k]).reshape(-1, model.n_pixels)
        sae = Autoencoder(one, model.n_pixels)
        predicted = sae.decode(sae.encode(unseen)).astype(float)
        error = np.abs(predicted - unseen).mean()
        assert error < 0.95 * np.abs(seen.mean(axis=0) - unseen).mean()


def test_integer_network_follows_the_float_one(cells: Source) -> None:
    pixels = torch.from_numpy(cells.read(np.arange(cells.n_cells)).reshape(cells.n_cells, -1))
    floats = pixels.float() / 255
    torch.manual_seed(0)
    state = fit.start(floats, (40, 20, 5), torch.device("cpu"))
    for _ in fit.run(
        state,
        floats,
        floats[:0],
        fit.Schedule(pretrain_epochs=1, epochs=4, rounding_epochs=2, coarseness=0.4),
    ):
        pass
    one = quantise(state.network, "cell", floats)
    sae = Autoencoder(one, floats.shape[1])
    predicted = sae.decode(sae.encode(pixels.numpy())).astype(float)
    with torch.no_grad():
        wanted = (state.network(floats) * 255).clamp(0, 255).numpy()
    assert np.abs(predicted - wanted).mean() < 1.5


def test_pretraining_makes_layers_that_reconstruct(cells: Source) -> None:
    pixels = torch.from_numpy(cells.read(np.arange(cells.n_cells)).reshape(cells.n_cells, -1))
    floats = pixels.float() / 255
    torch.manual_seed(0)
    state = fit.start(floats, (40, 5), torch.device("cpu"))
    losses = {}
    schedule = fit.Schedule(pretrain_epochs=8, epochs=1, rounding_epochs=1, coarseness=0.4)
    for done, _, note in fit.run(state, floats, floats[:0], schedule):
        if note.startswith("layer"):
            losses[done] = float(note.rsplit(" ", 1)[1])
    assert losses[8] < 0.8 * losses[1]
    assert losses[16] < 0.95 * losses[9]


def test_colour_cells_and_no_labels() -> None:
    generator = np.random.default_rng(0)
    source = open_source(generator.integers(0, 255, (12, 6, 7, 3), dtype=np.uint8))
    model = train_model(source, TrainOptions(hidden=(8, 3), epochs=1)).model
    assert model.cell_shape == (6, 7, 3)
    assert model.class_names == ("cell",)


def test_one_cell_of_a_class_is_too_few(cells: Source, tiny: TrainOptions) -> None:
    assert cells.labels is not None
    rows = np.concatenate(
        [np.flatnonzero(cells.labels == 0)[:1], np.flatnonzero(cells.labels == 1)]
    )
    with pytest.raises(InputError, match="'parasitized' has 1 cells"):
        train_model(Subset(cells, rows), tiny)


@pytest.mark.parametrize(
    "wrong", [{"hidden": ()}, {"hidden": (3, 0)}, {"epochs": 0}, {"validation": 1.0}]
)
def test_impossible_wishes_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        TrainOptions(**wrong)  # type: ignore[arg-type]


def test_missing_device_is_told_in_one_line(cells: Source, tiny: TrainOptions) -> None:
    with pytest.raises(InputError, match="--device cpu"):
        train_model(cells, replace(tiny, device="cuda:7"))


def test_split_is_by_slide(cells: Source) -> None:
    assert cells.groups is not None
    training, kept = split_by_group(cells.n_cells, cells.groups, 0.3, 1)
    assert len(training) + len(kept) == cells.n_cells
    assert not set(cells.groups[training]) & set(cells.groups[kept])
    assert len(set(cells.groups[kept])) == 2
    by_cell, other = split_by_group(10, None, 0.5, 0)
    assert (len(by_cell), len(other)) == (5, 5)
    assert len(split_by_group(10, None, 0.0, 0)[1]) == 0
