"""The paper's codes, compared with tables made by hand, and as inverse pairs."""

from __future__ import annotations

from math import ceil, log2

import models
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zarrmal_codecs.errors import CorruptionError, TruncatedError
from zarrmal_codecs.paper.golomb_rice import (
    golomb_bits,
    golomb_decode,
    golomb_encode,
    rice_bits,
    rice_decode,
    rice_encode,
    rice_parameter,
    unzigzag,
    zigzag,
)

PARAMETERS = range(9)

# Codewords of 0, 1, 2, ...: quotient in ones and a zero, then the remainder, truncated binary.
CODEWORDS = {
    1: "0 10 110 1110 11110",
    2: "00 01 100 101 1100 1101",
    3: "00 010 011 100 1010 1011 1100 11010 11011",
    4: "000 001 010 011 1000 1001 1010 1011",
    5: "000 001 010 0110 0111 1000 1001 1010 10110 10111",
    10: "0000 0001 0010 0011 0100 0101 01100 01101 01110 01111 10000 10001",
}

RICE_PARAMETERS = {0: 0, 1: 0, 2: 0, 2.01: 1, 4: 1, 4.01: 2, 8: 2, 9: 3, 128: 6, 129: 7, 255: 7}


def views(streams: list[bytes]) -> list[memoryview]:
    return [memoryview(stream) for stream in streams]


def test_zigzag_is_the_papers_map():
    residues = np.arange(-128, 128).astype(np.int8)
    values = zigzag(residues)
    expected = [2 * e if e >= 0 else -2 * e - 1 for e in range(-128, 128)]
    assert values.dtype == np.uint8
    assert values.tolist() == expected
    assert sorted(expected) == list(range(256))
    np.testing.assert_array_equal(unzigzag(values), residues)
    assert unzigzag(values).dtype == np.int8


@pytest.mark.parametrize("s", PARAMETERS)
def test_rice_encode_and_decode_are_inverse(s):
    for n_values in (1, 2, 7, 8, 9, 30):
        values = models.array(s, (6, n_values), 0, 255, "uint8")
        values[0], values[1] = 0, 255
        streams = rice_encode(values, s)
        np.testing.assert_array_equal(rice_decode(views(streams), n_values, s), values)
        np.testing.assert_array_equal(rice_decode(views(streams[2:3]), n_values, s), values[2:3])


@pytest.mark.parametrize("s", PARAMETERS)
def test_rice_streams_have_the_papers_length(s):
    values = models.array(40 + s, (9, 30), 0, 255, "uint8")
    for row, stream, bits in zip(values, rice_encode(values, s), rice_bits(values), strict=True):
        q = [int(n) >> s for n in row]
        paper = sum(n + 1 + s for n in q) if s < 8 else 8 * len(q)
        assert bits[s] == paper
        # Two parts, each filled to whole bytes.
        fixed = ceil(30 * s / 8)
        unary = ceil(sum(n + 1 for n in q) / 8) if s < 8 else 0
        assert len(stream) == fixed + unary
        assert 0 <= 8 * len(stream) - paper < 16


@pytest.mark.parametrize(("mean", "s"), list(RICE_PARAMETERS.items()))
def test_rice_parameter(mean, s):
    assert rice_parameter(mean) == s
    if mean:
        assert s == max(0, ceil(log2(mean / 2)))


@pytest.mark.parametrize("m", CODEWORDS)
def test_golomb_codewords(m):
    for n, expected in enumerate(CODEWORDS[m].split()):
        data = golomb_encode(np.array([n]), m)
        result = "".join(f"{byte:08b}" for byte in data)
        assert result == expected.ljust(len(result), "0")
        assert golomb_bits(n, m) == len(expected)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 2000), max_size=20), st.integers(1, 300))
def test_golomb_round_trip(values, m):
    data = golomb_encode(np.array(values, np.int64), m)
    assert golomb_decode(data, len(values), m).tolist() == values
    assert len(data) == ceil(sum(golomb_bits(n, m) for n in values) / 8)
    for cut in range(len(data)):
        with pytest.raises(TruncatedError):
            golomb_decode(data[:cut], len(values), m)


@pytest.mark.parametrize("s", range(8))
def test_golomb_of_a_power_of_two_is_the_rice_code(s):
    values = models.array(60 + s, (1, 40), 0, 255, "uint8")
    bits = sum(golomb_bits(int(n), 1 << s) for n in values[0])
    assert bits == rice_bits(values)[0, s]


def test_golomb_parameter_below_one_is_the_callers_mistake():
    for call in (lambda: golomb_encode(np.array([1]), 0), lambda: golomb_decode(b"", 0, 0)):
        with pytest.raises(ValueError, match="at least 1"):
            call()
    with pytest.raises(ValueError, match="n >= 0"):
        golomb_encode(np.array([-1]), 3)


@pytest.mark.parametrize("s", PARAMETERS)
def test_every_other_length_is_refused(s):
    values = models.array(80 + s, (1, 30), 0, 255, "uint8")
    (stream,) = rice_encode(values, s)
    for cut in range(len(stream)):
        with pytest.raises(CorruptionError):
            rice_decode(views([stream[:cut]]), 30, s)
    for more in (b"\0", b"\xff", b"\xff\xff"):
        with pytest.raises(CorruptionError):
            rice_decode(views([stream + more]), 30, s)
