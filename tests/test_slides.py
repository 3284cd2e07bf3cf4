"""Slides of every kind are read, or refused with one line."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import fsspec
import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image
from scipy import ndimage
from typer.testing import CliRunner
from zarrmal_codecs.lattice.jpeg.picture import decode

from zarrmal.cli import app
from zarrmal.errors import InputError, MissingError
from zarrmal.segment import open_slide
from zarrmal.sources.slide_address import slide_kind

PIXELS = np.random.default_rng(0).integers(0, 256, (260, 300, 3), dtype=np.uint8)


def tiles(folder: Path, pixels: np.ndarray = PIXELS) -> Path:
    folder.mkdir()
    for row in range(3):
        for column in range(3):
            part = pixels[100 * row : 100 * row + 100, 100 * column : 100 * column + 100]
            Image.fromarray(part).save(folder / f"{column + 7}_{row + 2}.png")
    return folder


def ome_zarr(path: Path, zarr_format: int) -> Path:
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)  # type: ignore[arg-type]
    data = PIXELS.transpose(2, 0, 1)[np.newaxis, :, np.newaxis]
    group.create_array("0", data=data, chunks=(1, 1, 1, 64, 64))
    axes = [{"name": name} for name in "tczyx"]
    image = {"axes": axes, "datasets": [{"path": "0"}]}
    v5 = {"ome": {"version": "0.5", "multiscales": [image]}}
    group.attrs.update(v5 if zarr_format == 3 else {"multiscales": [image]})
    return path


def plain_zarr(path: Path) -> Path:
    zarr.create_array(path, data=PIXELS, chunks=(50, 70, 3))
    return path


def planar(path: Path) -> Path:
    tifffile.imwrite(
        path, PIXELS.transpose(2, 0, 1), photometric="rgb", planarconfig="separate", tile=(64, 64)
    )
    return path


def tiff(path: Path) -> Path:
    tifffile.imwrite(path, PIXELS, photometric="rgb", rowsperstrip=16)
    return path


def picture(path: Path) -> Path:
    Image.fromarray(PIXELS).save(path, format="png")
    return path


SLIDES: dict[str, Callable[[Path], Path]] = {
    "tiles": tiles,
    "a.ome.zarr": lambda path: ome_zarr(path, 2),
    "b.ome.zarr": lambda path: ome_zarr(path, 3),
    "c.zarr": plain_zarr,
    "d.tif": tiff,
    "e.ome.tif": planar,
    "f.jpg": picture,  # by its bytes a PNG
}


@pytest.mark.parametrize("name", SLIDES)
def test_slides_are_read_by_rectangle(tmp_path: Path, name: str) -> None:
    path = SLIDES[name](tmp_path / name)
    slide = open_slide(path)
    assert slide.shape == PIXELS.shape
    assert slide.name == name.split(".")[0]
    np.testing.assert_array_equal(slide.read(0, 0, 260, 300), PIXELS)
    np.testing.assert_array_equal(slide.read(-9, 95, 120, 22), PIXELS[:111, 95:117])
    assert slide.read(300, 0, 5, 5).shape == (0, 5, 3)
    again = pickle.loads(pickle.dumps(slide))
    np.testing.assert_array_equal(again.read(90, 90, 20, 20), PIXELS[90:110, 90:110])


def test_slides_at_urls(tmp_path: Path) -> None:
    for name in ("d.tif", "f.jpg"):
        data = SLIDES[name](tmp_path / name).read_bytes()
        with fsspec.open(f"memory://slides/{name}", "wb") as file:
            file.write(data)
        slide = open_slide(f"memory://slides/{name}")
        np.testing.assert_array_equal(slide.read(0, 0, 260, 300), PIXELS)


def not_a_tiff(path: Path) -> None:
    path.write_bytes(b"IJrE" + bytes(997))


def cut_short(path: Path) -> None:
    tiff(path)
    path.write_bytes(path.read_bytes()[:-70_000])


def stack(path: Path) -> None:
    tifffile.imwrite(path, np.zeros((7, 5, 300, 300), np.int8), metadata={"axes": "TZYX"})


def damaged_tile(path: Path) -> None:
    tifffile.imwrite(path, PIXELS, photometric="rgb", tile=(64, 64), compression="jpeg")
    with tifffile.TiffFile(path) as file:
        offset = file.pages[0].dataoffsets[0]
    data = bytearray(path.read_bytes())
    data[offset + 20 : offset + 60] = bytes(40)
    path.write_bytes(data)


def tiles_missing(path: Path) -> None:
    """The directory lists one strip of many: the count of an entry is changed."""
    data = bytearray(tiff(path).read_bytes())
    with tifffile.TiffFile(path) as file:
        tag = file.pages[0].tags["StripOffsets"]
    data[tag.offset + 4 : tag.offset + 8] = (1).to_bytes(4, "little")
    path.write_bytes(data)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "a.svs": (not_a_tiff, "is no TIFF, or its header is damaged"),
    "b.tif": (cut_short, "the file is cut short"),
    "c.ome.tif": (stack, r"int8 of shape \(7, 5, 300, 300\) .*one plane of uint8 or uint16"),
    "d.svs": (damaged_tile, "cannot be decoded at row 0, column 0"),
    "e.png": (lambda path: path.write_bytes(b"x" * 99), "is no PNG, JPEG or BMP picture"),
    "f.txt": (lambda path: path.write_text("x"), "is no slide: give a file ending in .svs"),
    "g.tif": (
        lambda path: path.write_bytes(b"II*\0" + bytes(4)),
        "the TIFF holds no image, or its directory is damaged: copy it again$",
    ),
    "h.tif": (tiles_missing, r"lists 1 of its image's 17 tiles or strips"),
    "missing.svs": (lambda path: None, "there is no such file or folder"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_slides_are_refused_with_one_line(tmp_path: Path, name: str) -> None:
    make, message = BROKEN[name]
    make(tmp_path / name)
    with pytest.raises(InputError, match=message):
        open_slide(tmp_path / name).read(0, 0, 10, 10)
    words = ["segment", str(tmp_path / name), str(tmp_path / "out")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_broken_folders_of_tiles(tmp_path: Path) -> None:
    folder = tiles(tmp_path / "t")
    (folder / "8_3.png").unlink()
    with pytest.raises(InputError, match="the tile 8_3 is missing"):
        open_slide(folder)
    Image.fromarray(PIXELS[:90, :100]).save(folder / "8_3.png")
    with pytest.raises(InputError, match=r"8_3.png: holds uint8 of shape \(90, 100, 3\)"):
        open_slide(folder).read(100, 100, 9, 9)
    (folder / "notes.png").write_bytes(b"")
    with pytest.raises(InputError, match="images named column_row"):
        open_slide(folder)
    with pytest.raises(MissingError):
        open_slide(tmp_path / "none")


def jpeg_slides(folder: Path, pixels: np.ndarray) -> dict[str, Path]:
    """A slide of 2 x 2 tiles of 128 pixels, stored in four ways."""
    paths = {name: folder / name for name in ("field.jpg", "shared.svs", "rgb.svs", "tiles")}
    Image.fromarray(pixels).save(paths["field.jpg"], quality=85)
    for name, subsampling in (("shared.svs", (2, 2)), ("rgb.svs", (1, 1))):
        tifffile.imwrite(
            paths[name], pixels, photometric="rgb", tile=(128, 128), compression="jpeg",
            compressionargs={"level": 85}, subsampling=subsampling,
        )  # fmt: skip
    paths["tiles"].mkdir()
    for row, column in np.ndindex(2, 2):
        part = pixels[128 * row : 128 * row + 128, 128 * column : 128 * column + 128]
        Image.fromarray(part).save(paths["tiles"] / f"{column}_{row}.jpg", quality=85)
    return paths


@pytest.mark.parametrize("name", ["field.jpg", "shared.svs", "rgb.svs", "tiles"])
def test_coefficients_are_cut_out_of_jpeg_slides(tmp_path: Path, name: str) -> None:
    smooth = np.random.default_rng(1).normal(0, 1, (256, 256, 3))
    smooth = ndimage.gaussian_filter(smooth, (3, 3, 0)) * 400 + 128
    pixels = np.clip(smooth, 0, 255).astype(np.uint8)
    slide = open_slide(jpeg_slides(tmp_path, pixels)[name])
    cameras = set()
    # Within a tile, across two and across four; at places of no group of blocks.
    for y, x, n_seams in ((13, 21, 0), (140, 60, 0), (9, 101, 1), (105, 7, 1), (99, 111, 2)):
        cell = slide.jpeg(y, x, 45, 50)
        assert cell is not None
        read = slide.read(y, x, 45, 50)
        decoded = decode(cell.camera, cell.coefficients, (45, 50), cell.phase, cell.coded)
        same = (decoded == read)[1:-1, 1:-1].mean()  # the edge has other neighbours
        assert same == 1 if n_seams == 0 or name == "field.jpg" else same > 0.9
        assert not any(b[~c].any() for b, c in zip(cell.coefficients, cell.coded, strict=True))
        cameras.add(cell.camera)
    assert len(cameras) == 1
    assert pickle.loads(pickle.dumps(slide)).jpeg(13, 21, 45, 50) is not None


def test_other_slides_have_no_coefficients(tmp_path: Path) -> None:
    assert open_slide(tiff(tmp_path / "a.tif")).jpeg(0, 0, 40, 40) is None
    Image.fromarray(PIXELS).save(tmp_path / "b.jpg", progressive=True)
    assert open_slide(tmp_path / "b.jpg").jpeg(0, 0, 40, 40) is None


def test_what_counts_as_a_slide(tmp_path: Path) -> None:
    """Of a command that takes cells as well."""
    small = tmp_path / "cell.tif"
    tifffile.imwrite(small, PIXELS[:50, :50], photometric="rgb")
    pages = tmp_path / "pages.tif"
    tifffile.imwrite(pages, np.zeros((4, 300, 300), np.uint8), photometric="minisblack")
    assert [slide_kind(str(p)) for p in (small, pages, tmp_path)] == [None] * 3
    assert slide_kind(str(tiles(tmp_path / "t"))) is None
    for name, kind in (("d.tif", "tiff"), ("f.jpg", "picture"), ("b.ome.zarr", "zarr")):
        assert slide_kind(str(SLIDES[name](tmp_path / name))) == kind
    assert slide_kind(str(plain_zarr(tmp_path / "c.zarr"))) is None
    assert slide_kind("s3://bucket/a.svs") == "tiff"
    assert slide_kind("s3://bucket/cells.zarr") is None
