"""Hybrid training: what it trains is what the codec runs; repeatable, resumable."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from zarrmal_codecs import Model
from zarrmal_codecs.chunk.chunk import decode_chunk, encode_chunk
from zarrmal_codecs.chunk.coder import Coder
from zarrmal_codecs.hybrid.depth import DEEP, SHALLOW, Depth
from zarrmal_codecs.hybrid.known import Known
from zarrmal_codecs.hybrid.pixel_coder import Lanes, Plan
from zarrmal_codecs.model.layer import Layer
from zarrmal_codecs.model.step import Step
from zarrmal_codecs.scales import Scales
from zarrmal_codecs.silhouette.silhouettes import Silhouettes

from zarrmal import InputError
from zarrmal.learn import HybridOptions, HybridResult, train_hybrid
from zarrmal.learn.hybrid import EFFORTS, Effort
from zarrmal.learn.hybrid.data import read_cells
from zarrmal.learn.hybrid.inputs.context import ContextInputs, prepare
from zarrmal.learn.hybrid.inputs.planes import PlaneStep, plan_steps
from zarrmal.learn.hybrid.options import SAE_SIZES
from zarrmal.progress import silent
from zarrmal.sources import Source, Subset, open_source
from zarrmal.sources.synthetic import synthetic_cells

TINY = HybridOptions(effort="fast", steps=90, sae=1, seed=1)


@pytest.fixture(scope="module")
def result(cells: Source) -> HybridResult:
    return train_hybrid(cells, TINY)


@pytest.fixture(scope="module")
def coloured() -> Source:
    drawn = synthetic_cells(90, n_slides=3, size=20, seed=8, channels=3)
    return open_source(drawn.cells, labels=drawn.label, groups=drawn.slide)


def planned(*order: int) -> tuple[PlaneStep, ...]:
    """Steps of these planes, each seeing those before; the second does not follow the first."""
    return tuple(
        PlaneStep(plane=plane, earlier=tuple(range(s))[-3:], follows=s > 1)
        for s, plane in enumerate(order)
    )


def codec_lanes(
    effort: Effort,
    planes: tuple[PlaneStep, ...],
    cells: np.ndarray,
    coverage: np.ndarray | None = None,
    depth: Depth = SHALLOW,
) -> Lanes:
    """The codec's view of levels (cell, plane, y, x), with a network that is never run."""
    empty = Layer(
        weight=np.zeros((1, 1), np.int8),
        bias=np.zeros(1, np.int32),
        shift=np.ones(1, np.uint8),
        input="uint8",
        output="int32",
    )
    steps = tuple(
        Step(
            plane=plan.plane,
            earlier=plan.earlier,
            follows=plan.follows,
            n_causal=effort.n_causal,
            n_flags=effort.n_flags,
            n_full=effort.n_full,
            n_components=effort.n_components,
            n_coverage=0 if coverage is None else effort.n_coverage,
            layers=(empty, empty, empty),
            latent=None,
        )
        for plan in planes
    )
    first = [np.zeros((len(cells), 1), np.int32)]
    known = Known(
        shape=cells.shape,
        first=first,
        coverage=coverage,
        scales=Scales.of_bytes(cells.shape[1]),
    )
    lanes = Lanes(Plan(steps, False, depth), known)
    for plane, y, x in np.ndindex(cells.shape[1:]):
        lanes.put(plane, y, x, cells[:, plane, y, x].astype(np.int64))
    return lanes


def some_coverage(cells: np.ndarray) -> np.ndarray:
    """Any coverage, uint8 (cell, y, x), of cells (cell, plane, y, x), 0 where it is."""
    generator = np.random.default_rng(3)
    shape = (cells.shape[0], *cells.shape[2:])
    coverage = generator.integers(0, 256, shape, np.uint8)
    coverage[generator.random(shape) < 0.3] = 0
    coverage[generator.random(shape) < 0.3] = 255
    cells[np.broadcast_to(coverage[:, None] == 0, cells.shape)] = 0
    return coverage


@pytest.mark.parametrize("cut_out", [False, True])
@pytest.mark.parametrize("n_planes", [1, 3])
@pytest.mark.parametrize("depth", [SHALLOW, DEEP], ids=["8", "16"])
@pytest.mark.parametrize("effort", EFFORTS.values(), ids=EFFORTS)
def test_training_sees_what_the_codec_sees(
    effort: Effort, depth: Depth, n_planes: int, cut_out: bool
) -> None:
    drawn = synthetic_cells(6, n_slides=2, size=17, seed=2, channels=n_planes)
    cells = drawn.cells.reshape(6, 17, 17, n_planes).transpose(0, 3, 1, 2)
    if depth is DEEP:
        cells = cells.astype(np.int32) ** 2
    coverage = some_coverage(cells) if cut_out else None
    prepared = prepare(cells, np.zeros(6, np.uint8), torch.device("cpu"), coverage, depth)
    planes = planned(1, 0, 2) if n_planes == 3 else planned(0)
    inputs = ContextInputs(effort, planes, prepared)
    lanes = codec_lanes(effort, planes, cells, coverage, depth)
    cell = torch.arange(6).repeat_interleave(17 * 17)
    pixel = torch.arange(17 * 17).repeat(6)
    for s in range(n_planes):
        floats, values, base = inputs(s, torch.arange(6), cell, pixel, None)
        integers = (floats + inputs.offsets(s, False)) * 64
        for index in (0, 5, 8 * 17 + 9, 17 * 17 - 1):
            y, x = divmod(index, 17)
            expected, expected_base = lanes.inputs(s, y, x, cells[:, :, y, x].T.astype(int))
            drawn = pixel == index
            np.testing.assert_array_equal(integers[drawn].numpy().T, expected)
            np.testing.assert_array_equal(base[drawn].numpy(), expected_base)
            np.testing.assert_array_equal(values[drawn].numpy(), cells[:, planes[s].plane, y, x])


@pytest.mark.parametrize("cut_out", [False, True])
def test_training_sees_cells_of_any_size_as_the_codec_does(cut_out: bool) -> None:
    effort, planes, sizes = EFFORTS["default"], planned(1, 0, 2), [(9, 17), (17, 4), (1, 8)]
    drawn = synthetic_cells(3, n_slides=2, size=17, seed=2, channels=3).cells
    cells = [
        np.ascontiguousarray(cell[:height, :width].transpose(2, 0, 1))
        for cell, (height, width) in zip(drawn, sizes, strict=True)
    ]
    coverage = [some_coverage(cell[None])[0] for cell in cells] if cut_out else None
    prepared = prepare(cells, np.zeros(3, np.uint8), torch.device("cpu"), coverage)
    assert prepared.one_size is None
    inputs = ContextInputs(effort, planes, prepared)
    cell, pixel = prepared.pixels(torch.arange(3))
    areas = [height * width for height, width in sizes]
    if coverage is not None:
        areas = [np.count_nonzero(own) for own in coverage]
    assert np.bincount(cell).tolist() == areas
    for s in range(3):
        floats, values, base = inputs(s, torch.arange(3), cell, pixel, None)
        integers = (floats + inputs.offsets(s, False)) * 64
        for k, (_, width) in enumerate(sizes):
            own = None if coverage is None else coverage[k][None]
            lanes = codec_lanes(effort, planes, cells[k][None], own)
            coded = pixel[cell == k].tolist()
            for index in (coded[0], coded[len(coded) // 2], coded[-1]):
                y, x = divmod(index, width)
                expected, expected_base = lanes.inputs(s, y, x, cells[k][:, y, x, None].astype(int))
                at = (cell == k) & (pixel == index)
                np.testing.assert_array_equal(integers[at].numpy().T, expected)
                np.testing.assert_array_equal(base[at].numpy(), expected_base)
                assert int(values[at]) == cells[k][planes[s].plane, y, x]


def test_the_codec_needs_the_bits_that_training_reports(
    result: HybridResult, cells: Source
) -> None:
    report = result.report
    assert report.int8_bits == pytest.approx(report.float_bits, rel=0.01)
    coder = Coder(result.model)
    assert cells.labels is not None
    pixels = cells.read(np.arange(cells.n_cells))
    expected = coder.bits(pixels)[np.arange(cells.n_cells), cells.labels].sum() / 8
    data = encode_chunk(pixels, coder, classes=cells.labels)
    assert len(data) == pytest.approx(expected, rel=0.02)
    assert np.array_equal(decode_chunk(data, coder), pixels)


def test_it_has_learnt_something(result: HybridResult, cells: Source) -> None:
    before = train_hybrid(cells, replace(TINY, steps=1)).report.int8_bits
    assert result.report.int8_bits < 0.8 * before


BRIEF = replace(TINY, steps=30)


@pytest.fixture(scope="module")
def brief(cells: Source) -> HybridResult:
    return train_hybrid(cells, BRIEF)


def test_same_seed_gives_the_same_bytes(brief: HybridResult, cells: Source) -> None:
    assert train_hybrid(cells, BRIEF).model.to_bytes() == brief.model.to_bytes()
    assert train_hybrid(cells, replace(BRIEF, seed=2)).model != brief.model


@pytest.mark.parametrize("stop_after", [3, 25])
def test_resumed_run_gives_the_same_model(
    brief: HybridResult,
    cells: Source,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stop_after: int,
) -> None:
    monkeypatch.setattr("zarrmal.learn.loop.CHECKPOINT_SECONDS", -1.0)
    path = tmp_path / "run.checkpoint"
    n_steps = 0

    def interrupt(task: str, done: int, total: int, note: str = "") -> None:
        nonlocal n_steps
        n_steps += task == "training"
        if n_steps > stop_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_hybrid(cells, BRIEF, checkpoint=path, progress=interrupt)
    tasks: list[str] = []
    resumed = train_hybrid(
        cells, BRIEF, checkpoint=path, progress=lambda task, *rest, **note: tasks.append(task)
    )
    assert resumed.model == brief.model
    assert tasks.count("training") == (BRIEF.steps or 0) + 1 - stop_after
    assert not list(tmp_path.iterdir())


def test_size_has_the_smallest_total(cells: Source) -> None:
    report = train_hybrid(cells, replace(TINY, sae=None, steps=8, n_archive_cells=10)).report
    assert len(report.trials) == len(SAE_SIZES)
    smallest = min(report.trials, key=lambda trial: trial.total_bytes)
    assert report.sae == smallest.size == "none"  # ten cells never pay for an autoencoder
    for trial in report.trials:
        residue = trial.bits_per_pixel * 24 * 24 * 10 / 8
        assert trial.total_bytes == pytest.approx(residue + trial.model_bytes, abs=1)


def test_minutes_end_the_training(cells: Source) -> None:
    report = train_hybrid(cells, replace(TINY, steps=10**6, minutes=0.03)).report
    assert 1 < report.n_steps < 10**5
    assert report.seconds < 60


def test_colour(coloured: Source) -> None:
    model = train_hybrid(coloured, replace(TINY, steps=5)).model
    assert model.cell_shape == (20, 20, 3)
    coder = Coder(Model.from_bytes(model.to_bytes()))
    pixels = coloured.read(np.arange(20))
    for shape in (pixels, pixels[:, :9, 3:], pixels[:, :1]):
        data = encode_chunk(np.ascontiguousarray(shape), coder)
        assert np.array_equal(decode_chunk(data, coder), shape)


def test_hidden_units_may_be_others_than_the_effort_s(cells: Source) -> None:
    model = train_hybrid(cells, replace(TINY, steps=2, widths=(12, 9))).model
    (step,) = model.classes[0].steps
    assert [layer.weight.shape[0] for layer in step.layers[:2]] == [12, 9]


def test_unlabelled_cells_are_one_class(cells: Source) -> None:
    plain = open_source(cells.read(np.arange(40)))
    model = train_hybrid(plain, replace(TINY, steps=2)).model
    assert model.class_names == ("cell",)


@pytest.mark.parametrize(
    "wrong",
    [
        {"effort": "huge"},
        {"sae": 9},
        {"minutes": 0.0},
        {"steps": 0},
        {"validation": 1.0},
        {"widths": (8,)},
        {"widths": (8, 0)},
        {"widths": (8, 513)},
    ],
    ids=str,
)
def test_impossible_options_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        HybridOptions(**wrong)  # type: ignore[arg-type]


def test_cells_of_other_rank_are_refused() -> None:
    with pytest.raises(InputError, match="channel"):
        train_hybrid(open_source(np.zeros((4, 5, 5, 6), np.uint8)), TINY)


def test_cells_with_masks_are_trained_and_grouped_along_them() -> None:
    """The codec takes the bits that training reports, and a checkpoint is of those masks."""

    class Cut(Subset):
        def silhouettes(self, indices: np.ndarray) -> Silhouettes:
            cells = self.read(indices).repeat(2, axis=1).repeat(2, axis=2)
            wider = (cells > 0) | np.roll(cells > 0, 1, axis=1)
            return Silhouettes(masks=list(wider), resampling="box")

    drawn = synthetic_cells(60, n_slides=3, size=20, seed=8, channels=1)
    plain = open_source(drawn.cells, groups=drawn.slide)
    options = HybridOptions(effort="fast", steps=20, sae=0, seed=1, classes=2)
    cut = train_hybrid(Cut(plain, np.arange(60)), options)
    assert cut.report.int8_bits == pytest.approx(cut.report.float_bits, rel=0.02)
    device = torch.device("cpu")
    digests = {
        read_cells(s, options, device, silent).digest for s in (plain, Cut(plain, [*range(60)]))
    }
    assert len(digests) == 2


def test_planes_are_ordered_by_what_they_tell() -> None:
    generator = np.random.default_rng(5)
    own = generator.normal(0, 4, (4, 6, 30, 30))
    shared = generator.normal(0, 20, (6, 30, 30))
    # Planes 1, 2 and 3 share most of what they are, and plane 0 nothing.
    planes = 400 + np.stack([own[0], shared + own[1], shared + 0.2 * own[2], shared + own[3]])
    steps = plan_steps(np.rint(planes).astype(np.int32).transpose(1, 0, 2, 3), 65535)
    assert steps[0].plane == 2
    assert [step.follows for step in sorted(steps, key=lambda s: s.plane)] == [
        False,
        True,
        False,
        True,
    ]
    assert all(len(step.earlier) == min(s, 3) for s, step in enumerate(steps))


def test_cells_of_many_channels_share_networks() -> None:
    generator = np.random.default_rng(6)
    shape = (12, 9, 8, 7)
    cells = (200 + np.cumsum(generator.integers(0, 400, shape), axis=3)).astype(np.uint16)
    result = train_hybrid(
        open_source(cells), HybridOptions(effort="fast", steps=4, sae=1, validation=0.0)
    )
    model = result.model
    assert model.depth == 16
    loaded = Model.from_bytes(model.to_bytes())
    steps = loaded.classes[0].steps
    assert len({id(step.layers[0].weight) for step in steps}) == 5
    assert all(len(step.earlier) == min(s, 3) for s, step in enumerate(steps))
    data = encode_chunk(cells, Coder(loaded), keep_cells=True)
    assert data[5] == 2
    assert np.array_equal(decode_chunk(data, Coder(model)), cells)
