"""Every kind of image file: read exactly, or refused with a reason."""

import io
import os
import socket
import struct
import zlib

import numpy as np
import pytest
import tifffile
from pictures import noise, read_all, refusal, save
from PIL import Image

from zarrmal.errors import InputError
from zarrmal.sources import open_source


def png_bytes(pixels, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", **options)
    return file.getvalue()


GREY, RGB = noise(6, 5), noise(6, 5, 3)
OPAQUE = np.dstack([RGB, np.full((6, 5), 255, np.uint8)])
BITS = noise(6, 5) > 127
PALETTE = noise(256, 3)


def palette_image():
    image = Image.fromarray(GREY)
    image.putpalette(PALETTE.tobytes())
    return image


READABLE = {
    "grey.png": (lambda path: save(path, GREY), GREY),
    "rgb.png": (lambda path: save(path, RGB), RGB),
    "rgb.bmp": (lambda path: save(path, RGB), RGB),
    "opaque alpha.png": (lambda path: save(path, OPAQUE), RGB),
    "opaque grey alpha.png": (lambda path: save(path, np.dstack([GREY, GREY * 0 + 255])), GREY),
    "1-bit.png": (lambda path: save(path, BITS), BITS * np.uint8(255)),
    "palette.png": (lambda path: palette_image().save(path), PALETTE[GREY]),
    "palette opaque.png": (
        lambda path: palette_image().save(path, transparency=b"\xff" * 256),
        PALETTE[GREY],
    ),
    "unused transparent colour.png": (
        lambda path: save(path, np.full((6, 5, 3), 9, np.uint8), transparency=(1, 2, 3)),
        np.full((6, 5, 3), 9, np.uint8),
    ),
    "grey.tif": (lambda path: save(path, GREY), GREY),
    "rgb.TIFF": (lambda path: save(path, RGB, photometric="rgb", compression="lzw"), RGB),
    "planar.tif": (
        lambda path: save(
            path, np.moveaxis(RGB, 2, 0).copy(), photometric="rgb", planarconfig="separate"
        ),
        RGB,
    ),
    "opaque.tif": (
        lambda path: save(path, OPAQUE, photometric="rgb", extrasamples=["unassalpha"]),
        RGB,
    ),
    "1-bit.tif": (
        lambda path: save(path, BITS, photometric="minisblack"),
        BITS * np.uint8(255),
    ),
    "white is zero.tif": (lambda path: save(path, GREY, photometric="miniswhite"), 255 - GREY),
    "palette.tif": (
        lambda path: save(
            path, GREY, photometric="palette", colormap=PALETTE.T.astype(np.uint16) * 257
        ),
        PALETTE[GREY],
    ),
    "palette by Pillow.tif": (lambda path: palette_image().save(path), PALETTE[GREY]),
}


@pytest.mark.parametrize("name", READABLE)
def test_readable_images(name, tmp_path):
    write, pixels = READABLE[name]
    write(tmp_path / name)
    np.testing.assert_array_equal(read_all(open_source(tmp_path))[0], pixels)


def test_jpeg_is_read_as_pillow_reads_it(tmp_path):
    save(tmp_path / "a.jpg", RGB)
    with Image.open(tmp_path / "a.jpg") as image:
        expected = np.asarray(image)
    np.testing.assert_array_equal(read_all(open_source(tmp_path))[0], expected)


def rgb16_png():
    """A 16-bit RGB PNG, which Pillow would cut to 8 bits in silence."""

    def block(kind, body):
        crc = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + crc

    header = struct.pack(">IIBBBBB", 5, 6, 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + bytes(30) for _ in range(6))
    parts = [block(b"IHDR", header), block(b"IDAT", zlib.compress(rows)), block(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def write_transparent_palette(path):
    palette_image().save(path, transparency=int(GREY[0, 0]))


def write_frames(path):
    frames = [Image.fromarray(frame) for frame in noise(3, 6, 5)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def write_cut(path, n_bytes=-40, **options):
    save(path, noise(40, 40, 3), **options)
    path.write_bytes(path.read_bytes()[:n_bytes])


def write_flipped(path):
    """One bit of the pixels wrong: only the checksum of the chunk tells."""
    data = bytearray(png_bytes(noise(40, 40)))
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def write_without_strip(path):
    """Its table of strips says that one has no bytes, as a file does that was never finished."""
    tifffile.imwrite(path, noise(8, 8), rowsperstrip=4)
    with tifffile.TiffFile(path, mode="r+b") as file:
        tag = file.pages[0].tags["StripByteCounts"]
        tag.overwrite((tag.value[0], 0))


UNREADABLE = {
    "strip.tif": (write_without_strip, "cut short"),
    "empty.png": (lambda path: path.write_bytes(b""), "empty"),
    "empty.tif": (lambda path: path.write_bytes(b""), "empty"),
    "text.png": (lambda path: path.write_text("text"), "no PNG, JPEG or BMP"),
    "text.tif": (lambda path: path.write_text("text"), "damaged"),
    "directory.png": (lambda path: path.mkdir(), "a directory"),
    "dangling.png": (lambda path: path.symlink_to("nowhere"), "damaged or unknown"),
    "tiff.png": (lambda path: Image.fromarray(GREY).save(path, "TIFF"), "no PNG, JPEG or BMP"),
    "cut.png": (write_cut, "damaged"),
    "cut.jpg": (write_cut, "truncated"),
    "cut.bmp": (write_cut, "truncated"),
    "cut.tif": (lambda path: write_cut(path, photometric="rgb"), "cut short"),
    "cut zlib.tif": (
        lambda path: write_cut(path, photometric="rgb", compression="zlib", rowsperstrip=8),
        "cut short",
    ),
    "flipped.png": (write_flipped, "damaged"),
    "16-bit.png": (lambda path: save(path, GREY.astype(np.uint16)), "16-bit"),
    "16-bit rgb.png": (lambda path: path.write_bytes(rgb16_png()), "16-bit"),
    "16-bit.tif": (lambda path: save(path, GREY.astype(np.uint16)), "16-bit"),
    "float.tif": (lambda path: save(path, GREY.astype(np.float32)), "float32"),
    "signed.tif": (lambda path: save(path, GREY.view(np.int8)), "int8"),
    "cmyk.jpg": (lambda path: Image.fromarray(OPAQUE, "CMYK").save(path), "CMYK"),
    "cmyk.tif": (lambda path: save(path, OPAQUE, photometric="separated"), "SEPARATED"),
    "alpha.png": (lambda path: save(path, noise(6, 5, 4)), "transparent"),
    "transparent palette.png": (write_transparent_palette, "transparent"),
    "alpha.tif": (
        lambda path: save(path, noise(6, 5, 4), photometric="rgb", extrasamples=["unassalpha"]),
        "alpha",
    ),
    "pages.tif": (lambda path: save(path, noise(3, 6, 5), photometric="minisblack"), "3 pages"),
    "imagej.tif": (
        lambda path: save(path, noise(3, 6, 5), imagej=True),
        "3 pages",
    ),
    "volume.tif": (
        lambda path: save(
            path, noise(32, 32, 32), volumetric=True, tile=(16, 16, 16), photometric="minisblack"
        ),
        "stack",
    ),
    "frames.png": (write_frames, "3 frames"),
    "16-bit palette.tif": (
        lambda path: save(
            path,
            GREY,
            photometric="palette",
            colormap=np.arange(768, dtype=np.uint16).reshape(3, 256),
        ),
        "palette",
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
@pytest.mark.filterwarnings("ignore:'mode' parameter:DeprecationWarning")
def test_unreadable_images(name, tmp_path):
    write, reason = UNREADABLE[name]
    save(tmp_path / "fine.png", noise(6, 5))
    write(tmp_path / name)
    message = refusal(tmp_path)
    assert reason in message
    assert f"1 of 2 images cannot be read: {name} (" in message
    assert "--skip-unreadable" in message
    source = open_source(tmp_path, skip_unreadable=True)
    assert source.unreadable == (name,)
    assert source.names.tolist() == ["fine.png"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_only_regular_files_are_read(tmp_path, no_hang):
    save(tmp_path / "fine.png", GREY)
    os.mkfifo(tmp_path / "x.png")
    os.mkfifo(tmp_path / "notes")
    (tmp_path / "null.png").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "s.tif"))  # else the path may be too long
        source = open_source(tmp_path)
    assert source.names.tolist() == ["fine.png"]
    assert source.description.endswith("(skipped 2 FIFO, 1 device, 1 socket)")
    (tmp_path / "fine.png").unlink()
    os.mkfifo(tmp_path / "fine.png")
    with pytest.raises(InputError, match="has changed since the folder was opened: a FIFO"):
        source.read(np.array([0]))


def test_many_unreadable_images(tmp_path):
    for index in range(8):
        (tmp_path / f"{index}.png").write_bytes(b"")
    message = refusal(tmp_path, skip_unreadable=True)
    assert "8 of 8" in message
    assert "4.png (the file is empty) and 3 more" in message


def test_a_name_that_is_not_utf8(tmp_path):
    save(tmp_path / "fine.png", GREY)
    with open(os.fsencode(tmp_path) + b"/\xff.png", "wb") as file:
        file.write(png_bytes(GREY))
    message = refusal(tmp_path)
    assert "not UTF-8" in message
    message.encode()
    assert open_source(tmp_path, skip_unreadable=True).n_cells == 1
