"""Rivals: sheets, adapters, measurements, cache and comparison."""

import numpy as np
import pytest

from zarrmal.benchmark import (
    LossyError,
    Measurement,
    Rival,
    all_rivals,
    measure_rival,
    run_benchmark,
)
from zarrmal.benchmark.comparison import break_even, required_ratios, slide_interval
from zarrmal.benchmark.machine import machine_facts
from zarrmal.benchmark.measurement import SlideSums
from zarrmal.benchmark.rivals.measure import sheets
from zarrmal.benchmark.speed.timing import fastest
from zarrmal.sources import open_source

RIVALS = all_rivals()
RGB = all_rivals(3)
FOUR = all_rivals(4)
PLAIN = Rival(
    name="plain",
    encode=lambda image: image.tobytes(),
    decode=lambda data, shape: np.frombuffer(data, np.uint8).reshape(shape),
)


def pixels(kind, n, shape):
    """Cells (cell, y, x[, channel]) of one kind."""
    if kind == "noise":
        return np.random.default_rng(4).integers(0, 256, (n, *shape), np.uint8)
    if kind == "constant":
        return np.full((n, *shape), 77, np.uint8)
    ramp = np.add.outer(np.arange(shape[0]) * 5, np.arange(shape[1]) * 3).astype(np.uint8)
    full = np.broadcast_to(ramp.reshape(*ramp.shape, *[1] * (len(shape) - 2)), (n, *shape))
    return full + np.arange(n, dtype=np.uint8).reshape(-1, *[1] * len(shape))


@pytest.mark.parametrize("n", [1, 39, 40, 41, 1000, 1001])
@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 3)])
def test_sheets_hold_every_cell_once_in_order(n, shape):
    cells = pixels("noise", n, shape)
    pages = list(sheets(cells))
    assert len(pages) == -(-n // 1000)
    tiles = []
    for page in pages:
        assert page.shape[1] == 40 * 5
        for row in range(page.shape[0] // 3):
            for column in range(40):
                tiles.append(page[3 * row : 3 * row + 3, 5 * column : 5 * column + 5])
    np.testing.assert_array_equal(np.array(tiles[:n]), cells)
    assert not np.array(tiles[n:]).any()
    assert len(tiles) < n + 40


SHAPED = [
    pytest.param(rival, shape, id=f"{rival.name}-{len(shape) == 3 and shape[2]}")
    for shape, rivals in [((11, 13), RIVALS), ((11, 13, 3), RGB), ((11, 13, 4), FOUR)]
    for rival in rivals
]


@pytest.mark.parametrize(("rival", "shape"), SHAPED)
@pytest.mark.parametrize("kind", ["noise", "constant", "gradient"])
def test_rivals_are_lossless(rival, kind, shape):
    if "calic" in rival.name:
        pytest.importorskip("numba", reason="CALIC needs the extra bench")
    cells = pixels(kind, 2, shape)
    for arrangement in ("cell", "sheet"):
        row = measure_rival(rival, cells, arrangement, cells_name="these")
        assert (row.coder, row.arrangement, row.cells) == (rival.name, arrangement, "these")
        assert row.n_cells == 2
        assert row.bits_per_pixel > 0
        assert row.encode_mb_s > 0
        assert row.decode_mb_s > 0


@pytest.mark.parametrize(
    "name", ["jpegls", "png:level=9", "jxl:effort=7", "webp:lossless,method=6"]
)
def test_colour_rivals_use_that_planes_are_alike(name):
    grey = np.random.default_rng(1).integers(0, 256, (2, 40, 40), np.uint8)
    rgb = np.stack([grey, grey, grey], axis=3)
    rates = [
        measure_rival(rival, rgb, "sheet", cells_name="").bits_per_pixel
        for rival in RGB
        if rival.name.startswith(name)
    ]
    grey_rival = next(rival for rival in RIVALS if rival.name == name)
    assert min(rates) < 1.5 * measure_rival(grey_rival, grey, "sheet", cells_name="").bits_per_pixel


@pytest.mark.parametrize("shape", [(17, 23), (17, 23, 3)], ids=["grey", "rgb"])
def test_a_colour_pixel_counts_once(shape):
    cells = pixels("noise", 80, shape)
    bits = 8 * (3 if len(shape) == 3 else 1)
    for arrangement in ("cell", "sheet"):
        assert measure_rival(PLAIN, cells, arrangement, cells_name="").bits_per_pixel == bits


def test_names_of_rivals_hold_their_settings():
    for rivals in (RIVALS, RGB, FOUR):
        assert len({rival.name for rival in rivals}) == len(rivals)
    names = [rival.name for rival in RIVALS]
    assert {"jxl:effort=9", "png:level=9", "zstd:level=19", "jpegls"} <= set(names)
    assert [rival.name for rival in RIVALS if rival.slow] == ["jxl:effort=10"]
    assert any(name.startswith("blosc:zstd,clevel=9") for name in names)
    assert "calic" in names
    assert "calic:planes,minus-green" in {rival.name for rival in RGB}
    assert {"jpegls", "jpegls:planes,minus-green", "jxl:effort=9"} <= {r.name for r in RGB}


@pytest.mark.parametrize("arrangement", ["cell", "sheet"])
def test_a_lossy_coder_is_caught(arrangement):
    def decode(data, shape):
        image = np.frombuffer(data, np.uint8).reshape(shape).copy()
        image[0, 0] ^= 1
        return image

    lossy = Rival(name="lossy", encode=PLAIN.encode, decode=decode)
    with pytest.raises(LossyError, match="lossy is not lossless"):
        measure_rival(lossy, pixels("noise", 3, (5, 5)), arrangement, cells_name="")


def measurement(bits_per_pixel, **other):
    return Measurement(**{"coder": "", "arrangement": "", "cells": "", "n_cells": 1,
                          "encode_mb_s": 1, "decode_mb_s": 1,
                          "bits_per_pixel": bits_per_pixel} | other)  # fmt: skip


def test_the_fastest_repetition_counts():
    calls = []
    assert fastest(lambda: calls.append(1), 5.0) < 1.0
    assert len(calls) == 2
    assert fastest(lambda: calls.append(1), 60.0) < 1.0
    assert len(calls) == 3  # slow work runs twice only


def test_rates_by_class_are_those_of_each_class_alone():
    cells = np.concatenate([pixels("noise", 60, (5, 6)), pixels("constant", 45, (5, 6))])
    names = np.array(["b"] * 60 + ["a"] * 45)
    rival = next(r for r in RIVALS if r.name == "png:level=9")
    for arrangement in ("cell", "sheet"):
        row = measure_rival(rival, cells, arrangement, cells_name="", classes=names)
        separate = {
            name: measure_rival(
                rival, cells[names == name], arrangement, cells_name=""
            ).bits_per_pixel
            for name in ("b", "a")
        }
        assert row.class_bits_per_pixel == separate
        both = (60 * separate["b"] + 45 * separate["a"]) / 105
        assert row.bits_per_pixel == pytest.approx(both)


def test_a_rival_that_is_not_installed_is_reported_not_fatal(cells):
    def encode(image):
        raise ImportError("no abacus")

    result = run_benchmark(cells, cells, [], [Rival(name="a", encode=encode, decode=PLAIN.decode)])
    assert "no abacus" in result.not_measured["a"]
    assert not result.measurements


def counted(calls, name="counted"):
    def encode(image):
        calls.append(image.shape)
        return PLAIN.encode(image)

    return Rival(name=name, encode=encode, decode=PLAIN.decode)


def test_an_interrupted_run_reuses_its_measurements(cells, tmp_path, monkeypatch):
    machine = {"machine": "m", "system": "s", "cpu": "c", "n_cpus": 2, "load_before": 0.1,
               "busy": False}  # fmt: skip
    monkeypatch.setattr("zarrmal.benchmark.run.machine_facts", lambda: machine)
    calls = []

    def run():
        calls.clear()
        return run_benchmark(cells, cells, [], [counted(calls)], cache_folder=tmp_path)

    first = run()
    assert (len(first.measurements), first.n_reused) == (2, 0)
    assert calls
    again = run()
    assert again.measurements == first.measurements
    assert (calls, again.n_reused) == ([], 2)
    # The run stopped while it wrote the second line.
    path = tmp_path / "rivals.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    assert run().n_reused == 1
    assert run().n_reused == 2
    # Another processor, a busy machine, other cells, other settings: measure again.
    for change in ({"cpu": "other"}, {"busy": True}):
        machine |= change
        assert run().n_reused == 0
    other = open_source(cells.read(np.arange(90)))
    assert run_benchmark(other, other, [], [counted([])], cache_folder=tmp_path).n_reused == 0
    renamed = [counted([], "counted:level=2")]
    assert run_benchmark(cells, cells, [], renamed, cache_folder=tmp_path).n_reused == 0


@pytest.mark.parametrize(("load", "busy"), [(0.9, False), (1.1, True)])
def test_a_load_of_half_a_core_is_busy(load, busy, monkeypatch):
    monkeypatch.setattr("os.getloadavg", lambda: (load, 0, 0))
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1}, raising=False)
    assert machine_facts()["busy"] is busy


def test_break_even(model):
    n_bits = 8 * len(model.to_base64())
    cells = break_even(model, measurement(2.5), measurement(3.0), 576)
    assert cells == n_bits / (0.5 * 576)
    # At this number of cells both sizes are equal.
    assert n_bits + cells * 576 * 2.5 == pytest.approx(cells * 576 * 3.0)
    for rate in (2.5, 2.0):
        assert break_even(model, measurement(2.5), measurement(rate), 576) == float("inf")


def test_ratios_are_those_of_the_rows():
    here = {"cells": "here", "arrangement": "chunk"}
    archives = [
        measurement(2.0, coder="a", decode_mb_s=30.0, encode_mb_s=8.0, **here),
        measurement(1.0, coder="a, without model", model_counted=False, **here),
        measurement(3.0, coder="a", assignment="shortest", encode_mb_s=None, **here),
        measurement(9.0, coder="a", cells="elsewhere", arrangement="chunk"),
    ]
    rivals = [
        measurement(2.5, coder="jxl:effort=9", decode_mb_s=10.0, cells="here", arrangement="sheet"),
        measurement(7.5, coder="jxl:effort=9", decode_mb_s=1.0, cells="here", arrangement="cell"),
        measurement(4.0, coder="jxl:effort=7", encode_mb_s=2.0, cells="here", arrangement="sheet"),
        measurement(0.1, coder="jpegls", cells="here", arrangement="sheet"),
    ]
    ratios = {
        (r.quantity, r.ours, r.assignment, r.rival): r.ratio
        for r in required_ratios(archives, rivals, cells="here")
    }
    assert ratios == {
        ("bits_per_pixel", "a", "", "jxl:effort=9"): 0.8,
        ("bits_per_pixel", "a, without model", "", "jxl:effort=9"): 0.4,
        ("bits_per_pixel", "a", "shortest", "jxl:effort=9"): 1.2,
        ("decode_mb_s", "a", "", "jxl:effort=9"): 3.0,
        ("decode_mb_s", "a", "shortest", "jxl:effort=9"): 0.1,
        ("encode_mb_s", "a", "", "jxl:effort=7"): 4.0,
    }


def test_the_interval_of_two_slides():
    """Resamples are aa, ab or ba, and bb, of probability 1/4, 1/2 and 1/4."""
    ours, theirs = {"a": 10.0, "b": 30.0}, {"b": 40, "a": 20}
    assert slide_interval(ours, theirs) == (10 / 20, 30 / 40)
    assert slide_interval(ours, theirs) == slide_interval(ours, theirs)
    # One slide says nothing of others; other slides are other cells.
    assert slide_interval({"a": 10.0}, {"a": 20.0}) is None
    assert slide_interval(ours, {"a": 20, "c": 40}) is None


def test_slides_are_resampled_in_pairs():
    theirs = {f"{k}": 100.0 * 3**k for k in range(9)}
    assert slide_interval({k: 0.75 * n for k, n in theirs.items()}, theirs) == (0.75, 0.75)


def test_the_interval_is_that_of_the_central_limit_theorem():
    generator = np.random.default_rng(0)
    theirs = np.full(400, 1000.0)
    ours = 800 + generator.normal(0, 50, 400)
    names = [f"{k}" for k in range(400)]
    low, high = slide_interval(dict(zip(names, ours)), dict(zip(names, theirs)))
    ratio = ours.sum() / theirs.sum()
    half = 1.96 * ours.std() / 1000 / np.sqrt(400)
    assert (low, high) == (
        pytest.approx(ratio - half, abs=5e-4),
        pytest.approx(ratio + half, abs=5e-4),
    )


def test_each_ratio_of_rates_has_the_interval_of_its_cells():
    def sums(a, b):
        return SlideSums(pixels={"a": 8, "b": 8}, n_bytes={"a": a, "b": b})

    ours = {"cell": sums(1.0, 3.0), "sheet": sums(2.0, 2.0)}
    archive = measurement(9.0, coder="a", slides=ours, cells="here")
    rival = {"coder": "jxl:effort=9", "cells": "here"}
    rivals = [
        measurement(3.0, arrangement="cell", slides={"cell": sums(2, 4)}, **rival),
        measurement(3.0, arrangement="sheet", slides={"sheet": sums(4, 2)}, **rival),
    ]
    single = required_ratios([archive], rivals, cells="here", arrangement="cell")
    assert [(r.quantity, r.ratio, r.interval) for r in single] == [
        ("bits_per_pixel", 2 / 3, (0.5, 0.75)), ("decode_mb_s", 1.0, None)
    ]  # fmt: skip
    assert single[0].to_json()["interval"] == (0.5, 0.75)
    sheets = required_ratios([archive], rivals, cells="here")
    assert [(r.ratio, r.interval) for r in sheets] == [(3.0, (0.5, 1.0)), (1.0, None)]


def test_sheets_are_divided_among_slides_as_they_take_them_alone():
    random = np.random.default_rng(0)
    cells = np.zeros((30, 8, 8), np.uint8)
    cells[20:] = random.integers(0, 256, (10, 8, 8))  # of slide b: noise
    slides = np.repeat(["a", "b"], [20, 10])
    rival = next(r for r in RIVALS if r.name == "png:level=9")
    row = measure_rival(rival, cells, "sheet", cells_name="here", slides=slides, with_speed=False)
    sums = row.slides["sheet"]
    assert sums.pixels == {"a": 20 * 64, "b": 10 * 64}
    assert sums.bits_per_pixel == pytest.approx(row.bits_per_pixel)
    alone = [
        8 * len(rival.encode(next(sheets(cells[slides == s], n))))
        for s, n in (("a", 20), ("b", 10))
    ]
    assert sums.n_bytes["b"] / sums.n_bytes["a"] == pytest.approx(alone[1] / alone[0], rel=0.2)
