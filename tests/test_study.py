"""The study, on drawn cells and tiny models, from the command line to every number in it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from frozen_models import untrained
from typer.testing import CliRunner
from zarrmal_codecs.coder import coder_for
from zarrmal_codecs.constants import FREQUENCY_TOTAL
from zarrmal_codecs.golomb_rice import golomb_bits
from zarrmal_codecs.mixture import latent_cumulative
from zarrmal_codecs.prediction import Prediction

from zarrmal import api
from zarrmal.classify.network import CellClassifier
from zarrmal.cli import app
from zarrmal.cli import study as command
from zarrmal.errors import InputError
from zarrmal.models.classifiers import shipped_classifier
from zarrmal.sources import open_source
from zarrmal.study import StudyResults, claims, costs, experiment, mixtures, others
from zarrmal.study.cells import split_cells
from zarrmal.study.pixel_bits import hybrid_bits, paper_pixels
from zarrmal.study.results import TRAINING, UNSEEN

N_CELLS = 24
SPLIT = ("--cells-per-class", N_CELLS, "--unseen", 0.34)


def run(*words, code=0):
    done = CliRunner().invoke(app, ["study", *map(str, words)])
    assert done.exit_code == code, done.stderr or done.exception
    return done


@pytest.fixture(scope="module")
def files(tmp_path_factory, cells, model, hybrid):
    """The cells, a model of each profile, a classifier, as files."""
    folder = tmp_path_factory.mktemp("study")
    labels = np.array(cells.class_names)[cells.labels]
    np.savez(folder / "cells.npz", cells=cells.read(np.arange(cells.n_cells)), label=labels,
             slide=cells.groups)  # fmt: skip
    model.save(folder / "tiny-paper.zmal")
    hybrid.save(folder / "tiny-hybrid.zmal")
    shipped_classifier(1).save(folder / "tiny.zcls")
    return folder


@pytest.fixture(scope="module")
def words(files):
    return (
        files / "cells.npz", "--model", files / "tiny-paper.zmal", "--model",
        files / "tiny-hybrid.zmal", "--classifier", files / "tiny.zcls", "--quick", *SPLIT,
        "--no-figures",
    )  # fmt: skip


@pytest.fixture(scope="module")
def done(words, files):
    return run(*words, "-o", files / "out", "--json")


@pytest.fixture(scope="module")
def results(done, files):
    return StudyResults.load(files / "out")


@pytest.fixture(scope="module")
def split(files):
    return split_cells(
        open_source(files / "cells.npz"), cells_per_class=N_CELLS, unseen=0.34, seed=0
    )


def coded(results, split, model, name):
    """Costs, cells and the order of going wrong, as the command had them."""
    chosen = next(one for one in split.sets if one.name == name)
    places = [0, 1]
    found = costs.costs_from(costs.measure_costs(model, places, chosen))
    return found, chosen, mixtures.wrong_order(chosen, 0)


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


def test_measured_cells_are_where_they_should_be(results, cells, split):
    unseen, training = results.cell_sets
    assert (unseen.name, training.name) == (UNSEEN, TRAINING)
    assert not set(unseen.slides) & set(training.slides)
    for one, chosen in zip(results.cell_sets, split.sets):
        for i, rows in enumerate(one.rows):
            assert len(set(rows)) == N_CELLS
            assert (cells.labels[list(rows)] == i).all()
        both = np.concatenate(one.rows)
        np.testing.assert_array_equal(chosen.pixels, cells.read(both))
        assert chosen.sha256 == one.sha256
    assert results.priors == (0.5, 0.5)


def test_no_misclassification_leaves_the_pure_sources(results):
    for model in results.models:
        for found in model.sets:
            for quantity in found.quantities:
                for i in range(2):
                    assert quantity.draw.classes[i][0] == quantity.expectation.classes[i][0]
            rates = found.quantity("bits_per_pixel").draw
            assert [row[0] for row in rates.classes] == [found.bits[0][0], found.bits[1][1]]
            assert found.pooled[0] == pytest.approx(rates.overall[0])
            labels = found.points[0]
            assert labels.bits_per_pixel == pytest.approx(labels.channel_bits)
            assert labels.rates == ((1, 0), (0, 1))


def test_expected_surfaces_are_linear_in_both_rates(results):
    for model in results.models:
        for found in model.sets:
            for quantity in found.quantities:
                surface = np.array(quantity.expectation.surface)
                assert surface.shape == (21, 21)
                for axis in (0, 1):
                    np.testing.assert_allclose(np.diff(surface, 2, axis=axis), 0, atol=1e-9)
                np.testing.assert_allclose(np.diag(surface), quantity.expectation.overall)
                h = np.array(quantity.draw.classes)
                both = (h[0][:, None] + h[1][None]) / 2
                np.testing.assert_allclose(quantity.draw.surface, both)


def test_cells_that_go_wrong_are_nested_and_counted(split):
    chosen = split.sets[0]
    order = mixtures.wrong_order(chosen, 3)
    before = np.zeros(len(chosen.rows), bool)
    for rate in mixtures.rate_axis():
        wrong = mixtures.assigned_at(chosen, order, (rate, rate)) != chosen.classes
        assert wrong[before].all()
        for i in range(2):
            assert wrong[chosen.of_class(i)].sum() == round(rate * N_CELLS)
        before = wrong


@pytest.mark.parametrize("profile", ["paper", "hybrid"])
@pytest.mark.parametrize("name", [UNSEEN, TRAINING])
def test_rates_are_bytes_that_the_codec_writes(results, split, model, hybrid, profile, name):
    """Every mixture is arithmetic on single cells; here whole mixtures are coded."""
    used = {"paper": model, "hybrid": hybrid}[profile]
    found, chosen, order = coded(results, split, used, name)
    coder = coder_for(used)
    mine = next(m for m in results.models if m.profile == profile).on(name)

    def bits(parts):
        return 8 * sum(
            len(s)
            for j, cells in parts
            if len(cells)
            for s in coder.cells(j).encode(cells, "mean")[1]
        )

    n = chosen.pixels.size
    assigned = mixtures.assigned_at(chosen, order, (0.2, 0.2))
    pooled = bits((j, chosen.pixels[assigned == j]) for j in range(2))
    assert mine.pooled[-1] == pytest.approx(pooled / n)
    wrong = assigned != chosen.classes
    four = bits(
        (j, chosen.pixels[(chosen.classes == i) & (wrong == (i != j))])
        for i in range(2)
        for j in range(2)
    )
    assert mine.quantity("bits_per_pixel").draw.overall[-1] == pytest.approx(four / n)
    for i in range(2):
        for j in range(2):
            rows = chosen.of_class(i)
            assert mine.bits[i][j] == pytest.approx(bits([(j, chosen.pixels[rows])]) / (n / 2))
    np.testing.assert_array_equal(found.shortest(), coder.shortest(chosen.pixels))
    shortest = next(point for point in mine.points if point.name == "shortest")
    np.testing.assert_allclose(
        shortest.rates,
        [[(found.shortest()[chosen.of_class(i)] == j).mean() for j in range(2)] for i in range(2)],
    )


def test_residue_sources_are_the_coders(results, split, model):
    _, chosen, _ = coded(results, split, model, UNSEEN)
    for source in results.models[0].on(UNSEEN).sources:
        pixels = chosen.pixels[chosen.of_class(source.true_class)]
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
    chosen = split.sets[0]
    assigned = CellClassifier.load(files / "tiny.zcls").predict(chosen.pixels).argmax(axis=1)
    for i in range(2):
        shares = np.bincount(assigned[chosen.of_class(i)], minlength=2) / N_CELLS
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
        once = side.base64_bytes + side.metadata_bytes
        points = {p.name: p for p in model.on(UNSEEN).points}
        for one in side.amortised:
            assert list(one.bits_per_pixel) == sorted(one.bits_per_pixel, reverse=True)
            cell = points[one.assignment].bits_per_pixel * n_pixels + 8 * side.index_bytes_per_cell
            total = one.bits_per_pixel[3] * n_pixels * side.n_cells[3]
            assert total == pytest.approx(cell * side.n_cells[3] + 8 * once)
        rivals = {(r.name, r.arrangement): r for r in results.rivals if r.cells == UNSEEN}
        for even in side.break_even:
            theirs = rivals[even.rival, even.arrangement].bits_per_pixel
            ours = points[even.assignment].bits_per_pixel + 8 * side.index_bytes_per_cell / n_pixels
            if even.n_cells is None:
                assert ours >= theirs
            else:
                n = even.n_cells
                assert ours + 8 * once / (n * n_pixels) <= theirs
                assert n == 1 or ours + 8 * once / ((n - 1) * n_pixels) > theirs


def test_bits_of_single_pixels_add_up(results, split, model, hybrid):
    for i, example in enumerate(results.examples):
        cell = np.array(example.pixels, np.uint8)
        residue, prediction = np.array(example.residue), np.array(example.prediction)
        np.testing.assert_array_equal((prediction + residue) % 256, cell)
        source = results.models[0].on(UNSEEN).sources[3 * i]
        _, _, lengths = paper_pixels(model, i, cell, source.rice_parameter)
        np.testing.assert_array_equal(example.paper_bits, lengths)
        coder = coder_for(hybrid).cells(i)
        one = Prediction(hybrid.classes[i], hybrid.cell_shape)
        symbols = one.encode(cell[None, None]).astype(np.int64) + 128
        interval = latent_cumulative(symbols + 1, one.slopes) - latent_cumulative(
            symbols, one.slopes
        )
        latents = -np.log2(interval / FREQUENCY_TOTAL).sum()
        whole = coder.bits(cell[None])[0]
        found = hybrid_bits(hybrid, i, cell)
        assert found.sum() + latents + 16 == pytest.approx(whole)  # 16: rANS's first state
        np.testing.assert_allclose(example.hybrid_bits, found, atol=1e-4)


def test_a_second_call_measures_nothing_again(done, results, words, files, monkeypatch):
    def never(*args, **more):
        raise AssertionError("measured again")

    monkeypatch.setattr(experiment, "measure_costs", never)
    monkeypatch.setattr(experiment, "archive_sizes", never)
    monkeypatch.setattr(others, "measure_rival", never)
    run(*words, "-o", files / "out")
    assert StudyResults.load(files / "out") == results
    # With another seed these are other cells: nothing kept is taken for them.
    refused = CliRunner().invoke(
        app, ["study", *map(str, words), "--seed", "1", "-o", str(files / "out")]
    )
    assert isinstance(refused.exception, AssertionError)


def test_a_damaged_kept_file_is_measured_anew(done, results, words, files):
    for place in (files / "out" / "kept").iterdir():
        place.write_bytes(place.read_bytes()[:40])
    run(*words, "-o", files / "out")
    assert StudyResults.load(files / "out") == results


def test_models_are_trained_and_kept(files):
    wishes = (files / "cells.npz", "--hidden", "8,4", "--epochs", 1, "--steps", 2, "--no-rivals",
              "--no-classifier", "--no-figures", *SPLIT, "-o", files / "trained")  # fmt: skip
    run(*wishes)
    first = StudyResults.load(files / "trained")
    assert [m.name for m in first.models] == ["paper", "hybrid"]
    assert first.models[0].n_training_cells == (N_CELLS, N_CELLS)
    assert first.classifier is None
    again = run(*wishes, "--prior", 0.25)
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
        verdict(replace(results, models=(one, results.models[1])), "own-model")
        for one in (paper, swapped)
    }
    assert len(both) == 2


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"label": None}, "the cells have no labels"),
        ({"label": "three"}, "the study is of two classes, and the labels name 3"),
        ({"slide": None}, "no slides are known"),
        ({"cells": "rgb"}, "choose one with --channel red"),
        ({"n": 60}, "--cells-per-class 40 or less"),
    ],
)
def test_cells_that_will_not_do_are_told_in_one_line(files, tmp_path, change, expected):
    with np.load(files / "cells.npz") as held:
        columns = {name: held[name] for name in held.files}
    if change.get("label") == "three":
        columns["label"][::3] = "platelet"
    if change.get("cells") == "rgb":
        columns["cells"] = np.repeat(columns["cells"][..., None], 3, axis=3)
    for name in ("label", "slide"):
        if name in change and change[name] is None:
            del columns[name]
    np.savez(tmp_path / "cells.npz", **columns)
    words = ["--cells-per-class", change.get("n", N_CELLS), "--unseen", 0.34, "--no-figures"]
    words += ["--channel", "all"] if "cells" in change else []
    refused = run(tmp_path / "cells.npz", "-o", tmp_path / "out", *words, code=1)
    assert expected in refused.stderr
    assert refused.stderr.strip().splitlines()[-1].startswith("error: ")


def test_what_is_missing_is_told_before_the_long_run(files, tmp_path, monkeypatch):
    words = (files / "cells.npz", "-o", tmp_path / "out", *SPLIT)
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    assert "zarrmal[plot]" in run(*words, code=1).stderr

    def no_torch():
        raise InputError("learning needs PyTorch")

    monkeypatch.setattr(api, "learn_room", no_torch)
    assert "PyTorch" in run(*words, "--no-figures", code=1).stderr
    assert "no model file" in run(*words, "--no-figures", "--model", "no", code=1).stderr


def test_a_model_of_other_classes_is_refused(files, tmp_path, cells):
    untrained(cells.cell_shape, ("healthy", "ill")).save(tmp_path / "other.zmal")
    words = ("--model", tmp_path / "other.zmal", "--no-classifier", "--no-figures", *SPLIT)
    refused = run(files / "cells.npz", "-o", tmp_path / "out", *words, code=1)
    assert "'healthy', 'ill'" in refused.stderr
