"""Models, from FORMAT.md 2 and 3 alone; see reference_decoder.py."""

from __future__ import annotations

import hashlib
import json
import lzma
import zlib
from collections.abc import Callable
from math import prod

from reference_base import (
    OUTPUTS,
    RANGES,
    Cursor,
    FormatError,
    check_chain,
    integer,
    member,
    must,
    optional,
)
from reference_hybrid import check_hybrid
from reference_lattice_index import check_lattice

TENSOR_BYTES = {"int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4}


def parse_model(data: bytes) -> dict:
    file = Cursor(data)
    must(file.block(4) == b"ZMAM", "2.1: magic")
    must(file.uint(1) == 1, "1.3")
    compressor, reserved, n_body = file.uint(1), file.uint(2), file.uint(4)
    must(reserved == 0, "1.3: reserved")
    must(n_body <= 64 << 20, "1.6: decompressed model")
    body = Cursor(decompress(data[file.at :], compressor, n_body))
    digest = hashlib.sha256(body.data).digest()
    n_json = body.uint(4)
    must(n_json <= 1 << 20, "1.6: JSON")
    tree = parse_json(body.block(n_json))
    tensors = []
    for entry in member(tree, "tensors", list, "2.2"):
        must(type(entry) is list and len(entry) == 2, "2.2: tensors")
        tensors.append(read_tensor(body, *entry))
    must(body.at == len(body.data), "2.2: the body's end")
    uses = [0] * len(tensors)
    shape = member(tree, "cell_shape", list, "2.2")
    must(1 <= len(shape) <= 3, "2.2: cell_shape")
    classes = member(tree, "classes", list, "2.2")
    must(1 <= len(classes) <= 64, "2.2: classes")
    profile = member(tree, "profile", str, "2.2")
    must(profile in ("paper", "hybrid"), "2.2: profile")
    depth = optional(tree, "depth", int, 8, "2.2")
    must(depth in ((8,) if profile == "paper" else (8, 16)), "2.2: depth")
    model = {
        "profile": profile,
        "depth": depth,
        "digest": digest,
        "cell_shape": tuple(integer(n, 1, 1 << 26, "2.2: cell_shape") for n in shape),
        "classes": [parse_class(entry, tensors, uses, profile) for entry in classes],
    }
    must(len({c["name"] for c in model["classes"]}) == len(classes), "2.3: name is unique")
    for c in model["classes"]:
        if profile == "paper":
            check_autoencoder(c["networks"], prod(model["cell_shape"]))
        else:
            check_hybrid(c, model["cell_shape"])
            c["lattice"] = check_lattice(c["lattice"])
    return model


def parse_json(text: bytes) -> object:
    def unique(pairs: list) -> dict:
        must(len(dict(pairs)) == len(pairs), "1.8: a member named twice")
        return dict(pairs)

    def constant(name: str) -> None:
        raise FormatError(f"1.8: {name}")

    depth, inside, escaped = 0, False, False
    for byte in text:
        if inside:
            inside, escaped = escaped or byte != ord('"'), not escaped and byte == ord("\\")
        else:
            inside = byte == ord('"')
            depth += (byte in b"[{") - (byte in b"]}")
        must(depth <= 64, "1.6: nested arrays and objects")
    try:
        # Python refuses integers of more than 4,300 digits.
        return json.loads(
            text.decode(),
            object_pairs_hook=unique,
            parse_constant=constant,
            parse_int=lambda digits: int(digits) if len(digits) < 4300 else float(digits),
        )
    except ValueError as error:
        raise FormatError(f"1.8: {error}") from None


def decompress(packed: bytes, compressor: int, n_body: int) -> bytes:
    must(compressor in (0, 1, 2), "2.1: compressor")
    if compressor == 0:
        body, ends = packed, True
    else:
        stream = zlib.decompressobj() if compressor == 1 else lzma.LZMADecompressor(lzma.FORMAT_XZ)
        try:
            body = stream.decompress(packed, n_body + 1)
            if compressor == 2 and not stream.eof and len(body) <= n_body:
                body += stream.decompress(b"", 1)
        except (zlib.error, lzma.LZMAError, EOFError) as error:
            raise FormatError(f"2.1: {error}") from None
        ends = stream.eof and not stream.unused_data
    must(len(body) == n_body and ends, "2.1: exactly n_body bytes")
    return body


def read_tensor(body: Cursor, dtype: object, shape: object) -> tuple:
    must(type(dtype) is str and dtype in TENSOR_BYTES, "2.2: dtype")
    must(type(shape) is list and len(shape) <= 8, "2.2: shape")
    count = prod(integer(n, 0, 1 << 26, "2.2: shape") for n in shape)
    must(prod(n for n in shape if n) <= 64 << 20, "1.6")
    n = TENSOR_BYTES[dtype]
    raw = body.block(count * n)
    signed = not dtype.startswith("u")
    values = [
        int.from_bytes(raw[k : k + n], "little", signed=signed) for k in range(0, len(raw), n)
    ]
    return dtype, tuple(shape), values


def parse_class(tree: object, tensors: list, uses: list, profile: str) -> dict:
    """Section 2.3."""
    name = member(tree, "name", str, "2.3")
    must(1 <= len(name) <= 200, "2.3: name")
    must(not any(0xD800 <= ord(c) < 0xE000 for c in name), "2.3: name")

    def named(index: object) -> int:
        return integer(index, 0, len(tensors) - 1, "2.3: index of a tensor")

    def tensor(index: object, dtype: str, rank: int) -> tuple:
        k = named(index)
        uses[k] += prod(tensors[k][1]) > 65536
        must(uses[k] <= 2, "2.3: layers use a large tensor at most twice")
        must((dtype, rank) == (tensors[k][0], len(tensors[k][1])), "2.3: dtype, shape")
        return tensors[k]

    def layer(entry: object) -> dict:
        must(isinstance(entry, dict) and ("weight" in entry) != ("transpose_of" in entry), "2.3")
        turned = "transpose_of" in entry
        weight = tensor(entry["transpose_of" if turned else "weight"], "int8", 2)
        rows = rows_of(weight)
        if turned:
            rows = [list(column) for column in zip(*rows)]
        bias = tensor(entry.get("bias"), "int32", 1)[2]
        shift = tensor(entry.get("shift"), "uint8", 1)[2]
        must(len(rows) == len(bias) == len(shift) and bool(rows) and bool(rows[0]), "2.3: widths")
        must(max(shift) <= 46, "2.3: shift")
        multiplier, scaled = [1] * len(rows), "multiplier" in entry
        if scaled:
            multiplier = tensor(entry["multiplier"], "uint16", 1)[2]
            must(len(multiplier) == len(rows) and min(multiplier) >= 1, "2.3: multiplier")
        must(max(len(rows), len(rows[0])) <= 1 << 20, "1.6: width of a layer")
        ends = [entry.get("input"), entry.get("output")]
        must(all(type(end) is str for end in ends), "2.3: ranges")
        must(ends[0] in RANGES and ends[1] in OUTPUTS, "2.3: ranges")
        largest = {"int8": 128, "uint7": 127, "uint8": 255}[ends[0]]
        bounds = [
            abs(b) + largest * sum(abs(w) for w in row) for b, row in zip(bias, rows, strict=True)
        ]
        must(max(bounds) <= 2**30 - 1, "3.2")
        return {
            "rows": rows, "bias": bias, "multiplier": multiplier, "scaled": scaled,
            "shift": shift, "ends": ends, "bounds": bounds,
        }  # fmt: skip

    networks = {}
    for key, layers in member(tree, "networks", dict, "2.3").items():
        must(type(layers) is list and len(layers) <= 32, "2.3: networks")
        networks[key] = [layer(entry) for entry in layers]
    more = {key: tensors[named(k)] for key, k in member(tree, "tensors", dict, "2.3").items()}
    steps = optional(tree, "steps", list, [], "2.3")
    must(len(steps) <= 64, "2.3: steps")
    used = profile == "hybrid"
    lattice = optional(tree, "lattice", list, [], "lattice 7.3")
    must(len(lattice) in (0, 3), "lattice 7.3: three objects")
    must(all(type(plane) is dict for plane in lattice), "lattice 7.3: three objects")
    planes = [{key: tensors[named(k)] for key, k in plane.items()} for plane in lattice]
    parsed = [parse_step(step, t, tensors, layer, used=used) for t, step in enumerate(steps)]
    return {"name": name, "networks": networks, "tensors": more, "steps": parsed, "lattice": planes}


def parse_step(tree: object, t: int, tensors: list, layer: Callable, *, used: bool) -> dict:
    """Section 2.4; of steps that are not used only the types of members and layers are checked."""
    names = ("plane", "causal", "flags", "full", "components", "coverage")
    step = {name: integer(member(tree, name, int, "2.4"), 0, 1 << 63, "2.4") for name in names}
    earlier = member(tree, "earlier", list, "2.4")
    most = t - 1 if used else 1 << 63
    step["earlier"] = [integer(s, 0, most, "2.4: earlier steps") for s in earlier]
    must(len(earlier) <= 3, "2.4: earlier")
    must(not used or len(set(earlier)) == len(earlier), "2.4: different integers")
    step["follows"] = member(tree, "follows", bool, "2.4")
    must(not used or bool(earlier) or not step["follows"], "2.4: follows")
    layers = member(tree, "layers", list, "2.4")
    must(len(layers) == 3 or (len(layers) < 3 and not used), "2.4: layers")
    step["layers"] = [layer(entry) for entry in layers]
    step["latent"] = None
    if "latent" in tree:
        index = integer(tree["latent"], 0, len(tensors) - 1, "2.4: latent")
        dtype, shape, _ = tensors[index]
        must(not used or (dtype, len(shape)) == ("int8", 2), "2.4: latent")
        step["latent"] = used and {"shape": shape, "rows": rows_of(tensors[index])}
    return step


def rows_of(tensor: tuple) -> list:
    """The rows of a tensor of rank 2."""
    n_rows, n_columns = tensor[1]
    return [tensor[2][r * n_columns : (r + 1) * n_columns] for r in range(n_rows)]


def check_autoencoder(networks: dict, n_pixels: int) -> None:
    """Sections 2.3 and 3.4."""
    decoder, encoder = networks.get("decoder"), networks.get("encoder")
    must(bool(decoder), "3.4: a decoder")
    inside, outside = (len(decoder[0]["rows"][0]), "int8"), (n_pixels, "uint8")
    check_chain(decoder, inside, outside)
    check_chain(encoder or [], outside, inside)
