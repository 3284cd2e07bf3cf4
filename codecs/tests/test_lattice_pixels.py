"""Pixels in streams of coefficients: masks, blocks without coefficients, corrections, damage."""

from __future__ import annotations

from dataclasses import replace

import lattice_models
import numpy as np
import pytest
from zarrmal_codecs import CorruptionError
from zarrmal_codecs.lattice import pixels as coder
from zarrmal_codecs.lattice.engine import Engine, levels
from zarrmal_codecs.lattice.frame import Frame
from zarrmal_codecs.lattice.jpeg.picture import Camera, decode
from zarrmal_codecs.lattice.pixels import mixed, unmixed
from zarrmal_codecs.lattice.symbols.streams import Streams, number_symbols, streams_of
from zarrmal_codecs.lattice.whole import read_into
from zarrmal_codecs.silhouette.lattice import expand

ENGINE = Engine(lattice_models.weights())


def cell(seed: int, *, masked: bool, wrong: int = 0, colour: str = "ycbcr"):
    """A frame, its pixels, and most of its coefficients."""
    rng = np.random.default_rng(seed)
    n_planes = 1 if colour == "grey" else 3
    ratios = lattice_models.RATIOS[seed % 3][:n_planes]
    tables = rng.integers(1, 9, (n_planes, 8, 8)).astype(np.uint16)
    camera = Camera(tables=tables, ratios=ratios, colour=colour)
    shape = tuple(rng.integers(9, 16, 2).tolist())
    phase = tuple(int(rng.integers(side)) for side in camera.group) if masked else (0, 0)
    visible = None
    if masked:
        y, x = np.mgrid[: shape[0], : shape[1]]
        middle = np.array(shape)[:, None, None] / 2
        visible = (((np.stack([y, x]) + 0.5 - middle) / middle) ** 2).sum(axis=0) < 1
    frame = Frame(camera=camera, shape=shape, phase=phase, visible=visible)
    blocks = []
    for size in camera.n_blocks(shape, phase):
        own = rng.laplace(0, 3, (*size, 8, 8)) * (rng.random((*size, 8, 8)) < 0.2)
        own[..., 0, 0] = rng.normal(0, 20, size)
        blocks.append(own.astype(np.int16))
    whole = decode(camera, blocks, shape, phase).reshape(*shape, n_planes)
    seen = frame.seen()
    picture = np.where(seen[..., None], whole, 0).astype(np.uint8)
    for _ in range(wrong):
        at = tuple(rng.choice(np.argwhere(seen)))
        picture[at] = rng.integers(0, 256, n_planes)
    found = [rng.random(b.shape[:2]) < (0.9 if masked else 1.1) for b in blocks]
    return frame, picture, blocks, found


def cells(seeds, **options):
    return [list(part) for part in zip(*(cell(s, **options) for s in seeds), strict=True)]


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("colour", ["ycbcr", "rgb", "grey"])
def test_pixels_come_back(masked, colour):
    frames, pictures, blocks, found = cells(range(2), masked=masked, wrong=3, colour=colour)
    streams = coder.encode(ENGINE, frames, pictures, blocks, found)
    for level in ("numpy", *levels()):
        engine = Engine(ENGINE.weights, level)
        assert coder.encode(engine, frames, pictures, blocks, found) == streams
        back = coder.decode(engine, frames, streams)
        for (pixels, own, flags), picture, given, has in zip(
            back, pictures, blocks, found, strict=True
        ):
            np.testing.assert_array_equal(pixels, picture)
            for a, b, f, h in zip(own, given, flags, has, strict=True):
                np.testing.assert_array_equal(a[f], b[f])
                assert not (f & ~h).any()
                assert not a[~f].any()


def on_lattices(spacings):
    """Cells on whose lattices of these spacings masks are drawn: what encodes, and what is seen."""
    rng, made, points = np.random.default_rng(9), [], []
    for spacing in spacings:
        frame, picture, blocks, found = cell(spacing, masked=True)
        lattice = [(side - 1) // spacing + 1 for side in frame.shape]
        shape = tuple(spacing * (n - 1) + 1 for n in lattice)
        points.append(rng.random(lattice) < 0.8)
        mask = expand(points[-1], spacing)
        frame = replace(frame, shape=shape, visible=mask)
        picture = np.where(mask[..., None], picture[: shape[0], : shape[1]], 0)
        counts = frame.n_blocks
        blocks = [b[:r, :c] for b, (r, c) in zip(blocks, counts, strict=True)]
        found = [f[:r, :c] for f, (r, c) in zip(found, counts, strict=True)]
        made.append((frame, picture.astype(np.uint8), blocks, found))
    seen = (
        np.concatenate([own.reshape(-1) for own in points]).view(np.uint8),
        np.array([own.shape for own in points], np.uint16),
        np.array(spacings, np.uint8),
    )
    return [list(part) for part in zip(*made, strict=True)], seen


def into(engine, canvas, frames, seen, streams, rows=None):
    """Read cells into a canvas (cell, y, x, channel)."""
    if rows is None:
        rows = [(i * canvas.strides[0], canvas.strides[1]) for i in range(len(frames))]
    shapes = np.array([frame.shape for frame in frames], np.int64)
    rows = np.array(rows, np.int64)
    read_into(canvas.reshape(-1), rows, engine, frames, shapes, seen, Streams(streams))


def test_the_kernel_draws_masks_and_writes_pixels_where_they_belong():
    (frames, pictures, blocks, found), seen = on_lattices([1, 2, 3, 4, 5])
    streams = coder.encode(Engine(ENGINE.weights, "numpy"), frames, pictures, blocks, found)
    for level in levels():
        canvas = np.zeros((5, 17, 19, 3), np.uint8)
        into(Engine(ENGINE.weights, level), canvas, frames, seen, streams)
        for own, picture in zip(canvas, pictures, strict=True):
            height, width = picture.shape[:2]
            np.testing.assert_array_equal(own[:height, :width], picture)
            assert not own[height:].any()
            assert not own[:, width:].any()


@pytest.mark.skipif(not levels(), reason="no kernel")
def test_the_kernel_refuses_what_lies_beyond():
    (frames, pictures, blocks, found), (points, lattices, spacings) = on_lattices([2])
    streams = coder.encode(ENGINE, frames, pictures, blocks, found)
    height, width = frames[0].shape
    whole, row = np.zeros((1, height, width, 3), np.uint8), 3 * width
    seen = points, lattices, spacings
    into(ENGINE, whole, frames, seen, streams)
    np.testing.assert_array_equal(whole[0], pictures[0])
    for rows in [(1, row), (-1, row), (0, row + 1), (0, row - 1), (0, 1 << 62), (1 << 62, row)]:
        with pytest.raises(ValueError, match="beyond those given"):
            into(ENGINE, whole, frames, seen, streams, [rows])
    for wrong, says in (
        ((points[:-1], lattices, spacings), "fewer points"),
        ((points * 2, lattices, spacings), "0 or 1"),
        ((points, lattices, spacings + 1), "another size"),
        ((points, lattices * 0, spacings), "another size"),
    ):
        with pytest.raises(ValueError, match=says):
            into(ENGINE, whole, frames, wrong, streams)


def test_any_pixels_come_back_even_of_wrong_coefficients():
    frames, pictures, blocks, found = cells([4], masked=True)
    noise = np.random.default_rng(1).integers(0, 256, pictures[0].shape).astype(np.uint8)
    noise[~frames[0].seen()] = 0
    streams = coder.encode(ENGINE, frames, [noise], blocks, found)
    np.testing.assert_array_equal(coder.decode(ENGINE, frames, streams)[0][0], noise)


def test_each_cell_stands_alone():
    frames, pictures, blocks, found = cells(range(3), masked=True, wrong=1)
    streams = coder.encode(ENGINE, frames, pictures, blocks, found)
    for i, stream in enumerate(streams):
        np.testing.assert_array_equal(
            coder.decode(ENGINE, frames[i : i + 1], [stream])[0][0], pictures[i]
        )


def test_damage_is_named():
    frames, pictures, blocks, found = cells([5], masked=True, wrong=2)
    (stream,) = coder.encode(ENGINE, frames, pictures, blocks, found)
    for length in range(0, len(stream), 1 + len(stream) // 4):
        with pytest.raises(CorruptionError):
            coder.decode(ENGINE, frames, [stream[:length]])
    for at in range(0, len(stream), 1 + len(stream) // 4):
        changed = bytearray(stream)
        changed[at] ^= 16
        with pytest.raises(CorruptionError):
            coder.decode(ENGINE, frames, [bytes(changed)])
    for seed in range(2):
        with pytest.raises(CorruptionError):
            coder.decode(ENGINE, frames, [np.random.default_rng(seed).bytes(200)])


def test_unmixing_inverts_mixing():
    rng = np.random.default_rng(6)
    camera = cell(0, masked=False)[0].camera
    planes = [rng.integers(100, 156, (40, 40)).astype(np.uint8) for _ in range(3)]
    pixels = mixed(camera, planes)
    np.testing.assert_array_equal(mixed(camera, unmixed(camera, pixels)), pixels)


def test_a_list_without_words_ends_at_once(monkeypatch):
    n, calls = 1 << 20, 0
    (stream,) = streams_of([np.array(number_symbols(n), np.int64)], [0])
    reader = Streams([stream])
    number = Streams.number

    def counted(self, cells):
        nonlocal calls
        calls += 1
        return number(self, cells)

    monkeypatch.setattr(Streams, "number", counted)
    coder._read_sets(reader, np.arange(1), [n])
    assert reader.are_dry
    assert calls < 10
