"""Golden vectors of values of 16 bits, of many channels, of channels first, and of masks."""

from __future__ import annotations

import hybrid_models
import models
import numpy as np
from vector import Vector, cut, discs, masked, sized
from zarrmal_codecs.silhouette.lattice import expand
from zarrmal_codecs.silhouette.silhouettes import Silhouettes


def spread(cells: np.ndarray, step: int, offset: int = 0) -> np.ndarray:
    """uint16: offset + step * cells, but 0 where they are."""
    return np.where(cells > 0, cells.astype(np.uint16) * np.uint16(step) + np.uint16(offset), 0)


def noisy(seed: int, shape: tuple[int, ...], noise: int, step: int = 200) -> np.ndarray:
    """uint16: like cells, with noise in the lowest bits."""
    cells = spread(masked(models.pixels(seed, shape)), step, 50)
    return np.where(cells > 0, cells + models.array(seed, shape, 0, noise, "uint16"), 0)


def vectors() -> list[Vector]:
    """Mode 2."""
    grey, two, deep = (hybrid_models.HYBRID[n]() for n in ("grey", "grey_latent", "deep"))
    colour, six = hybrid_models.deep_colour(), hybrid_models.six_planes()
    cells, rgb = masked(models.pixels(61, (4, 7, 5))), masked(models.pixels(62, (3, 5, 4, 3)))
    own_steps = np.stack([spread(rgb[..., k], 3 + 70 * k, 9 * k) for k in range(3)], axis=-1)
    own_steps[..., 2] += models.array(63, rgb.shape[:3], 0, 60, "uint16")
    many = masked(models.pixels(64, (3, 4, 3, 6)))
    black = noisy(65, (5, 7, 5), 3, 4)
    black[[0, 3]] = 0
    given = Silhouettes(masks=[*discs(3, 16, 13), None], resampling="triangle")
    ends = np.array([1, 65534, 0, 256, 65279, 33000], np.uint16)[:, None] + np.uint16([0, 0, 1, 0])
    return [
        Vector("cells-uint16", "profile paper, multiples of 16 above an offset",
               spread(models.pixels(60, (3, 6, 5)), 16, 1000), models.two_classes()),
        Vector("cells-channels-first", "profile paper, cells of (channel, y, x)",
               models.pixels(13, (4, 4, 4, 3)).transpose(0, 3, 1, 2).copy(), models.colour()),
        Vector("hybrid-uint16-offset", "multiples of 16 above an offset, depth 8",
               spread(cells, 16, 1000), grey),
        Vector("hybrid-uint16-257", "multiples of 257, depth 8, latents", spread(cells, 257), two),
        Vector("hybrid-uint16-big", "memory in big-endian order", spread(cells, 16).astype(">u2"),
               grey),
        Vector("hybrid-uint16-fortran", "memory in Fortran order",
               np.asfortranarray(spread(cells, 5)), deep),
        Vector("hybrid-uint16-stored", "too many levels for depth 8: fallback",
               noisy(66, (4, 7, 5), 60), grey),
        Vector("hybrid-uint16-sizes", "cells of several sizes, one of them black",
               spread(sized(67), 257), grey),
        Vector("hybrid-deep", "depth 16: noise in the lowest bits, latents",
               noisy(68, (4, 7, 5), 60), deep),
        Vector("hybrid-deep-noise", "eight raw bits",
               models.array(69, (2, 4, 4), 0, 65535, "uint16"), deep),
        Vector("hybrid-deep-whole", "256 bins, no raw bits: 1 and 65535",
               np.stack([ends, ends[::-1]]), deep),
        Vector("hybrid-deep-uint8", "uint8 items, depth 16", cells, deep),
        Vector("hybrid-deep-extremes", "only 65535", np.full((2, 4, 5), 65535, np.uint16), deep),
        Vector("hybrid-deep-ramp", "twelve bins",
               (np.arange(360) * 8 + np.arange(360) % 2 + 1).astype("u2").reshape(2, 12, 15), deep),
        Vector("hybrid-deep-other-shape", "no latents", noisy(70, (2, 3, 9), 40, 20), deep),
        Vector("hybrid-deep-sizes", "cells of several sizes, some with latents",
               spread(sized(71), 91, 5), deep),
        Vector("hybrid-deep-black", "blank cells", black, deep),
        Vector("hybrid-deep-silhouettes", "masks resampled by triangle; one cell without",
               cut(spread(models.pixels(72, (4, 7, 5)), 151), given), deep, silhouettes=given),
        Vector("hybrid-deep-silhouettes-own", "masks of the cells' own zeros, three channels",
               masked(noisy(73, (3, 6, 5, 3), 90)),
               hybrid_models.hybrid_model((4, 4, 3), hybrid_models.hybrid_class(
                   14, "cut", 3, n_coverage=3, template=2), depth=16)),
        Vector("hybrid-deep-colour", "each channel has its own reduction", own_steps, colour),
        Vector("hybrid-six-planes", "steps that see some of the others, and share networks", many,
               six),
        Vector("hybrid-channels-first", "cells of (channel, y, x)",
               many.transpose(0, 3, 1, 2).copy(), six),
        Vector("hybrid-channels-first-uint16", "six channels, each with its own reduction",
               (spread(many, 100) + np.arange(6, dtype=np.uint16)).transpose(0, 3, 1, 2).copy(),
               six),
        Vector("hybrid-channels-first-sizes", "cells of several sizes, depth 16",
               spread(sized(74, 3), 257).transpose(0, 3, 1, 2).copy(), colour),
        Vector("hybrid-channels-first-fortran", "memory in Fortran order",
               np.asfortranarray(own_steps.transpose(0, 3, 1, 2)), colour),
    ]  # fmt: skip


def mask_vectors() -> list[Vector]:
    """Mode 3."""
    smooth = np.stack(discs(12, 30, 28))
    lattice = np.stack([expand(points, 3) for points in discs(10, 11, 9)])
    lattice[3] = False
    kinds = np.zeros((16, 40, 33), bool)
    kinds[1] = True
    kinds[2, 39, 32] = kinds[3, 0, 0] = True
    kinds[4:10, :22, :20] = np.stack(discs(6, 22, 20))
    kinds[10, :17, :9] = expand(discs(1, 2, 2)[0] | True, 8)[:, :9].repeat(2, axis=0)[:17]
    kinds[11, ::2] = True
    kinds[12, 5:30, 3:20] = models.array(75, (25, 17), 0, 1, "int8") > 0
    return [
        Vector("masks-smooth", "discs, lattice of 1", smooth),
        Vector("masks-lattice", "masks on a lattice of 3, one without pixels", lattice),
        Vector("masks-kinds", "whole, empty, one pixel, stripes, noise, several sizes", kinds),
        Vector("masks-fortran", "memory in Fortran order", np.asfortranarray(smooth[:9])),
        Vector("masks-empty", "no pixels: fallback", np.zeros((6, 20, 20), bool)),
    ]
