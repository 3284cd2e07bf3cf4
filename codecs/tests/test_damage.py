"""Every prefix raises; every flipped bit raises or gives the exact pixels."""

from __future__ import annotations

import json
import os
import struct
import zlib
from math import prod

import any_dtype
import hybrid_models
import lattice_chunks
import models
import numpy as np
import pytest
from invalid_models import body_of, model_file, tree_and_tensors
from stores import read_rows
from zarrmal_codecs import CorruptionError, Model, ModelError, ZarrmalCodec, ZarrmalError
from zarrmal_codecs.chunk.chunk import decode_cells, decode_chunk, encode_chunk
from zarrmal_codecs.chunk.coder import Coder, coder_for
from zarrmal_codecs.chunk.header import header_bytes, parse_header
from zarrmal_codecs.chunk.items import octets_of
from zarrmal_codecs.model.model import _read_body
from zarrmal_codecs.silhouette.lattice import expand


def hybrid_cases() -> dict[str, tuple[Model | None, np.ndarray, dict]]:
    rgb = models.pixels(52, (2, 1, 2, 3))
    rgb[1, 0, 1] = 0
    latent = hybrid_models.tiny_latent()
    return {
        "hybrid": (hybrid_models.grey(), models.pixels(51, (2, 3, 2)), {}),
        "hybrid colour": (hybrid_models.colour(), rgb, {}),
        "hybrid latent": (latent, models.pixels(53, (2, 2, 2)), {"classes": np.array([1, 0])}),
        "hybrid steps": (
            hybrid_models.six_planes(),
            models.pixels(55, (2, 1, 2, 6)),
            {},
        ),
        "hybrid deep": (
            hybrid_models.deep(),
            models.array(56, (2, 2, 2), 0, 900, "uint16"),
            {"classes": np.array([1, 0])},
        ),
        "hybrid deep latent": (
            hybrid_models.tiny_deep(),
            models.array(56, (2, 2, 2), 0, 60000, "uint16"),
            {},
        ),
        "hybrid first": (
            hybrid_models.deep_colour(),
            rgb.transpose(0, 3, 1, 2).astype(np.uint16) * 257,
            {},
        ),
        "hybrid padded": (
            hybrid_models.grey(),
            np.concatenate([models.pixels(54, (2, 2, 2)), np.zeros((2, 2, 2), np.uint8)]),
            {},
        ),
    }


def cases() -> dict[str, tuple[Model | None, np.ndarray, dict]]:
    two, flat, colour = models.two_classes(), models.one_layer(), models.colour()
    cells = models.pixels(9, (4, 6, 5))
    padded = np.concatenate([models.pixels(9, (2, 3, 3)), np.zeros((3, 3, 3), np.uint8)])
    turned = np.array([1, 0, 0, 1])
    return {
        "stored": (None, models.array(9, (5, 6), 0, 255, "uint8"), {}),
        "stored scalar": (None, np.array(7, np.uint8), {}),
        "stored floats": (None, any_dtype.filled(np.dtype(">f4"), (5, 3)), {}),
        "stored other": (None, any_dtype.filled(np.dtype("V7"), (5, 3)), {}),
        "deflate numbers": (None, np.arange(500, 560, dtype="u2").reshape(5, 12), {}),
        "deflate": (None, models.array(9, (5, 6, 4), 0, 3, "uint8"), {}),
        "deflate fortran": (None, models.pixels(1, (5, 6, 4)) // 32, {"fortran_order": True}),
        "cells": (two, cells, {"classes": turned}),
        "cells per cell": (two, cells, {"classes": turned, "rice": "best-per-cell"}),
        "cells best": (flat, models.array(3, (5, 3, 3), 0, 255, "uint8"), {"rice": "best"}),
        "cells padded": (flat, padded, {}),
        "cells colour": (colour, models.pixels(2, (3, 4, 4, 3)), {"classes": turned[:3]}),
        **hybrid_cases(),
        "cells one": (flat, models.pixels(4, (1, 3, 3)), {}),
        "cells wide": (flat, models.pixels(4, (2, 3, 3)).astype(">u2") * 300, {}),
        "masks": (None, masks_of_points(), {}),
    }


def masks_of_points() -> np.ndarray:
    """Masks that are coded as such: few points, on a lattice."""
    points = [models.array(57 + k, (3, 4), 0, 1, "int8") > 0 for k in range(3)]
    out = np.zeros((4, 30, 40), bool)
    for mask, own in zip(out[1:], points, strict=True):
        own[-1, -1] = own[-2, -2] = own[-1, -2] = own[-2, -1] = True
        mask[:27, :40] = expand(own, 13)
    return out


def lattice_cases() -> dict[str, tuple[Model, np.ndarray, dict]]:
    """JPEG coefficients: one plane and a mask, and three planes."""
    of_grey = lattice_chunks.camera(60, lattice_chunks.PLAIN[:1], "grey")
    pixels, cell = lattice_chunks.drawn(59, of_grey, (12, 10), (7, 7))
    camera = lattice_chunks.camera(75, lattice_chunks.BOTH)
    array, jpeg = lattice_chunks.laid([lattice_chunks.drawn(58, camera, (8, 8))], (8, 8, 3))
    return {
        "lattice grey": (
            lattice_chunks.grey(),
            lattice_chunks.disc(pixels)[None],
            {"classes": np.ones(1, int), "jpeg": [cell]},
        ),
        "lattice colour": (
            lattice_chunks.colour(),
            array,
            {"classes": np.zeros(1, int), "jpeg": jpeg},
        ),
    }


CASES = {**cases(), **lattice_cases()}

STRIDE = 1 if os.environ.get("ZARRMAL_EXHAUSTIVE") else 9
"""Of the damages that zarr reads row by row: odd, so that all bits take their turn. decode_chunk
meets all of them."""


def prefixes(data: bytes) -> list[bytes]:
    return [data[:n] for n in range(len(data))]


def flips(data: bytes) -> list[bytes]:
    return [
        data[:offset] + bytes([data[offset] ^ (1 << bit)]) + data[offset + 1 :]
        for offset in range(len(data))
        for bit in range(8)
    ]


@pytest.mark.parametrize("name", CASES)
def test_whole_chunk(name):
    model, array, options = CASES[name]
    coder = coder_for(model) if model else None
    data = encode_chunk(array, coder, **options)
    assert len(data) < 600
    assert bool(data[7] & 64) == name.startswith("lattice")
    for damaged in [*prefixes(data), *(data + more for more in (b"\0", b"\xff", data))]:
        with pytest.raises(ZarrmalError):
            decode_chunk(damaged, coder)
    for damaged in flips(data):
        try:
            result = decode_chunk(damaged, coder)
        except ZarrmalError:
            continue
        # Only what no check covers, and what changes no pixel: bits that deflate skips, latents
        # that give the same pixels.
        assert (result.shape, result.tobytes()) == (array.shape, array.tobytes())
        assert name.startswith(("deflate", "hybrid latent", "hybrid deep", "masks"))


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[0]])
def test_partial_reads(name):
    model, array, options = CASES[name]
    data = encode_chunk(array, coder_for(model), **options)
    damaged = [*prefixes(data)[::STRIDE], *flips(data)[::STRIDE]]
    result = read_rows(ZarrmalCodec.of(model), [data, *damaged], array.shape, array.dtype.str)
    for expected, row in zip(array, result[0], strict=True):
        np.testing.assert_array_equal(row[0], expected)
    n_errors = n_unseen = 0
    for rows in result[1:]:
        for expected, row in zip(array, rows, strict=True):
            if isinstance(row, ZarrmalError):
                n_errors += 1
            else:
                n_unseen += not np.array_equal(row[0], expected)
    assert not n_unseen  # of a chance of 2**-16 each
    assert n_errors > len(data) * 8 // STRIDE  # each flip is met by one row at least


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[0]])
def test_a_damaged_byte_costs_its_own_cell_alone(name):
    model, array, options = CASES[name]
    coder = coder_for(model)
    data = encode_chunk(array, coder, **options)
    header, n_header = parse_header(memoryview(data)), header_bytes(memoryview(data))
    owners = np.repeat(np.arange(len(array)), header.index.lengths)
    n_found = 0
    for offset, owner in enumerate(owners.tolist(), n_header):
        for flipped in (0x01, 0xC3):
            damaged = data[:offset] + bytes([data[offset] ^ flipped]) + data[offset + 1 :]
            payload = memoryview(damaged)[n_header:]
            for row, expected in enumerate(array):
                rows = np.array([row])
                try:
                    result = decode_cells(header, rows, lambda a, b, p=payload: p[a:b], coder)
                except CorruptionError:
                    assert row == owner
                    n_found += 1
                else:
                    # The damaged one too, where another latent leads to the same pixels.
                    np.testing.assert_array_equal(result[0], expected)
    assert n_found >= 0.9 * 2 * len(owners)


@pytest.mark.parametrize("name", CASES)
def test_headers_made_to_fit_again(name):
    # Somebody changes the header on purpose: still the exact pixels or a named error.
    model, array, options = CASES[name]
    coder = coder_for(model) if model else None
    data = encode_chunk(array, coder, **options)
    n_header = struct.unpack_from("<I", data, 8)[0]
    sealed = [
        head + struct.pack("<I", zlib.crc32(head)) + data[n_header:]
        for head in flips(data[: n_header - 4])
    ]
    for damaged in sealed:
        try:
            result = decode_chunk(damaged, coder)
        except ZarrmalError:
            continue
        np.testing.assert_array_equal(octets_of(result), octets_of(array))  # in one byte order
    if model and array.ndim:
        # Nothing but ZarrmalError.
        read_rows(ZarrmalCodec.of(model), sealed[::STRIDE], array.shape, array.dtype.str)


@pytest.mark.parametrize("name", ["stored", "deflate"])
def test_partial_reads_of_fallback_modes(name):
    _, array, _ = CASES[name]
    data = encode_chunk(array, None)
    damaged = [*prefixes(data), *flips(data)][::STRIDE]
    for rows in read_rows(ZarrmalCodec.of(None), damaged, array.shape):
        for expected, row in zip(array, rows, strict=True):
            if not isinstance(row, ZarrmalError):
                np.testing.assert_array_equal(row[0], expected)


@pytest.mark.parametrize("make", [models.one_layer, models.constant, models.line])
def test_model_bytes(make):
    model = make()
    data = model.to_bytes()
    text, digest = model.to_base64(), model.digest
    assert Model.from_base64(text, digest) == model
    for damaged in prefixes(data):
        with pytest.raises(CorruptionError):
            Model.from_bytes(damaged)
    for damaged in flips(data):
        try:
            result = Model.from_bytes(damaged)
            Coder(result)
        except ZarrmalError:
            continue
        # Else only bits that the compressor does not need.
        assert (result == model) == (_read_body(damaged) == _read_body(data))


def test_uncompressed_model_bytes():
    # No checksum of a compressor helps here: the digest has to.
    tree, tensors = tree_and_tensors()
    data = model_file(body_of(json.dumps(tree).encode(), tensors))
    good = Model.from_bytes(data)
    assert prod(good.cell_shape) == 2
    for damaged in [*prefixes(data), *flips(data)]:
        try:
            result = Model.from_bytes(damaged)
            Coder(result)
        except ZarrmalError:
            continue
        assert result != good


def test_model_in_a_configuration():
    model = models.one_layer()
    text, digest, n_same = model.to_base64(), model.digest, 0
    for offset in range(len(text)):
        for damaged in (
            text[:offset],
            text[:offset] + "A" + text[offset + 1 :],
            text[:offset] + "é",
        ):
            if damaged != text:
                try:
                    result = Model.from_base64(damaged, digest)
                except (ModelError, CorruptionError):
                    continue
                n_same += 1
                assert _read_body(result.to_bytes()) == _read_body(model.to_bytes())
    assert n_same <= 2
    for offset in range(len(digest)):
        wrong = digest[:offset] + ("0" if digest[offset] != "0" else "1") + digest[offset + 1 :]
        with pytest.raises(ModelError, match="configuration states"):
            Model.from_base64(text, wrong)
