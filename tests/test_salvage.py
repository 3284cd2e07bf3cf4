"""recover_chunk: of a damaged chunk every untouched cell, exactly, and no other."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import replace

import numpy as np
import pytest
from zarrmal_codecs.chunk.chunk import encode_chunk
from zarrmal_codecs.chunk.coder import coder_for
from zarrmal_codecs.chunk.header import header_bytes, parse_header

from zarrmal.archive.read.chunks.recover import recover_chunk
from zarrmal.models import shipped_model

N = 24


class Chunk:
    """A chunk of N cells, one of them blank, in two classes."""

    def __init__(self, cells, model):
        self.pixels = cells.read(np.arange(N))
        self.pixels[7] = 0
        self.coder = coder_for(model)
        self.data = encode_chunk(self.pixels, self.coder, classes=np.arange(N) // (N // 2))
        self.digest = hashlib.sha256(self.data).hexdigest()
        self.header = parse_header(memoryview(self.data))
        self.start = header_bytes(memoryview(self.data))
        self.ends = self.start + np.cumsum(self.header.index.lengths)

    def salvage(self, data):
        return recover_chunk(data, self.coder, self.pixels.shape, self.digest)

    def check(self, data, lost, kind="undecodable"):
        """Exactly these cells are lost, with a reason each, and the others are exact."""
        found = self.salvage(data)
        assert found.kind == kind
        assert np.flatnonzero(~found.good).tolist() == sorted(found.reasons) == sorted(lost)
        np.testing.assert_array_equal(found.pixels[found.good], self.pixels[found.good])
        return found


@pytest.fixture(scope="module", params=["paper", "hybrid"])
def chunk(request, cells, model):
    return Chunk(cells, model if request.param == "paper" else shipped_model(1))


def flipped(data, at, mask=0x10):
    damaged = bytearray(data)
    damaged[at] ^= mask
    return bytes(damaged)


def test_a_sound_chunk(chunk):
    found = chunk.check(chunk.data, [], None)
    assert found.certain
    assert found.fault == ""


def test_a_byte_of_a_stream_takes_its_cell_alone(chunk):
    for at in range(chunk.start, len(chunk.data), 97):
        cell = int(np.searchsorted(chunk.ends, at, side="right"))
        found = chunk.check(flipped(chunk.data, at), [cell])
        assert not found.certain


def test_several_cells(chunk):
    data = chunk.data
    for cell in (0, 5, 6, N - 1):
        data = flipped(data, int(chunk.ends[cell]) - 3)
    chunk.check(data, [0, 5, 6, N - 1])


def test_a_byte_of_the_header_takes_all(chunk):
    for at in range(0, chunk.start, 3):
        found = chunk.check(flipped(chunk.data, at), range(N))
        assert all("wholly lost" in reason for reason in found.reasons.values())


def test_what_is_cut_off_takes_the_cells_after_it(chunk):
    for kept in (0, 3, chunk.start - 1):
        chunk.check(chunk.data[:kept], range(N))
    for kept in (chunk.start, *range(chunk.start + 1, len(chunk.data), 211), len(chunk.data) - 1):
        lost = [k for k in range(N) if chunk.header.index.lengths[k] and chunk.ends[k] > kept]
        chunk.check(chunk.data[:kept], lost)
        assert 7 not in lost  # a blank cell has no bytes to lose


def test_zeros_in_the_middle_and_everywhere(chunk):
    low, high = int(chunk.ends[3]), int(chunk.ends[6])
    chunk.check(chunk.data[:low] + bytes(high - low) + chunk.data[high:], [4, 5, 6])
    chunk.check(bytes(len(chunk.data)), range(N))


def test_what_follows_the_end_takes_nothing(chunk):
    found = chunk.check(chunk.data + bytes(500), [])
    assert found.certain  # without it, the sha256 is the one promised
    assert "500 bytes follow" in found.fault


def test_another_chunk_of_the_same_model_is_not_trusted(chunk):
    other = encode_chunk(chunk.pixels[::-1], chunk.coder, classes=np.zeros(N, np.int64))
    found = chunk.check(other, range(N), "changed")
    assert "not the one that was written" in found.reasons[0]


def test_a_chunk_without_a_promise(chunk):
    found = recover_chunk(chunk.data, chunk.coder, chunk.pixels.shape, None)
    assert (found.kind, found.good.all()) == ("no digest", True)
    for wrong, kind in [(4, "no digest"), (5, "changed")]:  # the promise itself may be damaged
        digest = "x" * wrong + chunk.digest[wrong:]
        found = recover_chunk(chunk.data, chunk.coder, chunk.pixels.shape, digest)
        assert (found.kind, found.good.all()) == (kind, wrong == 4)


def test_a_chunk_of_another_model_or_shape(chunk, cells, model):
    others = [m for m in (model, shipped_model(1)) if m.digest != chunk.coder.model.digest]
    foreign = encode_chunk(chunk.pixels, coder_for(others[0]))
    found = chunk.check(foreign, range(N))
    assert "was written with model" in found.reasons[0]
    fewer = encode_chunk(chunk.pixels[:-1], chunk.coder)
    assert "holds shape" in chunk.check(fewer, range(N)).reasons[0]


@pytest.mark.parametrize("noise", [False, True], ids=["deflated", "stored"])
def test_pixels_without_checks_of_their_own(noise):
    pixels = np.random.default_rng(0).integers(0, 256 if noise else 2, (N, 8, 8), np.uint8)
    data = encode_chunk(pixels, None)
    digest = hashlib.sha256(data).hexdigest()
    assert recover_chunk(data, None, pixels.shape, digest).good.all()
    found = recover_chunk(flipped(data, len(data) - 9), None, pixels.shape, digest)
    assert not found.good.any()
    assert "one check for all" in found.reasons[0]


def test_missing(chunk):
    assert chunk.check(None, range(N), "missing").reasons[3] == "the chunk is missing"


def test_a_wrong_cell_that_passes_its_own_check_is_betrayed_by_the_chunk(chunk):
    """As if a CRC-16 had matched by chance: the chunk's CRC-32 is another."""
    header = replace(chunk.header, pixel_crc32=zlib.crc32(b"other"))
    data = header.to_bytes() + chunk.data[chunk.start :]
    found = chunk.check(data, [])
    assert not found.certain
    assert "at least one is wrong" in found.fault
