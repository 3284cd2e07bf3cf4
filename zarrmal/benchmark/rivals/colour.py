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


def channels(rival: Rival) -> Rival:
    """Code each plane of an image by itself, as files of one channel are."""

    def encode(image: Pixels) -> bytes:
        if image.ndim == 2:
            return rival.encode(image)
        parts = [rival.encode(np.ascontiguousarray(plane)) for plane in np.moveaxis(image, 2, 0)]
        return b"".join(len(part).to_bytes(4, "little") + part for part in parts)

    def decode(data: bytes, shape: tuple[int, ...]) -> Pixels:
        if len(shape) == 2:
            return rival.decode(data, shape)
        decoded, start = [], 0
        for _ in range(shape[2]):
            stop = start + 4 + int.from_bytes(data[start : start + 4], "little")
            decoded.append(rival.decode(data[start + 4 : stop], shape[:2]))
            start = stop
        return np.stack(decoded, axis=-1)

    return _adapted(rival, "channels", encode, decode)


def shuffled(rival: Rival) -> Rival:
    """For coders of bytes: first the lower bytes of a uint16 image, then the higher ones."""

    def encode(image: Pixels) -> bytes:
        octets = np.ascontiguousarray(image, "<u2").view(np.uint8).reshape(*image.shape, 2)
        return rival.encode(np.ascontiguousarray(np.moveaxis(octets, -1, 0)))

    def decode(data: bytes, shape: tuple[int, ...]) -> Pixels:
        octets = np.moveaxis(rival.decode(data, (2, *shape)), 0, -1)
        return np.ascontiguousarray(octets).view("<u2").reshape(shape)

    return _adapted(rival, "shuffled", encode, decode)


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
