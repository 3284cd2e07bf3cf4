"""Model and ClassModel: integer tensors <-> bytes, named by their digest (FORMAT 2)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import lzma
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..constants import (
    DEPTHS,
    FORMAT_VERSION,
    MAX_CLASSES,
    MAX_MODEL_BODY_BYTES,
    MAX_MODEL_JSON_BYTES,
    MAX_TENSOR_RANK,
    MODEL_COMPRESSOR_NONE,
    MODEL_COMPRESSOR_XZ,
    MODEL_COMPRESSOR_ZLIB,
    MODEL_MAGIC,
    TENSOR_DTYPES,
)
from ..errors import CompatibilityError, CorruptionError, ModelError, TruncatedError
from ..wire import Reader, Writer
from .class_model import ClassModel, class_from_json, class_to_json
from .strict_json import expect_depth, parse_json, shown, size_from_json, text_from_json

XZ_FILTER = {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 20}
XZ_FILTERS = [XZ_FILTER | {"lc": 0, "lp": 1, "pb": 1}]
"""Of numbers of one and two bytes: 2 % shorter than with contexts that suit text."""
XZ_MEMORY_LIMIT_BYTES = (1 << 26) + (1 << 21)  # a dictionary of 64 MiB, and 2 MiB for the rest


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Model:
    """What codes cells as bytes: one ClassModel per class.

    Parameters
    ----------
    profile
        How streams are coded: "paper" or "hybrid".
    cell_shape
        Shape of one cell, (y, x) or (y, x, channel), each >= 1.
    classes
        1 to 64, with different names.
    depth
        Bits of the values that the networks see: 8 or 16. Those of uint16 cells are reduced to them
        (FORMAT 4.3.1).
    about
        Free JSON object: how the model was trained. Readers ignore it.

    Raises
    ------
    ModelError
        If a number of classes, a name, the cell shape or the depth is out of bounds.
    """

    profile: str
    cell_shape: tuple[int, ...]
    classes: tuple[ClassModel, ...]
    depth: int = 8
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 1 <= len(self.classes) <= MAX_CLASSES:
            raise ModelError(f"a model must have 1..{MAX_CLASSES} classes, not {len(self.classes)}")
        if len(set(self.class_names)) != len(self.classes):
            raise ModelError(f"class names must differ: {self.class_names}")
        if not 1 <= len(self.cell_shape) <= 3 or min(self.cell_shape) < 1:
            raise ModelError(
                f"a cell must be (y, x) or (y, x, channel), each >= 1, not {self.cell_shape}"
            )
        if self.depth not in DEPTHS:
            raise ModelError(f"a model's depth must be 8 or 16, not {self.depth}")

    def __repr__(self) -> str:
        sizes = "; ".join(": ".join(filter(None, (c.name, c.describe()))) for c in self.classes)
        cell = "x".join(map(str, self.cell_shape))
        return (
            f"<Model {self.profile} {cell} | {sizes} | {self.n_bytes:,} bytes, "
            f"sha256 {self.digest[:12]}>"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[Any, ...]:
        return Model.from_bytes, (self.to_bytes(),)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their indices."""
        return tuple(c.name for c in self.classes)

    @property
    def n_pixels(self) -> int:
        """Pixel values of one cell, channels included."""
        return prod(self.cell_shape)

    @property
    def n_bytes(self) -> int:
        """Size of the model's bytes."""
        return len(self.to_bytes())

    # Both values below are computed once, without functools.cached_property: in Python 3.11 that
    # holds a lock, which a forked child inherits locked where another thread was computing.

    @property
    def digest(self) -> str:
        """Lower-case hexadecimal sha256 of the model's body: its name (FORMAT 2.1)."""
        digest: str | None = self.__dict__.get("_digest")
        if digest is None:
            digest = self.__dict__["_digest"] = hashlib.sha256(_body(self)).hexdigest()
        return digest

    def to_bytes(self) -> bytes:
        """The model layout of FORMAT 2; ``Model.from_bytes(m.to_bytes())`` equals ``m``."""
        data: bytes | None = self.__dict__.get("_bytes")
        if data is None:
            data = self.__dict__["_bytes"] = _file(_body(self))
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Parse a model and prove that its arithmetic is exact.

        Raises
        ------
        CompatibilityError
            Newer format version, unknown compressor or unknown tensor dtype.
        CorruptionError, TruncatedError
            Not a model, or a damaged one.
        ModelError
            A well-formed model whose arithmetic cannot be proven exact.
        """
        return cls._from_body(_read_body(data), data)

    @classmethod
    def _from_body(cls, body: bytes, data: bytes) -> Self:
        """The model of a body, and the file that holds it."""
        model = cls(**_parse(body))
        # Kept as it came: another xz might compress the body to other bytes.
        model.__dict__["_bytes"] = bytes(data)
        model.__dict__["_digest"] = hashlib.sha256(body).hexdigest()
        return model

    def to_base64(self) -> str:
        """The model's bytes as a codec configuration holds them (FORMAT 5)."""
        return base64.b64encode(self.to_bytes()).decode("ascii")

    @classmethod
    def from_base64(cls, text: str, sha256: str) -> Self:
        """Parse the model of a codec configuration (FORMAT 5).

        Raises
        ------
        ModelError
            If there is none, or its sha256 is not the one that the configuration states.
        CorruptionError, CompatibilityError
            If the text is not base64, or not a model; see from_bytes.
        """
        if not text:
            raise ModelError(
                "the codec's configuration holds no model: nothing can be decoded with it"
            )
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise CorruptionError(f"the codec's model is not base64: {error}") from None
        body = _read_body(data)
        digest = hashlib.sha256(body).hexdigest()
        if digest != sha256:
            raise ModelError(
                f"the model in the codec's configuration has sha256 {digest[:16]}…, the "
                f"configuration states {sha256[:16]}…: one of them was changed"
            )
        return cls._from_body(body, data)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a model file."""
        return cls.from_bytes(Path(path).read_bytes())

    def save(self, path: str | Path) -> None:
        """Write a model file. An existing file is replaced atomically."""
        path = Path(path)
        partial = path.with_name(path.name + ".partial")
        partial.write_bytes(self.to_bytes())
        partial.replace(path)


def _body(model: Model) -> bytes:
    """JSON and tensors (FORMAT 2.2)."""
    tensors: list[NDArray[Any]] = []
    shared: dict[tuple[Any, ...], int] = {}
    tree = {
        "profile": model.profile,
        "cell_shape": list(model.cell_shape),
        "depth": model.depth,
        "classes": [class_to_json(c, tensors, shared) for c in model.classes],
        "tensors": [],
        "about": dict(model.about),
    }
    tree["tensors"] = [[t.dtype.name, list(t.shape)] for t in tensors]
    text = json.dumps(tree, separators=(",", ":"), ensure_ascii=False).encode()
    body = Writer()
    body.uint(len(text), 4)
    body.block(text)
    for tensor in tensors:
        body.block(np.ascontiguousarray(tensor, tensor.dtype.newbyteorder("<")).tobytes())
    raw = body.getvalue()
    if len(raw) > MAX_MODEL_BODY_BYTES or len(text) > MAX_MODEL_JSON_BYTES:
        raise ModelError(
            f"a model may have {MAX_MODEL_BODY_BYTES} bytes, {MAX_MODEL_JSON_BYTES} of them JSON; "
            f"this one has {len(raw)} and {len(text)}: use smaller layers"
        )
    try:
        expect_depth(text)
    except CorruptionError as error:
        raise ModelError(f"the model's `about` cannot be stored: {error}") from None
    return raw


def _file(raw: bytes) -> bytes:
    """The model file with this body (FORMAT 2.1)."""
    compressor, packed = min(
        (
            (MODEL_COMPRESSOR_NONE, raw),
            (MODEL_COMPRESSOR_ZLIB, zlib.compress(raw, 9)),
            (MODEL_COMPRESSOR_XZ, lzma.compress(raw, check=lzma.CHECK_CRC32, filters=XZ_FILTERS)),
        ),
        key=lambda pair: len(pair[1]),
    )
    out = Writer()
    out.block(MODEL_MAGIC)
    out.uint(FORMAT_VERSION, 1)
    out.uint(compressor, 1)
    out.uint(0, 2)
    out.uint(len(raw), 4)
    out.block(packed)
    return out.getvalue()


def _read_body(data: bytes) -> bytes:
    """The body of a model file, decompressed."""
    reader = Reader(memoryview(data), "the model")
    if bytes(reader.block(4)) != MODEL_MAGIC:
        raise CorruptionError(
            f"not a zarrmal model: it starts with {bytes(data[:4])!r}, not {MODEL_MAGIC!r}"
        )
    version = reader.uint(1)
    if version > FORMAT_VERSION:
        raise CompatibilityError(
            f"the model has format version {version}, this software reads "
            f"up to {FORMAT_VERSION}: upgrade zarrmal-codecs"
        )
    compressor, reserved = reader.uint(1), reader.uint(2)
    if version == 0 or reserved:
        raise CorruptionError(
            f"the model's header is damaged: format version {version}, reserved bytes {reserved}"
        )
    n_body = reader.uint(4)
    return _decompress(data[reader.position :], compressor, n_body)


def _parse(body: bytes) -> dict[str, Any]:
    """Members of the model that a body holds."""
    reader = Reader(memoryview(body), "the model's body")
    n_text = reader.uint(4)
    if n_text > MAX_MODEL_JSON_BYTES:
        raise CorruptionError(
            f"the model declares {n_text} bytes of JSON, at most {MAX_MODEL_JSON_BYTES} are allowed"
        )
    tree = parse_json(bytes(reader.block(n_text)))
    try:
        tensors = [_read_tensor(reader, *entry) for entry in tree["tensors"]]
        reader.finish()
        uses: Counter[int] = Counter()
        about = tree.get("about")
        return {
            "profile": text_from_json(tree["profile"], "profile"),
            "cell_shape": tuple(size_from_json(n) for n in tree["cell_shape"]),
            "depth": size_from_json(tree.get("depth", 8)),
            "classes": tuple(class_from_json(c, tensors, uses) for c in tree["classes"]),
            "about": about if isinstance(about, dict) else {},
        }
    except (KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise CorruptionError(
            f"a member of the model's JSON is missing or wrong: {error!r}"
        ) from None


def _read_tensor(reader: Reader, dtype: Any, shape: Any) -> NDArray[Any]:
    if dtype not in TENSOR_DTYPES:
        raise CompatibilityError(
            f"the model holds a tensor of {shown(dtype)}, this software knows "
            f"{', '.join(TENSOR_DTYPES)}"
        )
    sizes = tuple(size_from_json(n) for n in shape)
    if len(sizes) > MAX_TENSOR_RANK:
        raise CorruptionError(
            f"the model holds a tensor of rank {len(sizes)}, at most {MAX_TENSOR_RANK} is allowed"
        )
    if prod(n for n in sizes if n) > MAX_MODEL_BODY_BYTES:  # (0, huge, huge) takes no bytes
        raise CorruptionError(
            f"the model holds a tensor of shape {sizes}, larger than {MAX_MODEL_BODY_BYTES}"
        )
    kind = np.dtype(dtype)
    raw = np.frombuffer(reader.block(prod(sizes) * kind.itemsize), kind.newbyteorder("<"))
    return raw.astype(kind, copy=False).reshape(sizes)


def _decompress(packed: bytes, compressor: int, n_body: int) -> bytes:
    if n_body > MAX_MODEL_BODY_BYTES:
        raise CorruptionError(
            f"the model declares {n_body} bytes, at most {MAX_MODEL_BODY_BYTES} are allowed"
        )
    try:
        if compressor == MODEL_COMPRESSOR_NONE:
            body, complete, trailing = packed, True, b""
        elif compressor == MODEL_COMPRESSOR_ZLIB:
            inflate = zlib.decompressobj()
            # One byte more than declared, to notice a longer stream.
            body = inflate.decompress(packed, n_body + 1)
            complete, trailing = inflate.eof, inflate.unused_data
        elif compressor == MODEL_COMPRESSOR_XZ:
            unxz = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY_LIMIT_BYTES)
            body = unxz.decompress(packed, n_body + 1)
            if len(body) == n_body and not unxz.eof and not unxz.needs_input:
                body += unxz.decompress(b"", 1)  # makes it read its footer
            complete, trailing = unxz.eof, unxz.unused_data
        else:
            raise CompatibilityError(
                f"the model uses compressor {compressor}, unknown to this "
                f"software: upgrade zarrmal-codecs"
            )
    except (zlib.error, lzma.LZMAError, EOFError) as error:
        raise CorruptionError(f"the model is damaged: {error}") from None
    if len(body) > n_body or trailing:
        raise CorruptionError(
            f"the model has more than the {n_body} bytes that it declares, or bytes after them"
        )
    if len(body) < n_body or not complete:
        raise TruncatedError(f"the model ends after {len(body)} of {n_body} bytes")
    return body
