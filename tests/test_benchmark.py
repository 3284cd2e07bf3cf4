"""The benchmark: every coder is lossless, every size is counted, every ratio is recomputed."""

import json

import numpy as np
import pytest
from measured import PLAIN, RIVALS, command, fixed_speeds
from zarrmal_codecs import JpegCell
from zarrmal_codecs.hybrid.engine import chosen_level
from zarrmal_codecs.lattice.jpeg.picture import Camera
from zarrmal_codecs.silhouette.silhouettes import Silhouettes

from zarrmal.archive import WriteOptions
from zarrmal.benchmark import (
    LossyError,
    Rival,
    named_rivals,
    run_benchmark,
    split_source,
)
from zarrmal.benchmark.models import model_names
from zarrmal.benchmark.speed.codec import _load as load_masks
from zarrmal.benchmark.speed.codec import _save as save_masks
from zarrmal.benchmark.speed.codec import codec_speed
from zarrmal.benchmark.speed.coefficients import Coefficients
from zarrmal.benchmark.speed.reading import measure_reading
from zarrmal.errors import InputError
from zarrmal.sources import open_source


@pytest.fixture
def quick(monkeypatch):
    fixed_speeds(monkeypatch)


def test_names_tell_models_apart(model, hybrid):
    assert model_names([model, hybrid]) == ("zarrmal:paper", "zarrmal:hybrid,effort=fast")
    assert len(set(model_names([model, hybrid, hybrid.__class__(
        profile="hybrid", cell_shape=hybrid.cell_shape, classes=hybrid.classes,
        about={"effort": "fast", "seed": 9})]))) == 3  # fmt: skip


@pytest.mark.parametrize("kernel", ["numpy", "auto"])
def test_speed_is_measured(cells, hybrid, monkeypatch, kernel):
    if kernel == "auto" and chosen_level() == "numpy":
        pytest.skip("this build has no native kernel")
    monkeypatch.setenv("ZARRMAL_KERNEL", kernel)
    speed = codec_speed(hybrid, cells.read(np.arange(3)), np.zeros(3, np.uint8))
    assert (speed.engine, speed.n_cells) == (chosen_level(), 3)
    for value in (speed.encode_mb_s, speed.encode_shortest_mb_s, speed.decode_mb_s):
        assert value > 0
    assert 0 < speed.reference_decode_mb_s <= speed.decode_mb_s


@pytest.mark.parametrize("written", [3], indirect=True)  # the benchmark writes format 3
def test_reading_uses_the_given_number_of_threads(archive, monkeypatch):
    monkeypatch.setattr("zarrmal.benchmark.speed.reading.N_ROUNDS", 2)
    reading = measure_reading(archive)
    assert (reading.chunk_cells, reading.n_chunks) == (50, 5)
    assert reading.cell_ms > 0
    assert reading.zarr_json_bytes == (archive / "cells" / "zarr.json").stat().st_size
    assert {n: t["n_used"] for n, t in reading.threads.items()} == {"1": 1, "2": 2}
    assert reading.n_cells_read == 200  # 240 cells: four full chunks
    one, two = (reading.threads[n]["seconds"] for n in ("1", "2"))
    assert reading.two_threads_over_one == one / two


def test_split_by_slide(cells):
    training, unseen = split_source(cells, 0.34, 0)
    assert training.n_cells + unseen.n_cells == 240
    assert set(training.groups).isdisjoint(unseen.groups)
    assert len(set(unseen.groups)) == 2
    assert set(split_source(cells, 0.34, 0)[1].groups) == set(unseen.groups)  # the same seed


@pytest.mark.parametrize("groups", [None, ["one"] * 240])
def test_without_slides_there_is_no_benchmark(cells, groups):
    source = open_source(cells.read(np.arange(240)), groups=groups)
    with pytest.raises(InputError, match="no slides are known"):
        split_source(source, 0.25, 0)


@pytest.mark.parametrize("labelled", [True, False])
def test_a_whole_benchmark(cells, model, hybrid, labelled, tmp_path, quick):
    import zarrmal

    labels = np.array(cells.class_names)[cells.labels] if labelled else None
    source = open_source(cells.read(np.arange(240)), labels=labels, groups=cells.groups)
    training, unseen_cells = split_source(source, 0.34, 0)
    rivals = [PLAIN, *(r for r in RIVALS if r.name in ("png:level=9", "jxl:effort=7"))]
    result = run_benchmark(training, unseen_cells, [model, hybrid], rivals)

    names = [f"{name}{note}" for name in ("zarrmal:paper", "zarrmal:hybrid,effort=fast")
             for note in ("", ", without model")]  # fmt: skip
    rows = {(m.coder, m.arrangement, m.cells, m.assignment): m for m in result.measurements}
    assignment = "labels" if labelled else "shortest"
    expected = {(name, "chunk", cells_name, assignment) for name in names
                for cells_name in ("training cells", "unseen slides")}  # fmt: skip
    expected |= {(name, "chunk", "unseen slides", "shortest") for name in names}
    expected |= {(r.name, a, "unseen slides", "") for r in rivals for a in ("cell", "sheet")}
    assert set(rows) == expected
    assert len(result.measurements) == len(expected)

    info = zarrmal.write(
        unseen_cells, tmp_path / "a", model=model, options=WriteOptions(), assign=assignment
    )
    unseen = rows["zarrmal:paper", "chunk", "unseen slides", assignment]
    without_model = rows["zarrmal:paper, without model", "chunk", "unseen slides", assignment]
    assert unseen.bits_per_pixel == info.cells_bits_per_pixel
    assert without_model.bits_per_pixel == info.cells_bits_per_pixel_without_model
    assert (unseen.model_counted, without_model.model_counted) == (True, False)
    assert unseen.n_cells == unseen_cells.n_cells
    assert unseen.encode_mb_s == (3.0 if labelled else 2.0)
    assert rows["zarrmal:paper", "chunk", "training cells", assignment].decode_mb_s is None
    sizes = result.models[0].sizes["unseen slides"]
    assert sizes["cells_bytes"] == info.cells_bytes
    assert sizes["model_bytes"] == len(model.to_base64()) == result.models[0].model_bytes
    plain = rows["plain", "sheet", "unseen slides", ""]
    cells_needed = (
        8 * len(model.to_base64()) / ((plain.bits_per_pixel - without_model.bits_per_pixel) * 576)
    )
    assert 8 <= plain.bits_per_pixel < 8.5  # few positions of a sheet are empty
    assert result.break_even_cells["zarrmal:paper"]["plain, sheet"] == cells_needed
    rival = rows["jxl:effort=7", "sheet", "unseen slides", ""]
    ratio = next(
        r for r in result.ratios if r.ours == "zarrmal:paper" and r.assignment == assignment
    )
    assert (ratio.quantity, ratio.rival) == ("encode_mb_s", "jxl:effort=7")
    assert ratio.ratio == unseen.encode_mb_s / rival.encode_mb_s
    assert result.n_slides == {"training cells": 4, "unseen slides": 2}
    assert set(result.versions) >= {"python", "zarr", "imagecodecs", "libjxl", "charls",
                                    "c-blosc"}  # fmt: skip
    assert result.machine["busy"] in (True, False)
    # The classes' rates and the shared bytes add up to the whole.
    n_by_class = np.bincount(unseen_cells.labels) if labelled else []
    for row in (*rows.values(), plain):
        if row.cells != "unseen slides" or row.coder.startswith("jxl"):
            continue
        by_class = row.class_bits_per_pixel
        assert list(by_class) == (list(unseen_cells.class_names) if labelled else [])
        if labelled:
            whole = sum(
                by_class[name] * n
                for name, n in zip(unseen_cells.class_names, n_by_class, strict=True)
            )
            whole = whole / unseen_cells.n_cells + row.shared_bits_per_pixel
            assert whole == pytest.approx(row.bits_per_pixel)
    assert without_model.class_bits_per_pixel == unseen.class_bits_per_pixel
    if labelled:
        assert unseen.shared_bits_per_pixel > without_model.shared_bits_per_pixel > 0

    tree = json.loads(json.dumps(result.to_json()))
    assert set(tree) == {
        "measurements", "ours", "ratios", "n_slides", "n_cells", "cell_shape", "heights", "widths",
        "break_even_cells", "not_measured", "n_of_an_earlier_run", "versions", "machine",
    }  # fmt: skip
    assert len(tree["measurements"]) == len(expected)
    assert [m["profile"] for m in tree["ours"]] == ["paper", "hybrid"]
    for m in tree["ours"]:
        assert set(m) == {"name", "profile", "about", "sha256", "model_bytes", "sizes", "speed",
                            "reading"}  # fmt: skip


class ChangingCells(open_source(np.zeros((2, 2, 2), np.uint8)).__class__):
    """Other pixels at each read."""

    def __init__(self, cells):
        self.cells, self.n_reads = cells, 0
        for name in ("n_cells", "cell_shape", "class_names", "labels", "groups", "names"):
            setattr(self, name, getattr(cells, name))

    def read(self, indices):
        self.n_reads += 1
        return self.cells.read(indices) ^ np.uint8(self.n_reads)

    def silhouettes(self, indices):
        return self.cells.silhouettes(indices)


def test_a_lossy_archive_voids_the_benchmark(cells, model, quick):
    with pytest.raises(LossyError, match="not the source"):
        run_benchmark(cells, ChangingCells(cells), [model], [])


def test_a_model_of_other_cells_is_refused_before_the_work(cells, model):
    other = open_source(np.zeros((4, 9, 9), np.uint8))
    with pytest.raises(InputError, match="9 x 9, zarrmal:paper is for 24 x 24"):
        run_benchmark(other, other, [model], [])


def test_an_unknown_kernel_is_refused(cells, model, monkeypatch):
    monkeypatch.setenv("ZARRMAL_KERNEL", "abacus")
    with pytest.raises(InputError, match="abacus"):
        run_benchmark(cells, cells, [model], [])


@pytest.fixture(scope="module")
def file(cells, tmp_path_factory):
    path = tmp_path_factory.mktemp("benchmark") / "cells.npz"
    rows = np.arange(0, 240, 5)
    labels = np.array(cells.class_names)[cells.labels]
    np.savez(path, cells=cells.read(rows), label=labels[rows], slide=cells.groups[rows].tolist())
    return path


@pytest.mark.training
def test_saved_models_are_reused(file, tmp_path, quick):
    words = (file, "--no-rivals", "--save-models", tmp_path / "models", "--json",
             "--profile", "paper", "--profile", "hybrid", "--effort", "fast",
             "--hidden", "8,4", "--epochs", 1, "--pretrain-epochs", 0, "--steps", 3)  # fmt: skip
    done = command(*words)
    assert done.exit_code == 0, done.stderr or done.exception
    first = json.loads(done.stdout)
    assert {path.name for path in (tmp_path / "models").iterdir()} == {
        "hybrid-fast.zmal", "hybrid-fast.json", "paper.zmal", "paper.json"
    }  # fmt: skip
    again = command(*words)
    assert "of an earlier run" in again.stderr
    digests = [[one["sha256"] for one in t["ours"]] for t in (first, json.loads(again.stdout))]
    assert digests[0] == digests[1]
    changed = command(*words, "--seed", 7)
    assert changed.exit_code == 2
    assert "trained with other options or cells" in changed.stderr
    # Given files are measured without training; the default output is tables.
    given = command(file, "--no-rivals", "--model", tmp_path / "models" / "paper.zmal",
                    "--model", tmp_path / "models" / "hybrid-fast.zmal")  # fmt: skip
    assert given.exit_code == 0, given.stderr or given.exception
    for name in ("zarrmal:paper", "zarrmal:hybrid,effort=fast"):
        assert name in given.stdout
    assert "bits/pixel of each class" in given.stdout


def test_a_busy_machine_is_reported(file, model, tmp_path, quick, monkeypatch):
    monkeypatch.setattr("os.getloadavg", lambda: (99.0, 0, 0))
    model.save(tmp_path / "m.zmal")
    words = (file, "--no-rivals", "--model", tmp_path / "m.zmal")
    assert "speeds are no measure" in command(*words).stdout.replace("\n", " ")
    assert json.loads(command(*words, "--json").stdout)["machine"]["busy"] is True


@pytest.mark.parametrize(("suffix", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_a_plot_is_drawn(file, model, tmp_path, quick, suffix, magic, monkeypatch):
    pytest.importorskip("matplotlib", reason="the extra plot is not installed")
    monkeypatch.setattr("zarrmal.cli.benchmark.command.all_rivals", lambda *_: (PLAIN,))
    model.save(tmp_path / "m.zmal")
    path = tmp_path / f"plot.{suffix}"
    done = command(file, "--model", tmp_path / "m.zmal", "--plot", path, "--json")
    assert done.exit_code == 0, done.stderr or done.exception
    assert "measurements" in json.loads(done.stdout)
    data = path.read_bytes()
    assert data.startswith(magic)
    if suffix == "svg":
        for word in (
            b"zarrmal:paper",
            b"plain",
            b"bits per pixel",
            b"decoding, MB of raw pixels a second",
        ):
            assert b"<!-- " + word in data


@pytest.mark.parametrize(("name", "message"), [
    ("plot.pdf", "must be one of .png, .svg"), ("no/such/plot.png", "cannot be written"),
    ("plot", "must be one of"), ("folder.svg", "is a folder"),
])  # fmt: skip
def test_an_impossible_plot_is_refused_before_the_work(file, tmp_path, name, message):
    (tmp_path / "folder.svg").mkdir()
    done = command(file, "--plot", tmp_path / name)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
    assert done.stdout == ""
    assert not (tmp_path / "plot.pdf").exists()


def test_a_lossy_coder_is_reported_in_one_line(file, model, tmp_path, quick, monkeypatch):
    model.save(tmp_path / "m.zmal")
    lossy = Rival(name="lossy", encode=PLAIN.encode, decode=lambda data, shape: np.zeros(shape))
    monkeypatch.setattr("zarrmal.cli.benchmark.command.all_rivals", lambda *_: (lossy,))
    done = command(file, "--model", tmp_path / "m.zmal")
    assert done.exit_code == 1
    assert "lossy is not lossless" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("name", ["no/such", "file"])
def test_a_folder_for_models_is_refused_before_training(file, tmp_path, name):
    (tmp_path / "file").write_text("")
    done = command(file, "--save-models", tmp_path / name)
    assert done.exit_code == 2
    assert "its parent folder must exist" in done.stderr


def test_only_the_named_coders_are_measured():
    assert [r.name for r in named_rivals(RIVALS, ["jxl"], slow=False)] == [
        "jxl:effort=7",
        "jxl:effort=9",
    ]
    assert "jxl:effort=10" in [r.name for r in named_rivals(RIVALS, ["jxl"], slow=True)]
    assert named_rivals(RIVALS, None, slow=True) == list(RIVALS)
    with pytest.raises(InputError, match="--rival gif: no coder has this name; choose from blosc"):
        named_rivals(RIVALS, ["png", "gif"], slow=True)


def test_coefficients_reach_the_process_that_is_timed(tmp_path):
    camera = Camera(tables=np.full((1, 8, 8), 3, np.uint16), ratios=((1, 1),), colour="grey")
    cell = JpegCell(
        camera=camera,
        phase=(2, 3),
        coefficients=(np.arange(64, dtype=np.int16).reshape(1, 1, 8, 8),),
        coded=(np.ones((1, 1), bool),),
        is_file=True,
    )
    sizes = np.array([[4, 5], [6, 5]])
    Coefficients(known=[None, cell], cameras=(camera,), sizes=sizes).save(tmp_path / "c")
    again = Coefficients.load(tmp_path / "c")
    assert again.cameras == (camera,)
    none, back = again.known
    assert none is None
    assert (back.camera, back.phase, back.is_file) == (camera, (2, 3), True)
    np.testing.assert_array_equal(back.coefficients[0], cell.coefficients[0])
    np.testing.assert_array_equal(back.coded[0], cell.coded[0])
    np.testing.assert_array_equal(again.sizes, sizes)
    assert Coefficients.load(tmp_path / "none") is None


def test_the_timed_chunk_has_the_masks_of_its_cells(tmp_path):
    silhouettes = Silhouettes(
        masks=[np.eye(5, dtype=bool), None, np.ones((3, 7), bool)], resampling="triangle"
    )
    save_masks(silhouettes, tmp_path / "masks.npz")
    back = load_masks(tmp_path / "masks.npz")
    assert back is not None
    assert back.resampling == "triangle"
    for mask, own in zip(back.masks, silhouettes.masks, strict=True):
        assert (mask is None) == (own is None)
        assert own is None or np.array_equal(mask, own)
    assert load_masks(tmp_path / "none.npz") is None
