"""Training: repeatable, resumable, and little lost by integers."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from zarrmal_codecs import Model
from zarrmal_codecs.model.autoencoder import Autoencoder

from zarrmal import InputError
from zarrmal.learn import TrainOptions, TrainResult, train_model
from zarrmal.learn.checkpoint import Checkpoint, pack, run_digest, unpack
from zarrmal.learn.loop import fit, prepare_device
from zarrmal.learn.paper.export import export
from zarrmal.learn.paper.training import StackedTraining
from zarrmal.progress import silent
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


@pytest.fixture(scope="module")
def short(tiny: TrainOptions) -> TrainOptions:
    """Stages of 1 (each of three layers), 12 and 3 epochs of 6 steps."""
    return replace(tiny, epochs=12, pretrain_epochs=1)


@pytest.fixture(scope="module")
def short_model(cells: Source, short: TrainOptions) -> Model:
    return train_model(cells, short).model


def test_same_seed_gives_the_same_bytes(
    cells: Source, short_model: Model, short: TrainOptions
) -> None:
    assert train_model(cells, short).model.to_bytes() == short_model.to_bytes()
    assert train_model(cells, replace(short, seed=4)).model.to_bytes() != short_model.to_bytes()


def train_interrupted(source: Source, options: TrainOptions, path: Path, stop_after: int) -> None:
    """Interrupt a training in the step after ``stop_after`` calls of its progress."""
    n_calls = 0

    def interrupt(task: str, done: int, total: int, note: str = "") -> None:
        nonlocal n_calls
        n_calls += 1
        if n_calls > stop_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_model(source, options, checkpoint=path, progress=interrupt)
    assert path.exists()


def train_counted(source: Source, options: TrainOptions, path: Path | None) -> tuple[Model, int]:
    """The model, and how often progress was called."""
    calls: list[int] = []
    result = train_model(
        source,
        options,
        checkpoint=path,
        progress=lambda task, done, total, note="": calls.append(done),
    )
    return result.model, len(calls)


# In pre-training, in the whole network and with rounded weights, of the first and second class.
@pytest.mark.parametrize("stop_after", [7, 50, 100, 120, 200])
def test_resumed_run_gives_the_same_model(
    cells: Source,
    short: TrainOptions,
    short_model: Model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stop_after: int,
) -> None:
    monkeypatch.setattr("zarrmal.learn.loop.CHECKPOINT_SECONDS", -1.0)
    path = tmp_path / "run.checkpoint"
    train_interrupted(cells, short, path, stop_after)
    model, n_calls = train_counted(cells, short, path)
    assert model.to_bytes() == short_model.to_bytes()
    # It resumed after the last whole epoch; each class ends in one more call.
    epoch_steps = 6
    class_steps = (3 * 1 + 12 + 3) * epoch_steps
    n_classes, steps = divmod(stop_after, class_steps + 1)
    saved_steps = n_classes * class_steps + steps // epoch_steps * epoch_steps
    assert n_calls == 2 * (class_steps + 1) - saved_steps
    assert not list(tmp_path.iterdir())


def test_resumed_run_stops_early_as_well(
    cells: Source, short: TrainOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zarrmal.learn.loop.CHECKPOINT_SECONDS", -1.0)
    monkeypatch.setattr("zarrmal.learn.paper.training.PATIENCE", 1)
    assert cells.labels is not None
    one_class = open_source(cells.read(np.flatnonzero(cells.labels == 0)))
    options = replace(short, epochs=60)
    expected, n_calls = train_counted(one_class, options, None)
    assert n_calls < (3 + 60 + 15) * 6  # it stopped early
    for stop_after in (n_calls // 2, n_calls - 8):
        path = tmp_path / "run.checkpoint"
        train_interrupted(one_class, options, path, stop_after)
        assert train_counted(one_class, options, path)[0].to_bytes() == expected.to_bytes()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 damaged"], ids=str)
def test_damaged_checkpoint_is_ignored(
    cells: Source, tmp_path: Path, tiny: TrainOptions, content: bytes
) -> None:
    path = tmp_path / "run.checkpoint"
    path.write_bytes(content)
    short = replace(tiny, epochs=1)
    assert train_model(cells, short, checkpoint=path).model == train_model(cells, short).model


def test_checkpoint_belongs_to_options_and_cells(tmp_path: Path) -> None:
    path, arrays = tmp_path / "run.checkpoint", {"weights": np.arange(3)}
    pixels = np.zeros((2, 4), np.uint8)
    digest = run_digest(TrainOptions(seed=1), pixels)
    Checkpoint(path).save("class 0", digest, arrays)
    loaded = Checkpoint(path).load("class 0", digest)
    assert loaded is not None
    np.testing.assert_array_equal(loaded["weights"], arrays["weights"])
    assert Checkpoint(path).load("class 1", digest) is None
    for other in (
        run_digest(TrainOptions(seed=2), pixels),
        run_digest(TrainOptions(seed=1), pixels + 1),
        run_digest(TrainOptions(seed=1), pixels.reshape(4, 2)),
    ):
        assert Checkpoint(path).load("class 0", other) is None


def test_every_truncated_checkpoint_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "run.checkpoint"
    Checkpoint(path).save("class 0", "digest", {"weights": np.arange(300)})
    content = path.read_bytes()
    for length in range(0, len(content), 50):
        path.write_bytes(content[:length])
        assert Checkpoint(path).load("class 0", "digest") is None


def test_failed_save_leaves_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, synced = tmp_path / "run.checkpoint", []
    checkpoint = Checkpoint(path)
    monkeypatch.setattr("os.fsync", synced.append)
    checkpoint.save("class 0", "digest", {"step": np.array(1)})
    assert synced

    def full_disk(file: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="no space"):
        checkpoint.save("class 0", "digest", {"step": np.array(2)})
    loaded = Checkpoint(path).load("class 0", "digest")
    assert loaded is not None
    assert loaded["step"] == 1
    checkpoint.remove()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_resumed_training_draws_the_same_random_numbers(device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    network = torch.nn.Linear(2, 2).to(device)
    optimizer = torch.optim.AdamW(network.parameters())
    arrays = pack(network, optimizer)
    expected = torch.rand(5), torch.rand(5, device=device)
    torch.manual_seed(99)
    unpack(arrays, network, optimizer)
    resumed = torch.rand(5), torch.rand(5, device=device)
    torch.testing.assert_close(resumed, expected, rtol=0, atol=0)


@pytest.mark.parametrize("setting", [None, ":16:8"])
def test_deterministic_cuda_has_its_workspace(
    monkeypatch: pytest.MonkeyPatch, setting: str | None
) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    if setting is not None:
        monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", setting)
    prepare_device("cpu")
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == (setting or ":4096:8")
    assert torch.are_deterministic_algorithms_enabled()


def test_integers_cost_less_than_two_percent(trained: TrainResult) -> None:
    for report in trained.reports:
        assert report.int8_bits == pytest.approx(report.float_bits, rel=0.02)
        assert report.n_validation > 0


def test_model_has_learnt_something(cells: Source, model: Model, tiny: TrainOptions) -> None:
    """Its prediction of unseen cells beats the mean image of the class."""
    training, unseen_rows = split_by_group(cells.n_cells, cells.groups, tiny.validation, tiny.seed)
    assert cells.labels is not None
    for k, class_model in enumerate(model.classes):
        trained_on = cells.read(training[cells.labels[training] == k]).reshape(-1, model.n_pixels)
        unseen = cells.read(unseen_rows[cells.labels[unseen_rows] == k]).reshape(-1, model.n_pixels)
        sae = Autoencoder(class_model, model.n_pixels)
        predicted = sae.decode(sae.encode(unseen)).astype(float)
        error = np.abs(predicted - unseen).mean()
        assert error < 0.95 * np.abs(trained_on.mean(axis=0) - unseen).mean()


def test_integer_network_follows_the_float_one(cells: Source) -> None:
    pixels = torch.from_numpy(cells.read(np.arange(cells.n_cells)).reshape(cells.n_cells, -1))
    floats = pixels.float() / 255
    torch.manual_seed(0)
    options = TrainOptions(hidden=(40, 20, 5), pretrain_epochs=1, epochs=8, coarseness=0.4)
    training = StackedTraining(floats, floats[:0], options)
    fit(training, "cell", silent)
    sae = Autoencoder(export(training.network, "cell", floats), floats.shape[1])
    predicted = sae.decode(sae.encode(pixels.numpy())).astype(float)
    with torch.no_grad():
        expected = (training.network(floats) * 255).clamp(0, 255).numpy()
    assert np.abs(predicted - expected).mean() < 1.5


def test_pretraining_makes_layers_that_reconstruct(cells: Source) -> None:
    losses: dict[int, list[float]] = {}

    class RecordedTraining(StackedTraining):
        def loss(self, fraction: float) -> torch.Tensor:
            loss = super().loss(fraction)
            losses.setdefault(self.stage, []).append(loss.item())
            return loss

    pixels = torch.from_numpy(cells.read(np.arange(cells.n_cells)).reshape(cells.n_cells, -1))
    floats = pixels.float() / 255
    torch.manual_seed(0)
    options = TrainOptions(hidden=(40, 5), pretrain_epochs=8, epochs=1)
    training = RecordedTraining(floats, floats[:0], options)
    fit(training, "cell", silent)
    n = training.epoch_steps
    assert np.mean(losses[0][-n:]) < 0.8 * np.mean(losses[0][:n])
    assert np.mean(losses[1][-n:]) < 0.95 * np.mean(losses[1][:n])


def test_pretraining_may_be_left_out(cells: Source) -> None:
    stages: set[str] = set()
    options = TrainOptions(hidden=(8, 3), pretrain_epochs=0, epochs=1)
    train_model(cells, options, progress=lambda task, done, total, note="": stages.add(note[:5]))
    assert "layer" not in stages


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
    "wrong",
    [
        {"hidden": ()},
        {"hidden": (3, 0)},
        {"epochs": 0},
        {"pretrain_epochs": -1},
        {"validation": 1.0},
    ],
)
def test_impossible_options_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        TrainOptions(**wrong)  # type: ignore[arg-type]


def test_missing_device_gives_a_short_error(cells: Source, tiny: TrainOptions) -> None:
    with pytest.raises(InputError, match="--device cpu"):
        train_model(cells, replace(tiny, device="cuda:7"))


def test_split_is_by_slide(cells: Source) -> None:
    assert cells.groups is not None
    training, validation = split_by_group(cells.n_cells, cells.groups, 0.3, 1)
    assert len(training) + len(validation) == cells.n_cells
    assert not set(cells.groups[training]) & set(cells.groups[validation])
    assert len(set(cells.groups[validation])) == 2
    by_cell, other = split_by_group(10, None, 0.5, 0)
    assert (len(by_cell), len(other)) == (5, 5)
    assert len(split_by_group(10, None, 0.0, 0)[1]) == 0
