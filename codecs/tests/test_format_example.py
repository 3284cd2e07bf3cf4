"""The worked examples of FORMAT.md, section 8, are correct."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import numpy as np
import pytest
import reference_decoder
import reference_hybrid
import reference_mixture
from zarrmal_codecs import Model
from zarrmal_codecs.chunk.chunk import decode_chunk, encode_chunk
from zarrmal_codecs.chunk.coder import Coder
from zarrmal_codecs.chunk.streams import jpeg_cells
from zarrmal_codecs.lattice.stored import with_lattice
from zarrmal_codecs.lattice.weights import SHAPES, PlaneWeights, Weights

FORMAT = (Path(__file__).parents[1] / "FORMAT.md").read_text(encoding="utf-8")


LATTICE = (Path(__file__).parents[1] / "FORMAT-lattice.md").read_text(encoding="utf-8")


def blocks(part: str, text: str = FORMAT) -> list[list[str]]:
    """The indented blocks of a section, as lines."""
    section = text.split(f"\n## {part}. " if part.isdigit() else f"### {part} ")[1]
    section = section.split("\n##")[0].split("\n---")[0]
    found = re.findall(r"(?:^    .*\n)+", section, flags=re.MULTILINE)
    return [block.splitlines() for block in found]


def hexadecimal(lines: list[str]) -> bytes:
    """Pairs of digits up to the first pair of spaces."""
    return bytes.fromhex("".join(line.strip().split("  ")[0] for line in lines))


@pytest.fixture(scope="module", params=["8.1", "8.2"])
def example(request) -> tuple[bytes, str, np.ndarray, bytes]:
    """Model, digest, pixels, chunk."""
    head, text, tensors, digest, rows, chunk = blocks(request.param)
    model = hexadecimal(head) + "".join(line.strip() for line in text).encode()
    numbers = np.array([line.split() for line in rows]).astype(np.uint8)  # cells side by side
    pixels = numbers.reshape(2, 2, 2).transpose(1, 0, 2).copy()
    return model + hexadecimal(tensors), digest[0].strip(), pixels, hexadecimal(chunk)


def test_both_decoders_give_the_pixels(example):
    model, digest, pixels, chunk = example
    assert Model.from_bytes(model).digest == digest
    np.testing.assert_array_equal(decode_chunk(chunk, Coder(Model.from_bytes(model))), pixels)
    parsed = reference_decoder.parse_model(model)
    assert reference_decoder.decode_chunk(chunk, parsed) == ((2, 2, 2), False, pixels.tobytes())


def test_encoding_gives_the_bytes(example):
    model, _, pixels, chunk = example
    assert encode_chunk(pixels, Coder(Model.from_bytes(model))) == chunk


def test_coefficients_of_a_picture():
    """FORMAT-lattice 10."""
    head, text, tensors, *_ = blocks("8.2")
    raw = hexadecimal(head) + "".join(line.strip() for line in text).encode()
    arrays = {name: np.zeros(shape, dtype) for name, (dtype, shape) in SHAPES.items()}
    for name, array in arrays.items():
        array[...] = name.endswith("shift")
    arrays["output_bias"][:, 2:4], arrays["diagonal_output_bias"][1] = 80, 64
    arrays["networks"][0] = 15
    weights = Weights((PlaneWeights(**arrays),) * 3)
    model = with_lattice(Model.from_bytes(raw + hexadecimal(tensors)), weights)
    digest, rows, chunk = blocks("10", LATTICE)
    assert digest == [f"    {model.digest}"]
    data, coder = hexadecimal(chunk), Coder(model)
    pixels = np.array([line.split() for line in rows]).astype(np.uint8)[None]
    np.testing.assert_array_equal(decode_chunk(data, coder), pixels)
    parsed = reference_decoder.parse_model(model.to_bytes())
    assert reference_decoder.decode_chunk(data, parsed)[2] == pixels.tobytes()
    (cell,) = jpeg_cells(data, coder, np.array([0]))
    again = encode_chunk(pixels, coder, jpeg=[cell])
    assert again[-6:] == data[-6:]
    assert {i: v for i, v in enumerate(cell.coefficients[0].ravel()) if v} == {0: 3, 1: -2, 8: 1}


def test_the_text_is_complete():
    assert "@" not in FORMAT
    for k in range(1, 9):
        assert f"\n## {k}. " in FORMAT


def test_tables_of_6_2():
    for name, values in {
        "S(d)": reference_mixture.S.values(),
        "S16(d)": reference_mixture.S16.values(),
        "OCTAVES(r)": reference_mixture.OCTAVES,
        "KNOT[i]": reference_mixture.KNOT,
        "SLOPE[i]": reference_mixture.SLOPE,
        "SLOPE16[i]": reference_mixture.SLOPE16,
        "BLANK[i]": reference_mixture.BLANK.values(),
        "EXP[i]": reference_mixture.EXP,
    }.items():
        (promised,) = re.findall(rf"^\| `{re.escape(name)}`.*`(\w+)` \|$", FORMAT, re.MULTILINE)
        raw = b"".join(value.to_bytes(4, "little", signed=True) for value in values)
        assert f"{zlib.crc32(raw):08x}" == promised


def test_neighbours_of_6_6():
    section = FORMAT.split("### 6.6")[1].split("### 6.7")[0]
    lists = [
        [(int(y), int(x)) for y, x in re.findall(r"\((-?\d), (-?\d)\)", text.replace("−", "-"))]
        for text in section.split("Causal:")[1].split("As i32")[0].split("Full:")
    ]
    assert lists == [reference_hybrid.CAUSAL, reference_hybrid.FULL]
    for offsets in lists:
        raw = b"".join(n.to_bytes(4, "little", signed=True) for offset in offsets for n in offset)
        assert f"`{reference_decoder.crc_32(raw):08x}`" in section


def test_check_values_of_1_7():
    assert reference_decoder.crc_16(b"123456789") == 0x29B1
    assert reference_decoder.crc_32(b"123456789") == 0xCBF43926
