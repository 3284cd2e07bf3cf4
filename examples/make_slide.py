"""Draw a small slide: a pyramidal TIFF of JPEG tiles, as scanners write them.

python examples/make_slide.py slide.svs
"""

from __future__ import annotations

import sys

import numpy as np
import tifffile

SIDE, RADIUS, PITCH = 480, 18, 48

rng = np.random.default_rng(0)
slide = np.full((SIDE, SIDE, 3), 225.0)
for y in range(PITCH, SIDE - PITCH, PITCH):
    for x in range(PITCH, SIDE - PITCH, PITCH):
        part = slide[y - PITCH // 2 : y + PITCH // 2, x - PITCH // 2 : x + PITCH // 2]
        rows, columns = np.ogrid[:PITCH, :PITCH]
        rows = rows - PITCH / 2 - rng.uniform(-4, 4)
        columns = columns - PITCH / 2 - rng.uniform(-4, 4)
        distance = np.hypot(rows, columns)
        inside = np.clip((RADIUS * rng.uniform(0.9, 1.1) - distance) / 2, 0, 1)
        pale = 1 - 0.5 * np.exp(-((distance / (0.5 * RADIUS)) ** 2))
        part -= (inside * pale)[..., np.newaxis] * [35, 90, 45]
        if rng.random() < 0.2:  # a parasite
            spot = np.exp(-((np.hypot(rows, columns - 8) / 4) ** 2))
            part -= spot[..., np.newaxis] * [60, 40, 10]
slide *= np.linspace(1, 0.8, SIDE)[:, np.newaxis]  # uneven light
slide += rng.normal(0, 1.5, slide.shape)
pixels = np.clip(np.rint(slide), 0, 255).astype(np.uint8)

options = {"tile": (128, 128), "compression": "jpeg", "photometric": "rgb"}
with tifffile.TiffWriter(sys.argv[1]) as file:
    file.write(pixels, subifds=1, **options)
    file.write(pixels[::4, ::4], subfiletype=1, **options)
