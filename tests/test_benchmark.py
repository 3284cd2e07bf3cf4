"""The benchmark: every coder lossless, every size counted, every claim recomputed."""

import json

import numpy as np
import pytest

from zarrmal.archive import WriteOptions
from zarrmal.benchmark import (
    LossyError,
    Measurement,
    Rival,
    all_rivals,
    codec_speed,
    measure_rival,
    run_benchmark,
    split_source,
)
from zarrmal.benchmark.measure import sheets
from zarrmal.benchmark.run import break_even
from zarrmal.errors import InputError
from zarrmal.sources import open_source

RIVALS = all_rivals()
BY_NAME = pytest.mark.parametrize("rival", RIVALS, ids=[rival.name for rival in RIVALS])
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
def test_sheets_hold_every_cell_once_in_its_place(n, shape):
    cells = pixels("noise", n, shape)
    pages = list(sheets(cells))
    assert len(pages) == -(-n // 1000)
    found = []
    for page in pages:
        assert page.shape[1] == 40 * 5
        for row in range(page.shape[0] // 3):
            for column in range(40):
                found.append(page[3 * row : 3 * row + 3, 5 * column : 5 * column + 5])
    np.testing.assert_array_equal(np.array(found[:n]), cells)
    assert not np.array(found[n:]).any()
    assert len(found) < n + 40


@BY_NAME
@pytest.mark.parametrize("shape", [(17, 23), (17, 23, 3)], ids=["grey", "rgb"])
@pytest.mark.parametrize("kind", ["noise", "constant", "gradient"])
def test_rivals_are_lossless(rival, kind, shape):
    cells = pixels(kind, 3, shape)
    for arrangement in ("cell", "sheet"):
        found = measure_rival(rival, cells, arrangement, of="these")
        assert (found.coder, found.arrangement, found.cells) == (rival.name, arrangement, "these")
        assert found.n_cells == 3
        assert found.bits_per_pixel > 0


@pytest.mark.parametrize("shape", [(17, 23), (17, 23, 3)], ids=["grey", "rgb"])
def test_a_colour_pixel_counts_once(shape):
    cells = pixels("noise", 80, shape)
    bits = 8 * (3 if len(shape) == 3 else 1)
    for arrangement in ("cell", "sheet"):
        assert measure_rival(PLAIN, cells, arrangement, of="").bits_per_pixel == bits


def test_names_of_rivals_hold_their_settings():
    names = [rival.name for rival in RIVALS]
    assert len(set(names)) == len(names)
    assert {"jxl:effort=9", "png:level=9", "zstd:level=19", "jpegls"} <= set(names)
    assert [rival.name for rival in RIVALS if rival.slow] == ["jxl:effort=10"]


@pytest.mark.parametrize("arrangement", ["cell", "sheet"])
def test_a_coder_that_lies_is_caught(arrangement):
    def decode(data, shape):
        image = np.frombuffer(data, np.uint8).reshape(shape).copy()
        image[0, 0] ^= 1
        return image

    liar = Rival(name="liar", encode=PLAIN.encode, decode=decode)
    with pytest.raises(LossyError, match="liar is not lossless"):
        measure_rival(liar, pixels("noise", 3, (5, 5)), arrangement, of="")


def measurement(bits_per_pixel):
    return Measurement(coder="", arrangement="", cells="", n_cells=1, encode_mb_s=1, decode_mb_s=1,
                       bits_per_pixel=bits_per_pixel)  # fmt: skip


def test_break_even(model):
    n_bits = 8 * len(model.to_base64())
    cells = break_even(model, measurement(2.5), measurement(3.0), (24, 24))
    assert cells == n_bits / (0.5 * 576)
    # At that number of cells both are of one size.
    assert n_bits + cells * 576 * 2.5 == pytest.approx(cells * 576 * 3.0)
    rgb = break_even(model, measurement(2.5), measurement(3.0), (24, 24, 3))
    assert rgb == cells  # a colour pixel counts once
    for rate in (2.5, 2.0):
        assert break_even(model, measurement(2.5), measurement(rate), (24, 24)) == float("inf")


def test_speed_is_measured(cells, model):
    speed = codec_speed(model, cells.read(np.arange(20)), np.zeros(20, np.uint8))
    assert speed.encode_mb_s > 0
    assert speed.decode_mb_s > 0


def test_split_by_slide(cells):
    training, kept = split_source(cells, 0.34, 0)
    assert training.n_cells + kept.n_cells == 240
    assert set(training.groups).isdisjoint(kept.groups)
    assert len(set(kept.groups)) == 2
    assert set(split_source(cells, 0.34, 0)[1].groups) == set(kept.groups)  # the same seed


@pytest.mark.parametrize("groups", [None, ["one"] * 240])
def test_without_slides_there_is_no_benchmark(cells, groups):
    source = open_source(cells.read(np.arange(240)), groups=groups)
    with pytest.raises(InputError, match="no slides are known"):
        split_source(source, 0.25, 0)


@pytest.mark.parametrize("labelled", [True, False])
def test_the_whole(cells, model, labelled, tmp_path):
    import zarrmal

    labels = np.array(cells.class_names)[cells.labels] if labelled else None
    source = open_source(cells.read(np.arange(240)), labels=labels, groups=cells.groups)
    training, kept = split_source(source, 0.34, 0)
    rivals = [PLAIN, *(rival for rival in RIVALS if rival.name in ("png:level=9", "jpegls"))]
    result = run_benchmark(training, kept, model, rivals)

    ours = f"zarrmal:{model.profile}"
    rows = {(m.coder, m.arrangement, m.cells): m for m in result.measurements}
    expected = {(f"{ours}{note}", "chunk", of) for note in ("", ", without model")
                for of in ("training cells", "unseen slides")}  # fmt: skip
    expected |= {(r.name, a, "unseen slides") for r in rivals for a in ("cell", "sheet")}
    assert set(rows) == expected
    assert len(result.measurements) == len(expected)
    assert all(m.encode_mb_s > 0 and m.decode_mb_s > 0 for m in result.measurements)

    info = zarrmal.write(kept, tmp_path / "a", model=model, options=WriteOptions())
    unseen = rows[ours, "chunk", "unseen slides"]
    bare = rows[f"{ours}, without model", "chunk", "unseen slides"]
    assert unseen.bits_per_pixel == info.bits_per_pixel
    assert bare.bits_per_pixel == info.bits_per_pixel_without_model
    assert unseen.n_cells == kept.n_cells
    plain = rows["plain", "sheet", "unseen slides"]
    # 80 cells fill two rows of a sheet, without a black place.
    assert plain.bits_per_pixel == 8
    cells_needed = 8 * len(model.to_base64()) / ((8 - bare.bits_per_pixel) * 576)
    assert result.break_even_cells["plain, sheet"] == cells_needed
    assert result.n_slides == {"training cells": 4, "unseen slides": 2}
    assert set(result.versions) >= {"python", "zarr", "imagecodecs"}
    tree = json.loads(json.dumps(result.to_json()))
    assert len(tree["measurements"]) == len(expected)


def test_a_lossy_archive_voids_the_benchmark(cells, model):
    class Wavering(type(cells)):
        """Gives other pixels at each reading."""

        def __init__(self):
            self.n_reads = 0
            for name in ("n_cells", "cell_shape", "class_names", "labels", "groups", "names"):
                setattr(self, name, getattr(cells, name))

        def read(self, indices):
            self.n_reads += 1
            return cells.read(indices) ^ np.uint8(self.n_reads)

    with pytest.raises(LossyError, match="not the source"):
        run_benchmark(Wavering(), cells, model, [])
