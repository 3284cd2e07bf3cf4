"""Colour images for coders of grey images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..measurement import Pixels
from .rival import Decode, Encode, Rival


def planes(rival: Rival) -> Rival:
    """Lay the planes of an image one below the other, as one grey image."""

    def encode(image: Pixels) -> bytes:
        flat = image if image.ndim == 2 else np.concatenate(np.moveaxis(image, 2, 0))
        return rival.encode(np.ascontiguousarray(flat))

    def decode(data: bytes, shape: tuple[int, ...]) -> Pixels:
        if len(shape) == 2:
            return rival.decode(data, shape)
        height, width, n_planes = shape
        flat = rival.decode(data, (n_planes * height, width))
        return np.moveaxis(flat.reshape(n_planes, height, width), 0, 2)

    return _adapted(rival, "planes", encode, decode)


def minus_green(rival: Rival) -> Rival:
    """Code green, red - green + 128 and blue - green + 128, modulo 256.

    HP1, the simplest colour transform of HP's JPEG-LS coder, which imagecodecs does not offer.
    """

    def encode(image: Pixels) -> bytes:
        if image.ndim == 2:
            return rival.encode(image)
        moved = image[..., [1, 0, 2]]
        moved[..., 1:] += np.uint8(128) - moved[..., :1]
        return rival.encode(np.ascontiguousarray(moved))

    def decode(data: bytes, shape: tuple[int, ...]) -> Pixels:
        image = rival.decode(data, shape)
        if len(shape) == 2:
            return image
        moved = np.array(image)
        moved[..., 1:] += moved[..., :1] - np.uint8(128)
        return moved[..., [1, 0, 2]]

    return _adapted(rival, "minus-green", encode, decode)


def _adapted(rival: Rival, note: str, encode: Encode, decode: Decode) -> Rival:
    name = f"{rival.name}{',' if ':' in rival.name else ':'}{note}"
    return replace(rival, name=name, encode=encode, decode=decode)
