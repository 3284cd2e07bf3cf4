"""Pixels of cells ↔ streams: coefficients, what they leave open, and corrections.

A cell's stream holds, in this order (FORMAT-lattice 3): blocks that are not coded though they have
enough visible pixels; coefficients; pixels of blocks that are not coded; corrections.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..constants import CHECK_INITIAL
from .blocks.spatial import Canvas
from .cells import Layout
from .engine import Engine
from .frame import Flags, Frame
from .jpeg.colour import rgb
from .jpeg.picture import Camera, planes_of
from .symbols.rims import read_rims
from .symbols.streams import Streams, number_symbols
from .whole import Read, read_whole

Ints = NDArray[np.int64]


def mixed(camera: Camera, planes: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Pixels uint8 (y, x, channel) of planes (y, x)."""
    return rgb(*planes) if camera.colour == "ycbcr" else np.stack(planes, axis=-1)


def unmixed(camera: Camera, pixels: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Planes whose mixture is ``pixels`` (..., channel), or nearly so where none is."""
    if camera.colour != "ycbcr":
        return [np.ascontiguousarray(pixels[..., k]) for k in range(pixels.shape[-1])]
    red, green, blue = (pixels[..., k].astype(np.float64) for k in range(3))
    luma = np.floor(0.299 * red + 0.587 * green + 0.114 * blue + 0.5)
    best = np.full(pixels.shape[:-1], 1 << 20, np.int64)
    planes = np.zeros((3, *pixels.shape[:-1]), np.uint8)
    for y in (0, -1, 1):
        cb = np.floor(128.5 + (blue - luma - y) / 1.772)
        cr = np.floor(128.5 + (red - luma - y) / 1.402)
        for b in (0, -1, 1):
            for r in (0, -1, 1):
                tried = np.clip(np.stack([luma + y, cb + b, cr + r]), 0, 255).astype(np.uint8)
                wrong = np.abs(rgb(*tried).astype(np.int64) - pixels).sum(axis=-1)
                better = wrong < best
                best = np.where(better, wrong, best)
                planes = np.where(better, tried, planes)
    return list(planes)


def check_of_pixels(pixels: NDArray[np.uint8]) -> int:
    """CRC-16 of a cell's pixels, channels last."""
    return crc_hqx(np.ascontiguousarray(pixels).tobytes(), CHECK_INITIAL)


def encode(
    engine: Engine,
    frames: Sequence[Frame],
    pixels: Sequence[NDArray[np.uint8]],
    coefficients: Sequence[Sequence[NDArray[np.int16]]],
    coded: Sequence[Sequence[Flags]],
) -> list[bytes]:
    """One stream a cell.

    Parameters
    ----------
    engine
        The model, ready.
    frames
        What the decoder knows of each cell; all of the same number of planes.
    pixels
        uint8 (y, x, channel), 0 where not visible. The stream gives exactly these, whatever the
        coefficients are.
    coefficients
        Of each plane int16 (row, column, 8, 8).
    coded
        For which blocks there are coefficients, bool (row, column). Those of blocks with too few
        visible pixels are not used.
    """
    pairs = symbols_of(engine, frames, pixels, coefficients, coded)
    return engine.streams(pairs, [check_of_pixels(cell) for cell in pixels])


def symbols_of(
    engine: Engine,
    frames: Sequence[Frame],
    pixels: Sequence[NDArray[np.uint8]],
    coefficients: Sequence[Sequence[NDArray[np.int16]]],
    coded: Sequence[Sequence[Flags]],
) -> list[Ints]:
    """Start and frequency of each symbol of each cell, int64 (symbol, 2); see ``encode``."""
    before, layouts, kept = [], [], []
    for frame, blocks, flags in zip(frames, coefficients, coded, strict=True):
        shares = frame.shares()
        own, symbols = [], []
        for wanted, given in zip(frame.candidates(shares), flags, strict=True):
            own.append(wanted & given)
            symbols += _set_symbols(np.flatnonzero((wanted & ~given).reshape(-1)))
        before.append(_pairs(symbols))
        layouts.append(frame.layout(own, shares))
        kept.append([np.where(f[:, :, None, None], b, 0).astype(np.int16)
                     for f, b in zip(own, blocks, strict=True)])  # fmt: skip
    measured = engine.measure(layouts, kept)
    told = [_told_planes(*args) for args in zip(frames, layouts, kept, strict=True)]
    planes = [
        _with_rims(frame, cell, *both)
        for frame, cell, both in zip(frames, pixels, told, strict=True)
    ]
    spatial = _spatial_symbols(engine, frames, layouts, planes, [maps for _, maps in told])
    pairs = []
    for i, (frame, cell) in enumerate(zip(frames, pixels, strict=True)):
        after = _correction_symbols(frame, cell, mixed(frame.camera, planes[i]))
        pairs.append(np.concatenate([before[i], measured[i], spatial[i], _pairs(after)]))
    return pairs


def _with_rims(
    frame: Frame,
    pixels: NDArray[np.uint8],
    decoded: Sequence[NDArray[np.uint8]],
    told: Sequence[Flags],
) -> list[NDArray[np.uint8]]:
    """The planes that coefficients give, with those of the pixels where they do not."""
    missing = frame.seen() & ~np.logical_and.reduce(told)
    planes = []
    for own, of_pixels, has in zip(
        decoded, unmixed(frame.camera, pixels[missing]), told, strict=True
    ):
        plane = own.copy()
        plane[missing] = np.where(has[missing], own[missing], of_pixels)
        planes.append(plane)
    return planes


def decode(engine: Engine, frames: Sequence[Frame], streams: Sequence[bytes]) -> list[Read]:
    """Inverse of ``encode``: of each cell pixels, coefficients, and which blocks have them.

    Raises
    ------
    CorruptionError
        A stream ends early, or is not what ``encode`` wrote.
    """
    return read(engine, frames, Streams(streams)) if streams else []


def read(engine: Engine, frames: Sequence[Frame], reader: Streams) -> list[Read]:
    """The same from where ``reader`` is, of at least one cell."""
    if engine.is_native:
        return read_whole(engine, frames, reader)
    n = len(frames)
    shares = [frame.shares() for frame in frames]
    coded = [frame.candidates(own) for frame, own in zip(frames, shares, strict=True)]
    for p in range(len(coded[0])):
        sets = _read_sets(reader, np.arange(n), [flags[p].size for flags in coded])
        for flags, exceptions in zip(coded, sets, strict=True):
            flags[p].reshape(-1)[exceptions] = False
    layouts = [f.layout(c, s) for f, c, s in zip(frames, coded, shares, strict=True)]
    coefficients = engine.read(layouts, reader)
    told = [_told_planes(*args) for args in zip(frames, layouts, coefficients, strict=True)]
    planes = _read_spatial(engine, frames, layouts, told, reader)
    result = [
        np.where(frame.seen()[..., None], mixed(frame.camera, own), 0).astype(np.uint8)
        for frame, own in zip(frames, planes, strict=True)
    ]
    _read_corrections(reader, frames, result)
    reader.expect_end(np.array([check_of_pixels(cell) for cell in result], np.int64))
    return list(zip(result, coefficients, coded, strict=True))


def _told_planes(
    frame: Frame, layout: Layout, coefficients: Sequence[NDArray[np.int16]]
) -> tuple[list[NDArray[np.uint8]], list[Flags]]:
    """The planes that coefficients give, and where they do."""
    # What only fills the last groups of a file has no pixels.
    counts = frame.camera.n_blocks(frame.shape, frame.phase)
    flags = [own[:r, :c] for own, (r, c) in zip(layout.coded or (), counts, strict=True)]
    blocks = [own[:r, :c] for own, (r, c) in zip(coefficients, counts, strict=True)]
    planes = planes_of(frame.camera, blocks, frame.shape, frame.phase, flags)
    return planes, frame.told(flags)


def _pairs(symbols: Sequence[tuple[int, int]]) -> Ints:
    return np.array(symbols, np.int64).reshape(-1, 2)


def _set_symbols(members: Ints) -> list[tuple[int, int]]:
    """Symbols of ascending whole numbers: how many, and what lies between each and the next."""
    gaps = np.diff(members, prepend=-1) - 1
    return [s for value in (len(members), *gaps.tolist()) for s in number_symbols(value)]


def _read_sets(reader: Streams, cells: Ints, sizes: Sequence[int]) -> list[Ints]:
    """Inverse of ``_set_symbols`` for each cell, of numbers below its size."""
    counts, last = reader.number(cells), np.full(len(cells), -1, np.int64)
    members: list[list[int]] = [[] for _ in cells]
    limits = np.array(sizes, np.int64)
    if (counts > limits).any():
        raise reader.refusal("a cell lists more blocks or pixels than it has")
    for k in range(int(counts.max(initial=0))):
        some = np.flatnonzero((counts > k) & ~reader.dry[cells])
        if not len(some):
            break
        last[some] += 1 + reader.number(cells[some])
        if (last >= limits).any():
            raise reader.refusal("a cell lists blocks or pixels beyond its last")
        for i in some.tolist():
            members[i].append(int(last[i]))
    return [np.array(own, np.int64) for own in members]


def _canvas(
    frames: Sequence[Frame], planes: Sequence[NDArray[np.uint8]], told: Sequence[Flags]
) -> Canvas:
    return Canvas.of(planes, [frame.seen() for frame in frames], told)


def _steps(frames: Sequence[Frame], plane: int) -> Ints:
    return np.stack([f.camera.tables[plane].reshape(64) for f in frames]).astype(np.int64)


def _spatial_symbols(
    engine: Engine,
    frames: Sequence[Frame],
    layouts: Sequence[Layout],
    planes: Sequence[Sequence[NDArray[np.uint8]]],
    told: Sequence[Sequence[Flags]],
) -> list[Ints]:
    out: list[list[Ints]] = [[] for _ in frames]
    canvases: list[Canvas] = []
    for p in range(len(layouts[0].n_blocks)):
        canvases.append(_canvas(frames, [own[p] for own in planes], [maps[p] for maps in told]))
        parts = engine.measure_rims(canvases, _steps(frames, p))
        for own, pairs in zip(out, parts, strict=True):
            own.append(pairs)
    return [np.concatenate(own) for own in out]


def _read_spatial(
    engine: Engine,
    frames: Sequence[Frame],
    layouts: Sequence[Layout],
    told: Sequence[tuple[list[NDArray[np.uint8]], list[Flags]]],
    reader: Streams,
) -> list[list[NDArray[np.uint8]]]:
    canvases: list[Canvas] = []
    for p in range(len(layouts[0].n_blocks)):
        planes = [own[p] for own, _ in told]
        canvases.append(_canvas(frames, planes, [maps[p] for _, maps in told]))
        read_rims(engine.weights.planes[p], canvases, _steps(frames, p), reader)
    return [[c.plane(i, f.shape) for c in canvases] for i, f in enumerate(frames)]


def _correction_symbols(
    frame: Frame, pixels: NDArray[np.uint8], decoded: NDArray[np.uint8]
) -> list[tuple[int, int]]:
    seen = frame.seen()
    true, own = pixels[seen].astype(np.int64), decoded[seen].astype(np.int64)
    wrong = np.flatnonzero((true != own).any(axis=1))
    differences = (true - own)[wrong] & 255
    folded = np.where(differences < 128, 2 * differences, 511 - 2 * differences)
    symbols = _set_symbols(wrong)
    return symbols + [s for value in folded.reshape(-1).tolist() for s in number_symbols(value)]


def _read_corrections(
    reader: Streams, frames: Sequence[Frame], pixels: Sequence[NDArray[np.uint8]]
) -> None:
    """Put corrections into ``pixels``."""
    seen = [frame.seen() for frame in frames]
    cells = np.arange(len(frames))
    sets = _read_sets(reader, cells, [int(own.sum()) for own in seen])
    counts = np.array([len(own) for own in sets])
    flat = [own[mask] if n else own[:0] for own, mask, n in zip(pixels, seen, counts, strict=True)]
    n_channels = pixels[0].shape[-1]
    for k in range(int(counts.max(initial=0))):
        some = cells[(counts > k) & ~reader.dry]
        if not len(some):
            break
        for channel in range(n_channels):
            folded = reader.number(some)
            difference = np.where(folded & 1, (511 - folded) >> 1, folded >> 1)
            for i, add in zip(some.tolist(), difference.tolist(), strict=True):
                own = flat[i]
                own[sets[i][k], channel] = (int(own[sets[i][k], channel]) + add) & 255
    for own, mask, values, n in zip(pixels, seen, flat, counts, strict=True):
        if n:
            own[mask] = values
