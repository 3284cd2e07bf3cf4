"""The native kernel gives the results of NumPy: bytes, bits, pixels, statuses."""

from __future__ import annotations

import zlib
from dataclasses import replace

import hybrid_models
import models
import numpy as np
import pytest
from kernel_cases import CASES, Case, make, some_integers
from zarrmal_codecs import Model
from zarrmal_codecs.chunk.chunk import decode_chunk, encode_chunk
from zarrmal_codecs.chunk.coder import Coder
from zarrmal_codecs.chunk.crc32 import crc32
from zarrmal_codecs.hybrid import engine
from zarrmal_codecs.hybrid.cells import HybridCells
from zarrmal_codecs.hybrid.depth import depth_of
from zarrmal_codecs.model.step import Step
from zarrmal_codecs.scales import Scales

_kernel = engine._kernel
LEVELS = [level for level in engine.levels() if level != "numpy"]
native = pytest.mark.parametrize(
    "level",
    LEVELS or [pytest.param("", marks=pytest.mark.skip("the native kernel is not built"))],
)


def engine_of(case: Case, steps: tuple[Step, ...], level: str) -> engine.Engine:
    return engine.make_engine(steps, case.sees, depth_of(case.depth), level)


_results: dict[str, tuple[list[bytes], np.ndarray]] = {}


def reference(name: str) -> tuple[list[bytes], np.ndarray]:
    """Streams and bits of the NumPy engine, computed once for all levels."""
    if name not in _results:
        steps, pixels, known, prefix = make(CASES[name])
        plain = engine_of(CASES[name], steps, "numpy")
        streams = plain.encode(pixels, known, prefix)
        _results[name] = streams, plain.bits(pixels, known)
    return _results[name]


def decoder_after(streams: engine.Streams, prefix: np.ndarray):
    """The decoder after the latents."""
    decoder = streams.decoder()
    for start, frequency in prefix.astype(np.int64).transpose(1, 2, 0):
        decoder.advance(start, frequency)
        # Of a damaged stream the known symbol may not be the one that is there.
        decoder.states &= 0xFFFFFFFF
    return decoder


@native
@pytest.mark.parametrize("name", CASES)
def test_same_as_numpy(level, name):
    case = CASES[name]
    steps, pixels, known, prefix = make(case)
    kernel = engine_of(case, steps, level)
    streams, bits = reference(name)
    assert kernel.encode(pixels, known, prefix) == streams
    measured = kernel.bits(pixels, known)
    np.testing.assert_allclose(measured, bits, rtol=1e-6, atol=1e-6)
    laid = engine.Streams([memoryview(s) for s in streams])
    decoder = decoder_after(laid, prefix)
    result, status = kernel.decode(decoder, laid, known)
    assert not status.any()
    assert result.dtype == pixels.dtype
    np.testing.assert_array_equal(result, pixels)


ONE_BY_ONE = 8
"""So few cells are decoded one by one where the instruction set has a path for it."""


@native
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.depth == 8])
def test_few_cells_are_those_of_many(level, name):
    case = CASES[name]
    steps, pixels, known, prefix = make(case)
    kernel = engine_of(case, steps, level)
    streams, _ = reference(name)
    for start in range(0, min(len(streams), 3 * ONE_BY_ONE), ONE_BY_ONE):
        rows = slice(start, start + ONE_BY_ONE)
        few = known_of(known, rows)
        laid = engine.Streams([memoryview(s) for s in streams[rows]])
        result, status = kernel.decode(decoder_after(laid, prefix[rows]), laid, few)
        assert not status.any()
        np.testing.assert_array_equal(result, pixels[rows])


def known_of(known, rows: slice):
    """What is known of some cells."""

    def some(values):
        return None if values is None else np.ascontiguousarray(values[rows])

    first = [some(sums) for sums in known.first]
    return replace(
        known,
        shape=(len(first[0]), *known.shape[1:]),
        first=first,
        sizes=some(known.sizes),
        coverage=some(known.coverage),
        predicted=some(known.predicted),
    )


@native
def test_damaged_streams_of_few_cells_have_the_same_status(level):
    case = CASES["65 lanes, cut part"]
    steps, _, known, prefix = make(case)
    bodies = damaged(reference("65 lanes, cut part")[0])
    found = set()
    for start in range(0, len(bodies), ONE_BY_ONE):
        rows = slice(start, start + ONE_BY_ONE)
        laid, result = engine.Streams(bodies[rows]), {}
        for each in ("numpy", level):
            coder = engine_of(case, steps, each)
            result[each] = coder.decode(
                decoder_after(laid, prefix[rows]), laid, known_of(known, rows)
            )
        (expected, status), (pixels, own) = result["numpy"], result[level]
        np.testing.assert_array_equal(own, status)
        np.testing.assert_array_equal(pixels[status == 0], expected[status == 0])
        found |= set(status.tolist())
    assert found == {0, 1, 2}


@pytest.mark.parametrize(
    "name",
    [
        "1x1", "3x7", "4 planes, prediction", "bounds", "latents", "3 planes, sized",
        "3 planes, cut", "6 planes, deep", "cut, sized, deep", "1 raw values, 256 bins",
    ],
)  # fmt: skip
def test_numpy_gives_its_pixels_back(name):
    case = CASES[name]
    steps, pixels, known, prefix = make(case)
    plain = engine_of(case, steps, "numpy")
    streams, _ = reference(name)
    laid = engine.Streams([memoryview(s) for s in streams])
    decoder = decoder_after(laid, prefix)
    result, status = plain.decode(decoder, laid, known)
    assert not status.any()
    np.testing.assert_array_equal(result, pixels)


def damaged(streams: list[bytes]) -> list[memoryview]:
    """Cut, extend, flip or replace each stream in another way; every fourth is unchanged."""
    out = []
    for k, stream in enumerate(streams):
        bits = some_integers(100 + k, (3,), 0, 8 * len(stream) - 1, "int64")
        body = bytearray(stream)
        if k % 4 == 1:
            del body[4 + 2 * int(bits[0] % (len(stream) // 2 - 1)) :]
        elif k % 4 == 2:
            for bit in bits[: 1 + k % 3].tolist():
                body[bit // 8] ^= 1 << bit % 8
            body[2] |= not (body[2] or body[3])  # a first state below 2**16 is refused before
        elif k % 4 == 3:
            zeros = bytearray(len(body))
            zeros[2] = 1  # the least first state
            body = [body + b"\0\0", zeros, bytearray(b"\xff" * len(body))][k // 4 % 3]
        out.append(memoryview(bytes(body)))
    return out


@native
@pytest.mark.parametrize(
    "name",
    [
        "64 lanes",
        "65 lanes",
        "130 lanes, prediction",
        "signs, planes",
        "latents",
        "3x7",
        "65 lanes, sized",
        "65 lanes, cut part",
        "65 lanes, deep",
        "16 raw values, 9 bins",
        "cut, deep",
    ],
)
def test_damaged_streams_have_the_same_status(level, name):
    case = CASES[name]
    steps, _, known, prefix = make(case)
    laid = engine.Streams(damaged(reference(name)[0]))
    result = {}
    for each in ("numpy", level):
        coder = engine_of(case, steps, each)
        decoder = decoder_after(laid, prefix)
        result[each] = coder.decode(decoder, laid, known)
    status = result["numpy"][1]
    np.testing.assert_array_equal(result[level][1], status)
    assert not status[::4].any()
    assert set(status.tolist()) == {0, 1, 2}
    whole = status == 0
    np.testing.assert_array_equal(result[level][0][whole], result["numpy"][0][whole])


@native
@pytest.mark.parametrize(
    ("sizes", "says"),
    [
        ([[0, 1], [3, 4]], "cell 0 is larger than the pixels, or empty"),
        ([[3, 4], [4, 4]], "cell 1 is larger"),
        ([[3, 4], [3, 5]], "cell 1 is larger"),
        ([[3, 4]], "shape"),
        ([[3, 4, 1], [3, 4, 1]], "shape"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(level, sizes, says):
    steps, pixels, known, prefix = make(Case(lanes=2))
    kernel = engine_of(Case(), steps, level)
    given = replace(known, sizes=np.array(sizes, np.uint16))
    with pytest.raises(ValueError, match=says):
        kernel.encode(pixels, given, prefix)
    with pytest.raises(ValueError, match=says):
        kernel.bits(pixels, given)


@native
def test_a_prediction_that_is_missing_is_refused(level):
    steps, pixels, known, _ = make(Case(lanes=2, sees=True))
    kernel = engine_of(Case(sees=True), steps, level)
    with pytest.raises(ValueError, match="predicted is missing"):
        kernel.bits(pixels, replace(known, predicted=None))


@native
def test_coverage_of_another_shape_is_refused(level):
    steps, pixels, known, prefix = make(Case(lanes=2))
    kernel = engine_of(Case(), steps, level)
    for shape in ((1, 3, 4), (2, 4, 4), (2, 3, 5)):
        given = replace(known, coverage=np.full(shape, 255, np.uint8))
        with pytest.raises(ValueError, match="coverage must have the shape"):
            kernel.encode(pixels, given, prefix)


@native
def test_scales_of_more_than_16_bits_are_refused(level):
    case = Case(depth=16, lanes=2)
    steps, pixels, known, _ = make(case)
    kernel = engine_of(case, steps, level)
    for n_raw, n_bins in ((9, 1), (0, 0), (0, 257), (1, 129), (8, 2), (8, 65535)):
        scales = Scales(n_raw=np.array([n_raw], np.uint8), n_bins=np.array([n_bins], np.uint16))
        with pytest.raises(ValueError, match="more than 16 bits"):
            kernel.bits(pixels, replace(known, scales=scales))
    with pytest.raises(ValueError, match=r"\(plane, 2\)"):
        kernel.bits(pixels, replace(known, scales=Scales.of_bytes(2)))
    with pytest.raises(TypeError, match="pixels"):
        kernel.bits(pixels.astype(np.uint8), known)


def chain_case(pairs, most, shift):
    """Weights (row, input) and the numbers of each row; some rows have weights of one sign."""
    weight = some_integers(pairs, (16, 2 * pairs), -most - (most == 127), most, "int8")
    weight[:4] = most
    weight[4:8] = -most - (most == 127)
    numbers = np.empty((16, 4), np.int32)
    numbers[:, 0] = some_integers(shift, 16, -9_000, 9_000, "int32")
    numbers[:, 1] = shift
    numbers[:, 2:] = 4 * [(0, 127), (-255, 255), (-4096, 4095), (0, 127)]
    return weight, numbers


def ranges(weight, start, stop):
    """The least and the greatest sums of rows over some pairs."""
    part = 128 * weight[:, 2 * start : 2 * stop].astype(int)
    return np.minimum(part, 0).sum(axis=1), np.maximum(part, 0).sum(axis=1)


@pytest.mark.skipif(not LEVELS, reason="the native kernel is not built")
@pytest.mark.parametrize("most", [1, 12, 40, 127])
@pytest.mark.parametrize("pairs", [1, 3, 16, 128])
def test_chains_are_as_long_as_they_may_be(pairs, most):
    weight, numbers = chain_case(pairs, most, 6)
    for k, (narrow, ends) in enumerate(_kernel.chain_ends(weight, numbers)):
        rows, starts = (each[4 * k : 4 * k + 4] for each in (weight, numbers[:, 0]))

        def fits(start, stop, rows=rows, own=starts * narrow):
            low, high = ranges(rows, start, stop)
            if start == 0:
                low, high = low + np.minimum(own, 0), high + np.maximum(own, 0)
            return low.min() >= -32768 and high.max() <= 32767

        assert ends[-1] == pairs
        for start, stop in zip([0, *ends], ends, strict=False):
            assert start < stop
            assert fits(start, stop)
            assert stop == pairs or not fits(start, stop + 1)


@pytest.mark.skipif(not LEVELS, reason="the native kernel is not built")
@pytest.mark.parametrize("shift", [1, 4, 6, 7, 8, 11])
@pytest.mark.parametrize("pairs", [2, 4, 9, 16, 35])
def test_narrow_rows_give_what_exact_sums_give(pairs, shift):
    n_narrow = 0
    for most in (1, 3, 12, 25, 40, 70):
        weight, numbers = chain_case(pairs, most, shift)
        inputs = some_integers(most, (2 * pairs, 400), 0, 128, "int64")
        signs = np.concatenate([weight.T > 0, weight.T < 0], axis=1)
        random = some_integers(shift, (2 * pairs, 400), 0, 1, "int64")
        inputs = np.concatenate([inputs, 128 * random, 128 * signs], axis=1)
        for k, (narrow, ends) in enumerate(_kernel.chain_ends(weight, numbers)):
            if not narrow:
                continue
            n_narrow += 1
            own, own_numbers = weight[4 * k : 4 * k + 4].astype(int), numbers[4 * k : 4 * k + 4]
            start, low, high = (own_numbers[:, i, None] for i in (0, 2, 3))
            total = 0 * inputs[:4]
            for begin, end in zip([0, *ends], ends, strict=False):
                part = own[:, 2 * begin : 2 * end] @ inputs[2 * begin : 2 * end]
                part += start * (begin == 0)
                assert abs(part + 0.5).max() < 32768
                total = np.clip(total + part, -32768, 32767)
            exact = own @ inputs + start
            np.testing.assert_array_equal(
                np.clip(total >> shift, low, high), np.clip(exact >> shift, low, high)
            )
    assert n_narrow


@native
@pytest.mark.parametrize("name", hybrid_models.HYBRID)
def test_same_chunks(level, name, monkeypatch):
    coder = Coder(hybrid_models.HYBRID[name]())
    shape = coder.model.cell_shape
    for cells in (models.pixels(61, (6, *shape)), models.pixels(62, (3, 4, 9, *shape[2:]))):
        monkeypatch.setenv(engine.VARIABLE, "numpy")
        data = encode_chunk(cells, coder)
        monkeypatch.setenv(engine.VARIABLE, level)
        assert encode_chunk(cells, coder) == data
        np.testing.assert_array_equal(decode_chunk(data, coder), cells)


def test_the_variable_chooses(monkeypatch):
    monkeypatch.delenv(engine.VARIABLE, raising=False)
    assert engine.chosen_level() == engine.levels()[-1]
    monkeypatch.setenv(engine.VARIABLE, "auto")
    assert engine.chosen_level() == engine.levels()[-1]
    for level in engine.levels():
        monkeypatch.setenv(engine.VARIABLE, level)
        assert engine.chosen_level() == level
    coder = Coder(hybrid_models.grey())
    cells = models.pixels(63, (2, 7, 5))
    monkeypatch.setenv(engine.VARIABLE, "numpy")
    monkeypatch.setattr(engine, "KernelEngine", None)
    np.testing.assert_array_equal(decode_chunk(encode_chunk(cells, coder), coder), cells)


@pytest.mark.parametrize("wish", ["", "fast", "NUMPY", "numpy "])
def test_an_unknown_level_is_the_callers_mistake(monkeypatch, wish):
    monkeypatch.setenv(engine.VARIABLE, wish)
    with pytest.raises(ValueError, match=r"ZARRMAL_KERNEL=.*numpy"):
        engine.chosen_level()
    with pytest.raises(ValueError, match="ZARRMAL_KERNEL"):
        encode_chunk(models.pixels(64, (2, 7, 5)), Coder(hybrid_models.grey()))


@pytest.mark.parametrize("n_cells", [1, 2])
def test_what_the_kernel_gets_is_aligned(n_cells):
    # Tensors lie in the model's bytes at any address; found by fuzzing under the sanitizers.
    model = Model.from_bytes(hybrid_models.four_planes().to_bytes())
    biases = [step.layers[0].bias for step in model.classes[0].steps]
    assert not all(bias.flags.aligned for bias in biases)
    sums = HybridCells(model, 0)._first(None, n_cells)
    assert all(each.flags.aligned and each.flags.c_contiguous for each in sums)
    for each, bias in zip(sums, biases, strict=True):
        np.testing.assert_array_equal(each, np.tile(bias, (n_cells, 1)))


def test_crc_32_is_that_of_zlib():
    values = np.random.default_rng(65).integers(0, 256, 2000, np.uint8)
    for n in (*range(200), 1023, 1024, 2000):
        assert crc32(values[-n:] if n else values[:0]) == zlib.crc32(values[2000 - n :].data)
