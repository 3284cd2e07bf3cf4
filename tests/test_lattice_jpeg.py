"""JPEG files taken apart, put together again, and decoded exactly as libjpeg-turbo does."""

from __future__ import annotations

import io
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from zarrmal_codecs.lattice.jpeg.picture import Camera, decode
from zarrmal_codecs.lattice.jpeg.transform import MATRIX
from zarrmal_codecs.lattice.jpeg.upsampling import upsampled

from zarrmal.lattice.jpeg_file import JpegFile, UnsupportedJpegError, read_jpeg, write_jpeg

FACTORS = {"444": 0x11, "422": 0x21, "440": 0x12, "420": 0x22, "411": 0x41, "410": 0x42}


def drawn(shape: tuple[int, int], seed: int, *, grey: bool = False) -> np.ndarray:
    """Blobs, a hard edge, noise and saturated corners."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    waves = [120 + 90 * np.sin((y * a + x * b) / 9 + c) for a, b, c in rng.normal(size=(3, 3))]
    picture = np.stack(waves, -1) + rng.normal(0, 12, (*shape, 3))
    picture[: shape[0] // 4] = 255
    picture[:, : shape[1] // 5] = rng.choice([0, 255], (shape[0], shape[1] // 5, 3))
    picture = np.clip(picture, 0, 255).astype(np.uint8)
    return picture[..., 0] if grey else picture


def saved(pixels: np.ndarray, **options) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", **options)
    return stream.getvalue()


def opened(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def with_factors(data: bytes, factors: int) -> bytes:
    """A 4:4:4 file whose luma has other sampling factors; its scan is to be replaced."""
    at = data.index(b"\xff\xc0")
    return data[: at + 11] + bytes([factors]) + data[at + 12 :]


def emptied(shape: tuple[int, int], quality: int, factors: int, **options) -> JpegFile:
    """A file of the given sampling, its blocks all 0."""
    whole = read_jpeg(saved(drawn(shape, 1), quality=quality, subsampling=0, **options))
    down, across = factors & 15, factors >> 4
    groups = -(-shape[0] // (8 * down)), -(-shape[1] // (8 * across))
    blocks = [(down, across), (1, 1), (1, 1)]
    zeros = tuple(np.zeros((groups[0] * v, groups[1] * h, 8, 8), np.int16) for v, h in blocks)
    camera = Camera(
        tables=whole.camera.tables,
        ratios=((1, 1), (down, across), (down, across)),
        colour=whole.camera.colour,
    )
    return JpegFile(
        camera=camera, shape=shape, blocks=zeros, head=with_factors(whole.head, factors),
        tail=whole.tail, fills=b"",
    )  # fmt: skip


@pytest.mark.parametrize("sampling", FACTORS)
def test_random_coefficients_decode_as_in_libjpeg(sampling):
    rng = np.random.default_rng(FACTORS[sampling])
    shapes = [(1, 1), (9, 3), (16, 16), (17, 35), (40, 5), (31, 66)]
    for quality in range(1 + FACTORS[sampling] % 3, 101, 3):
        shape = shapes[quality % len(shapes)]
        file = emptied(shape, quality, FACTORS[sampling])
        blocks = []
        for plane, table in zip(file.blocks, file.camera.tables, strict=True):
            # A few large coefficients, so that samples clamp at both ends, and many small ones.
            largest = np.minimum(1023 // table, 1023).astype(int)
            values = rng.integers(-largest, largest + 1, plane.shape)
            small = rng.integers(-1, 2, plane.shape) * (rng.random(plane.shape) < 0.3)
            blocks.append(np.where(rng.random(plane.shape) < 0.06, values, small).astype(np.int16))
        file = file.with_blocks(tuple(blocks))
        data = write_jpeg(file)
        np.testing.assert_array_equal(
            decode(file.camera, file.coefficients, shape), opened(data), err_msg=f"{quality}"
        )
        back = read_jpeg(data)
        assert back.camera == file.camera
        for plane, own in zip(back.blocks, blocks, strict=True):
            np.testing.assert_array_equal(plane, own)


@pytest.mark.parametrize("quality", [1, 30, 75, 96, 100])
@pytest.mark.parametrize(
    "options",
    [{"subsampling": 0}, {"subsampling": 1, "optimize": True}, {"subsampling": 2},
     {"keep_rgb": True}, {"restart_marker_rows": 1}, {"restart_marker_blocks": 3}],
    ids=str,
)  # fmt: skip
def test_files_come_back_byte_for_byte(quality, options):
    for shape in ((37, 51), (8, 9)):
        data = saved(drawn(shape, quality), quality=quality, exif=b"Exif\0\0", **options)
        file = read_jpeg(data)
        assert file.camera.colour == ("rgb" if "keep_rgb" in options else "ycbcr")
        np.testing.assert_array_equal(decode(file.camera, file.coefficients, shape), opened(data))
        assert write_jpeg(file) == data


def test_grey_files():
    data = saved(drawn((19, 30), 3, grey=True), quality=80)
    file = read_jpeg(data)
    assert file.camera.colour == "grey"
    np.testing.assert_array_equal(decode(file.camera, file.coefficients, (19, 30)), opened(data))
    assert write_jpeg(file) == data


def test_unusual_filling_bits_are_kept():
    data = saved(drawn((24, 24), 4, grey=True), quality=50)
    file = read_jpeg(data)
    for extra in range(1, 60):  # until a picture's last byte is not full
        file = file.with_blocks((file.blocks[0] + (np.arange(64) == 0).reshape(8, 8) * extra,))
        data = write_jpeg(file)
        if data[-3] & 3 == 3:
            break
    changed = data[:-3] + bytes([data[-3] & ~1]) + data[-2:]
    assert write_jpeg(read_jpeg(changed)) == changed


@pytest.mark.parametrize("sampling", ["444", "422", "440", "420"])
def test_cells_inside_a_picture_decode_as_there(sampling):
    shape, cut = (96, 112), (slice(35, 71), slice(29, 90))
    file = emptied(shape, 90, FACTORS[sampling])
    rng = np.random.default_rng(5)
    blocks = tuple(
        (rng.normal(0, 6, p.shape) * (rng.random(p.shape) < 0.2)).astype(np.int16)
        for p in file.blocks
    )
    file = file.with_blocks(blocks)
    whole = decode(file.camera, file.coefficients, shape)[cut]
    height, width = file.camera.group
    phase = cut[0].start % height, cut[1].start % width
    first = cut[0].start // height, cut[1].start // width
    counts = file.camera.n_blocks(whole.shape[:2], phase)
    own = []
    for plane, ratio, (rows, columns) in zip(blocks, file.camera.ratios, counts, strict=True):
        down, across = first[0] * height // 8 // ratio[0], first[1] * width // 8 // ratio[1]
        own.append(plane[down : down + rows, across : across + columns])
    cell = decode(file.camera, own, whole.shape[:2], phase)
    # What lies beyond the cell's own samples is not known: its last rows and columns may differ.
    inner = (slice(0, -1), slice(0, -1)) if sampling != "444" else (slice(None), slice(None))
    np.testing.assert_array_equal(cell[inner], whole[inner])
    known = [np.ones(count, bool) for count in counts]
    np.testing.assert_array_equal(decode(file.camera, own, whole.shape[:2], phase, known), cell)


def test_a_sample_not_known_is_no_neighbour():
    plane = np.array([[10, 90, 200, 30]] * 3, np.uint8)
    known = np.array([[1, 1, 0, 1]] * 3, bool)
    for ratio in ((1, 2), (2, 1), (2, 2)):
        full = upsampled(plane, ratio, known=known)
        alone = upsampled(np.array([[10, 90, 90, 30]] * 3, np.uint8), ratio, known=known)
        columns = ratio[1] * np.array([0, 1, 3])[:, None] + np.arange(ratio[1])
        np.testing.assert_array_equal(full[:, columns], alone[:, columns])
        assert (full[:, 3 * ratio[1] :] == 30).all()


def test_sums_of_the_transform_fit_in_32_bits():
    assert np.abs(MATRIX).sum(axis=1).max() << 15 < 1 << 31


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d[:200], "damaged|end"),
        (lambda d: b"\x89PNG" + d[4:], "not a JPEG"),
        (lambda d: d[:-2], "not end"),
        (lambda d: d.replace(b"\xff\xc0", b"\xff\xc2"), "progressive"),
        (lambda d: d.replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc1\x00\x11\x0c"), "12 bits"),
        (lambda d: d[:-30] + d[-2:], "ends early|fewer|code"),
    ],
)
def test_other_files_are_named(change, message):
    data = saved(drawn((32, 32), 6), quality=70)
    with pytest.raises(UnsupportedJpegError, match=message):
        read_jpeg(change(data))


def test_progressive_and_cmyk_files_go_another_way():
    pixels = drawn((32, 32), 7)
    with pytest.raises(UnsupportedJpegError, match="progressive"):
        read_jpeg(saved(pixels, progressive=True))
    stream = io.BytesIO()
    Image.fromarray(pixels).convert("CMYK").save(stream, "JPEG")
    with pytest.raises(UnsupportedJpegError, match="4 planes"):
        read_jpeg(stream.getvalue())


def test_flipped_bits_give_a_file_or_a_named_error():
    data = saved(drawn((24, 24), 8), quality=60, restart_marker_rows=1)
    rng = np.random.default_rng(9)
    for at in rng.integers(0, len(data), 60):
        changed = bytearray(data)
        changed[at] ^= 1 << rng.integers(8)
        try:
            file = read_jpeg(bytes(changed))
        except UnsupportedJpegError:
            continue
        again = read_jpeg(write_jpeg(file))
        for plane, own in zip(again.blocks, file.blocks, strict=True):
            np.testing.assert_array_equal(plane, own)


@pytest.mark.parametrize(
    "change",
    [
        lambda grey, colour: replace(grey, head=colour.head),
        lambda grey, colour: replace(colour, head=grey.head),
        lambda grey, colour: replace(colour, head=with_factors(colour.head, 0x00)),
    ],
)
def test_a_head_of_another_picture_is_named(change):
    grey, colour = (
        read_jpeg(saved(drawn((16, 16), 1, grey=grey), subsampling=0)) for grey in (True, False)
    )
    with pytest.raises(UnsupportedJpegError):
        write_jpeg(change(grey, colour))


def test_real_files_come_back(shared: Path):
    more = shared / "more"
    files = [
        *sorted((more / "pbc-jpeg-cells").glob("*/*.jpg"))[::70],
        *sorted((more / "bccd-native-crops" / "fields").glob("*.jpg"))[:1],
    ]
    assert files
    for path in files:
        data = path.read_bytes()
        file = read_jpeg(data)
        assert write_jpeg(file) == data
        np.testing.assert_array_equal(
            decode(file.camera, file.coefficients, file.shape), opened(data)
        )


def test_memory_grows_with_the_coefficients_alone():
    """A scan is written some blocks at a time; what is read of it is held in small numbers."""
    read_jpeg(saved(drawn((64, 64), 1)))  # libraries and tables are loaded once
    peaks = []
    for side in (320, 800):
        data = saved(drawn((side, side), 1), quality=85, subsampling=0)
        file = read_jpeg(data)
        n_blocks = sum(blocks.nbytes for blocks in file.blocks)
        for run, held in (
            (lambda d=data: read_jpeg(d), n_blocks),
            (lambda f=file: write_jpeg(f), 0),
        ):
            tracemalloc.start()
            try:
                result = run()
                peaks.append(tracemalloc.get_traced_memory()[1] - held)
            finally:
                tracemalloc.stop()
        assert result == data
        peaks.append(len(data))
    reading, writing, n_bytes = np.array(peaks[3:]) - peaks[:3]
    assert reading < 40 * n_bytes
    assert writing < 6 * n_bytes
