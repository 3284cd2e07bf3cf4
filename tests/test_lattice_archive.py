"""Cells that are JPEG files, or were cut out of JPEG pictures, archived as their coefficients."""

from __future__ import annotations

import io
import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from PIL import Image, ImageCms
from typer.testing import CliRunner
from zarrmal_codecs import CorruptionError, Model
from zarrmal_codecs.lattice.stored import lattice_of, with_lattice

import zarrmal
from zarrmal import choose
from zarrmal.archive import AppendOptions, WriteOptions
from zarrmal.archive.write.encode.lattice import share_of_bits
from zarrmal.cli import app
from zarrmal.lattice.jpeg_file import read_jpeg
from zarrmal.models import SHIPPED
from zarrmal.sources import Subset, open_source

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
EXIF = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"  # orientation 6
FILES = {
    "a/base.jpg": {"quality": 75},
    "a/sampled.jpg": {"quality": 92, "subsampling": 0, "exif": EXIF, "icc_profile": PROFILE},
    "a/optimised.JPEG": {"quality": 85, "optimize": True},
    "b/restarted.jpg": {"quality": 60, "subsampling": 1, "restart_marker_rows": 1},
    "b/progressive.jpg": {"quality": 80, "progressive": True},
}

SEQUENTIAL = {name: options for name, options in FILES.items() if "progressive" not in options}


@pytest.fixture(scope="module")
def models() -> dict[int, Model]:
    """A model of grey and one of RGB cells, with weights for coefficients, by their channels."""
    shipped = {name: each for each in SHIPPED for name in [each.name]}
    weights = lattice_of(shipped["nih-native-rgb.zmal"].load().classes[0])
    both = {1: "nih-native-red.zmal", 3: "nih-native-rgb.zmal"}
    return {n: with_lattice(shipped[name].load(), weights) for n, name in both.items()}


def drawn(seed: int, shape: tuple[int, int] = (37, 45)) -> np.ndarray:
    """A smooth, noisy picture that ends in black rows."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    waves = [130 + 60 * np.sin((y * a + x * b) / 7 + c) for a, b, c in rng.normal(size=(3, 3))]
    picture = np.stack(waves, -1) + rng.normal(0, 6, (*shape, 3))
    picture[-12:] = 0
    return np.clip(picture, 0, 255).astype(np.uint8)


def write_files(folder: Path, names: dict[str, dict], *, grey: bool = False) -> Path:
    for k, (name, options) in enumerate(names.items()):
        picture = drawn(k, (37 + k, 45 - k))
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        own = picture[..., 1] if grey else picture
        Image.fromarray(own).save(folder / name, "JPEG", **options)
    return folder


def opened(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


@pytest.mark.parametrize("n_channels", [1, 3])
def test_a_model_trained_on_jpeg_files_codes_them_as_such(tmp_path, models, n_channels):
    """`train` learns to code pixels; the shipped weights serve any camera."""
    whole = models[n_channels]
    classes = tuple(replace(own, lattice=(), tensors={}) for own in whole.classes)
    trained = replace(whole, classes=classes)
    files = open_source(write_files(tmp_path / "in", SEQUENTIAL, grey=n_channels == 1))
    many = Subset(files, np.arange(800) % files.n_cells)
    able = choose.with_coefficients(trained, many)
    assert lattice_of(able.classes[0]) is not None
    assert choose.with_coefficients(able, many) is able
    info = zarrmal.write(files, tmp_path / "a.zarr", model=able)
    assert info.n_jpeg_files == files.n_cells
    # Few files are not worth the weights, and pixels of no camera have no use for them.
    assert choose.with_coefficients(trained, files) is trained
    pixels = np.stack([drawn(k) for k in range(9)])
    cells = open_source(pixels if n_channels == 3 else pixels[..., 0])
    assert choose.with_coefficients(trained, Subset(cells, np.arange(800) % 9)) is trained


def test_a_shipped_model_of_grey_cells_codes_jpeg_files_as_such(tmp_path):
    files = open_source(write_files(tmp_path / "in", SEQUENTIAL, grey=True))
    many = Subset(files, np.arange(800) % files.n_cells)
    model = choose.shipped_for(many, lattice="auto")
    assert model is not None
    assert lattice_of(model.classes[0]) is not None
    assert zarrmal.write(files, tmp_path / "a.zarr", model=model).n_jpeg_files == files.n_cells
    # Those that ship have no weights: few files, and pixels of no camera, are not worth them.
    pixels = open_source(np.stack([drawn(k)[..., 0] for k in range(9)]))
    for cells, mode in ((many, "off"), (files, "auto"), (Subset(pixels, np.arange(9)), "auto")):
        plain = choose.shipped_for(cells, lattice=mode)
        assert plain is not None
        assert lattice_of(plain.classes[0]) is None


def test_jpeg_files_come_back_byte_for_byte(tmp_path, models):
    folder, url = write_files(tmp_path / "in", FILES), str(tmp_path / "a.zarr")
    options = WriteOptions(chunk_cells=3, lattice="known")
    info = zarrmal.write(folder, url, model=models[3], options=options)
    assert (info.n_cells, info.n_lattice, info.n_jpeg_files) == (5, 4, 4)
    assert {camera.sampling for camera in info.cameras} >= {"4:2:0", "4:4:4", "4:2:2"}
    assert info.frame_bytes > len(PROFILE) // 10
    assert 0 < info.lattice_saving < 1

    names = zarr.open_array(f"{url}/source_name", mode="r")[:].tolist()
    cells = zarr.open_array(f"{url}/cells", mode="r")[:]
    for k, name in enumerate(names):
        pixels = opened(folder / name)
        np.testing.assert_array_equal(cells[k, : pixels.shape[0], : pixels.shape[1]], pixels)
        own = zarrmal.coefficients(url, k)
        if name == "b/progressive.jpg":
            assert own is None
            continue
        file = read_jpeg((folder / name).read_bytes())
        assert own is not None
        assert own.is_file
        assert own.camera == file.camera
        for found, expected in zip(own.coefficients, file.blocks, strict=True):
            np.testing.assert_array_equal(found, expected)

    assert not zarrmal.verify(url, folder).problems
    report = zarrmal.extract(url, tmp_path / "out")
    assert (report.n_cells, report.n_jpeg, report.n_jpeg_same) == (5, 4, 4)
    found, expected = files_of(tmp_path / "out"), files_of(folder)
    png = found.pop("b/progressive.png")
    np.testing.assert_array_equal(
        np.asarray(Image.open(io.BytesIO(png))), opened(folder / "b/progressive.jpg")
    )
    del expected["b/progressive.jpg"]
    assert found == expected


class Stopping(Subset):
    """Fails when cells are encoded."""

    def jpeg(self, indices):
        raise OSError("the disk is gone")


def test_appended_and_repacked_files_come_back(tmp_path, models):
    url = "memory://lattice/a.zarr"
    first = write_files(tmp_path / "1", {"a/1.jpg": {"quality": 90}, "a/2.jpg": {"quality": 70}})
    second = write_files(tmp_path / "2", {"a/3.jpg": {"quality": 80, "optimize": True}})
    (tmp_path / "3" / "a").mkdir(parents=True)
    Image.fromarray(drawn(8, (30, 30))).save(tmp_path / "3" / "a" / "4.png")
    options = WriteOptions(chunk_cells=4, canvas=(40, 50), overwrite=True)
    zarrmal.write(first, url, model=models[3], options=options)
    cells = open_source(second)
    with pytest.raises(OSError, match="disk"):
        zarrmal.append(Stopping(cells, [0]), url, options=AppendOptions(lattice="known"))
    assert zarrmal.undo(url) == 1
    assert not zarrmal.verify(url, first).problems
    zarrmal.append(cells, url)
    zarrmal.append(tmp_path / "3", url, options=AppendOptions(lattice="off"))
    assert zarrmal.info(url).n_jpeg_files == 3
    zarrmal.repack(url)
    assert zarrmal.info(url).n_jpeg_files == 3
    assert not zarrmal.verify(url, [first, second, tmp_path / "3"]).problems
    assert zarrmal.extract(url, tmp_path / "out").n_jpeg_same == 3
    found = files_of(tmp_path / "out")
    del found["a/4.png"]
    assert found == files_of(first) | files_of(second)


@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
def test_adopted_files_come_back_where_their_coefficients_are_stored(tmp_path, models):
    """Other programs store pixels, and leave chunks out that hold no text."""
    folder = write_files(tmp_path / "in", {f"a/{k}.jpg": {"quality": 80} for k in range(2)})
    for k in (2, 3):
        Image.fromarray(drawn(k)).save(folder / f"a/{k}.png")
    options = WriteOptions(chunk_cells=1)
    zarrmal.write(folder, tmp_path / "a.zarr", model=models[3], options=options)
    xr.open_zarr(tmp_path / "a.zarr").to_zarr(tmp_path / "b.zarr")
    del zarr.open_group(tmp_path / "a.zarr").attrs["zarrmal"]
    for name, n_files in (("a.zarr", 2), ("b.zarr", 0)):
        texts = zarr.open_array(tmp_path / name / "jpeg_frame")[:]
        assert np.count_nonzero(texts) == 2
        for k in np.flatnonzero(texts == "") if n_files == 0 else ():
            (tmp_path / name / "jpeg_frame" / "c" / str(k)).unlink(missing_ok=True)
        zarrmal.adopt(tmp_path / name)
        assert not zarrmal.verify(tmp_path / name, folder).problems
        report = zarrmal.extract(tmp_path / name, tmp_path / f"{name}-out")
        assert (report.n_cells, report.n_jpeg_same) == (4, n_files)


def test_what_surrounds_coefficients_is_not_all_in_memory(tmp_path, models):
    """A colour profile can be larger than the picture of a cell."""
    rng, n_profile = np.random.default_rng(5), 400_000
    peaks: dict[str, list[int]] = {"verify": [], "extract": [], "repack": []}
    counts = (1, 10, 27)  # the second fills what is read ahead
    for n_cells in counts:
        folder, url = tmp_path / str(n_cells), tmp_path / f"{n_cells}.zarr"
        for k in range(n_cells):
            profile = rng.bytes(n_profile)
            write_files(folder, {f"a/{k:02}.jpg": {"quality": 80, "icc_profile": profile}})
        zarrmal.write(folder, url, model=models[3], options=WriteOptions(chunk_cells=2))
        assert zarrmal.info(url).frame_bytes > n_cells * n_profile
        verbs = {
            "verify": lambda url=url, folder=folder: zarrmal.verify(url, folder),
            "extract": lambda url=url: zarrmal.extract(url, url.with_suffix(".out")),
            "repack": lambda url=url: zarrmal.repack(url, url.with_suffix(".again"), workers=1),
        }
        for verb, run in verbs.items():
            tracemalloc.start()
            try:
                run()
                peaks[verb].append(tracemalloc.get_traced_memory()[1])
            finally:
                tracemalloc.stop()
        assert files_of(url.with_suffix(".out")) == files_of(folder)
    more = (counts[2] - counts[1]) * n_profile
    for verb, (_, few, many) in peaks.items():  # the first ones load models and tables
        assert many - few < more / 4, f"{verb}: {few / 1e6:.1f} and {many / 1e6:.1f} MB"


def test_grey_files_and_what_goes_the_ordinary_way(tmp_path, models):
    folder = write_files(tmp_path / "in", {"1.jpg": {"quality": 88}}, grey=True)
    model = models[1]
    info = zarrmal.write(folder, str(tmp_path / "a.zarr"), model=model)
    assert (info.n_jpeg_files, info.cameras[0].sampling) == (1, "grey")
    assert zarrmal.info(str(tmp_path / "a.zarr")) == info
    for name, options in (("off", {"lattice": "off"}), ("2", {"zarr_format": 2})):
        url = str(tmp_path / f"{name}.zarr")
        info = zarrmal.write(folder, url, model=model, options=WriteOptions(**options))
        assert info.n_lattice == (name != "off")
        assert "jpeg_frame" not in zarr.open_group(url)
        zarrmal.extract(url, tmp_path / name)
        np.testing.assert_array_equal(opened(tmp_path / name / "1.png"), opened(folder / "1.jpg"))
    assert share_of_bits(open_source(folder), model, "known") < 0.9
    assert share_of_bits(open_source(folder), model, "off") == 1
    colour = write_files(tmp_path / "rgb", {"1.jpg": {"quality": 88}})
    for options in ({"channel": "red"}, {"size": 16}):
        assert open_source(colour, **options).jpeg(np.array([0])) is None
    subset = open_source(open_source(colour), groups=["slide"])
    assert subset.jpeg(np.array([0]))[0].is_file


def test_a_frame_that_does_not_fit_its_coefficients_is_told(tmp_path, models):
    folder, url = write_files(tmp_path / "in", SEQUENTIAL), tmp_path / "a.zarr"
    zarrmal.write(folder, str(url), model=models[3])
    other = write_files(tmp_path / "other", {name: {"quality": 50} for name in SEQUENTIAL})
    problems = zarrmal.verify(str(url), other).problems
    assert any("another JPEG file" in line for line in problems)
    frames = zarr.open_array(f"{url}/jpeg_frame")
    texts = frames[:]
    k = int(np.flatnonzero(texts != "")[0])
    texts[k] = texts[k][:-8] + "00000000"
    frames[:] = texts
    lines = zarrmal.verify(str(url)).problems
    assert any("`jpeg_frame`" in line for line in lines)
    with pytest.raises(CorruptionError, match="jpeg_frame"):
        zarrmal.extract(str(url), tmp_path / "out")
    report = zarrmal.extract(str(url), tmp_path / "out", skip_damaged=True)
    assert report.n_cells == 4
    assert report.n_jpeg == 0


def test_crops_are_searched_alike_by_any_number_of_workers(tmp_path, models):
    pytest.importorskip("numba", reason="the search needs the extra lattice")
    data = io.BytesIO()
    Image.fromarray(drawn(3, (96, 128))).save(data, "JPEG", quality=93, subsampling=0)
    whole = np.asarray(Image.open(data))
    places = [(3, 5), (21, 38), (11, 70), (30, 61)]
    crops = [whole[y : y + 42 + k, x : x + 50 - k] for k, (y, x) in enumerate(places)]
    stored = []
    for workers in (1, 3):
        url = str(tmp_path / f"{workers}.zarr")
        options = WriteOptions(chunk_cells=2, workers=workers)
        info = zarrmal.write(crops, url, model=models[3], options=options)
        assert info.n_lattice == 4
        stored.append(files_of(tmp_path / f"{workers}.zarr"))
    assert stored[0] == stored[1]
    url = str(tmp_path / "1.zarr")
    phases = {tuple(zarrmal.coefficients(url, k).phase) for k in range(4)}
    assert phases == {(y % 8, x % 8) for y, x in places}
    archive = zarrmal.Archive.open(url)
    order = archive.dataset()["source_index"].values
    for k, index in enumerate(order.tolist()):
        np.testing.assert_array_equal(archive.cell(k), crops[index])
    off = zarrmal.write(
        crops, str(tmp_path / "off.zarr"), model=models[3], options=WriteOptions(lattice="off")
    )
    assert off.n_lattice == 0
    assert off.payload_bytes > info.payload_bytes


def test_the_command_line(tmp_path, models):
    folder, url = write_files(tmp_path / "in", SEQUENTIAL), str(tmp_path / "a.zarr")
    model = tmp_path / "model.zmal"
    models[3].save(model)
    run = CliRunner().invoke
    assert run(app, ["archive", str(folder), url, "--lattice", "sideways"]).exit_code == 2
    result = run(app, ["archive", str(folder), url, "--model", str(model), "--json"])
    assert json.loads(result.stdout)["n_jpeg_files"] == 4
    assert "whole JPEG files" in run(app, ["info", url]).stdout
    result = run(app, ["extract", url, str(tmp_path / "out")])
    assert "4 of them are JPEG files again, 4 of these byte for byte" in result.stdout


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_an_archive_as_a_source_gives_its_coefficients(tmp_path, models, zarr_format, monkeypatch):
    folder = write_files(tmp_path / "in", SEQUENTIAL)
    cells = [drawn(k, (40, 48)) for k in range(3)]
    for k, name in enumerate(("c/1.png", "c/2.png")):
        (folder / name).parent.mkdir(exist_ok=True)
        buffer = io.BytesIO()
        Image.fromarray(cells[k]).save(buffer, "JPEG", quality=90, subsampling=0)
        Image.fromarray(opened(buffer)[8:, 8:]).save(folder / name)
    first, second = tmp_path / "a.zarr", tmp_path / "b.zarr"
    pytest.importorskip("numba", reason="the search needs the extra lattice")
    options = WriteOptions(chunk_cells=4, workers=1, zarr_format=zarr_format)
    zarrmal.write(folder, first, model=models[3], assign="shortest", options=options)
    stored = [zarrmal.coefficients(first, k) for k in range(6)]
    assert sum(cell is not None for cell in stored) == 6
    monkeypatch.setattr("zarrmal.lattice.find.find_cell", None)  # nothing is searched again
    monkeypatch.setattr("zarrmal.lattice.survey.find_cell", None)
    zarrmal.write(first, second, model=models[3], assign="shortest", options=options)
    assert zarrmal.verify(second, first).problems == ()
    order = zarr.open_group(second, mode="r")["source_index"][:]
    for k, row in enumerate(order.tolist()):
        again, cell = zarrmal.coefficients(second, k), stored[row]
        assert again.camera == cell.camera
        assert again.is_file == cell.is_file
        for levels, expected in zip(again.coefficients, cell.coefficients, strict=True):
            np.testing.assert_array_equal(levels, expected)
    zarrmal.extract(second, tmp_path / "out")
    if zarr_format == 3:
        originals = {k: v for k, v in files_of(folder).items() if not k.endswith(".png")}
        assert originals.items() <= files_of(tmp_path / "out").items()
