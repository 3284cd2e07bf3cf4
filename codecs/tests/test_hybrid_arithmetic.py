"""Tables, distributions and rANS of profile `hybrid` (FORMAT 6)."""

from __future__ import annotations

import zlib
from math import exp, floor, log2

import numpy as np
import pytest
import reference_hybrid
import reference_mixture
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from zarrmal_codecs import rans
from zarrmal_codecs.hybrid import tables
from zarrmal_codecs.hybrid.deep_mixture import DeepMixture
from zarrmal_codecs.hybrid.depth import DEEP, OCTAVES
from zarrmal_codecs.hybrid.mixture import Mixture, latent_cumulative

QUICK = settings(max_examples=100, deadline=None, derandomize=True)
CHECKSUMS = {
    "SQUASH": 0x0122B6CC,
    "DEEP_SQUASH": 0xE1FC5391,
    "DEEP_SLOPE": 0x20C7CCA7,
    "KNOT": 0x580228F3,
    "SLOPE": 0xD6CFE355,
    "BLANK": 0xE456C0F2,
    "EXP": 0x4C52F072,
    "CAUSAL": 0x1EE02999,
    "FULL": 0x466B785A,
}


@pytest.mark.parametrize("name", CHECKSUMS)
def test_tables_are_these(name):
    assert zlib.crc32(np.array(getattr(tables, name), "<i4").tobytes()) == CHECKSUMS[name]


def test_tables_of_the_reference_are_the_same():
    for ours, plain in (
        (tables.SQUASH, reference_mixture.S.values()),
        (tables.DEEP_SQUASH, reference_mixture.S16.values()),
        (OCTAVES, reference_mixture.OCTAVES),
        (tables.KNOT, reference_mixture.KNOT),
        (tables.SLOPE, reference_mixture.SLOPE),
        (tables.DEEP_SLOPE, reference_mixture.SLOPE16),
        (tables.BLANK, reference_mixture.BLANK.values()),
        (tables.EXP, reference_mixture.EXP),
    ):
        assert ours.tolist() == list(plain)
    assert list(tables.CAUSAL) == reference_hybrid.CAUSAL
    assert list(tables.FULL) == reference_hybrid.FULL


def test_no_value_lies_near_a_tie():
    def s(t: float) -> float:
        return 1 / (1 + exp(-t))

    values = [32768 * (s(i / 4 - 8) - s(-8)) / (1 - 2 * s(-8)) for i in range(65)]
    values += [2 ** (17 - i / 12) for i in range(128)]
    values += [2 ** (17 - i / 8) for i in range(128)]
    values += [65536 * s(i / 16) for i in range(-255, 256)]
    values += [4096 * exp(-i / 16) for i in range(511)]
    assert min(abs(value - floor(value) - 0.5) for value in values) > 1e-3


outputs = st.integers(1, 4).flatmap(
    lambda m: hnp.arrays(
        np.int64,
        (1 + 3 * m, 6),
        elements=st.one_of(
            st.integers(-300, 300), st.integers(-5000, 5000), st.integers(-(2**29), 2**29)
        ),
    )
)
bases = hnp.arrays(np.int64, (6,), elements=st.integers(1, 255))


@QUICK
@given(outputs, bases)
def test_every_value_has_a_frequency(result, base):
    mixture = Mixture.of(result, base)
    edges = np.stack([mixture.cumulative(np.full(6, v)) for v in range(257)])
    frequencies = np.diff(edges, axis=0)
    assert (edges[0] == 0).all()
    assert (edges[256] == 1 << 16).all()
    assert frequencies.min() >= 1
    assert frequencies.max() <= 65281  # what least_bytes relies on
    for lane in range(2):
        plain = reference_mixture.level_cumulative(result[:, lane].tolist(), int(base[lane]))
        assert edges[:, lane].tolist() == [plain(v) for v in range(257)]


@QUICK
@given(outputs, bases, hnp.arrays(np.int64, (6,), elements=st.integers(0, 65535)))
def test_find_is_the_inverse_of_cumulative(result, base, slots):
    mixture = Mixture.of(result, base)
    value, start, frequency = mixture._find(slots)
    np.testing.assert_array_equal(mixture.cumulative(value), start)
    np.testing.assert_array_equal(mixture.cumulative(value + 1), start + frequency)
    assert (start <= slots).all()
    assert (slots < start + frequency).all()


deep_bases = hnp.arrays(
    np.int64, (6,), elements=st.one_of(st.integers(1, 65535), st.integers(65000, 65535))
)
bins = st.sampled_from([1, 2, 3, 31, 255, 256])


@settings(QUICK, max_examples=25)
@given(outputs, deep_bases, bins, hnp.arrays(np.int64, (6,), elements=st.integers(0, 255)))
def test_every_bin_and_place_has_a_frequency(result, base, n_bins, index):
    mixture = DeepMixture(Mixture.of(result, base, DEEP), 0, n_bins)
    blank, index = mixture._mixture.blank, index % n_bins
    firsts = np.stack([mixture._first(np.full(6, j)) for j in range(n_bins + 1)])
    places = np.stack([mixture._second(index, np.full(6, k)) for k in range(257)])
    assert (firsts[0] == blank).all()
    assert (firsts[-1] == 1 << 16).all()
    assert blank.min() >= 1
    assert np.diff(firsts, axis=0).min() >= 1
    assert (places[0] == 0).all()
    assert (places[256] == 1 << 16).all()
    frequencies = np.diff(places, axis=0)
    assert frequencies.min() >= 1
    assert max(frequencies.max(), blank.max()) <= 65281  # what least_bytes relies on
    for lane in range(2):
        first, places_of = reference_mixture.deep_cumulatives(
            result[:, lane].tolist(), int(base[lane]), n_bins
        )
        assert firsts[:, lane].tolist() == [first(1 + j) for j in range(n_bins + 1)]
        second = places_of(int(index[lane]))
        assert places[:, lane].tolist() == [second(k) for k in range(257)]


@pytest.mark.parametrize("scale", range(128))
def test_every_latent_has_a_frequency(scale):
    slope = int(tables.SLOPE[scale])
    edges = latent_cumulative(np.arange(257), np.int64(slope))
    assert (edges[0], edges[256]) == (0, 1 << 16)
    assert np.diff(edges).min() >= 1
    plain = reference_mixture.latent_cumulative(slope)
    assert edges.tolist() == [plain(v) for v in range(257)]


@st.composite
def intervals(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    shape = (draw(st.integers(0, 40)), draw(st.integers(1, 5)))
    start = draw(hnp.arrays(np.int64, shape, elements=st.integers(0, 65535)))
    share = draw(hnp.arrays(np.int64, shape, elements=st.sampled_from([0, 1, 100, 9999, 65535])))
    room = np.minimum(65536 - start, 65535)
    return start, 1 + np.minimum(share, room - 1)


@QUICK
@given(intervals(), st.integers(0, 65535))
def test_rans_gives_back_what_it_was_given(case, check):
    starts, frequencies = case
    last = np.full(starts.shape[1], rans.RANS_LOWEST + check)
    streams = [memoryview(s) for s in rans.encode(starts, frequencies, last)]
    data = memoryview(b"".join(streams))
    stops = np.cumsum([len(s) for s in streams])
    begins = stops - [len(s) for s in streams]
    decoder = rans.Decoder(rans.read_states(data, begins), data, begins + 4, stops)
    for start, frequency in zip(starts, frequencies, strict=True):
        slots = decoder.slots()
        assert (start <= slots).all()
        assert (slots < start + frequency).all()
        decoder.advance(start, frequency)
    assert not decoder.status(last).any()
    assert decoder.status(last ^ 1).all()


@QUICK
@given(intervals())
def test_rans_is_as_long_as_its_symbols_say(case):
    starts, frequencies = case
    bits = (16 - np.log2(frequencies)).sum(axis=0)
    last = np.full(starts.shape[1], rans.RANS_LOWEST + 12_345)
    for stream, expected in zip(rans.encode(starts, frequencies, last), bits, strict=True):
        # Each symbol's share is off by a small part of a bit, either way; a word is whole.
        slack = len(starts) * 0.01
        assert expected + 15 - slack <= 8 * len(stream) <= expected + 33 + slack


def test_no_stream_is_shorter_than_least_bytes():
    # The likeliest symbols there can be, from the state that grows most slowly.
    n, state, growth = 0, 1 << 16, 0.0
    while growth < 80:
        before, frequency = state, 65281
        if (state >> 16) >= frequency:
            state >>= 16
        state = (state // frequency << 16) + state % frequency
        growth += log2(state / before) if state > before else 16 + log2(state / before)
        n += 1
    assert n / (growth / 8) < 4096
    starts = np.zeros((60_000, 1), np.int64)
    stream = rans.encode(starts, starts + 65281, np.array([rans.RANS_LOWEST]))[0]
    assert len(stream) >= 60_000 // 4096
