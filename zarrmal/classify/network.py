"""A trained classifier that runs in NumPy, without torch.

The archive stores the class of each cell, so a reader never computes it. Unlike the codec's
networks this one uses floating point: the last digits of a probability may differ between
machines, and between batches.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import AccessError, InputError, MissingError
from ..sources.limits import MAX_LABELS
from .layer import Floats, Layer
from .network_file import pack, unpack
from .normalise import normalise

BLOCK_CELLS = 32
"""Cells per batch: enough for BLAS, few enough for the processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellClassifier:
    """Class probabilities of cells.

    Parameters
    ----------
    class_names
        In the order of the probabilities, 2 to 255.
    n_channels
        Channels of the cells; with 1, cells without a channel axis are taken too.
    size
        Height and width of the square that cells are resampled to.
    layers
        Convolutions, in order.
    head_weight, head_bias
        float32 (2 * out, class), (class,): applied to the mean and the maximum over y and x.
    temperature
        Divisor of the logits, > 0, that calibrates the probabilities on unseen slides.
    trained_on
        One line for readers: the cells it was trained on.

    Raises
    ------
    InputError
        If the tensors do not fit together.
    """

    class_names: tuple[str, ...]
    n_channels: int
    size: int
    layers: tuple[Layer, ...]
    head_weight: Floats
    head_bias: Floats
    temperature: float = 1.0
    trained_on: str = ""

    def __post_init__(self) -> None:
        """Check the tensors."""
        problem = _problem(self)
        if problem:
            raise InputError(f"this is no classifier that can run: {problem}")

    def predict(self, cells: NDArray[np.uint8]) -> Floats:
        """Calibrated probabilities, float32 (cell, class); each row sums to 1.

        Parameters
        ----------
        cells
            uint8 (cell, y, x) or (cell, y, x, channel); y, x >= 1.

        Raises
        ------
        InputError
            If the cells are not uint8 or have another number of channels.
        """
        return softmax(self.logits(cells) / self.temperature)

    def logits(self, cells: NDArray[np.uint8]) -> Floats:
        """Logits, float32 (cell, class), before the temperature and softmax."""
        cells = np.asarray(cells)
        if cells.dtype != np.uint8 or not self.fits(cells.shape[1:]):
            raise InputError(
                f"this classifier takes uint8 cells of {self.n_channels} channels, not "
                f"{cells.dtype} of shape {cells.shape[1:]}"
            )
        out = np.empty((len(cells), len(self.class_names)), np.float32)
        for start in range(0, len(cells), BLOCK_CELLS):
            images = normalise(cells[start : start + BLOCK_CELLS], self.size)
            for layer in self.layers:
                images = layer(images)
            pooled = np.concatenate([images.mean(axis=(1, 2)), images.max(axis=(1, 2))], axis=1)
            out[start : start + BLOCK_CELLS] = pooled @ self.head_weight + self.head_bias
        return out

    def fits(self, cell_shape: tuple[int, ...]) -> bool:
        """Whether it takes cells of this shape, (y, x) or (y, x, channel)."""
        channels = cell_shape[2] if len(cell_shape) == 3 else 1
        return len(cell_shape) in (2, 3) and channels == self.n_channels and min(cell_shape) > 0

    @property
    def digest(self) -> str:
        """SHA-256 of ``to_bytes()``, hexadecimal."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """The bytes of a classifier file; weights become float16."""
        header = {
            "class_names": list(self.class_names),
            "n_channels": self.n_channels,
            "size": self.size,
            "temperature": self.temperature,
            "trained_on": self.trained_on,
            "layers": [
                {"padding": layer.padding, "residual": layer.residual, "pool": layer.pool}
                for layer in self.layers
            ],
        }
        return pack(header, list(tensors(self)))

    @classmethod
    def from_bytes(cls, data: bytes) -> CellClassifier:
        """Parse the bytes of a file; InputError if they are damaged or no classifier."""
        header, arrays = unpack(data)
        try:
            options = list(header["layers"])
            if len(arrays) != 2 * len(options) + 2:
                raise InputError("the classifier file is damaged: it has another number of tensors")
            return cls(
                class_names=tuple(str(name) for name in header["class_names"]),
                n_channels=int(header["n_channels"]),
                size=int(header["size"]),
                layers=tuple(
                    Layer(
                        weight=arrays[2 * k],
                        bias=arrays[2 * k + 1],
                        padding=int(layer["padding"]),
                        residual=bool(layer["residual"]),
                        pool=bool(layer["pool"]),
                    )
                    for k, layer in enumerate(options)
                ),
                head_weight=arrays[-2],
                head_bias=arrays[-1],
                temperature=float(header["temperature"]),
                trained_on=str(header["trained_on"]),
            )
        except InputError:
            raise
        except (ValueError, KeyError, TypeError, OverflowError):
            raise InputError("the classifier file is damaged: its header is incomplete") from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file; an interruption leaves no partial file under its name."""
        path = Path(path)
        partial = path.with_name(path.name + ".partial")
        partial.write_bytes(self.to_bytes())
        partial.replace(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> CellClassifier:
        """Read a file.

        Raises
        ------
        MissingError, AccessError
            If there is none, or it must not be read.
        InputError
            If it is damaged.
        """
        try:
            return cls.from_bytes(Path(path).read_bytes())
        except InputError as error:
            raise InputError(f"{os.fspath(path)}: {error}") from None
        except (FileNotFoundError, IsADirectoryError):
            raise MissingError(
                f"no classifier file at {os.fspath(path)}: make one with "
                f"`zarrmal train-classifier SOURCE -o FILE`"
            ) from None
        except PermissionError as error:
            raise AccessError(
                f"{os.fspath(path)}: cannot be read: {error.strerror}: change its permissions"
            ) from None


def softmax(logits: Floats) -> Floats:
    """Probabilities, float32 (cell, class)."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Floats = (shifted / shifted.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities


def _problem(c: CellClassifier) -> str | None:
    """What does not fit, in words; None if all fits."""
    if len(c.class_names) < 2 or len(set(c.class_names)) != len(c.class_names):
        return "it needs at least two classes of different names"
    if len(c.class_names) > MAX_LABELS:
        return f"it has more than {MAX_LABELS} classes"
    if not (np.isfinite(c.temperature) and c.temperature > 0):
        return f"its temperature is {c.temperature}"
    if not c.layers or not 1 <= c.size <= 1024 or c.n_channels < 1:
        return "it has no layers, no size or no channels"
    channels, size = c.n_channels + 1, c.size
    for k, layer in enumerate(c.layers, 1):
        if layer.weight.ndim != 4 or layer.bias.shape != layer.weight.shape[3:]:
            return f"layer {k} has tensors of wrong shapes"
        height, width, n_in, n_out = layer.weight.shape
        if height != width or n_in != channels or not 0 <= layer.padding < height:
            return f"layer {k} does not fit the one before"
        size, before = size + 2 * layer.padding - height + 1, size
        if size < 1 or (layer.residual and (n_in, before) != (n_out, size)):
            return f"layer {k} does not fit the one before"
        size, channels = size // 2 if layer.pool else size, n_out
        if size < 1:
            return f"nothing is left after layer {k}"
    if c.head_weight.shape != (2 * channels, len(c.class_names)):
        return "its last layer does not fit"
    if c.head_bias.shape != (len(c.class_names),):
        return "its last layer does not fit"
    for tensor in tensors(c):
        if tensor.dtype != np.float32 or not np.isfinite(tensor).all():
            return "its tensors must be finite float32"
    return None


def tensors(classifier: CellClassifier) -> Iterator[Floats]:
    """All tensors, in the order of the file."""
    for layer in classifier.layers:
        yield layer.weight
        yield layer.bias
    yield classifier.head_weight
    yield classifier.head_bias
