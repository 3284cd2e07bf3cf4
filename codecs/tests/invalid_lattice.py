"""Hostile chunks and models of JPEG coefficients, made by hand from FORMAT-lattice."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import replace

import hybrid_models
import lattice_chunks
import numpy as np
from invalid_hybrid import column
from invalid_hybrid_models import edited, one
from invalid_models import drop, put
from zarrmal_codecs import Model
from zarrmal_codecs.lattice import pixels as coder
from zarrmal_codecs.lattice.engine import Engine
from zarrmal_codecs.lattice.frame import Frame
from zarrmal_codecs.lattice.jpeg.cameras import pack_cameras
from zarrmal_codecs.lattice.numbers import SCAN
from zarrmal_codecs.lattice.pixels import check_of_pixels
from zarrmal_codecs.lattice.stored import with_lattice
from zarrmal_codecs.lattice.symbols.streams import number_symbols, streams_of
from zarrmal_codecs.lattice.weights import SHAPES, PlaneWeights, Weights

NEWER, CORRUPT, SHORT, WRONG = (
    "CompatibilityError",
    "CorruptionError",
    "TruncatedError",
    "ModelError",
)
SHAPE = (5, 6)


def symbols_of(numbers: list[int]) -> np.ndarray:
    return np.array([s for n in numbers for s in number_symbols(n)], np.int64)


class Good:
    """A chunk of one grey cell, of the class that codes coefficients, and its parts."""

    def __init__(self) -> None:
        self.camera = lattice_chunks.camera(60, lattice_chunks.PLAIN[:1], "grey")
        self.pixels, cell = lattice_chunks.drawn(380, self.camera, SHAPE, (3, 4))
        frame = Frame(camera=self.camera, shape=SHAPE, phase=(3, 4))
        engine = Engine(lattice_chunks.weights(), "numpy")
        planes = [self.pixels[..., None]], [cell.coefficients], [cell.coded]
        (self.symbols,) = coder.symbols_of(engine, [frame], *planes)
        self.check = check_of_pixels(self.pixels[..., None])

    def stream(self, symbols: np.ndarray | None = None, check: int | None = None) -> bytes:
        own = self.symbols if symbols is None else symbols
        return streams_of([own], [self.check if check is None else check])[0]


def camera_bytes(kind: int = 4, ratio: int = 0, base: int = 60, **more: int) -> bytes:
    """One camera (FORMAT-lattice 9.2); of steps that exceed those of the base by ``step``."""
    ratios = bytes([ratio, more.get("ratio_2", 0), more.get("ratio_3", 0)])
    bases = bytes([base, more.get("base_2", 0), more.get("base_3", 0)])
    low = np.zeros(192, np.uint8)
    low[:64] = more.get("difference", 0)
    low[64:] = more.get("difference_2", 0)
    return bytes([kind]) + ratios + bases + low.tobytes() + bytes(192)


def chunks(tools: dict) -> dict[str, tuple[bytes, str, str, str | None]]:
    """Name -> bytes, class of the error, part of its message, model."""
    chunk_of, sealed, good = tools["chunk_of"], tools["sealed"], Good()
    model, colour = lattice_chunks.grey(), lattice_chunks.colour()
    assert camera_bytes() == pack_cameras([good.camera])

    def lattice(
        names: bytes = b"\1\0",
        cameras: bytes | None = None,
        *,
        n_cameras: int = 1,
        limits: bytes = bytes([32, 28]),
        deflated: bytes | None = None,
        n_deflated: int | None = None,
        phase: tuple[int, int] = (3, 4),
        files: bytes | None = None,
    ) -> bytes:
        raw = names + (camera_bytes() if cameras is None else cameras)
        packed = zlib.compress(raw, 9, wbits=-15) if deflated is None else deflated
        sizes = [n_cameras, len(packed) if n_deflated is None else n_deflated]
        out = limits + b"".join(varint(n) for n in sizes) + packed
        return out + column(phase[0]) + column(phase[1]) + (column(0) if files is None else files)

    def cells(
        part: bytes,
        body: bytes | None = None,
        *,
        shape: tuple[int, ...] = (1, *SHAPE),
        of: Model = model,
        run: bytes = bytes([1, 1, 1]),
        flags: int = 66,
        before: bytes = b"",
        codings: bytes | None = None,
        dtype: int = 1,
        lengths: bytes | None = None,
    ) -> bytes:
        stream = good.stream() if body is None else body
        index = bytes.fromhex(of.digest)[:8] + bytes([len(of.classes)])
        index += (bytes(len(of.classes)) if codings is None else codings) + run + before + part
        index += struct.pack("<IBB", len(stream) // 2, 1, 0) if lengths is None else lengths
        crc = zlib.crc32(good.pixels.tobytes())
        chunk = chunk_of(2, shape, stream, index, dtype=dtype, crc=crc)
        return sealed(chunk[:7] + bytes([flags]) + chunk[8:])

    whole = cells(lattice())
    tools["expect_good"](whole, model, good.pixels)
    raw = b"\1\0" + camera_bytes()
    deflated = zlib.compress(raw, 9, wbits=-15)
    corrections = good.symbols[: -len(symbols_of([0]))]
    same = b"\0" + column(1)
    paper, plain = tools["constant"], bytes([1, 0, 1])
    big, many = (1, 2048, 2048), struct.pack("<IB", 0, 1) + bytes(513)
    three = {"of": colour, "shape": (1, *SHAPE, 3), "run": plain}

    def ending(*numbers: int) -> bytes:
        """A stream whose corrections are these numbers."""
        return good.stream(np.concatenate([corrections, symbols_of([*numbers])]))

    cases: dict[str, tuple[bytes, str, str, str | None]] = {
        "of-uint16": (
            cells(lattice(), before=struct.pack("<HHBB", 1, 1, 0, 0), dtype=7), NEWER, "flags", ""),
        "of-stored": (sealed(_with_flags(chunk_of(0, (3,), b"abc"), 64)), NEWER, "flags", ""),
        "flag-128": (cells(lattice(), flags=194), NEWER, "flags", ""),
        "of-paper": (
            cells(lattice(), bytes(4), of=paper, shape=(1, 3, 4), flags=64, run=plain,
                  lengths=struct.pack("<IBH", 4, 0, tools["crc_16"](bytes(4)))),
            CORRUPT, "codes none", "constant"),
        "no-words": (
            cells(lattice(), flags=64,
                  lengths=struct.pack("<IBH", len(good.stream()), 0, 0)), CORRUPT, "not suit", ""),
        "no-lattice": (cells(lattice(), run=plain), CORRUPT, "class 0 codes none", ""),
        "coding": (cells(lattice(), codings=b"\0\1"), CORRUPT, "coding 1", ""),
        "limit-0": (cells(lattice(limits=b"\0\x1c")), CORRUPT, "limits (0, 28)", ""),
        "limit-65": (cells(lattice(limits=b"\x20\x41")), CORRUPT, "limits (32, 65)", ""),
        "cameras-0": (cells(lattice(n_cameras=0)), CORRUPT, "0 cameras", ""),
        "cameras-more": (cells(lattice(n_cameras=2)), CORRUPT, "2 cameras for 1", ""),
        "cameras-4097": (
            cells(lattice(n_cameras=4097), b"", shape=(4097, 1, 1),
                  run=bytes([1, 1]) + varint(4097), lengths=many), CORRUPT, "4097 cameras", ""),
        "deflated-missing": (cells(lattice(n_deflated=9999)), SHORT, "needed", ""),
        "deflated-few": (cells(lattice(deflated=b"")), CORRUPT, "do not take", ""),
        "deflated-bomb": (
            cells(lattice(n_cameras=4096, deflated=deflated), b"", shape=(4096, 1, 1),
                  run=bytes([1, 1]) + varint(4096), lengths=many), CORRUPT, "cannot hold", ""),
        "deflated-damaged": (cells(lattice(deflated=b"\xff" * 9)), CORRUPT, "damaged", ""),
        "deflated-cut": (cells(lattice(deflated=deflated[:-1])), CORRUPT, "do not take", ""),
        "deflated-goes-on": (cells(lattice(deflated=deflated + b"a")), CORRUPT, "do not take", ""),
        "deflated-shorter": (
            cells(lattice(deflated=zlib.compress(raw[:-1], wbits=-15))), CORRUPT, "not take", ""),
        "deflated-longer": (
            cells(lattice(deflated=zlib.compress(raw + b"\0", wbits=-15))),
            CORRUPT, "do not take", ""),
        "name-3": (cells(lattice(b"\3\0")), CORRUPT, "none of its 1 cameras", ""),
        "name-65535": (cells(lattice(b"\xff\xff")), CORRUPT, "none of its 1 cameras", ""),
        "name-new-twice": (
            cells(lattice(b"\1\1\0\0"), good.stream() * 2, shape=(2, *SHAPE),
                  run=bytes([1, 1, 2]), lengths=struct.pack("<IBB", len(good.stream()) // 2, 1, 0)),
            CORRUPT, "none of its 1 cameras", ""),
        "kind-3": (cells(lattice(cameras=camera_bytes(3))), CORRUPT, "out of range", ""),
        "kind-8": (cells(lattice(cameras=camera_bytes(8))), CORRUPT, "out of range", ""),
        "ratio-16": (cells(lattice(cameras=camera_bytes(ratio=16))), CORRUPT, "of range", ""),
        "base-202": (cells(lattice(cameras=camera_bytes(base=202))), CORRUPT, "of range", ""),
        "base-before": (cells(lattice(cameras=camera_bytes(base=201))), CORRUPT, "of range", ""),
        "grey-ratio": (cells(lattice(cameras=camera_bytes(ratio_3=1))), CORRUPT, "of range", ""),
        "grey-base": (cells(lattice(cameras=camera_bytes(base_2=1))), CORRUPT, "of range", ""),
        "grey-steps": (
            cells(lattice(cameras=camera_bytes(difference_2=1))), CORRUPT, "of range", ""),
        "step-0": (cells(lattice(cameras=camera_bytes(base=0))), CORRUPT, "step of 0", ""),
        "step-65536": (
            cells(lattice(cameras=camera_bytes(base=100, difference=1))), CORRUPT, "step of 0", ""),
        "phase-row": (cells(lattice(phase=(8, 0))), CORRUPT, "cannot have them", ""),
        "phase-column": (cells(lattice(phase=(0, 65535))), CORRUPT, "cannot have them", ""),
        "file-phase": (cells(lattice(files=column(1))), CORRUPT, "cannot have them", ""),
        "file-2": (cells(lattice(phase=(0, 0), files=column(2))), CORRUPT, "cannot have", ""),
        "file-silhouette": (
            cells(lattice(phase=(0, 0), files=column(1)), flags=82, before=same),
            CORRUPT, "cannot have them", ""),
        "resampled": (
            cells(lattice(), flags=82, before=b"\1" + column(1) + column(5) + column(6)),
            CORRUPT, "cannot have them", ""),
        "blank": (
            cells(lattice(), b"", run=bytes([1, 255, 1])), CORRUPT, "cannot have them", ""),
        "grey-of-colour": (cells(lattice(), **three), CORRUPT, "cannot have them", "colour"),
        "colour-of-grey": (
            cells(lattice(cameras=camera_bytes(5, base_2=160, base_3=201))),
            CORRUPT, "cannot have them", ""),
        "one-row": (cells(lattice(), shape=(1, 30)), CORRUPT, "cannot have them", ""),
        "columns-missing": (cells(lattice()[:-9]), SHORT, "needed", ""),
        "not-said": (cells(b"", flags=2), CORRUPT, "", ""),
        "other-phase": (cells(lattice(phase=(3, 5))), CORRUPT, "", ""),
        "other-camera": (cells(lattice(cameras=camera_bytes(base=61))), SHORT, "", ""),
        "stream-empty": (cells(lattice(), b""), SHORT, "fewer than the 4", ""),
        "stream-short": (
            cells(lattice(), bytes(range(1, 31)), shape=big, flags=82, before=same),
            SHORT, "fewer than the 32", ""),
        "ends-in-points": (
            cells(lattice(), b"\0\0\1\0", shape=(1, 90, 90), flags=82, before=same),
            SHORT, "ends early", ""),
        "zeros": (cells(lattice(), bytes(4), shape=(1, 90, 90)), CORRUPT, "begins with", ""),
        "state-65535": (cells(lattice(), b"\xff\xff\0\0" + bytes(20)), CORRUPT, "begins", ""),
        "ends-at-once": (
            cells(lattice(), b"\0\0\1\0", shape=(1, 90, 90)), SHORT, "ends early", ""),
        "ends-in-blocks": (cells(lattice(), good.stream()[:-2]), SHORT, "ends early", ""),
        "words-left": (cells(lattice(), good.stream() + b"\0\0"), CORRUPT, "check fails", ""),
        "check": (
            cells(lattice(), good.stream(check=good.check ^ 1)), CORRUPT, "check fails", ""),
        "exceptions-more": (
            cells(lattice(), good.stream(symbols_of([5]))), CORRUPT, "more blocks", ""),
        "exceptions-beyond": (
            cells(lattice(), good.stream(symbols_of([1, 4]))), CORRUPT, "beyond its last", ""),
        "exceptions-far": (
            cells(lattice(), good.stream(symbols_of([2, 0, 2**32 - 2]))),
            CORRUPT, "beyond its last", ""),
        "corrections-more": (cells(lattice(), ending(31)), CORRUPT, "more blocks or pixels", ""),
        "corrections-beyond": (
            cells(lattice(), ending(2, 0, 29)), CORRUPT, "pixels beyond its last", ""),
        "pixel-wrong": (
            cells(lattice(), ending(1, 0, 2)), CORRUPT, "check fails", ""),
    }  # fmt: skip
    return {
        f"lattice-{name}": (
            data,
            error,
            says,
            {"": "lattice_grey", "colour": "lattice_colour"}.get(of, of),
        )
        for name, (data, error, says, of) in cases.items()
    }


def varint(value: int) -> bytes:
    out = b""
    while value >= 128:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def _with_flags(chunk: bytes, flags: int) -> bytes:
    return chunk[:7] + bytes([flags]) + chunk[8:]


def blank(**changes: np.ndarray) -> dict[str, np.ndarray]:
    """Tensors of a plane: zeros, shifts of 1."""
    tensors = {name: np.zeros(shape, dtype) for name, (dtype, shape) in SHAPES.items()}
    return {n: t + t.dtype.type(n.endswith("shift")) for n, t in tensors.items()} | changes


def with_changes(**changes: np.ndarray | None) -> bytes:
    """A model whose second plane has other tensors; None removes one."""
    model = hybrid_models.hybrid_model((3, 3), one())
    model = with_lattice(model, Weights((PlaneWeights(**blank()),) * 3))
    own = model.classes[0]
    second = {name: t for name, t in blank(**changes).items() if t is not None}
    planes = (own.lattice[0], second, own.lattice[2])
    return replace(model, classes=(replace(own, lattice=planes),)).to_bytes()


def filled(name: str, value: int, *places: tuple[int, ...]) -> np.ndarray:
    out = blank()[name]
    for place in places:
        out[place] = value
    return out


def models() -> dict[str, tuple[bytes, str, str]]:
    """Name -> bytes, class of the error, part of its message."""
    good = Model.from_bytes(with_changes())
    lattice = ("classes", 0, "lattice")
    out: dict[str, tuple[bytes, str, str]] = {}

    def json(name: str, change: Callable, error: str, says: str) -> None:
        out[name] = edited(good, change), error, says

    for name, value in (("null", None), ("object", {}), ("two", [{}, {}]), ("four", [{}] * 4)):
        json(name, put(*lattice, value), CORRUPT, "array of 3 objects")
    for name, value in (("number", 3), ("list", []), ("text", "from_border")):
        json(f"plane-{name}", put(*lattice, 1, value), CORRUPT, "missing or wrong")
    for name, value in (("true", True), ("99", 99), ("negative", -1), ("text", "0")):
        json(f"tensor-{name}", put(*lattice, 1, "from_luma", value), CORRUPT, "refers to tensor")
    json("no-tensor", drop(*lattice, 1, "spatial_hidden_bias"), WRONG, "spatial_hidden_bias")
    for name, (dtype, shape) in SHAPES.items():
        if not name.startswith(("diagonal", "spatial")):
            other = np.zeros((*shape[:-1], shape[-1] + 1), dtype)
            out[f"shape-{name}"] = with_changes(**{name: other}), WRONG, name
    out["dtype"] = with_changes(from_luma=np.zeros((64, 64), np.int8)), WRONG, "from_luma"
    for value in (0, 25):
        shifts = {"diagonal_output_shift": filled("diagonal_output_shift", value, (14,))}
        out[f"shift-{value}"] = with_changes(**shifts), WRONG, "shifts beyond"
    for value in (2**30 + 1, -(2**31)):
        biases = {"output_bias": filled("output_bias", value, (63, 4))}
        out[f"bias-{value}"] = with_changes(**biases), WRONG, "values beyond"
    first, second = SCAN[10], SCAN[11]
    for name, place in (("later", (first, second)), ("itself", (first, first))):
        earlier = {"from_earlier": filled("from_earlier", 1, place)}
        out[f"from-{name}"] = with_changes(**earlier), WRONG, "from later ones"
        scales = {"scale_from_earlier": filled("scale_from_earlier", -1, (*place, 1))}
        out[f"scale-from-{name}"] = with_changes(**scales), WRONG, "from later ones"
    out["networks"] = with_changes(networks=np.array([16], np.uint8)), WRONG, "15 diagonals"
    # 4095 * 524,408 + 2**22 is the first multiple of 4095 that reaches 2**31.
    row = filled("from_luma", 32767, *[(5, k) for k in range(16)])
    row[5, 16] = -(-(2**31 - 2**22) // 4095) - 16 * 32767
    out["sum"] = with_changes(from_luma=row), WRONG, "32 bits"
    return out
