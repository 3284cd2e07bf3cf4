"""From slide to archive and back to the place on the slide."""

from __future__ import annotations

import csv
import json
import pickle
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
import xarray as xr
import zarr
from PIL import Image
from smears import Smear, draw, stain, write_pyramid
from typer.testing import CliRunner, Result
from zarrmal_codecs import Model

import zarrmal
from zarrmal import choose
from zarrmal.archive import WriteOptions
from zarrmal.benchmark.run import split_source
from zarrmal.cli import app
from zarrmal.errors import InputError
from zarrmal.segment import SegmentOptions, open_slide, open_slide_cells
from zarrmal.segment.source import SlideSource
from zarrmal.sources import ConcatSource, Source
from zarrmal.sources.columns.provenance import PROVENANCE


def run(*words: object) -> Result:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.stderr or done.exception
    return done


@pytest.fixture(scope="module")
def smear() -> Smear:
    return draw(300, 400, others=True)


@pytest.fixture(scope="module")
def slide(smear: Smear, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pyramid(tmp_path_factory.mktemp("slide") / "s1.svs", smear.pixels)


@pytest.fixture(scope="module")
def held(slide: Path) -> Path:
    path = slide.with_name("a.zarr")
    zarrmal.write(slide, path, options=WriteOptions(chunk_cells=16))
    return path


def test_cells_know_their_place(held: Path, slide: Path, smear: Smear) -> None:
    data = xr.open_zarr(held)
    assert set(PROVENANCE) <= set(data.coords)
    assert data.sizes["cell"] == len(smear.cells)
    assert (data.slide == "s1").all()
    source = open_slide(slide)
    data = data.load()
    for cell in range(0, len(smear.cells), 5):
        own = data.isel(cell=cell)
        height, width = int(own.slide_height), int(own.slide_width)
        stored = own.cells.values
        cut = source.read(int(own.slide_y), int(own.slide_x), height, width)
        inside = stored[:height, :width].any(axis=2)
        np.testing.assert_array_equal(stored[:height, :width][inside], cut[inside])
        assert not stored[height:].any()
        assert not stored[:, width:].any()
        assert inside.sum() == own.area
        assert not inside[0, 0]  # the background
        diameter = np.sqrt(4 * int(own.area) / np.pi)
        assert float(own.equivalent_diameter) == pytest.approx(diameter, rel=1e-6)
        assert (own.height, own.width) == (height, width)


def test_cells_know_how_much_the_border_cuts_off(tmp_path: Path) -> None:
    image = draw(300, 400).pixels.copy()
    stain(image, (12.0, 200.0, 18.0), 1.0)
    slide = write_pyramid(tmp_path / "s.svs", image)
    zarrmal.write(slide, tmp_path / "a.zarr")
    data = xr.open_zarr(tmp_path / "a.zarr").load()
    (share,) = data.cut_share[data.cut_share > 0].values
    assert 0.05 < share < 0.19
    assert int(data.slide_y[data.cut_share > 0].item()) == 0
    none = open_slide_cells(slide, options=SegmentOptions(keep_border=False))
    assert none.n_cells == data.sizes["cell"] - 1
    found = run("segment", slide, tmp_path / "out", "--no-keep-border", "--json").stdout
    assert json.loads(found)["objects"]["border"] == 1


def test_tissue_is_told_from_smears(tmp_path: Path) -> None:
    image = draw(300, 400).pixels.copy()
    for y in range(30, 300, 20):
        stain(image, (float(y), 200.0, 60.0), 0.7)  # nearly everything hangs together
    slide = write_pyramid(tmp_path / "s.svs", image)
    assert "if this is tissue and no smear" in open_slide_cells(slide).description


def test_an_archive_is_equal_to_its_slide(held: Path, slide: Path) -> None:
    report = zarrmal.verify(held, slide)
    assert (report.problems, report.n_lost) == ((), 0)
    zarr.open_group(held, mode="r+")["slide_x"][3] += 1
    assert any("slide_x" in line for line in zarrmal.verify(held, slide).problems)
    zarr.open_group(held, mode="r+")["slide_x"][3] -= 1


def test_an_interrupted_archive_of_a_slide_goes_on(slide: Path, tmp_path: Path) -> None:
    """Cells are found anew, the same ones, and chunks that are stored already are reused."""
    path, few = tmp_path / "a.zarr", {"chunk_cells": 8, "workers": 1}
    n_stored = 0

    def interrupt(stage: str, done: int, *_: object) -> None:
        nonlocal n_stored
        if stage == "writing cells":
            n_stored = done
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        zarrmal.write(slide, path, options=WriteOptions(**few), progress=interrupt)
    assert n_stored == 8
    with pytest.raises(InputError, match="resume"):
        zarrmal.write(slide, path, options=WriteOptions(**few))
    zarrmal.write(slide, path, options=WriteOptions(resume=True, **few))
    report = zarrmal.verify(path, slide)
    assert (report.problems, report.n_lost) == ((), 0)
    zarrmal.write(slide, tmp_path / "b.zarr", options=WriteOptions(**few))
    one, other = (zarr.open_group(tmp_path / name, mode="r") for name in ("a.zarr", "b.zarr"))
    np.testing.assert_array_equal(one["cells"][:], other["cells"][:])
    np.testing.assert_array_equal(one["slide_x"][:], other["slide_x"][:])


def test_another_slide_is_appended_and_repacked(held: Path, tmp_path: Path) -> None:
    other = write_pyramid(tmp_path / "s2.svs", draw(300, 400, seed=1).pixels)
    path = tmp_path / "b.zarr"
    zarrmal.repack(held, path)
    before = zarrmal.info(path).n_cells
    zarrmal.append(other, path)
    zarrmal.repack(path, tmp_path / "c.zarr")
    data = xr.open_zarr(tmp_path / "c.zarr").load()
    assert (data.slide == "s1").sum() == before
    assert (data.slide == "s2").sum() == len(data.slide) - before > 9
    # An archive is a source as well, and keeps what it knows.
    source = zarrmal.open_source(tmp_path / "c.zarr")
    np.testing.assert_array_equal(source.columns["area"], data.area)
    assert source.groups is not None
    flat = zarrmal.open_source(np.zeros((3, 24, 24, 3), np.uint8))
    with pytest.raises(InputError, match="these cells come without"):
        zarrmal.append(flat, path)


def test_resized_cells_have_native_silhouettes(slide: Path) -> None:
    cells = open_slide_cells(slide, size=50)
    assert cells.cell_shape == (50, 50, 3)
    own = cells.silhouettes(np.array([4, 2]))
    assert own is not None
    assert own.resampling == "triangle"
    again = pickle.loads(pickle.dumps(cells))  # as for a worker of a cluster
    np.testing.assert_array_equal(again.read(np.arange(3)), cells.read(np.arange(3)))
    native = cells.native(4)
    np.testing.assert_array_equal(own.masks[0], native.any(axis=2))
    resized = Image.fromarray(native).resize((50, 50), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(cells.read(np.array([4]))[0], np.asarray(resized))


def test_coefficients_of_cells(slide: Path, smear: Smear, tmp_path: Path) -> None:
    known = open_slide_cells(slide).jpeg(np.array([5, 0, 2]))
    assert known is not None
    assert all(cell is not None and not cell.is_file for cell in known)
    assert len({cell.camera for cell in known if cell is not None}) == 1
    assert open_slide_cells(slide, size=50).jpeg(np.arange(3)) is None
    # They are shorter than the pixels where the camera was not set to keep its noise.
    path = tmp_path / "field.jpg"
    Image.fromarray(smear.pixels).save(path, quality=75)
    info = zarrmal.write(path, tmp_path / "a.zarr")
    assert info.n_lattice > 0.8 * info.n_cells
    report = zarrmal.verify(tmp_path / "a.zarr", path)
    assert (report.problems, report.n_lost) == ((), 0)


def test_the_background_can_be_kept(slide: Path, tmp_path: Path) -> None:
    kept = open_slide_cells(slide, options=SegmentOptions(keep_background=True))
    assert kept.silhouettes(np.arange(3)) is None
    assert (kept.native(0)[0, 0] > 100).all()
    path = tmp_path / "a.zarr"
    zarrmal.write(slide, path, slide=SegmentOptions(keep_background=True))
    data = xr.open_zarr(path).load()
    np.testing.assert_array_equal(data.mask.sum(("y", "x")), data.area)
    assert (data.cells.values[:, 0, 0] > 100).all()


def test_segment_writes_a_folder(slide: Path, smear: Smear, tmp_path: Path) -> None:
    out, preview = tmp_path / "out", tmp_path / "p.png"
    found = json.loads(run("segment", slide, out, "--preview", preview, "--json").stdout)
    assert found["objects"]["cell"] == len(smear.cells) == len(list((out / "cells").iterdir()))
    assert found["objects"]["border"] == 2
    with (out / "objects.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [r["verdict"] for r in rows].count("cell") == len(smear.cells)
    assert {r["verdict"] for r in rows} >= {"border", "platelet", "white cell"}
    first = next(r for r in rows if r["name"])
    with Image.open(out / "cells" / first["name"]) as image:
        assert image.size == (int(first["slide_width"]), int(first["slide_height"]))
    with Image.open(preview) as image:
        assert image.size == (400, 300)
    # What the folder holds are cells with masks, as any.
    source = zarrmal.open_source(out / "cells", masks=out / "masks")
    assert source.n_cells == len(smear.cells)
    done = CliRunner().invoke(app, ["segment", str(slide), str(out)])
    assert (done.exit_code, "something is there already" in done.stderr) == (2, True)


def test_a_slide_without_cells_is_drawn(tmp_path: Path) -> None:
    image = np.full((120, 160, 3), 220, np.uint8)
    image[40:44, 30:130] = 0  # a scale bar
    Image.fromarray(image).save(tmp_path / "s.png")
    for target in ("out", "a.zarr"):
        preview = tmp_path / f"{target}.png"
        words = ("segment", tmp_path / "s.png", tmp_path / target, "--preview", preview)
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert (done.exit_code, "no cells were found" in " ".join(done.stderr.split())) == (2, True)
        with Image.open(preview) as drawn:
            assert drawn.size == (160, 120)


def test_segment_refuses_folders_before_it_segments(slide: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = CliRunner().invoke(app, ["segment", str(slide), str(tmp_path / "file" / "out")])
    assert done.exit_code == 2
    said = " ".join(done.stderr.split())
    assert "cannot be written" in said
    assert "cells of" not in said


def test_segment_writes_an_archive(slide: Path, tmp_path: Path) -> None:
    archive, preview = tmp_path / "a.zarr", tmp_path / "p.png"
    words = ("--size", 50, "--tile", 128, "--preview", preview)
    said = " ".join(run("segment", slide, archive, *words, "--split", "hough").stderr.split())
    info = zarrmal.info(archive)
    assert info.cell_shape == (50, 50, 3)
    own, of_slide = info.stored_bytes, slide.stat().st_size
    assert f"takes {own:,} bytes, the slide itself {of_slide:,}: {own / of_slide:.2f}" in said
    assert preview.stat().st_size > 1000
    # An interrupted run goes on with the same cells, and a finished one is not overwritten.
    done = CliRunner().invoke(app, ["segment", str(slide), str(archive)])
    assert done.exit_code == 2


@pytest.mark.parametrize("kind", ["stained, RGB", "fluorescent, grey"])
def test_slides_of_16_bits(tmp_path: Path, kind: str) -> None:
    smear = draw(300, 300)
    rng = np.random.default_rng(0)
    values = smear.pixels.astype(np.uint16) * 60 + 900  # a camera of 14 bits, its own black
    values += rng.integers(0, 60, values.shape, np.uint16)
    if kind == "fluorescent, grey":
        values = (16_400 - values[..., 1]).clip(0).astype(">u2")
    tifffile.imwrite(tmp_path / "s.tif", values, tile=(128, 128), compression="zlib")
    cells = open_slide_cells(tmp_path / "s.tif")
    assert cells.dtype == np.uint16
    assert cells.n_cells == len(smear.cells)
    y, x, height, width = cells.objects.cells().boxes[4].tolist()
    mask = cells.mask(4)
    cut = values[y : y + height, x : x + width]
    np.testing.assert_array_equal(cells.native(4)[mask], cut[mask])
    zarrmal.write(tmp_path / "s.tif", tmp_path / "a.zarr")
    report = zarrmal.verify(tmp_path / "a.zarr", tmp_path / "s.tif")
    assert (report.problems, report.n_lost) == ((), 0)
    run("segment", tmp_path / "s.tif", tmp_path / "out", "--preview", tmp_path / "p.png")
    exported = zarrmal.open_source(tmp_path / "out/cells", masks=tmp_path / "out/masks")
    names = exported.names.tolist()
    own = exported.original(names.index(cells.names[4]))
    np.testing.assert_array_equal(own, cells.native(4))


def test_training_takes_slides_and_folders_of_fields(
    slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = tmp_path / "fields"
    fields.mkdir()
    for seed in (1, 2):
        Image.fromarray(draw(200, 260, seed=seed).pixels).save(fields / f"field{seed}.png")
    Image.fromarray(np.full((90, 90, 3), 230, np.uint8)).save(fields / "blank.png")
    taken: list[Source] = []

    def train_any(cells: Source, *_: object, **__: object) -> None:
        taken.append(cells)
        raise InputError("enough")

    learn = SimpleNamespace(HybridOptions=dict, train_any=train_any)
    monkeypatch.setattr(choose, "import_learn", lambda: learn)
    for source, option in ((slide, ()), (fields, ("--tile", "512"))):
        CliRunner().invoke(app, ["train", str(source), "-o", str(tmp_path / "m"), *option])
    assert [type(cells) for cells in taken] == [SlideSource, ConcatSource]
    assert "cells of 2 of 3 fields" in taken[1].description
    assert set(taken[1].columns["slide"].tolist()) == {"field1", "field2"}
    # Of one slide the right part is unseen, of several all of some.
    training, unseen = split_source(taken[0], 0.25, 0)
    assert (training.n_cells, unseen.n_cells) == (22, 7)
    assert training.columns["slide_x"].max() <= unseen.columns["slide_x"].min()
    _, unseen = split_source(taken[1], 0.5, 0)
    assert len(set(unseen.columns["slide"].tolist())) == 1
    for path in fields.glob("field*"):
        path.unlink()
    with pytest.raises(InputError, match="no cells were found in any of its 1 pictures"):
        zarrmal.write(fields, tmp_path / "a.zarr", slide=SegmentOptions())


def test_a_blank_slide_has_nothing_to_archive(tmp_path: Path) -> None:
    Image.fromarray(np.full((300, 300, 3), 230, np.uint8)).save(tmp_path / "blank.png")
    with pytest.raises(InputError, match="no cells were found"):
        zarrmal.write(tmp_path / "blank.png", tmp_path / "a.zarr")
    with pytest.raises(InputError, match=r"is a slide.*leave out masks"):
        zarrmal.write(tmp_path / "blank.png", tmp_path / "a.zarr", masks=tmp_path)


def test_an_area_of_others_stays_theirs(hybrid: Model, tmp_path: Path) -> None:
    """Archives of other sources have no such columns; what is called so there is not ours."""
    path = tmp_path / "a.zarr"
    cells = np.random.default_rng(0).integers(0, 256, (20, 24, 24), dtype=np.uint8)
    zarrmal.write(cells, path, model=hybrid)
    zarr.open_group(path, mode="r+").create_array(
        "area", data=np.arange(20), dimension_names=("cell",)
    )
    assert zarrmal.verify(path).problems == ()
    with pytest.raises(InputError, match="`area` of another program"):
        zarrmal.append(cells, path)
