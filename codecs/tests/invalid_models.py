"""Hostile model files, made by hand from FORMAT 2."""

from __future__ import annotations

import json
import lzma
import struct
import zlib
from collections.abc import Callable
from typing import Any

import models


def model_file(body: bytes, *, compressor: int = 0, n_body: int | None = None) -> bytes:
    """FORMAT 2.1."""
    packed = {1: zlib.compress, 2: lzma.compress}.get(compressor, bytes)(body)
    n_body = len(body) if n_body is None else n_body
    return struct.pack("<4sBBHI", b"ZMAM", 1, compressor, 0, n_body) + packed


def body_of(text: bytes, tensors: bytes = b"") -> bytes:
    """FORMAT 2.2."""
    return struct.pack("<I", len(text)) + text + tensors


def tree_and_tensors() -> tuple[dict[str, Any], bytes]:
    """A small valid model: cell (1, 2), one latent; encoder with its own weight."""
    layer = {"bias": 1, "multiplier": 2, "shift": 6, "input": "int8", "output": "uint8"}
    back = {"bias": 4, "multiplier": 5, "shift": 7, "input": "uint8", "output": "int8"}
    networks = {"decoder": [layer | {"weight": 0}], "encoder": [back | {"weight": 3}]}
    tree = {
        "profile": "paper",
        "cell_shape": [1, 2],
        "classes": [{"name": "a", "networks": networks, "tensors": {}}],
        "tensors": [
            ["int8", [2, 1]], ["int32", [2]], ["uint16", [2]],
            ["int8", [1, 2]], ["int32", [1]], ["uint16", [1]],
            ["uint8", [2]], ["uint8", [1]],
        ],
        "about": {},
    }  # fmt: skip
    tensors = struct.pack("<2b2i2H2biH2BB", 1, -1, 100, 100, 1, 1, 1, 1, 0, 1, 0, 0, 0)
    return tree, tensors


def changed(
    change: Callable[[dict[str, Any]], object],
    tensors: bytes | None = None,
    more: bytes = b"",
    compressor: int = 0,
) -> bytes:
    """The valid model with a change in its JSON."""
    tree, good = tree_and_tensors()
    change(tree)
    data = good if tensors is None else tensors
    return model_file(body_of(json.dumps(tree).encode(), data + more), compressor=compressor)


def put(*path: object) -> Callable[[dict[str, Any]], None]:
    """Sets the member at path[:-1] to path[-1]."""
    *steps, key, value = path

    def change(tree: Any) -> None:
        for step in steps:
            tree = tree[step]
        tree[key] = value

    return change


def drop(*path: object) -> Callable[[dict[str, Any]], None]:
    """Deletes the member at path."""
    *steps, key = path

    def change(tree: Any) -> None:
        for step in steps:
            tree = tree[step]
        del tree[key]

    return change


def wide() -> bytes:
    """A decoder of 2**20 + 1 latents, in a file of a few kilobytes."""
    tree, tensors = tree_and_tensors()
    tree["tensors"].append(["int8", [2, (1 << 20) + 1]])
    tree["classes"][0]["networks"]["decoder"][0]["weight"] = len(tree["tensors"]) - 1
    body = body_of(json.dumps(tree).encode(), tensors + bytes(2 * ((1 << 20) + 1)))
    return model_file(body, compressor=2)


def large_thrice() -> bytes:
    """A weight of 2**16 + 1 items in three layers."""
    tree, tensors = tree_and_tensors()
    tree["tensors"].append(["int8", [1, (1 << 16) + 1]])
    layer = {"weight": 8, "bias": 4, "shift": 7, "input": "int8", "output": "int8"}
    tree["classes"][0]["networks"]["x"] = [layer] * 3
    body = body_of(json.dumps(tree).encode(), tensors + bytes((1 << 16) + 1))
    return model_file(body, compressor=2)


def cases() -> dict[str, tuple[bytes, str, str]]:
    """Name -> bytes, class of the error, part of its message."""
    good = changed(lambda tree: None)
    tree, tensors = tree_and_tensors()
    text = json.dumps(tree)
    decoder = ("classes", 0, "networks", "decoder")
    layer = (*decoder, 0)
    one, back = (tree["classes"][0]["networks"][name][0] for name in ("decoder", "encoder"))

    def uneven(tree: dict[str, Any]) -> None:
        tree["cell_shape"] = [1, 1]
        second = back | {"input": "int8", "output": "uint8"}
        tree["classes"][0]["networks"] = {"decoder": [one, second]}

    zeros = bytes(1 << 20)
    corrupt, wrong = "CorruptionError", "ModelError"
    packed = model_file(body_of(text.encode(), tensors), compressor=1)
    packed_xz = model_file(body_of(text.encode(), tensors), compressor=2)
    out = {
        "empty": (b"", "TruncatedError", "model"),
        "magic": (b"ZMAC" + good[4:], corrupt, "not a zarrmal model"),
        "version-2": (good[:4] + b"\2" + good[5:], "CompatibilityError", "version 2"),
        "version-0": (good[:4] + b"\0" + good[5:], corrupt, "damaged"),
        "compressor-3": (good[:5] + b"\3" + good[6:], "CompatibilityError", "compressor 3"),
        "reserved": (good[:6] + b"\1" + good[7:], corrupt, "damaged"),
        "truncated": (good[:-1], "TruncatedError", "ends after"),
        "truncated-header": (good[:11], "TruncatedError", "needed"),
        "trailing": (good + b"\0", corrupt, "more than"),
        "n-body-huge": (good[:8] + b"\xff" * 4 + good[12:], corrupt, "at most"),
        "zlib-garbage": (packed[:12] + b"x" * 20, corrupt, "damaged"),
        "zlib-truncated": (packed[:-1], "TruncatedError", "ends after"),
        "zlib-trailing": (packed + b"\0", corrupt, "more than"),
        "zlib-bomb": (model_file(zeros, compressor=1, n_body=100), corrupt, "more than"),
        "xz-garbage": (packed_xz[:12] + b"x" * 20, corrupt, "damaged"),
        "xz-truncated": (packed_xz[:-1], "TruncatedError", "ends after"),
        "xz-trailing": (packed_xz + b"\0", corrupt, "more than"),
        "xz-bomb": (model_file(zeros, compressor=2, n_body=100), corrupt, "more than"),
        "xz-dictionary": (
            model_file(b"")[:5] + b"\2\0\0" + struct.pack("<I", 4) + lzma.compress(
                b"abcd", filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 29}]),
            corrupt, "damaged"),
        "body-too-small": (model_file(b"ab"), "TruncatedError", "needed"),
        "json-longer-than-body": (
            model_file(struct.pack("<I", 1000) + b"{}"), "TruncatedError", "needed"),
        "json-huge": (model_file(struct.pack("<I", 1 << 30) + b"{}"), corrupt, "JSON"),
        "json-not": (model_file(body_of(b"profile: paper")), corrupt, "JSON"),
        "json-not-utf-8": (model_file(body_of(b'{"a": "\xff"}')), corrupt, "JSON"),
        "json-deep-65": (
            changed(put("about", json.loads("[" * 64 + "]" * 64))), corrupt, "more than 64"),
        "json-deep": (model_file(body_of(b"[" * 200_000), compressor=1), "CorruptionError", "JSON"),
        "json-deep-about": (
            model_file(body_of(b'{"about":' * 90_000), compressor=1), corrupt, "JSON"),
        "json-long-integer": (model_file(body_of(b"1" * 5000), compressor=1), corrupt, "JSON"),
        "json-nan": (changed(put("about", float("nan"))), corrupt, "NaN"),
        "json-infinity": (changed(put("cell_shape", 0, float("inf"))), corrupt, "Infinity"),
        "json-twice": (
            model_file(body_of(text.replace("{", '{"profile":"x",', 1).encode(), tensors)),
            corrupt, "twice"),
        "tensors-trailing": (changed(lambda tree: None, more=b"\0"), corrupt, "follow"),
        "tensors-short": (changed(lambda tree: None, tensors[:-1]), "TruncatedError", "needed"),
        "dtype-float32": (
            changed(put("tensors", 0, 0, "float32")), "CompatibilityError", "float32"),
        "dtype-object": (changed(put("tensors", 0, 0, "O")), "CompatibilityError", "'O'"),
        "dtype-null": (changed(put("tensors", 0, 0, None)), "CompatibilityError", "None"),
        "dtype-list": (changed(put("tensors", 0, 0, ["int8"])), "CompatibilityError", "int8"),
        "tensor-of-three": (changed(put("tensors", 0, ["int8", [2], 1])), corrupt, "wrong"),
        "tensor-huge": (changed(put("tensors", 0, 1, [1 << 26] * 8)), corrupt, "shape"),
        "tensor-huge-hidden": (
            changed(put("tensors", 0, 1, [0, *[1 << 26] * 7])), corrupt, "shape"),
        "tensor-rank-9": (changed(put("tensors", 0, 1, [1] * 9)), corrupt, "rank 9"),
        "tensor-index": (changed(put(*layer, "bias", 8)), corrupt, "tensor 8"),
        "tensor-index-negative": (changed(put(*layer, "bias", -1)), corrupt, "tensor -1"),
        "tensor-index-true": (changed(put(*layer, "bias", True)), corrupt, "tensor True"),
        "tensor-index-huge": (changed(put(*layer, "bias", 10**30)), corrupt, "tensor"),
        "tensor-thrice": (large_thrice(), corrupt, "more than 2"),
        "weight-and-transpose": (changed(put(*layer, "transpose_of", 0)), corrupt, "either"),
        "weight-missing": (changed(drop(*layer, "weight")), corrupt, "either"),
        "weight-of-bias": (changed(put(*layer, "weight", 1)), wrong, "weight"),
        "bias-of-weight": (changed(put(*layer, "bias", 0)), wrong, "bias"),
        "multiplier-of-bias": (changed(put(*layer, "multiplier", 1)), wrong, "multiplier"),
        "multiplier-0": (changed(lambda tree: None, tensors[:10] + b"\0\0" + tensors[12:]),
                         wrong, "multiplier"),
        "bound": (changed(lambda tree: None, tensors[:2] + struct.pack("<i", 2**30 - 128)
                          + tensors[6:]), wrong, "1073741824"),
        "bound-negative": (changed(lambda tree: None, tensors[:2] + struct.pack("<i", -(2**31))
                                   + tensors[6:]), wrong, "at most"),
        "widths": (changed(put(*decoder, [one | {"output": "int8"}, one])), wrong, "inputs"),
        "ranges-between": (changed(uneven), wrong, "2 uint8 outputs"),
        "decoder-missing": (changed(drop(*decoder)), wrong, "decoder"),
        "decoder-empty": (changed(put(*decoder, [])), wrong, "decoder"),
        "decoder-takes-uint8": (changed(put(*layer, "input", "uint8")), wrong, "decoder"),
        "decoder-gives-int8": (changed(put(*layer, "output", "int8")), wrong, "decoder"),
        "encoder-takes-int8": (
            changed(put("classes", 0, "networks", "encoder", 0, "input", "int8")),
            wrong, "encoder"),
        "cell-too-large": (changed(put("cell_shape", [1, 3])), wrong, "3 uint8"),
        "cell-rank-4": (changed(put("cell_shape", [1, 1, 1, 2])), wrong, "cell"),
        "cell-rank-0": (changed(put("cell_shape", [])), wrong, "cell"),
        "cell-0": (changed(put("cell_shape", [0, 2])), wrong, "cell"),
        "classes-none": (changed(put("classes", [])), wrong, "classes"),
        "classes-65": (
            changed(put("classes", [{"name": str(k), "networks": {}, "tensors": {}}
                                    for k in range(65)])), wrong, "65"),
        "classes-same-name": (
            changed(put("classes", [{"name": "a", "networks": {}, "tensors": {}}] * 2)),
            wrong, "differ"),
        "name-empty": (changed(put("classes", 0, "name", "")), wrong, "characters"),
        "name-201": (changed(put("classes", 0, "name", "x" * 201)), wrong, "characters"),
        "name-surrogate": (changed(put("classes", 0, "name", "\ud800")), wrong, "Unicode"),
        "names-long": (
            changed(put("classes", [{"name": "é" * 200, "networks": {}, "tensors": {}}] * 64),
                    compressor=2), wrong, "differ"),
        "cell-rank-huge": (
            changed(put("cell_shape", [1] * 50_000), compressor=2), wrong, "cell"),
        "layers-33": (changed(put(*decoder, [one] * 33)), corrupt, "33 layers"),
        "layer-wide": (wide(), wrong, "at most 1048576"),
        "depth-16-of-paper": (changed(put("depth", 16)), wrong, "codes values of 8 bits"),
        "steps-null-of-paper": (changed(put("classes", 0, "steps", None)), corrupt, "steps"),
        "steps-object-of-paper": (changed(put("classes", 0, "steps", {})), corrupt, "steps"),
        "step-of-paper": (changed(put("classes", 0, "steps", [{}])), corrupt, "plane"),
        "profile-unknown": (changed(put("profile", "rans")), "CompatibilityError", "rans"),
        "model-of-tests": (models.one_layer().to_bytes()[:-30], "TruncatedError", "ends after"),
    }  # fmt: skip
    for name, value in {"true": True, "float": 1.0, "null": None, "text": "1", "huge": 10**30,
                        "negative": -1, "beyond": 8}.items():  # fmt: skip
        out[f"shift-{name}"] = changed(put(*layer, "shift", value)), corrupt, "tensor"
    for name, value in {"of-bias": 1, "of-weight": 0, "short": 7}.items():
        out[f"shift-{name}"] = changed(put(*layer, "shift", value)), wrong, "shift"
    out["shift-47"] = changed(lambda tree: None, tensors[:-3] + b"\0\x2f\0"), wrong, "0..46"
    out["input-int32"] = changed(put(*layer, "input", "int32")), wrong, "inputs must be among"
    for key in ("input", "output"):
        for name, value in {"int16": "int16", "null": None, "list": [1]}.items():
            error = wrong if name == "int16" else corrupt
            out[f"{key}-{name}"] = changed(put(*layer, key, value)), error, ""
    for name, value in {"true": True, "float": 2.0, "null": None, "text": "2", "huge": 10**30,
                        "negative": -1, "list": [2]}.items():  # fmt: skip
        out[f"size-{name}"] = changed(put("tensors", 0, 1, 0, value)), corrupt, "size"
        out[f"cell-{name}"] = changed(put("cell_shape", 1, value)), corrupt, "size"
    for path in (("profile",), ("cell_shape",), ("classes",), ("tensors",),
                 ("classes", 0, "name"), ("classes", 0, "networks"), ("classes", 0, "tensors"),
                 decoder, layer, (*layer, "bias")):  # fmt: skip
        name = f"{len(path)}-{path[-1]}"
        if path not in (decoder, layer):
            out[f"missing-{name}"] = changed(drop(*path)), corrupt, ""
        for kind, value in {"null": None, "true": True, "float": 1.5, "text": "ab"}.items():
            if (path[-1], kind) not in {("name", "text"), ("profile", "text")}:
                out[f"{kind}-{name}"] = changed(put(*path, value)), corrupt, ""
    for kind, value in {"list": [], "null": None, "number": 3, "text": "x"}.items():
        out[f"json-{kind}"] = model_file(body_of(json.dumps(value).encode())), corrupt, ""
    return out
