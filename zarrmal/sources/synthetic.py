"""Synthetic red blood cells: a stand-in for stained thin blood smears that needs no download.

The mask is drawn on a coarse lattice and then resized to `size`, as after a segmentation: edge
pixels are part cell, part black, and a codec spends many of its bits on them.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .source import Source, checked_indices

MINIMUM = {"n_cells": 1, "n_slides": 1, "size": 16, "seed": 0}
BATCH_CELLS = 256  # bounds the memory of one step
POOL_CELLS, POOL_SLIDES = 4096, 64
BLOCK_CELLS = 256  # of SyntheticSource: one stream of random numbers each
N_ANGLES = 256
LATTICE_PITCH = 3  # camera pixels between neighbouring points of the segmentation's mask
# Stains between which the slides lie, RGB in grey levels: eosin, Giemsa, and a heavy Giemsa.
STAINS = np.array([[203.0, 148.0, 144.0], [172.0, 166.0, 181.0], [152.0, 130.0, 172.0]])
GLASS = np.array([214.0, 206.0, 196.0])  # light refracted at the cell's edge
CHROMATIN = np.array([112.0, 22.0, 118.0])
CYTOPLASM = np.array([124.0, 62.0, 150.0])
PIGMENT = np.array([88.0, 56.0, 40.0])

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SyntheticCells:
    """Synthetic cells with their labels and slides.

    Attributes
    ----------
    cells : numpy.ndarray
        uint8, (cell, y, x, channel) or, with one channel, (cell, y, x). Background exactly 0.
    label, slide : numpy.ndarray
        str, (cell,): ``"parasitized"`` or ``"uninfected"``; ``"slide-01"`` and so on.
    """

    cells: NDArray[np.uint8]
    label: NDArray[np.str_]
    slide: NDArray[np.str_]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slide:
    # Stain, optics and camera of the cells of one slide, in grey levels.
    stain: Floats  # RGB, exposure included
    gradient: Floats  # (y, x), from the middle to the edge of a crop
    pallor: float
    halo: float  # share of GLASS at the edge, 0..1
    noise: float  # standard deviation of the fine noise
    lattice: int  # points of the mask along a crop


def synthetic_cells(
    n_cells: int,
    *,
    n_slides: int = 12,
    size: int = 50,
    seed: int = 0,
    channels: Literal[1, 3] = 3,
) -> SyntheticCells:
    """Draw cut-out red blood cells, half of them with malaria parasites.

    Cells are dealt to the slides in turn, and the classes alternate within each slide. So class
    counts differ by at most one, and every slide has both classes if
    ``n_cells >= 2 * n_slides``.

    Parameters
    ----------
    n_cells : int
        Number of cells, >= 1.
    n_slides : int
        Number of slides, each with its own stain, exposure, noise and magnification, >= 1.
    size : int
        Height and width in pixels, >= 16.
    seed : int
        The same seed and arguments give the same cells, >= 0.
    channels : {1, 3}
        3 is RGB; 1 is the red channel of the same cells.

    Returns
    -------
    SyntheticCells

    Raises
    ------
    InputError
        If an argument is out of its range.

    Notes
    -----
    The drawing uses floats: with another NumPy or processor a few pixels may differ by one.
    """
    arguments = {"n_cells": n_cells, "n_slides": n_slides, "size": size, "seed": seed}
    for name, minimum in MINIMUM.items():
        if arguments[name] < minimum:
            raise InputError(f"{name} is {arguments[name]}; it must be at least {minimum}")
    if channels not in (1, 3):
        raise InputError(f"channels is {channels}; choose 1 (red) or 3 (RGB)")

    turn, slide_number = np.divmod(np.arange(n_cells), n_slides)
    infected = (turn + slide_number) % 2 == 0
    cells = np.empty((n_cells, size, size, 3), np.uint8)
    for number in range(min(n_slides, n_cells)):
        rng = np.random.default_rng([seed, number])
        slide = _draw_slide(rng, number)
        members = np.flatnonzero(slide_number == number)
        for start in range(0, members.size, BATCH_CELLS):
            batch = members[start : start + BATCH_CELLS]
            cells[batch] = _draw_cells(rng, slide, infected[batch], size)
    return SyntheticCells(
        cells=cells if channels == 3 else cells[..., 0].copy(),
        label=np.where(infected, "parasitized", "uninfected"),
        slide=np.array([f"slide-{number + 1:02d}" for number in range(n_slides)])[slide_number],
    )


class SyntheticSource(Source):
    """Any number of synthetic grey cells, computed when they are read: for benchmarks.

    Each cell is a rotated or mirrored one of a pool, with noise of its own; the pool is smaller for
    fewer cells. The same index gives the same cell, whichever others are read. Memory grows by one
    label per cell.

    Parameters
    ----------
    n_cells
        Number of cells, >= 1.
    size
        Height and width in pixels.
    seed
        The same seed gives the same cells.

    Raises
    ------
    InputError
        If n_cells is out of its range.
    """

    def __init__(self, n_cells: int, *, size: int = 50, seed: int = 0) -> None:
        if n_cells < 1:
            raise InputError(f"at least 1 cell is needed, not {n_cells}")
        n_pool = min(POOL_CELLS, max(n_cells, 2 * POOL_SLIDES))
        pool = synthetic_cells(n_pool, n_slides=POOL_SLIDES, size=size, seed=seed, channels=1)
        self.class_names = tuple(sorted(set(pool.label.tolist())))
        labels = np.array([self.class_names.index(name) for name in pool.label])
        # One row per class, so that a cell's label selects its pool.
        n_per_class = int(np.bincount(labels).min())
        self._pool = np.stack([pool.cells[labels == k][:n_per_class] for k in range(2)])
        self._seed = seed
        self.n_cells = n_cells
        self.cell_shape = (size, size)
        self.labels = (np.arange(n_cells) % 2).astype(np.uint8)
        self.description = f"{n_cells:,} synthetic cells"

    def read(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """See Source.read."""
        rows = checked_indices(indices, self.n_cells)
        cells = np.empty((len(rows), *self.cell_shape), np.uint8)
        blocks = rows // BLOCK_CELLS
        for block in np.unique(blocks).tolist():
            selected = np.flatnonzero(blocks == block)
            cells[selected] = self._block(block, rows[selected] - block * BLOCK_CELLS)
        return cells

    def _block(self, block: int, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The cells at some positions of a block."""
        rng = np.random.default_rng([self._seed, block])
        pool_rows = rng.integers(0, self._pool.shape[1], BLOCK_CELLS)
        turns = rng.integers(0, 8, BLOCK_CELLS)
        noise = rng.integers(-1, 2, (BLOCK_CELLS, *self.cell_shape), np.int8)[positions]
        cells = self._pool[positions % 2, pool_rows[positions]]
        for turn in range(8):
            selected = turns[positions] == turn
            turned = np.rot90(cells[selected], turn % 4, axes=(1, 2))
            cells[selected] = turned[:, ::-1] if turn >= 4 else turned
        inside = (cells > 1) & (cells < 255)  # the background stays exactly 0
        return np.where(inside, cells + noise, cells).astype(np.uint8)


def _draw_slide(rng: np.random.Generator, number: int) -> _Slide:
    share = rng.dirichlet([0.6, 0.25, 0.15])  # close to one of the stains, seldom between
    share = 0.5 * share + 0.5 * np.eye(3)[number % 3]  # no seed paints all slides alike
    return _Slide(
        stain=(share @ STAINS + rng.normal(0.0, 8.0) + rng.normal(0.0, 3.5, 3)).astype(np.float32),
        gradient=rng.normal(0.0, 2.5, 2).astype(np.float32),
        pallor=float(rng.gamma(2.5, 3.5)),
        halo=float(rng.beta(1.0, 2.0)),
        noise=float(rng.uniform(0.6, 1.9)),
        lattice=int(rng.integers(38, 49)),
    )


def _draw_cells(
    rng: np.random.Generator, slide: _Slide, infected: NDArray[np.bool_], size: int
) -> NDArray[np.uint8]:
    """Cells of one slide, uint8 (cell, y, x, 3); `infected` is (cell,)."""
    n = infected.size
    outline, box = _outlines(rng, n)
    rough = _per_cell(rng.gamma(3.0, 0.009, n)) * _fine_noise(rng, n, slide.lattice)
    mask = (_polar(outline, box, slide.lattice)[0] + rough < 1.0).astype(np.float32)
    resize = _resize_matrix(slide.lattice * LATTICE_PITCH, size)
    resize = resize.reshape(size, slide.lattice, LATTICE_PITCH).sum(axis=2)
    coverage = np.clip(resize @ mask @ resize.T, 0.0, 1.0)

    depth, y, x = _polar(outline, box, size)
    colour = slide.stain + rng.normal(0.0, 2.0, (n, 1, 1, 3)).astype(np.float32)
    image = colour + _interior_grey(rng, slide, depth, y, x)[..., None]
    halo = slide.halo * _uniform(rng, n, 0.3, 1.0)
    _blend(image, halo * np.clip((depth - 0.92) / 0.08, 0.0, 1.0), GLASS)
    rare = rng.random(n)
    late, speck = infected & (rare < 0.13), ~infected & (rare < 0.08)
    early = infected & ~late
    for selected, draw in ((early, _draw_rings), (late, _draw_late_stage), (speck, _draw_speck)):
        part = image[selected]
        draw(rng, part, y[selected], x[selected])
        image[selected] = part
    # Sensor noise covers cell and parasite alike; chroma noise is coarser (JPEG).
    image += slide.noise * _fine_noise(rng, n, size)[..., None]
    image += 0.6 * _coarse_noise(rng, 3 * n, size).reshape(n, 3, size, size).transpose(0, 2, 3, 1)
    cells: Floats = np.rint(np.clip(image, 0, 255) * coverage[..., None])
    return cells.astype(np.uint8)


def _outlines(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Radius by angle (cell, N_ANGLES), and the box around it (cell, 4): y0, y1, x0, x1."""
    angle = np.linspace(0.0, 2 * np.pi, N_ANGLES, endpoint=False)
    order = np.arange(2, 14)
    irregular = rng.gamma(1.5, 0.9, (n, 1))
    wave = irregular * rng.normal(0.0, 1.0, (2, n, order.size)) * 0.19 / order**1.8
    phase = np.outer(order, angle)
    radius = 1.0 + wave[0] @ np.cos(phase) + wave[1] @ np.sin(phase)
    # A few cells are bitten by a neighbour or drag a tail.
    height = np.where(rng.random((n, 1)) < 0.2, rng.uniform(-0.4, 0.4, (n, 1)), 0.0)
    turn = angle - rng.uniform(0.0, 2 * np.pi, (n, 1))
    bump = np.exp((np.cos(turn) - 1.0) / rng.uniform(0.12, 0.35, (n, 1)) ** 2)
    radius = np.maximum(radius + height * bump, 0.3)
    y, x = radius * np.sin(angle), radius * np.cos(angle)
    box = np.stack([y.min(1), y.max(1), x.min(1), x.max(1)], axis=1)
    return radius.astype(np.float32), box.astype(np.float32)


def _polar(outline: Floats, box: Floats, size: int) -> tuple[Floats, Floats, Floats]:
    """Depth (0 at the centre, 1 on the outline), y and x of each pixel, all (cell, y, x)."""
    y0, y1, x0, x1 = (_per_cell(side) for side in box.T)
    centre = ((np.arange(size) + 0.5) / size).astype(np.float32)
    y, x = y0 + (y1 - y0) * centre[:, None], x0 + (x1 - x0) * centre
    angle = np.arctan2(y, x) * np.float32(N_ANGLES / (2 * np.pi)) % np.float32(N_ANGLES)
    first = angle.astype(np.intp) % N_ANGLES  # the float remainder may round up to N_ANGLES
    part = angle % 1
    cell = np.arange(len(outline))[:, None, None]
    radius = outline[cell, first] * (1 - part) + outline[cell, (first + 1) % N_ANGLES] * part
    depth = np.hypot(y, x) / radius
    return depth, np.broadcast_to(y, depth.shape), np.broadcast_to(x, depth.shape)


def _interior_grey(
    rng: np.random.Generator, slide: _Slide, depth: Floats, y: Floats, x: Floats
) -> Floats:
    """Grey levels above the stain: exposure, central pallor, rim, uneven haemoglobin."""
    n, size = len(depth), depth.shape[1]
    slope = slide.gradient + rng.normal(0.0, 2.0, (n, 2))
    gradient = _per_cell(slope[:, 0]) * y + _per_cell(slope[:, 1]) * x
    off_y, off_x = _per_cell(rng.normal(0.0, 0.12, n)), _per_cell(rng.normal(0.0, 0.12, n))
    middle = np.exp(-((y - off_y) ** 2 + (x - off_x) ** 2) / _uniform(rng, n, 0.3, 0.75) ** 2)
    pallor = _per_cell(slide.pallor * rng.gamma(3.0, 1 / 3, n)) * middle
    rim = _uniform(rng, n, 0.0, 8.0) * depth**3
    uneven = _per_cell(rng.gamma(2.0, 0.6, n)) * _coarse_noise(rng, n, size)
    return _per_cell(rng.normal(2.0, 4.5, n)) + gradient + pallor - rim + uneven


def _draw_rings(rng: np.random.Generator, image: Floats, y: Floats, x: Floats) -> None:
    """One or two young parasites: an open ring with a dot of chromatin upon it."""
    n = len(image)
    for chance in (1.0, 0.25):
        present = rng.random(n) < chance
        cy, cx = _positions(rng, n)
        radius = _uniform(rng, n, 0.1, 0.24)
        squeeze = _uniform(rng, n, 0.6, 1.0)
        dy, dx = (y - cy) / squeeze, x - cx
        distance = np.hypot(dy, dx)
        turn = _uniform(rng, n, -np.pi, np.pi)
        gap = 0.6 + 0.4 * np.cos(np.arctan2(dy, dx) - turn)  # thinnest opposite the dot
        strength = present[:, None, None] * _uniform(rng, n, 0.5, 1.0)
        line = _soft_disc(np.abs(distance - radius), _uniform(rng, n, 0.03, 0.065))
        _blend(image, strength * 0.8 * gap * line, CYTOPLASM)
        _blend(image, -0.12 * strength * _soft_disc(distance, radius * 0.7), CYTOPLASM)
        dot = np.hypot(y - cy - squeeze * radius * np.sin(turn), x - cx - radius * np.cos(turn))
        _blend(image, strength * _soft_disc(dot, _uniform(rng, n, 0.06, 0.12)), CHROMATIN)


def _draw_late_stage(rng: np.random.Generator, image: Floats, y: Floats, x: Floats) -> None:
    """A grown parasite: a dark blob with chromatin and grains of pigment."""
    n, size = len(image), image.shape[1]
    cy, cx = (0.6 * position for position in _positions(rng, n))
    distance = np.hypot(y - cy, (x - cx) * _uniform(rng, n, 0.8, 1.25))
    blob = _soft_disc(distance + 0.06 * _coarse_noise(rng, n, size), _uniform(rng, n, 0.22, 0.5))
    _blend(image, blob * _uniform(rng, n, 0.3, 0.7), CYTOPLASM)
    for tint, grains in ((CHROMATIN, 4), (PIGMENT, 3)):
        for _ in range(grains):
            gy, gx = cy + _uniform(rng, n, -0.2, 0.2), cx + _uniform(rng, n, -0.2, 0.2)
            grain = _soft_disc(np.hypot(y - gy, x - gx), _uniform(rng, n, 0.03, 0.09))
            _blend(image, grain * _uniform(rng, n, 0.0, 0.8), tint)


def _draw_speck(rng: np.random.Generator, image: Floats, y: Floats, x: Floats) -> None:
    """A speck of stain or a platelet, which may mislead a classifier."""
    cy, cx = _positions(rng, len(y))
    speck = _soft_disc(np.hypot(y - cy, x - cx), _uniform(rng, len(y), 0.02, 0.05))
    _blend(image, speck * _uniform(rng, len(y), 0.2, 0.7), CHROMATIN)


def _per_cell(values: Floats) -> Floats:
    """Values (cell,), shaped to multiply (cell, y, x)."""
    return values.astype(np.float32)[:, None, None]


def _uniform(rng: np.random.Generator, n: int, low: float, high: float) -> Floats:
    return _per_cell(rng.uniform(low, high, n))


def _positions(rng: np.random.Generator, n: int) -> tuple[Floats, Floats]:
    """Positions in the cell, uniform by area."""
    radius = 0.85 * np.sqrt(_uniform(rng, n, 0.0, 1.0))
    angle = _uniform(rng, n, -np.pi, np.pi)
    return radius * np.sin(angle), radius * np.cos(angle)


def _soft_disc(distance: Floats, radius: Floats) -> Floats:
    return np.clip((radius - distance) / np.float32(0.05) + 0.5, 0.0, 1.0)


def _blend(image: Floats, alpha: Floats, tint: Floats) -> None:
    image += alpha[..., None] * (tint.astype(np.float32) - image)


def _fine_noise(rng: np.random.Generator, n: int, size: int) -> Floats:
    """White noise after a binomial 1-2-1 along y and x, of standard deviation 1."""
    noise: Floats = rng.standard_normal((n, size, size), dtype=np.float32)
    for axis in (1, 2):
        noise = np.roll(noise, 1, axis) + 2 * noise + np.roll(noise, -1, axis)
    return noise / np.float32(6)


def _coarse_noise(rng: np.random.Generator, n: int, size: int) -> Floats:
    """Noise of standard deviation about 1 whose grains are an eighth of the crop wide."""
    resize = _resize_matrix(9, size)
    return resize @ rng.standard_normal((n, 9, 9), dtype=np.float32) @ resize.T


def _resize_matrix(n_from: int, n_to: int) -> Floats:
    """Weights (n_to, n_from) of a bilinear resize; shrinking widens the triangle."""
    scale = n_from / n_to
    centre = (np.arange(n_to)[:, None] + 0.5) * scale
    distance = np.abs(np.arange(n_from) + 0.5 - centre) / max(scale, 1.0)
    weight = np.maximum(1.0 - distance, 0.0)
    weight /= weight.sum(axis=1, keepdims=True)
    return weight.astype(np.float32)
