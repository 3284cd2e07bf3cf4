"""CALIC: sizes near those of the authors' program, exact pixels, and safe decoding of any bytes."""

import hashlib
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

pytest.importorskip("numba", reason="CALIC needs the extra bench")

from zarrmal.benchmark import calic
from zarrmal.benchmark.calic.codec import MAX_PIXELS_PER_BYTE
from zarrmal.benchmark.calic.predictor import fold_error, unfold_error

GOLDEN = Path(__file__).parents[1].parent / "shared" / "calic"
NATURAL = {"cell", "mask", "rampn"}


def assert_round_trip(image):
    decoded = calic.decode(calic.encode(image))
    assert (decoded.dtype, decoded.shape) == (np.uint8, image.shape)
    np.testing.assert_array_equal(decoded, image)


@pytest.fixture(scope="module")
def golden():
    """Sizes of the authors' program, and the images."""
    if not (GOLDEN / "golden.json").exists():
        pytest.skip("the golden sizes in ../shared/calic are not here")
    spec = importlib.util.spec_from_file_location("golden_images", GOLDEN / "images.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    records = json.loads((GOLDEN / "golden.json").read_text())
    return [(r, module.image(r["kind"], r["h"], r["w"], r["seed"])) for r in records]


def test_sizes_are_those_of_the_authors(golden):
    ours = theirs = 0
    for record, image in golden:
        assert hashlib.sha256(image.tobytes()).hexdigest()[:16] == record["sha256"]
        n_bytes = len(calic.encode(image))
        assert_round_trip(image)
        if record["kind"] in NATURAL:
            assert n_bytes == pytest.approx(record["calic_bytes"], rel=0.03), record
        ours += n_bytes
        theirs += record["calic_bytes"]
    assert len(golden) == 13
    assert ours == pytest.approx(theirs, rel=0.015)


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 2), (2, 1), (2, 2), (1, 300), (300, 1), (3, 7), (40, 41)]
)
@pytest.mark.parametrize("kind", ["noise", "black", "white", "constant", "extremes", "ramp"])
def test_every_image_round_trips(kind, shape):
    random = np.random.default_rng(6)
    assert_round_trip({
        "noise": random.integers(0, 256, shape, np.uint8),
        "black": np.zeros(shape, np.uint8),
        "white": np.full(shape, 255, np.uint8),
        "constant": np.full(shape, 77, np.uint8),
        "extremes": (random.integers(0, 2, shape) * 255).astype(np.uint8),
        "ramp": np.add.outer(np.arange(shape[0]) * 7, np.arange(shape[1]) * 3).astype(np.uint8),
    }[kind])  # fmt: skip


@given(arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)),
              elements=st.sampled_from([0, 1, 2, 127, 128, 129, 253, 254, 255])))  # fmt: skip
@settings(deadline=None, max_examples=200)
def test_any_small_image_round_trips(image):
    assert_round_trip(image)


def test_strided_images_round_trip():
    image = np.random.default_rng(2).integers(0, 9, (17, 24)).astype(np.uint8)
    assert_round_trip(image.T)
    assert_round_trip(image[::2, ::-3])


def test_a_black_image_costs_next_to_nothing():
    image = np.zeros((500, 2000), np.uint8)
    assert len(calic.encode(image)) < image.size / 2000
    assert_round_trip(image)


def test_an_image_that_grows_round_trips():
    # Histograms adapt to a flat image; then noise costs the most bits.
    image = np.zeros((400, 100), np.uint8)
    image[200:] = np.random.default_rng(3).integers(0, 256, (200, 100))
    assert_round_trip(image)


@pytest.mark.parametrize("flip", [False, True])
def test_folding_errors_is_one_to_one(flip):
    for prediction in range(256):
        numbers = [fold_error(value, prediction, flip) for value in range(256)]
        assert sorted(numbers) == list(range(256))
        assert [unfold_error(n, prediction, flip) for n in numbers] == list(range(256))
        assert numbers[prediction] == 0


@pytest.mark.parametrize("image", [
    np.zeros((0, 4), np.uint8), np.zeros((2, 3, 3), np.uint8), np.zeros((2, 2), np.int16),
    np.zeros((1, 65_536), np.uint8),
])  # fmt: skip
def test_other_arrays_are_refused(image):
    with pytest.raises(ValueError, match="CALIC codes"):
        calic.encode(image)


def test_damaged_bytes_raise_or_give_pixels():
    random = np.random.default_rng(8)
    image = np.zeros((24, 24), np.uint8)
    image[4:20, 4:20] = 100 + random.integers(0, 9, (16, 16))
    data = calic.encode(image)
    for n in range(len(data)):
        assert_raises_or_gives_pixels(data[:n])
    for _ in range(500):
        bad = bytearray(data)
        bad[random.integers(4, len(data))] ^= 1 << int(random.integers(0, 8))
        assert_raises_or_gives_pixels(bytes(bad))
        assert_raises_or_gives_pixels(data[:4] + random.bytes(int(random.integers(0, 300))))
    assert_raises_or_gives_pixels(data[:4] + b"\xff" * 100)


def assert_raises_or_gives_pixels(data):
    try:
        decoded = calic.decode(data)
    except ValueError:
        return
    assert decoded.shape == (24, 24)


def test_a_code_cut_in_half_is_noticed():
    data = calic.encode(np.random.default_rng(1).integers(0, 256, (40, 40), np.uint8))
    with pytest.raises(ValueError, match="cut short"):
        calic.decode(data[: len(data) // 2])


def test_sizes_that_the_bytes_cannot_hold_are_refused_at_once():
    with pytest.raises(ValueError, match="cannot be the code of 65535 x 65535 pixels"):
        calic.decode(b"\xff" * 4 + bytes(1000))
    assert MAX_PIXELS_PER_BYTE * 1006 < 65_535**2
    with pytest.raises(ValueError, match="cannot be the code of 0 x 9 pixels"):
        calic.decode(b"\0\0\0\x09" + bytes(9))
