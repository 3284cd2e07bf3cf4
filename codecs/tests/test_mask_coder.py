"""Masks in streams, and hostile arguments of the kernel's functions for them (FORMAT 4.7.3)."""

from __future__ import annotations

import hybrid_models
import models
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from masks import MASKS, NATIVE, masks_of, native
from zarrmal_codecs import ModelError, rans
from zarrmal_codecs.chunk.coder import Coder
from zarrmal_codecs.hybrid import engine
from zarrmal_codecs.silhouette import mask_coder
from zarrmal_codecs.silhouette.coverage import FULL
from zarrmal_codecs.silhouette.masks import MaskCoder
from zarrmal_codecs.silhouette.outlined import flat

try:
    from zarrmal_codecs import _kernel
except ImportError:
    _kernel = None


def table_of(n: int) -> np.ndarray:
    return models.array(90 + n, (1 << n,), -128, 127, "int8")


SHAPES = [(9, 14), (0, 0), (1, 1), (3, 2), (1, 30), (20, 1), (0, 0), (12, 11), (4, 4)]


def streams_of(masks: list[np.ndarray], prefix: np.ndarray) -> list[bytes]:
    out = []
    for mask, pairs in zip(masks, prefix.astype(np.int64), strict=True):
        own = pairs[: mask.size]
        out.append(rans.encode(own[:, :1], own[:, 1:], np.array([(1 << 16) + 99]))[0])
    return out


def decoded(streams: list[bytes], table: np.ndarray, shapes: list[tuple[int, int]], *, native):
    laid = engine.Streams([memoryview(stream) for stream in streams])
    decoder = laid.decoder()
    masks = MaskCoder(table).decode(decoder, np.array(shapes, np.uint16), native=native)
    return masks, decoder, laid


@pytest.mark.parametrize("n", [0, 1, 4, 10, 16])
def test_masks_come_back(n):
    masks, table = masks_of(6, SHAPES), table_of(n)
    coder = MaskCoder(table)
    prefix = coder.prefix(masks, native=False)
    for mask, pairs in zip(masks, prefix, strict=True):
        assert not pairs[mask.size :].any()
        assert (pairs[: mask.size, 1] >= 4).all()
    for each in NATIVE:
        np.testing.assert_array_equal(coder.prefix(masks, native=each), prefix)
        result, decoder, laid = decoded(streams_of(masks, prefix), table, SHAPES, native=each)
        for mask, back in zip(masks, result, strict=True):
            assert back.dtype == bool
            np.testing.assert_array_equal(back, mask)
        assert not decoder.status(np.full(len(masks), (1 << 16) + 99)).any()
        np.testing.assert_array_equal(decoder.positions, laid.stops)


@native
@pytest.mark.parametrize("n", [0, 4, 16])
@pytest.mark.parametrize("seed", range(6))
def test_damaged_masks_are_the_same(n, seed):
    masks, table = masks_of(7, SHAPES), table_of(n)
    streams = streams_of(masks, MaskCoder(table).prefix(masks, native=False))
    for k, stream in enumerate(streams):
        noise = models.array(10 * seed + k, (len(stream),), 0, 255, "uint8").tobytes()
        cut = 4 + (seed + k) % 4 * ((len(stream) - 4) // 4) & ~1
        streams[k] = [
            stream[:cut], noise, stream[:4] + noise[4:],
            b"\0\0\1\0" + bytes(cut - 4), b"\xff" * len(stream),
        ][(seed + k) % 5]  # fmt: skip
    (plain, expected, _), (quick, result, _) = (
        decoded(streams, table, SHAPES, native=each) for each in (False, True)
    )
    np.testing.assert_array_equal(result.short, expected.short)
    assert 0 < np.count_nonzero(expected.short) < len(streams)
    np.testing.assert_array_equal(result.states, expected.states)
    np.testing.assert_array_equal(result.positions, expected.positions)
    for one, other in zip(plain, quick, strict=True):
        np.testing.assert_array_equal(one, other)


@native
@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(MASKS, min_size=1, max_size=5), st.integers(0, 16), st.sampled_from(NATIVE))
def test_any_masks_come_back(masks, n, native):
    table, shapes = table_of(n), [mask.shape for mask in masks]
    prefix = MaskCoder(table).prefix(masks, native=native)
    result, _, _ = decoded(streams_of(masks, prefix), table, shapes, native=not native)
    for mask, back in zip(masks, result, strict=True):
        np.testing.assert_array_equal(back, mask)


def test_frequencies_are_those_of_the_format():
    exact = [65536 / (1 + np.exp(-v / 12)) for v in range(-128, 128)]
    assert min(abs(value % 1 - 0.5) for value in exact) > 0.001
    assert mask_coder.FREQUENCY.tolist() == [max(4, min(65532, round(v))) for v in exact]


@pytest.mark.parametrize(
    "table",
    [
        np.zeros(3, np.int8), np.zeros(0, np.int8), np.zeros(1 << 17, np.int8),
        np.zeros(2, np.uint8), np.zeros((2, 2), np.int8), np.zeros((), np.int8),
    ],
    ids=lambda table: f"{table.dtype} {table.shape}",
)  # fmt: skip
def test_a_table_of_another_form_is_refused(table):
    one = hybrid_models.changed(hybrid_models.grey().classes[0], silhouette=table)
    with pytest.raises(ModelError, match="tensor 'silhouette'"):
        Coder(hybrid_models.hybrid_model((7, 5), one))


# Hostile arguments of the kernel


def arguments_of(name: str) -> dict[str, object]:
    """Arguments that the kernel takes."""
    shapes = np.array([[3, 2], [0, 0], [2, 2]], np.uint16)
    shared = {"shapes": shapes, "frequencies": np.full(1 << 16, 9999, np.uint16)}
    points = np.array([1, 1, 0, 1, 1, 1, 0, 1, 1, 1], np.uint8)
    return {
        "mask_intervals": {"points": points, **shared},
        "decode_masks": {
            "data": bytes(range(20)),
            "positions": np.array([0, 4, 8], np.int64),
            "stops": np.array([4, 8, 20], np.int64),
            "states": np.full(3, 1 << 20, np.uint32),
            **shared,
        },
        "coverage": {
            "points": points,
            "shapes": shapes,
            "spacings": np.array([3, 0, 15], np.uint8),
            "sizes": np.array([[4, 5], [1, 5], [2, 1]], np.uint16),
            "shape": (4, 5),
            "resampling": 1,
        },
    }[name]


HOSTILE = {
    "mask_intervals": [
        ("points", np.zeros(9, np.uint8), ValueError),
        ("points", np.zeros(11, np.uint8), ValueError),
        ("points", np.zeros(10, bool).astype(np.int8), TypeError),
        ("points", np.zeros((1, 10), np.uint8), TypeError),
        ("points", np.zeros(20, np.uint8)[::2], TypeError),
        ("shapes", np.zeros((3, 3), np.uint16), ValueError),
        ("shapes", np.zeros((3, 2), np.uint16), ValueError),
        ("shapes", np.full((3, 2), 65535, np.uint16), ValueError),
        ("shapes", np.zeros((3, 2), np.int64), TypeError),
        ("shapes", np.zeros(6, np.uint16), TypeError),
        ("frequencies", np.zeros(65535, np.uint16), ValueError),
        ("frequencies", np.zeros(65537, np.uint16), ValueError),
        ("frequencies", np.zeros(65536, np.int32), TypeError),
    ],
    "decode_masks": [
        ("data", "text", TypeError),
        ("data", b"", ValueError),
        ("positions", np.array([0, 4], np.int64), ValueError),
        ("positions", np.array([-2, 4, 8], np.int64), ValueError),
        ("positions", np.array([6, 4, 8], np.int64), ValueError),
        ("positions", np.array([0, 4, 8], np.int32), TypeError),
        ("stops", np.array([4, 8, 21], np.int64), ValueError),
        ("stops", np.array([4, 8, 2**63 - 1], np.int64), ValueError),
        ("stops", np.array([4, -1, 20], np.int64), ValueError),
        ("stops", np.array([4, 8, 20, 20], np.int64), ValueError),
        ("states", np.zeros(2, np.uint32), ValueError),
        ("states", np.zeros(3, np.int64), TypeError),
        ("shapes", np.zeros((2, 2), np.uint16), ValueError),
        ("shapes", np.zeros((3, 1), np.uint16), ValueError),
        ("frequencies", np.zeros(1, np.uint16), ValueError),
    ],
    "coverage": [
        ("points", np.zeros(9, np.uint8), ValueError),
        ("points", np.zeros(10, bool), TypeError),
        ("shapes", np.array([[3, 2], [0, 0], [4, 1]], np.uint16), None),
        ("shapes", np.array([[3, 2], [0, 0]], np.uint16), ValueError),
        ("shapes", np.array([[0, 2], [3, 2], [2, 2]], np.uint16), ValueError),
        ("spacings", np.array([3, 0], np.uint8), ValueError),
        ("spacings", np.array([3, 1, 15], np.uint8), ValueError),
        ("spacings", np.array([3, 0, 15], np.int64), TypeError),
        ("sizes", np.array([[4, 5], [1, 5], [0, 1]], np.uint16), ValueError),
        ("sizes", np.array([[4, 5], [1, 5], [5, 1]], np.uint16), ValueError),
        ("sizes", np.array([[4, 5], [1, 6], [2, 1]], np.uint16), ValueError),
        ("sizes", np.ones((2, 2), np.uint16), ValueError),
        ("sizes", np.ones((3, 3), np.uint16), ValueError),
        ("shape", (4, 4), ValueError),
        ("shape", (0, 0), ValueError),
        ("shape", (4097, 5), ValueError),
        ("shape", (-4, 5), TypeError),
        ("shape", (4, 5, 1), TypeError),
        ("shape", (1 << 62, 1 << 62), ValueError),
        ("resampling", 0, ValueError),
        ("resampling", 6, ValueError),
        ("resampling", -1, ValueError),
        ("resampling", "box", TypeError),
    ],
}


@native
@pytest.mark.parametrize(
    ("name", "argument", "value", "error"),
    [(name, *case) for name, cases in HOSTILE.items() for case in cases],
)
def test_hostile_arguments_of_the_kernel_are_refused(name, argument, value, error):
    function, arguments = getattr(_kernel, name), arguments_of(name)
    function(**arguments)
    if error is None:
        function(**arguments | {argument: value})
        return
    with pytest.raises(error):
        function(**arguments | {argument: value})


@native
def test_masks_beyond_the_format_are_refused_by_the_kernel():
    arguments = arguments_of("coverage") | {"points": np.ones(400, np.uint8)}
    arguments |= {
        "shapes": np.array([[400, 1]], np.uint16),
        "sizes": np.array([[1, 1]], np.uint16),
    }
    for spacing, error in ((10, None), (11, ValueError), (255, ValueError)):
        given = arguments | {"spacings": np.array([spacing], np.uint8)}
        if error is None:
            assert _kernel.coverage(**given)[0, 0, 0] == FULL
        else:
            with pytest.raises(error, match="4096"):
                _kernel.coverage(**given)


@native
def test_points_of_the_kernel_are_0_or_anything_else():
    # Larger numbers must not become places beyond a table.
    mask = masks_of(8, [(30, 20)])[0]
    frequencies = mask_coder.by_window(table_of(16))
    shapes = np.array([mask.shape], np.uint16)
    expected = _kernel.mask_intervals(flat([mask]), shapes, frequencies)
    for value in (2, 128, 255):
        given = flat([mask]) * np.uint8(value)
        np.testing.assert_array_equal(_kernel.mask_intervals(given, shapes, frequencies), expected)
