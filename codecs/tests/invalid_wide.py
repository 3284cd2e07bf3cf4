"""Hostile chunks of 16 bits, of channels first, and of masks, made by hand from FORMAT 4.3, 4.8."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import hybrid_models
import models
import numpy as np
from invalid_hybrid import column
from zarrmal_codecs import Model, rans
from zarrmal_codecs.chunk.chunk import decode_chunk, encode_chunk
from zarrmal_codecs.chunk.coder import Coder
from zarrmal_codecs.chunk.mask_cells import encode_masks
from zarrmal_codecs.scales import Scales

Cases = dict[str, tuple[bytes, str, str, str | None]]
NEWER, CORRUPT, SHORT = "CompatibilityError", "CorruptionError", "TruncatedError"
ONE_RUN = bytes([1, 0, 1])


def index_of(model: Model, body: bytes, *, reduction: bytes = b"", before: bytes = b"") -> bytes:
    """The cell index of one cell of the first class."""
    n = len(model.classes)
    index = bytes.fromhex(model.digest)[:8] + bytes([n]) + bytes(n) + ONE_RUN + reduction + before
    return index + struct.pack("<IBB", len(body) // 2, 1, 0)


def reduced(least: int, step: int = 1, n_raw: int = 0, n_bins: int = 1) -> bytes:
    """How the items of one channel are reduced (FORMAT 4.3.1)."""
    return struct.pack("<HHBB", least, step, n_raw, n_bins - 1)


def chunks(chunk_of: Callable[..., bytes]) -> Cases:
    """Name -> bytes, class of the error, part of its message, model."""
    return wide(chunk_of) | channels_first(chunk_of) | masks(chunk_of)


def wide(chunk_of: Callable[..., bytes]) -> Cases:
    """Items of 16 bits."""
    deep, grey = hybrid_models.deep(), hybrid_models.grey()
    good = np.array([[[1, 2], [600, 601]]], np.uint16)
    few = np.array([[[1, 2], [3, 1]]], np.uint8)
    scales = Scales(n_raw=np.array([0], np.uint8), n_bins=np.array([3], np.uint16))
    stream = Coder(deep).cells(0).encode(good, "mean", scales=scales)[1][0]
    in_bytes = Coder(deep).cells(0).encode(good // 3, "mean", scales=Scales.of_bytes(1))[1][0]
    beyond = Coder(deep).cells(0).encode(
        np.full((1, 2, 2), 256, np.uint16), "mean", scales=Scales.of_bytes(1))[1][0]  # fmt: skip
    shallow = Coder(grey).cells(0).encode(few, "mean")[1][0]
    other_check = _ending_in(stream, good, good.astype(np.uint8))

    def cells(
        reduction: bytes,
        body: bytes = stream,
        *,
        of: Model = deep,
        shape: tuple[int, ...] = (1, 2, 2),
        dtype: int = 7,
        flags: int = 2,
        items: np.ndarray = good,
        before: bytes = b"",
    ) -> bytes:
        index = index_of(of, body, reduction=reduction, before=before)
        crc = zlib.crc32(items.tobytes())
        return chunk_of(2, shape, body, index, dtype=dtype, flags=flags, crc=crc)

    three = reduced(1, n_bins=3)
    whole = encode_chunk(good, Coder(deep), classes=np.array([0]), keep_cells=True)
    assert cells(three) == whole  # else what is wrong below could be wrong in all of them
    cases: dict[str, tuple[bytes, str, str, str]] = {
        "least-0": (cells(reduced(0, n_bins=3)), CORRUPT, "items from 0", "deep"),
        "step-0": (cells(reduced(1, 0, n_bins=3)), CORRUPT, "steps of 0", "deep"),
        "raw-9": (cells(reduced(1, n_raw=9)), CORRUPT, "9 bits more", "deep"),
        "raw-255": (cells(reduced(1, n_raw=255)), CORRUPT, "255 bits more", "deep"),
        "levels-129-1": (cells(reduced(1, n_raw=1, n_bins=129)), CORRUPT, "129 bins", "deep"),
        "levels-256-8": (cells(reduced(1, n_raw=8, n_bins=256)), CORRUPT, "256 bins", "deep"),
        "levels-2-8": (cells(reduced(1, n_raw=8, n_bins=2)), CORRUPT, "2 bins", "deep"),
        "other-bins": (cells(reduced(1, n_bins=200)), CORRUPT, "last state", "deep"),
        "other-raw": (cells(reduced(1, n_raw=3, n_bins=3)), CORRUPT, "last state", "deep"),
        "raw-of-depth-8": (
            cells(reduced(1, n_raw=1), shallow, of=grey), CORRUPT, "does not suit", "grey"),
        "bins-of-depth-8": (
            cells(reduced(1, n_bins=2), shallow, of=grey), CORRUPT, "does not suit", "grey"),
        "item-beyond": (cells(reduced(65534), shallow, of=grey), CORRUPT, "16 bits", "grey"),
        "item-beyond-by-step": (
            cells(reduced(1, 40000), shallow, of=grey), CORRUPT, "16 bits", "grey"),
        "item-beyond-deep": (cells(reduced(65000, n_bins=3)), CORRUPT, "16 bits", "deep"),
        "value-beyond-uint8": (
            cells(b"", beyond, dtype=1, items=few), CORRUPT, "more than 8 bits", "deep"),
        "reduction-missing": (cells(b""), CORRUPT, "steps of 0", "deep"),
        "reduction-short": (cells(three[:5]), CORRUPT, "0 bits", "deep"),
        "reduction-of-uint8": (cells(three, in_bytes, dtype=1, items=few), CORRUPT, "", "deep"),
        "reduction-twice": (cells(three * 2), CORRUPT, "0 bits", "deep"),
        "channels-0": (cells(three, shape=(1, 2, 2, 0)), CORRUPT, "0 channels", "deep"),
        "channels-65": (
            cells(reduced(1) * 65, shape=(1, 2, 2, 65)), CORRUPT, "65 channels", "deep"),
        "channels-2": (cells(three * 2, shape=(1, 2, 2, 2)), CORRUPT, "has cells", "deep"),
        "rank-2": (cells(three, shape=(1, 4)), CORRUPT, "has cells", "deep"),
        "pixel-crc": (cells(three, items=good + 1), CORRUPT, "match their CRC-32", "deep"),
        "ends-in-bytes": (cells(three, other_check), CORRUPT, "last state", "deep"),
        "word-missing": (cells(three, stream[:-2]), SHORT, "last pixel", "deep"),
        "word-more": (cells(three, stream + b"\0\0"), CORRUPT, "last state", "deep"),
        "state-alone": (cells(three, stream[:4]), SHORT, "last pixel", "deep"),
        "stream-empty": (cells(three, b""), SHORT, "fewer than the 4", "deep"),
        "zeros": (cells(three, bytes(4)), CORRUPT, "begins with", "deep"),
        "ones": (cells(three, b"\xff" * 40), CORRUPT, "last state", "deep"),
        "flags-of-sizes": (cells(three, flags=10), CORRUPT, "in an array of 2", "deep"),
        "size-beyond": (
            cells(three, flags=10, before=column(3) + column(2)), CORRUPT, "3 to 3 rows", "deep"),
        "flag-64": (cells(three, flags=66), NEWER, "flags", "deep"),
        "flag-128": (cells(three, flags=130), NEWER, "flags", "deep"),
        "int16": (cells(three, dtype=4), NEWER, "dtype 4", "deep"),
        "bool": (cells(three, dtype=2), NEWER, "dtype 2", "deep"),
        "opaque": (cells(three, dtype=15), NEWER, "dtype 15", "deep"),
    }  # fmt: skip
    return {f"wide-{name}": case for name, case in cases.items()}


def _ending_in(stream: bytes, values: np.ndarray, others: np.ndarray) -> bytes:
    """A stream that ends in the state of other values: encoders change only the first symbols."""
    last, other = (int(rans.last_states(v[:, None])[0]) for v in (values, others))
    assert last != other
    return stream[:-2] + struct.pack("<H", struct.unpack("<H", stream[-2:])[0] ^ last ^ other)


def channels_first(chunk_of: Callable[..., bytes]) -> Cases:
    """Cells of (channel, y, x)."""
    colour, paper = hybrid_models.colour(), models.colour()
    rgb = models.pixels(81, (1, 5, 4, 3))
    stream = Coder(colour).cells(0).encode(rgb, "mean")[1][0]
    turned = np.ascontiguousarray(rgb.transpose(0, 3, 1, 2))

    def cells(shape: tuple[int, ...], *, flags: int = 34, of: Model = colour) -> bytes:
        crc = zlib.crc32(turned.tobytes())
        return chunk_of(2, shape, stream, index_of(of, stream), flags=flags, crc=crc)

    good = encode_chunk(turned, Coder(colour), keep_cells=True)
    assert cells(turned.shape) == good
    of_paper = chunk_of(2, (1, 4, 4, 3), stream, index_of(paper, stream), flags=32)
    cases: dict[str, tuple[bytes, str, str, str | None]] = {
        "rank-3": (cells((1, 5, 12)), CORRUPT, "(channel, y, x)", "colour"),
        "rank-5": (cells((1, 3, 5, 4, 1)), CORRUPT, "(channel, y, x)", "colour"),
        "rank-1": (cells((60,)), CORRUPT, "(channel, y, x)", "colour"),
        "of-channels-last": (cells((1, 5, 4, 3)), CORRUPT, "has cells (4, 3, 5)", "colour"),
        "not-said": (cells((1, 3, 5, 4), flags=2), CORRUPT, "has cells (3, 5, 4)", "colour"),
        "channels-2": (cells((1, 2, 5, 6)), CORRUPT, "has cells", "colour"),
        "pixel-crc": (
            cells(turned.shape)[:20] + bytes(4) + cells(turned.shape)[24:], CORRUPT, "CRC-32",
            "colour"),
        "of-stored": (chunk_of(0, (1, 3, 1, 1), b"abc", flags=32), NEWER, "flags", None),
        "of-deflate": (chunk_of(1, (1, 3, 1, 1), b"\3\0", flags=32), NEWER, "flags", None),
        "of-paper": (of_paper, SHORT, "needed", "colour"),
    }  # fmt: skip
    return {f"first-{name}": case for name, case in cases.items()}


def masks(chunk_of: Callable[..., bytes]) -> Cases:
    """Arrays of masks."""
    noise = np.zeros((24, 24), bool)
    noise[:20, :22] = models.array(82, (20, 22), 0, 1, "int8") > 0
    noise[19, 21] = True
    twice = np.stack([noise, noise])
    own = encode_masks(twice)
    assert own is not None
    table = bytes([len(own[0].table).bit_length() - 1]) + own[0].table.tobytes()
    stream = own[1][: int(own[0].lengths[0])]
    n_words = len(stream) // 2

    def array(
        *,
        n: int = 2,
        shape: tuple[int, ...] | None = None,
        table: bytes = table,
        heights: bytes = column(20),
        widths: bytes = column(22),
        spacings: bytes = column(1),
        body: bytes = stream,
        lengths: bytes | None = None,
        payload: bytes | None = None,
        dtype: int = 2,
        flags: int = 0,
        more: bytes = b"",
        items: np.ndarray = twice,
    ) -> bytes:
        if lengths is None:
            lengths = struct.pack("<IB", len(body) // 2, 1) + bytes((n + 7) // 8)
        index = table + heights + widths + spacings + lengths + more
        return chunk_of(
            3, (n, 24, 24) if shape is None else shape, body * n if payload is None else payload,
            index, dtype=dtype, flags=flags, crc=zlib.crc32(items.tobytes()))  # fmt: skip

    # Else what is wrong below could be wrong in all of them.
    assert np.array_equal(decode_chunk(array(), None), twice)
    big = {"n": 1, "heights": column(1024), "widths": column(1024), "shape": (1, 1024, 1024)}
    cases: dict[str, tuple[bytes, str, str]] = {
        "rank-2": (array(shape=(2, 576)), CORRUPT, "declares masks"),
        "rank-4": (array(shape=(2, 24, 24, 1)), CORRUPT, "declares masks"),
        "rank-0": (array(shape=()), CORRUPT, "declares masks"),
        "none": (array(n=0, payload=b""), CORRUPT, "declares masks"),
        "table-17": (array(table=bytes([17]) + bytes(60)), CORRUPT, "2**17"),
        "table-255": (array(table=b"\xff"), CORRUPT, "2**255"),
        "table-missing": (array(table=bytes([16])), SHORT, "needed"),
        "height-0": (array(heights=column(0)), CORRUPT, "do not fit"),
        "width-0": (array(widths=column(0)), CORRUPT, "do not fit"),
        "height-beyond": (array(heights=column(25)), CORRUPT, "do not fit"),
        "width-beyond": (array(widths=column(25)), CORRUPT, "do not fit"),
        "height-of-lattice": (array(spacings=column(2)), CORRUPT, "do not fit"),
        "spacing-16": (array(spacings=column(16)), CORRUPT, "up to 16"),
        "spacing-65535": (array(spacings=column(65535)), CORRUPT, "up to 65535"),
        "column-bits": (array(heights=column(20, 17, bytes(5))), CORRUPT, "17 bits"),
        "column-fill": (array(heights=column(20, 1, b"\1")), CORRUPT, "padded"),
        "column-missing": (array(spacings=b"", lengths=b""), SHORT, "needed"),
        "width-4097": (
            array(n=1, shape=(1, 1, 5000), heights=column(1), widths=column(4097)),
            CORRUPT, "do not fit"),
        "pixels": (
            array(n=1, shape=(1, 2049, 2048), heights=column(2049), widths=column(2048)),
            CORRUPT, "do not fit"),
        "pixels-a-byte": (
            array(shape=(2, 4096, 4096), heights=column(1), widths=column(1)),
            CORRUPT, "pixels a byte"),
        "huge": (array(n=2, shape=(1 << 30, 1, 1)), SHORT, "short for 1073741824 masks"),
        "stream-of-empty": (array(spacings=column(0)), CORRUPT, "without pixels"),
        "empty-said": (array(spacings=column(0), body=b""), CORRUPT, "CRC-32"),
        "stream-empty": (array(body=b""), SHORT, "too short"),
        "stream-two-bytes": (array(body=stream[:2]), SHORT, "too short"),
        "stream-short": (array(**big, body=bytes(6)), SHORT, "too short"),
        "state-alone": (array(body=stream[:4]), SHORT, "last point"),
        "zeros": (array(**big, body=bytes(8)), CORRUPT, "begins with"),
        "word-missing": (array(body=stream[:-2]), SHORT, "last point"),
        "word-more": (array(body=stream + b"\0\0"), CORRUPT, "last state"),
        "other-word": (
            array(body=stream[:-2] + bytes([stream[-2] ^ 1, stream[-1]])), CORRUPT, "last state"),
        "other-table": (array(table=bytes([0, 3])), CORRUPT, "last state"),
        "other-height": (array(heights=column(19)), CORRUPT, "last state"),
        "bits-0": (array(lengths=struct.pack("<IB", n_words, 0)), CORRUPT, "0 bits"),
        "bits-33": (
            array(lengths=struct.pack("<IB", n_words, 33) + bytes(9)), CORRUPT, "33 bits"),
        "lengths-fill": (
            array(lengths=struct.pack("<IBB", n_words, 1, 1)), CORRUPT, "padded"),
        "lengths-sum": (
            array(lengths=struct.pack("<IBB", n_words, 1, 64)), CORRUPT, "add up"),
        "lengths-huge": (
            array(lengths=struct.pack("<IB", 2**32 - 1, 32) + b"\xff" * 8), CORRUPT, "add up"),
        "odd-payload": (array(payload=2 * stream + b"\0"), CORRUPT, "add up"),
        "header-trailing": (array(more=b"\0"), CORRUPT, "follow"),
        "pixel-crc": (array(items=~twice), CORRUPT, "match their CRC-32"),
        "of-uint8": (array(dtype=1), NEWER, "dtype 1"),
        "of-int8": (array(dtype=3), NEWER, "dtype 3"),
        "of-uint16": (array(dtype=7), NEWER, "dtype 7"),
    }  # fmt: skip
    for flag in (2, 4, 8, 16, 32, 64, 128):
        cases[f"flag-{flag}"] = array(flags=flag), NEWER, "flags"
    return {f"masks-{name}": (*case, None) for name, case in cases.items()}
