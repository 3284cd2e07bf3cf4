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


DEEP = np.random.default_rng(5).integers(0, 65536, (6, 5, 4), np.uint16)
FIVE = np.random.default_rng(6).integers(0, 65536, (6, 5, 5), np.uint16)
PAGES = np.moveaxis(FIVE, 2, 0).copy()
SEVENTHS = FIVE[..., 0] / np.float32(7)
READABLE |= {
    "16-bit.png": (lambda path: path.write_bytes(png_16_bits(1)), DEEP[..., 0]),
    "16-bit rgb.png": (lambda path: path.write_bytes(png_16_bits(3)), DEEP[..., :3]),
    "16-bit.tif": (lambda path: save(path, DEEP[..., 0]), DEEP[..., 0]),
    "16-bit big-endian.tif": (lambda path: save(path, DEEP[..., 0], byteorder=">"), DEEP[..., 0]),
    "16-bit rgb.tif": (
        lambda path: save(path, DEEP[..., :3], photometric="rgb", compression="zlib"),
        DEEP[..., :3],
    ),
    "float.tif": (
        lambda path: save(path, FIVE[..., 0] / np.float32(7)),
        FIVE[..., 0] / np.float32(7),
    ),
    "signed.tif": (lambda path: save(path, GREY.view(np.int8)), GREY.view(np.int8)),
    "pages.tif": (lambda path: save(path, PAGES, photometric="minisblack"), FIVE),
    "imagej.tif": (lambda path: save(path, PAGES, imagej=True, metadata={"axes": "CYX"}), FIVE),
    "ome.ome.tif": (lambda path: save(path, PAGES, ome=True, metadata={"axes": "CYX"}), FIVE),
    "samples.tif": (
        lambda path: save(path, FIVE, photometric="minisblack", planarconfig="contig"),
        FIVE,
    ),
    "planes.tif": (
        lambda path: save(path, PAGES, photometric="minisblack", planarconfig="separate"),
        FIVE,
    ),
    "rgb and two more.tif": (
        lambda path: save(
            path, FIVE, photometric="rgb", extrasamples=["unspecified", "unspecified"]
        ),
        FIVE,
    ),
}
"""Those whose channels are pages, and so come first."""
WITH_PAGES = {"pages.tif", "imagej.tif", "ome.ome.tif"}


@pytest.mark.parametrize("name", READABLE)
def test_readable_images(name, tmp_path):
    write, pixels = READABLE[name]
    write(tmp_path / name)
    source = open_source(tmp_path)
    assert source.dtype == pixels.dtype
    assert source.channel_first == (name in WITH_PAGES)
    np.testing.assert_array_equal(read_all(source)[0], pixels)


def test_pages_that_the_caller_takes_for_channels(tmp_path):
    save(tmp_path / "z.tif", PAGES, imagej=True, metadata={"axes": "ZYX"})
    source = open_source(tmp_path, axes="cyx")
    assert source.channel_first
    np.testing.assert_array_equal(read_all(source)[0], FIVE)
    save(tmp_path / "more/c.tif", PAGES, photometric="minisblack")
    assert not open_source(tmp_path / "more", axes="yxc").channel_first
    assert "are yxc or cyx" in refusal(tmp_path, axes="xyc")


def test_a_page_that_is_a_mask(tmp_path):
    inside = GREY > 99
    save(
        tmp_path / "a.tif",
        np.stack([GREY, inside.astype(np.uint8), GREY]),
        photometric="minisblack",
    )
    source = open_source(tmp_path, mask_channels=[1])
    np.testing.assert_array_equal(read_all(source)[0], np.stack([GREY, GREY], axis=2))
    np.testing.assert_array_equal(source.masks(np.array([0])), inside[np.newaxis, np.newaxis])
    wrong = open_source(tmp_path, mask_channels=["0"])
    with pytest.raises(
        InputError, match=r"channel 0 of cell 0 holds \d+, a mask holds 0 and 1 or 255"
    ):
        wrong.masks(np.array([0]))
    assert "has no channel '3'" in refusal(tmp_path, mask_channels=["3"])
    assert "--size does not resample" in refusal(tmp_path, mask_channels=["1"], size=4)


@pytest.mark.parametrize("other", [FIVE[..., 0], FIVE, FIVE[..., :3]], ids=["depth", "five", "rgb"])
def test_kinds_of_images_are_not_mixed(other, tmp_path):
    save(tmp_path / "a.png", GREY)
    save(tmp_path / "b.tif", other, photometric="minisblack", planarconfig="contig")
    message = refusal(tmp_path)
    colours = {2: "grey", 3: "RGB" if other.shape[-1] == 3 else "5 channels"}[other.ndim]
    assert f"1 images are grey of uint8 (such as a.png) and 1 are {colours} of uint16" in message


def test_jpeg_is_read_as_pillow_reads_it(tmp_path):
    save(tmp_path / "a.jpg", RGB)
    with Image.open(tmp_path / "a.jpg") as image:
        expected = np.asarray(image)
    np.testing.assert_array_equal(read_all(open_source(tmp_path))[0], expected)


def png_16_bits(n_samples, key=None):
    """A 16-bit PNG of noise, which Pillow would cut to 8 bits in silence."""

    def block(kind, body):
        crc = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + crc

    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[n_samples]
    header = struct.pack(">IIBBBBB", 5, 6, 16, colour_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in DEEP[..., :n_samples])
    parts = [block(b"IHDR", header)]
    parts += [] if key is None else [block(b"tRNS", key)]
    parts += [block(b"IDAT", zlib.compress(rows)), block(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def flip_half_way(path, data):
    path.write_bytes(
        data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
    )


def write_with_thumbnail(path):
    with tifffile.TiffWriter(path) as file:
        file.write(noise(16, 16), photometric="minisblack", metadata=None)
        file.write(noise(4, 4), photometric="minisblack", metadata=None)


def write_transparent_palette(path):
    palette_image().save(path, transparency=int(GREY[0, 0]))


def write_frames(path):
    frames = [Image.fromarray(frame) for frame in noise(3, 6, 5)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def write_cut(path, n_bytes=-40, shape=(40, 40, 3), **options):
    save(path, noise(*shape), **options)
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
    "complex.tif": (lambda path: save(path, GREY.astype(np.complex64)), "complex64"),
    "16-bit transparent.png": (lambda path: path.write_bytes(png_16_bits(4)), "transparent"),
    "16-bit colour key.png": (
        lambda path: path.write_bytes(png_16_bits(3, b"\0" * 6)),
        "transparent colour",
    ),
    "16-bit flipped.png": (lambda path: flip_half_way(path, png_16_bits(3)), "damaged"),
    "cmyk.jpg": (lambda path: Image.fromarray(OPAQUE, "CMYK").save(path), "CMYK"),
    "cmyk.tif": (lambda path: save(path, OPAQUE, photometric="separated"), "SEPARATED"),
    "alpha.png": (lambda path: save(path, noise(6, 5, 4)), "transparent"),
    "transparent palette.png": (write_transparent_palette, "transparent"),
    "alpha.tif": (
        lambda path: save(path, noise(6, 5, 4), photometric="rgb", extrasamples=["unassalpha"]),
        "alpha",
    ),
    "z.tif": (
        lambda path: save(path, noise(3, 6, 5), imagej=True, metadata={"axes": "ZYX"}),
        "3 pages that are focal planes, not channels: --axes cyx",
    ),
    "z and c.tif": (
        lambda path: save(path, noise(3, 2, 6, 5), imagej=True, metadata={"axes": "ZCYX"}),
        "a stack of shape (3, 2, 6, 5)",
    ),
    "thumbnail.tif": (write_with_thumbnail, "2 pages of several kinds"),
    "rgb pages.tif": (lambda path: save(path, noise(2, 6, 5, 3), photometric="rgb"), "a stack"),
    "cut pages.tif": (
        lambda path: write_cut(path, shape=(3, 40, 40), photometric="minisblack"),
        "damaged or unknown",
    ),
    "cut imagej.tif": (lambda path: write_cut(path, shape=(3, 40, 40), imagej=True), "damaged"),
    "many pages.tif": (
        lambda path: save(path, noise(65, 2, 2), photometric="minisblack"),
        "1 to 64 pages",
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
