"""The study on drawn cells and tiny models, from the command line to every number."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from frozen_models import untrained
from typer.testing import CliRunner
from zarrmal_codecs.chunk.coder import coder_for
from zarrmal_codecs.constants import FREQUENCY_TOTAL
from zarrmal_codecs.hybrid.prediction import Prediction
from zarrmal_codecs.paper.golomb_rice import golomb_bits

from zarrmal import choose
from zarrmal.classify.network import CellClassifier
from zarrmal.cli import app
from zarrmal.cli.study import command
from zarrmal.errors import InputError
from zarrmal.models.classifiers import shipped_classifier
from zarrmal.sources import open_source
from zarrmal.study import StudyResults, claims, experiment
from zarrmal.study.cells import split_cells
from zarrmal.study.measure import costs, mixtures, rivals
from zarrmal.study.measure.examples import hybrid_bits, paper_pixels
from zarrmal.study.results import TRAINING, UNSEEN

N_CELLS = 24
SPLIT = ("--cells-per-class", N_CELLS, "--unseen", 0.34)


def run(*arguments, code=0):
    done = CliRunner().invoke(app, ["study", *map(str, arguments)])
    assert done.exit_code == code, done.stderr or done.exception
    return done


@pytest.fixture(scope="module")
def files(tmp_path_factory, cells, model, hybrid):
    """The cells, a model of each profile, a classifier, as files."""
    folder = tmp_path_factory.mktemp("study")
    labels = np.array(cells.class_names)[cells.labels]
    np.savez(folder / "cells.npz", cells=cells.read(np.arange(cells.n_cells)), label=labels,
             slide=cells.groups.tolist())  # fmt: skip
    model.save(folder / "tiny-paper.zmal")
    hybrid.save(folder / "tiny-hybrid.zmal")
    shipped_classifier(1).save(folder / "tiny.zcls")
    return folder


@pytest.fixture(scope="module")
def arguments(files):
    return (
        files / "cells.npz", "--model", files / "tiny-paper.zmal", "--model",
        files / "tiny-hybrid.zmal", "--classifier", files / "tiny.zcls", "--quick", *SPLIT,
        "--no-figures",
    )  # fmt: skip


@pytest.fixture(scope="module")
def done(arguments, files):
    return run(*arguments, "-o", files / "out", "--json")


@pytest.fixture(scope="module")
def results(done, files):
    return StudyResults.load(files / "out")


@pytest.fixture(scope="module")
def split(files):
    return split_cells(
        open_source(files / "cells.npz"), cells_per_class=N_CELLS, unseen=0.34, seed=0
    )


def sample_costs(split, model, name):
    """Costs, sample and order of misclassification, as in the command's study."""
    sample = next(sample for sample in split.samples if sample.name == name)
    model_costs = costs.costs_from(costs.measure_costs(model, [0, 1], sample))
    return model_costs, sample, mixtures.error_order(sample, 0)


def test_results_round_trip(done, results):
    assert json.loads(done.stdout) == results.to_json()
    assert StudyResults.from_json(results.to_json()) == results
    assert results.quick
    assert [m.profile for m in results.models] == ["paper", "hybrid"]
    with pytest.raises(InputError, match="schema"):
        StudyResults.from_json(results.to_json() | {"schema": 99})
    tree = results.to_json()
    del tree["models"][0]["side"]
    with pytest.raises(InputError, match="run it again"):
        StudyResults.from_json(tree)


def test_measured_cells_are_those_of_the_results(results, cells, split):
    unseen, training = results.cell_sets
    assert (unseen.name, training.name) == (UNSEEN, TRAINING)
    assert not set(unseen.slides) & set(training.slides)
    for cell_set, sample in zip(results.cell_sets, split.samples):
        for i, rows in enumerate(cell_set.rows):
            assert len(set(rows)) == N_CELLS
            assert (cells.labels[list(rows)] == i).all()
        both = np.concatenate(cell_set.rows)
        np.testing.assert_array_equal(sample.pixels, cells.read(both))
        assert sample.sha256 == cell_set.sha256
    assert results.priors == (0.5, 0.5)


def test_no_misclassification_leaves_the_pure_sources(results):
    for model in results.models:
        for set_ in model.sets:
            for quantity in set_.quantities:
                for i in range(2):
                    assert quantity.draw.classes[i][0] == quantity.expectation.classes[i][0]
            rates = set_.quantity("bits_per_pixel").draw
            assert [row[0] for row in rates.classes] == [set_.bits[0][0], set_.bits[1][1]]
            assert set_.pooled[0] == pytest.approx(rates.overall[0])
            labels = set_.points[0]
            assert labels.bits_per_pixel == pytest.approx(labels.channel_bits)
            assert labels.rates == ((1, 0), (0, 1))


def test_expected_surfaces_are_linear_in_both_rates(results):
    for model in results.models:
        for set_ in model.sets:
            for quantity in set_.quantities:
                surface = np.array(quantity.expectation.surface)
                assert surface.shape == (21, 21)
                for axis in (0, 1):
                    np.testing.assert_allclose(np.diff(surface, 2, axis=axis), 0, atol=1e-9)
                np.testing.assert_allclose(np.diag(surface), quantity.expectation.overall)
                h = np.array(quantity.draw.classes)
                both = (h[0][:, None] + h[1][None]) / 2
                np.testing.assert_allclose(quantity.draw.surface, both)


def test_misclassified_cells_are_nested_and_counted(split):
    sample = split.samples[0]
    order = mixtures.error_order(sample, 3)
    before = np.zeros(len(sample.rows), bool)
    for rate in mixtures.rate_axis():
        wrong = mixtures.assigned_at(sample, order, (rate, rate)) != sample.classes
        assert wrong[before].all()
        for i in range(2):
            assert wrong[sample.class_indices(i)].sum() == round(rate * N_CELLS)
        before = wrong


@pytest.mark.parametrize("profile", ["paper", "hybrid"])
@pytest.mark.parametrize("name", [UNSEEN, TRAINING])
def test_rates_are_bytes_that_the_codec_writes(results, split, model, hybrid, profile, name):
    """The study computes mixtures from single cells; this codes whole mixtures."""
    used = {"paper": model, "hybrid": hybrid}[profile]
    model_costs, sample, order = sample_costs(split, used, name)
    coder = coder_for(used)
    set_results = next(m for m in results.models if m.profile == profile).on(name)

    def bits(parts):
        return 8 * sum(
            len(s)
            for j, cells in parts
            if len(cells)
            for s in coder.cells(j).encode(cells, "mean")[1]
        )

    n = sample.pixels.size
    assigned = mixtures.assigned_at(sample, order, (0.2, 0.2))
    pooled = bits((j, sample.pixels[assigned == j]) for j in range(2))
    assert set_results.pooled[-1] == pytest.approx(pooled / n)
    wrong = assigned != sample.classes
    four = bits(
        (j, sample.pixels[(sample.classes == i) & (wrong == (i != j))])
        for i in range(2)
        for j in range(2)
    )
    assert set_results.quantity("bits_per_pixel").draw.overall[-1] == pytest.approx(four / n)
    for i in range(2):
        for j in range(2):
            rows = sample.class_indices(i)
            assert set_results.bits[i][j] == pytest.approx(
                bits([(j, sample.pixels[rows])]) / (n / 2)
            )
    classes = model_costs.shortest()
    np.testing.assert_array_equal(classes, coder.shortest(sample.pixels))
    shortest = next(point for point in set_results.points if point.name == "shortest")
    np.testing.assert_allclose(
        shortest.rates,
        [
            [(model_costs.shortest()[sample.class_indices(i)] == j).mean() for j in range(2)]
            for i in range(2)
        ],
    )


def test_residue_sources_are_the_coders(results, split, model):
    _, sample, _ = sample_costs(split, model, UNSEEN)
    for source in results.models[0].on(UNSEEN).sources:
        pixels = sample.pixels[sample.class_indices(source.true_class)]
        _, values = coder_for(model).cells(source.model_class).transform(pixels)
        counts = np.bincount(values.ravel(), minlength=256)
        assert source.histogram == tuple(counts.tolist())
        assert source.mean == pytest.approx(values.mean())
        lengths = [golomb_bits(n, 1 << source.rice_parameter) for n in range(256)]
        assert source.written_acwl == pytest.approx(counts @ lengths / values.size)
        shares = counts[counts > 0] / values.size
        assert source.entropy == pytest.approx(-(shares * np.log2(shares)).sum())
        assert source.written_acwl >= source.entropy


def test_the_classifiers_rates_and_bits(results, files, split):
    table = results.classifier
    assert table.n_cells == split.unseen.n_cells == sum(map(sum, table.confusion))
    point = next(p for p in results.models[1].on(UNSEEN).points if p.name == "classifier")
    sample = split.samples[0]
    assigned = CellClassifier.load(files / "tiny.zcls").predict(sample.pixels).argmax(axis=1)
    for i in range(2):
        shares = np.bincount(assigned[sample.class_indices(i)], minlength=2) / N_CELLS
        np.testing.assert_allclose(point.rates[i], shares)
    assert "classifier" not in [p.name for p in results.models[1].on(TRAINING).points]


def test_side_information_and_break_even(results):
    n_pixels = 24 * 24
    for model in results.models:
        side = model.side
        assert side.base64_bytes > side.model_bytes > 0
        assert side.metadata_bytes > 0
        assert side.index_bytes_per_cell > 0
        assert side.n_cells[0] == 800
        assert side.n_cells[-1] == 10_000_000
        fixed_bytes = side.base64_bytes + side.metadata_bytes
        points = {p.name: p for p in model.on(UNSEEN).points}
        for amortised in side.amortised:
            rates = amortised.bits_per_pixel
            assert list(rates) == sorted(rates, reverse=True)
            cell = (
                points[amortised.assignment].bits_per_pixel * n_pixels
                + 8 * side.index_bytes_per_cell
            )
            total = rates[3] * n_pixels * side.n_cells[3]
            assert total == pytest.approx(cell * side.n_cells[3] + 8 * fixed_bytes)
        rival_rates = {(r.name, r.arrangement): r for r in results.rivals if r.cells == UNSEEN}
        for even in side.break_even:
            rival = rival_rates[even.rival, even.arrangement].bits_per_pixel
            ours = points[even.assignment].bits_per_pixel + 8 * side.index_bytes_per_cell / n_pixels
            if even.n_cells is None:
                assert ours >= rival
            else:
                n = even.n_cells
                assert ours + 8 * fixed_bytes / (n * n_pixels) <= rival
                assert n == 1 or ours + 8 * fixed_bytes / ((n - 1) * n_pixels) > rival


def test_bits_of_single_pixels_add_up(results, split, model, hybrid):
    for i, example in enumerate(results.examples):
        cell = np.array(example.pixels, np.uint8)
        residue, prediction = np.array(example.residue), np.array(example.prediction)
        np.testing.assert_array_equal((prediction + residue) % 256, cell)
        source = results.models[0].on(UNSEEN).sources[3 * i]
        _, _, lengths = paper_pixels(model, i, cell, source.rice_parameter)
        np.testing.assert_array_equal(example.paper_bits, lengths)
        coder = coder_for(hybrid).cells(i)
        prediction_network = Prediction(hybrid.classes[i], 1)
        symbols = prediction_network.encode(cell[None, None], None).astype(np.int64) + 128
        edges, latent = prediction_network.latent_edges, np.arange(symbols.shape[1])
        interval = edges[symbols + 1, latent] - edges[symbols, latent]
        latents = -np.log2(interval / FREQUENCY_TOTAL).sum()
        whole = coder.bits(cell[None])[0]
        pixel_bits = hybrid_bits(hybrid, i, cell)
        assert pixel_bits.sum() + latents + 16 == pytest.approx(whole)  # 16: rANS's first state
        np.testing.assert_allclose(example.hybrid_bits, pixel_bits, atol=1e-4)


def test_a_second_run_measures_nothing_again(done, results, arguments, files, monkeypatch):
    def never(*args, **more):
        raise AssertionError("measured again")

    monkeypatch.setattr(experiment, "measure_costs", never)
    monkeypatch.setattr(experiment, "archive_sizes", never)
    monkeypatch.setattr(rivals, "measure_rival", never)
    run(*arguments, "-o", files / "out")
    assert StudyResults.load(files / "out") == results
    # Another seed draws other cells, whose measurements are not in the cache.
    refused = CliRunner().invoke(
        app, ["study", *map(str, arguments), "--seed", "1", "-o", str(files / "out")]
    )
    assert isinstance(refused.exception, AssertionError)


def test_a_damaged_cache_file_is_measured_again(done, results, arguments, files):
    for path in (files / "out" / "kept").iterdir():
        path.write_bytes(path.read_bytes()[:40])
    run(*arguments, "-o", files / "out")
    assert StudyResults.load(files / "out") == results


def test_models_are_trained_and_reused(files):
    arguments = (files / "cells.npz", "--hidden", "8,4", "--epochs", 1, "--steps", 2, "--no-rivals",
              "--no-classifier", "--no-figures", *SPLIT, "-o", files / "trained")  # fmt: skip
    run(*arguments)
    first = StudyResults.load(files / "trained")
    assert [m.name for m in first.models] == ["paper", "hybrid"]
    assert first.models[0].n_training_cells == (N_CELLS, N_CELLS)
    assert first.classifier is None
    again = run(*arguments, "--prior", 0.25)
    assert again.stderr.count("of an earlier run") == 2
    second = StudyResults.load(files / "trained")
    assert [m.sha256 for m in second.models] == [m.sha256 for m in first.models]
    assert second.cell_sets[0].n_cells == (8, 24)
    assert second.priors == (0.25, 0.75)
    h = [row[5] for row in second.models[0].on(UNSEEN).quantity("entropy").draw.classes]
    overall = second.models[0].on(UNSEEN).quantity("entropy").draw.overall[5]
    assert overall == pytest.approx(0.25 * h[0] + 0.75 * h[1])


def verdict(results, name):
    return next(c.verdict for c in claims.judge(results) if c.name == name)


def test_verdicts_follow_the_numbers(results):
    def rivals_at(unseen, training):
        rates = {UNSEEN: unseen, TRAINING: training}
        return replace(
            results,
            rivals=tuple(replace(r, bits_per_pixel=rates[r.cells]) for r in results.rivals),
        )

    name = "beats-jpeg-ls"
    assert verdict(rivals_at(1e9, 1e9), name) == "holds"
    assert verdict(rivals_at(0.01, 0.01), name) == "does not hold"
    assert verdict(rivals_at(0.01, 1e9), name) == "holds only on training cells"
    ours = results.models[0].on(UNSEEN).pooled[-1]
    assert verdict(rivals_at(ours + 1e-6, 1e9), name) == "holds only before side information"
    assert verdict(results, "beats-calic") == "not measured"  # a quick run has no CALIC
    paper = results.models[0]
    swapped = replace(
        paper, sets=tuple(replace(s, bits=tuple(row[::-1] for row in s.bits)) for s in paper.sets)
    )
    both = {
        verdict(replace(results, models=(model, results.models[1])), "own-model")
        for model in (paper, swapped)
    }
    assert len(both) == 2


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"label": None}, "the cells have no labels"),
        ({"label": "three"}, "the study needs two classes, and the labels name 3"),
        ({"slide": None}, "no slides are known"),
        ({"cells": "rgb"}, "choose one with --channel red"),
        ({"n": 60}, "--cells-per-class 40 or less"),
    ],
)
def test_unfit_cells_are_refused_in_one_line(files, tmp_path, change, expected):
    with np.load(files / "cells.npz") as stored:
        columns = {name: stored[name] for name in stored.files}
    if change.get("label") == "three":
        columns["label"][::3] = "platelet"
    if change.get("cells") == "rgb":
        columns["cells"] = np.repeat(columns["cells"][..., None], 3, axis=3)
    for name in ("label", "slide"):
        if name in change and change[name] is None:
            del columns[name]
    np.savez(tmp_path / "cells.npz", **columns)
    arguments = ["--cells-per-class", change.get("n", N_CELLS), "--unseen", 0.34, "--no-figures"]
    arguments += ["--channel", "all"] if "cells" in change else []
    refused = run(tmp_path / "cells.npz", "-o", tmp_path / "out", *arguments, code=2)
    assert expected in refused.stderr
    assert refused.stderr.strip().splitlines()[-1].startswith("error: ")


def test_missing_packages_and_files_are_reported_before_the_long_run(files, tmp_path, monkeypatch):
    arguments = (files / "cells.npz", "-o", tmp_path / "out", *SPLIT)
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    assert "zarrmal[plot]" in run(*arguments, code=2).stderr

    def no_torch():
        raise InputError("learning needs PyTorch")

    monkeypatch.setattr(choose, "import_learn", no_torch)
    assert "PyTorch" in run(*arguments, "--no-figures", code=2).stderr
    assert "no model file" in run(*arguments, "--no-figures", "--model", "no", code=2).stderr


def test_a_model_of_other_classes_is_refused(files, tmp_path, cells):
    untrained(cells.cell_shape, ("healthy", "ill")).save(tmp_path / "other.zmal")
    arguments = ("--model", tmp_path / "other.zmal", "--no-classifier", "--no-figures", *SPLIT)
    refused = run(files / "cells.npz", "-o", tmp_path / "out", *arguments, code=2)
    assert "'healthy', 'ill'" in refused.stderr
