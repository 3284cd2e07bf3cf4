"""The ablation of the autoencoder: variants are what their names say, and are measured alike."""

import json

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from zarrmal import InputError
from zarrmal.benchmark import split_source
from zarrmal.cli import app
from zarrmal.learn.hybrid import EFFORTS, HybridOptions
from zarrmal.learn.hybrid.ablation import VARIANTS, ablation
from zarrmal.learn.hybrid.data import read_cells
from zarrmal.learn.hybrid.network import HybridNetwork
from zarrmal.progress import silent
from zarrmal.sources import open_source
from zarrmal.sources.synthetic import synthetic_cells

OPTIONS = HybridOptions(effort="fast", steps=3, seed=1)


@pytest.fixture(scope="module")
def cells():
    drawn = synthetic_cells(36, n_slides=6, size=16, seed=3)
    return open_source(drawn.cells, labels=drawn.label, groups=drawn.slide)


@pytest.fixture(scope="module")
def data(cells):
    return read_cells(
        cells, HybridOptions(effort="fast", sae=1, validation=0), torch.device("cpu"), silent
    )


def bits(network, data, n=4):
    """Of the first cells."""
    rows = torch.arange(n)
    cell, pixel = data.training.pixels(rows)
    network.eval()
    with torch.no_grad():
        classes = data.training.classes[rows]
        return float(network.total_bits(rows, classes, cell, pixel, 1.0, True))


def changed(data, number):
    """A variant's network, with parameters other than those that it begins with."""
    torch.manual_seed(0)
    variant = VARIANTS[number]
    network = HybridNetwork(data.training, 2, EFFORTS["fast"], variant.size, data.steps)
    with torch.no_grad():
        for each in network.networks:
            if each.latent is not None:
                each.latent.normal_()
            each.bias1[1] += 1
    variant.change(network)
    return network


def test_each_variant_codes_other_bits_than_the_whole(data):
    whole = bits(changed(data, 0), data)
    for number in range(1, 7):
        assert bits(changed(data, number), data) != whole, VARIANTS[number].name


def test_shared_biases_make_classes_alike(data):
    network = changed(data, 5)
    whole = changed(data, 0)
    before = [bits(each, data) for each in (network, whole)]
    data.training.classes[:] = 1 - data.training.classes
    after = [bits(each, data) for each in (network, whole)]
    data.training.classes[:] = 1 - data.training.classes
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_all_variants_are_measured_on_slides_that_none_has_seen(cells, tmp_path):
    training, unseen = split_source(cells, 0.34, 0)
    assert not set(training.groups) & set(unseen.groups)
    first = ablation(training, unseen, OPTIONS, folder=tmp_path, progress=silent)
    assert [each.name for each in first[:-1]] == [variant.name for variant in VARIANTS]
    assert {each.n_cells for each in first} == {unseen.n_cells}
    assert first[0].ratio == 1
    assert all(each.bits.keys() == set(unseen.groups) for each in first)
    assert first[-1].ratio <= 1, "the search keeps the shorter"
    assert len(list(tmp_path.iterdir())) == len(VARIANTS)
    again = ablation(training, unseen, OPTIONS, folder=tmp_path, progress=silent)
    assert again == first, "a second run goes on from what is there"


def test_cells_of_different_sizes_have_no_autoencoder(tmp_path):
    from PIL import Image

    for slide, side in (("a", 20), ("b", 24)):
        for i in range(3):
            pixels = np.full((side, side), 90 + i, np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"{slide}_{i}.png")
    source = open_source(tmp_path, group_pattern="^[^_]+")
    with pytest.raises(InputError, match="size"):
        ablation(*split_source(source, 0.5, 0), OPTIONS, progress=silent)


def test_the_command_prints_a_table_and_json(tmp_path):
    drawn = synthetic_cells(40, n_slides=4, size=16, seed=4)
    file = tmp_path / "cells.npz"
    np.savez(file, cells=drawn.cells, label=drawn.label, slide=drawn.slide)
    words = ["ablation", str(file), "--effort", "fast", "--steps", "1"]
    words += ["--folder", str(tmp_path / "state")]
    table = CliRunner().invoke(app, words)
    assert table.exit_code == 0, table.stderr
    assert "no autoencoder" in table.stdout
    report = CliRunner().invoke(app, [*words, "--json"])
    assert len(json.loads(report.stdout)) == len(VARIANTS) + 1
