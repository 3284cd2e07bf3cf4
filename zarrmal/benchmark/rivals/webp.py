"""WebP, lossless."""

from __future__ import annotations

import numpy as np

from .rival import Pixels, Rival


def webp() -> Rival:
    """It knows colour only: grey is repeated."""
    import imagecodecs as ic

    def encode(image: Pixels) -> bytes:
        rgb = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
        return bytes(ic.webp_encode(rgb, lossless=True, method=6, level=100, numthreads=1))

    def decode(data: bytes, shape: tuple[int, ...]) -> Pixels:
        image = np.asarray(ic.webp_decode(data))
        return image[..., :3] if len(shape) == 3 else np.ascontiguousarray(image[..., 0])

    return Rival(name="webp:lossless,method=6", encode=encode, decode=decode)
