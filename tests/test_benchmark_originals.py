"""The benchmark of cells of different sizes."""

import json
import re

import numpy as np
import pytest
from measured import PLAIN, RIVALS, command, fixed_speeds
from pictures import save

from zarrmal.archive import WriteOptions
from zarrmal.benchmark import (
    Rival,
    models,
    run_benchmark,
    split_source,
)
from zarrmal.benchmark.measurement import single_cells
from zarrmal.benchmark.speed.reading import measure_reading
from zarrmal.classify import LabelAssigner
from zarrmal.sources import open_source

SIZES = [(12 + 5 * k % 11, 10 + 7 * k % 13) for k in range(12)]


@pytest.fixture
def quick(monkeypatch):
    fixed_speeds(monkeypatch)


@pytest.fixture(scope="module")
def originals(cells, tmp_path_factory):
    """PNG files of twelve sizes, in two classes on three slides."""
    place = tmp_path_factory.mktemp("originals")
    pixels = cells.read(np.arange(12))
    for k, (height, width) in enumerate(SIZES):
        path = place / f"{('parasitized', 'uninfected')[k // 2 % 2]}/s{k % 3}_{k:02}.png"
        save(path, pixels[k, :height, :width])
    return place


def test_cells_of_different_sizes(originals, hybrid, tmp_path, quick):
    import zarrmal

    source = open_source(originals, group_pattern=r"(s\d)_")
    training, unseen = split_source(source, 0.67, 0)
    assert (source.sizes is not None, unseen.n_cells) == (True, 8)
    wasteful = Rival(
        name="wasteful",
        encode=lambda image: 100 * PLAIN.encode(image),
        decode=lambda data, shape: PLAIN.decode(data[: len(data) // 100], shape),
    )
    rivals = [PLAIN, wasteful, *(r for r in RIVALS if r.name in ("png:level=9", "jpegls"))]
    result = run_benchmark(training, unseen, [hybrid], rivals)
    rows = {(m.coder, m.arrangement, m.cells, m.assignment): m for m in result.measurements}
    n_pixels = int(unseen.sizes.astype(int).prod(axis=1).sum())
    assert {key[1:3] for key in rows if key[0] in {r.name for r in rivals}} == {
        ("cell", "unseen slides")
    }
    plain = rows["plain", "cell", "unseen slides", ""]
    assert (plain.bits_per_pixel, plain.n_cells) == (8, 8)
    assert sum(plain.slides["cell"].pixels.values()) == n_pixels
    png = next(r for r in RIVALS if r.name == "png:level=9")
    n_bytes = sum(len(png.encode(unseen.original(k))) for k in range(8))
    row = rows["png:level=9", "cell", "unseen slides", ""]
    assert row.bits_per_pixel == 8 * n_bytes / n_pixels

    info = zarrmal.write(unseen, tmp_path / "a", model=hybrid, assign="labels")
    ours = rows["zarrmal:hybrid,effort=fast", "chunk", "unseen slides", "labels"]
    assert ours.bits_per_pixel == 8 * info.cells_bytes / n_pixels
    without = rows["zarrmal:hybrid,effort=fast, without model", "chunk", "unseen slides", "labels"]
    n_model = len(hybrid.to_base64())
    assert without.bits_per_pixel == 8 * (info.cells_bytes - n_model) / n_pixels
    pixels_by_class = [int(unseen.sizes[unseen.labels == k].astype(int).prod(1).sum())
                       for k in range(2)]  # fmt: skip
    assert tuple(ours.class_bits_per_pixel) == unseen.class_names
    whole = sum(
        rate * n
        for rate, n in zip(ours.class_bits_per_pixel.values(), pixels_by_class, strict=True)
    )
    assert whole / n_pixels + ours.shared_bits_per_pixel == pytest.approx(ours.bits_per_pixel)

    assert {(r.arrangement, r.n_cells) for r in result.ratios} == {("cell", 8)}
    ratio = next(
        r
        for r in result.ratios
        if (r.ours, r.assignment, r.rival) == (ours.coder, "labels", "jpegls")
    )
    assert (ratio.quantity, ratio.ours_value) == (
        "bits_per_pixel", pytest.approx(ours.bits_per_pixel)
    )  # fmt: skip
    jpegls = rows["jpegls", "cell", "unseen slides", ""]
    assert ratio.ratio == pytest.approx(ours.bits_per_pixel / jpegls.bits_per_pixel)
    assert result.break_even_cells[ours.coder]["plain, cell"] == float("inf")
    low, high = ratio.interval
    assert low < ratio.ratio < high
    gain = 800 - without.bits_per_pixel
    assert result.break_even_cells[ours.coder]["wasteful, cell"] == pytest.approx(
        8 * n_model / (gain * n_pixels / 8)
    )
    heights, widths = unseen.sizes.T.tolist()
    assert result.heights == (min(heights), max(heights))
    assert json.loads(json.dumps(result.to_json()))["widths"] == [min(widths), max(widths)]


def test_ratios_are_over_the_cells_of_the_rival(originals, hybrid, quick, monkeypatch):
    """Where the rivals code a sample, our bits are those of the same cells."""
    monkeypatch.setattr("zarrmal.benchmark.measurement.MAX_SINGLE_CELLS", 3)
    source = open_source(originals, group_pattern=r"(s\d)_")
    training, unseen = split_source(source, 0.67, 0)
    result = run_benchmark(training, unseen, [hybrid], [PLAIN])
    row = next(m for m in result.measurements if m.arrangement == "cell")
    assert row.n_cells == 3
    ours = result.models[0].measurements[0]
    assert ours.n_cells == 8
    assert ours.slides["cell"].pixels == row.slides["cell"].pixels
    assert "sheet" not in ours.slides  # no sheets of different sizes
    rows = single_cells(unseen)
    assert (
        sum(row.slides["cell"].pixels.values()) == unseen.sizes[rows].astype(int).prod(axis=1).sum()
    )
    ratio = result.ratios[0]
    assert (ratio.n_cells, ratio.rival_value) == (3, 8)
    assert ratio.ours_value == ours.single_cells_bits_per_pixel != ours.bits_per_pixel


def test_speeds_are_over_the_cells_own_bytes(originals, hybrid, tmp_path):
    import zarrmal

    source = open_source(originals, group_pattern=r"(s\d)_")
    zarrmal.write(source, tmp_path / "a", model=hybrid, options=WriteOptions(chunk_cells=4))
    reading = measure_reading(tmp_path / "a")
    assert reading.n_cells_read == 8
    sizes = open_source(tmp_path / "a").sizes[:8].astype(int)
    for times in reading.threads.values():
        n_bytes = times["mb_s"] * times["seconds"] * 1e6
        assert n_bytes == pytest.approx(sizes.prod(axis=1).sum())


def test_a_chunk_of_large_cells_is_short(originals, hybrid, monkeypatch):
    source = open_source(originals)
    monkeypatch.setattr(models, "MAX_SPEED_BYTES", 5 * np.prod(source.cell_shape) + 1)
    pixels, classes, raw_bytes, coefficients, silhouettes = models._sorted_chunk(
        source, LabelAssigner(source, source.class_names), hybrid
    )
    assert coefficients is None  # this model has no weights for them
    assert silhouettes is None  # these crops have no masks
    assert len(pixels) == len(classes) == 5
    assert classes.tolist() == sorted(classes.tolist())
    rows = np.linspace(0, 11, 5).astype(int)
    assert raw_bytes == source.sizes[rows].astype(int).prod(axis=1).sum()


def test_originals_on_the_command_line(originals, model, hybrid, tmp_path, quick):
    hybrid.save(tmp_path / "h.zmal")
    words = (originals, "--group-pattern", r"(s\d)_", "--unseen", 0.67, "--model",
             tmp_path / "h.zmal", "--rival", "png", "--rival", "jpegls")  # fmt: skip
    done = command(*words)
    assert done.exit_code == 0, done.stderr or done.exception
    text = " ".join(done.stdout.split())
    assert "sheets need one size" in text
    assert re.search(r"ours over theirs.* \d\.\d{3} \(\d\.\d{3} … \d\.\d{3}\)", text)
    one_slide = command(*words, "--unseen", 0.3)
    assert re.search(r"ours over theirs.* \d\.\d{3} \(–\)", " ".join(one_slide.stdout.split()))
    done = command(*words, "--json")
    tree = json.loads(done.stdout)
    arrangements = {m["arrangement"] for m in tree["measurements"]}
    assert all(len(ratio["interval"]) == 2 for ratio in tree["ratios"])
    assert arrangements == {"cell", "chunk"}

    model.save(tmp_path / "p.zmal")
    for option in (("--model", tmp_path / "p.zmal"), ("--profile", "paper")):
        refused = command(*words[:5], *option)
        assert refused.exit_code == 2
        said = " ".join(refused.stderr.split())
        assert "profile paper needs cells of one size: resample them with --size N" in said


@pytest.mark.training
def test_a_model_is_trained_on_originals(originals, tmp_path, quick):
    words = (originals, "--group-pattern", r"(s\d)_", "--rival", "png", "--effort", "fast",
             "--steps", 3, "--save-models", tmp_path / "models", "--json")  # fmt: skip
    done = command(*words)
    assert done.exit_code == 0, done.stderr or done.exception
    assert json.loads(done.stdout)["ratios"]
    assert "of an earlier run" in command(*words).stderr


def test_all_cells_are_unseen_by_models_of_others(tmp_path, quick):
    from PIL import Image

    from zarrmal.models import shipped_originals
    from zarrmal.segment.synthetic import draw_slide

    field, model = tmp_path / "field.jpg", tmp_path / "m.zmal"
    Image.fromarray(draw_slide(240)).save(field, quality=92)
    shipped_originals().save(model)
    words = (field, "--unseen", 1, "--no-rivals", "--json")
    rates = {}
    for lattice in ("auto", "off"):
        done = command(*words, "--model", model, "--lattice", lattice)
        assert done.exit_code == 0, done.stderr
        result = json.loads(done.stdout)
        assert result["n_cells"]["training cells"] == 0
        assert {m["cells"] for m in result["measurements"]} == {"unseen slides"}
        assert result["n_cells"]["unseen slides"] == result["measurements"][0]["n_cells"] > 5
        rates[lattice] = result["measurements"][1]["bits_per_pixel"]
    assert rates["auto"] < 0.8 * rates["off"]  # the field's own coefficients are shorter
    refused = command(*words)
    assert refused.exit_code == 2
    assert "leaves no cells to train on" in " ".join(refused.stderr.split())
