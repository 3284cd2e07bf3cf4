"""Golden vectors: bytes that must decode to the same pixels in every version."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from math import prod

import numpy as np
import reference_decoder
from conftest import VECTORS
from law import same
from zarrmal_codecs import Model
from zarrmal_codecs.chunk.chunk import decode_chunk, decode_silhouettes, encode_chunk
from zarrmal_codecs.chunk.coder import Coder
from zarrmal_codecs.chunk.header import header_bytes, parse_header
from zarrmal_codecs.chunk.streams import jpeg_cells


def read(vector) -> tuple[bytes, bytes | None, dict]:
    folder, entry = vector
    model = (folder / "model.zmal").read_bytes() if entry["model"] else None
    return (folder / "chunk.bin").read_bytes(), model, entry


def test_decodes_to_its_pixels(vector):
    data, model, entry = read(vector)
    coder = Coder(Model.from_bytes(model)) if model else None
    pixels = decode_chunk(data, coder)
    assert list(pixels.shape) == entry["shape"]
    assert pixels.dtype.str == entry["dtype"]
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == entry["pixels_sha256"]
    assert pixels.flags.f_contiguous if entry["order"] == "F" else pixels.flags.c_contiguous


def test_reference_decoder_gives_the_same_pixels(vector):
    data, model, entry = read(vector)
    parsed = reference_decoder.parse_model(model) if model else None
    shape, fortran_order, pixels = reference_decoder.decode_chunk(data, parsed)
    assert list(shape) == entry["shape"]
    assert fortran_order == (entry["order"] == "F")
    assert hashlib.sha256(pixels).hexdigest() == entry["pixels_sha256"]
    if entry["mode"] == "cells":
        n = prod(shape[1:]) * np.dtype(entry["dtype"]).itemsize
        cells = [reference_decoder.decode_cell(data, parsed, c) for c in range(shape[0])]
        assert cells == [pixels[c * n : (c + 1) * n] for c in range(shape[0])]


def test_encodes_to_the_same_bytes(vector):
    data, model, entry = read(vector)
    coder = Coder(Model.from_bytes(model)) if model else None
    pixels = decode_chunk(data, coder)
    classes = None if entry["classes"] is None else np.array(entry["classes"])
    header, payload = parse_header(memoryview(data)), memoryview(data)[header_bytes(data) :]
    silhouettes, jpeg = None, None
    if header.index is not None:
        rows = np.arange(header.shape[0])
        silhouettes = decode_silhouettes(header, rows, lambda a, b: payload[a:b], coder)
        jpeg = jpeg_cells(data, coder, rows)
    again = encode_chunk(
        pixels,
        coder,
        classes=classes,
        rice=entry["rice"],
        keep_cells=True,
        fortran_order=entry["order"] == "F",
        silhouettes=silhouettes,
        jpeg=jpeg,
    )
    if entry["mode"] == "deflate":  # builds of zlib differ
        same(decode_chunk(again, coder), pixels)
    elif header.index is not None and header.index.lattice is not None:  # so do cameras
        same(decode_chunk(again, coder), pixels)
        assert again[header_bytes(again) :] == payload
    else:
        assert again == data


def test_vectors_cover_every_mode_and_coding():
    index = json.loads((VECTORS / "index.json").read_text(encoding="utf-8"))
    assert {entry["mode"] for entry in index.values()} == {"stored", "deflate", "cells", "masks"}
    assert {entry["rice"] for entry in index.values()} == {"mean", "best", "best-per-cell"}
    assert {reference_decoder.parse_header(path.read_bytes())["dtype"]
            for path in VECTORS.glob("*/chunk.bin")} == set(range(1, 16))  # fmt: skip
    assert {len(entry["shape"]) for entry in index.values()} >= {0, 1, 2, 3, 4, 5}
    apart = {"archives", "__pycache__"}
    files = [p for p in VECTORS.rglob("*") if p.is_file() and apart.isdisjoint(p.parts)]
    assert sum(path.stat().st_size for path in files) < 700_000
    assert sum(name.startswith("hybrid") for name in index) >= 20
    headers = [reference_decoder.parse_header(path.read_bytes())
               for path in VECTORS.glob("hybrid-*/chunk.bin")]  # fmt: skip
    kept = [r[2:] for header in headers for r in header.get("reductions", [])]
    assert {n_raw for n_raw, _ in kept} >= {0, 2, 4, 7, 8}
    assert {n_bins for _, n_bins in kept} >= {1, 12, 256}
    assert {header["dtype"] for header in headers if header["mode"] == 2} == {1, 7}
    assert sum(header.get("channels_first", False) for header in headers) >= 4
    outlines = [header["outlines"] for header in headers if header.get("outlines")]
    assert {each["resampling"] for each in outlines} == set(range(6))
    assert {spacing for each in outlines for spacing in each["spacings"]} >= {0, 1, 3}
    places = [
        place
        for path in VECTORS.glob("lattice-*/chunk.bin")
        for place in reference_decoder.parse_header(path.read_bytes())["places"]
    ]
    assert None in places
    assert {place["file"] for place in places if place} == {0, 1}
    cameras = [place["camera"] for place in places if place]
    assert {camera["colour"] for camera in cameras} == {"grey", "ycbcr", "rgb"}
    assert {camera["fancy"] for camera in cameras} == {False, True}
    assert {camera["ratios"][-1] for camera in cameras} >= {(1, 1), (1, 2), (2, 1), (2, 2), (4, 1)}
    for s in range(9):
        data = (VECTORS / f"cells-rice-{s}" / "chunk.bin").read_bytes()
        assert reference_decoder.parse_header(data)["codings"] == bytes([s])


def test_writing_refuses_to_overwrite(tmp_path):
    write = [sys.executable, str(VECTORS / "write.py"), "--folder", str(tmp_path)]
    subprocess.run(write, check=True)
    again = subprocess.run(write, capture_output=True, text=True)
    assert again.returncode != 0
    assert "--force" in again.stderr
    ours = json.loads((VECTORS / "index.json").read_text(encoding="utf-8"))
    assert json.loads((tmp_path / "index.json").read_text(encoding="utf-8")) == ours
