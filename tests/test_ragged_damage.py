"""Archives of cells of different sizes, copied by other programs or damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from damaged import flip
from ragged import CANVAS, N, append, pictures, save_originals, sound, write
from zarrmal_codecs import CorruptionError, Model

import zarrmal
from zarrmal import Archive, InputError, open_source
from zarrmal.archive.extract.report import UNSIZED


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_originals(tmp_path_factory.mktemp("originals"))


def copied(place: Path, copy: Path, **changes: object) -> None:
    """A copy by xarray, with other values in some cells."""
    dataset = xr.open_zarr(place).load()
    for name, (cell, value) in changes.items():
        dataset[name].values[cell] = value
    dataset.to_zarr(copy)


@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
@pytest.mark.parametrize("zarr_format", [3, 2])
def test_a_copy_by_xarray(zarr_format: int, folder: Path, hybrid: Model, tmp_path: Path) -> None:
    write(folder, tmp_path / "a", hybrid, zarr_format=zarr_format)
    xr.open_zarr(tmp_path / "a").to_zarr(tmp_path / "b", zarr_format=zarr_format)
    zarrmal.extract(tmp_path / "b", tmp_path / "out")
    assert pictures(tmp_path / "out") == pictures(folder)
    zarrmal.adopt(tmp_path / "b")
    sound(tmp_path / "b", folder)
    append(folder, tmp_path / "b")
    sound(tmp_path / "b", [folder, folder])


@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
def test_a_copy_without_the_sizes(folder: Path, hybrid: Model, tmp_path: Path) -> None:
    write(folder, tmp_path / "a", hybrid)
    xr.open_zarr(tmp_path / "a").drop_vars(["height", "width"]).to_zarr(tmp_path / "b")
    with pytest.raises(InputError, match="lacks the arrays `height` and `width`"):
        zarrmal.adopt(tmp_path / "b")
    xr.open_zarr(tmp_path / "a").drop_vars("width").to_zarr(tmp_path / "c")
    with pytest.raises(InputError, match="only `height` is there"):
        zarrmal.adopt(tmp_path / "c")


@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
def test_sizes_that_do_not_fit_the_pixels(folder: Path, hybrid: Model, tmp_path: Path) -> None:
    write(folder, tmp_path / "a", hybrid)
    height = int(zarr.open_group(tmp_path / "a")["height"][0])
    copied(tmp_path / "a", tmp_path / "b", height=(0, height - 6))
    report = zarrmal.verify(tmp_path / "b", folder)
    assert [finding.kind for finding in report.findings] == ["beyond"]
    assert any("holds pixels beyond the size of 1 of its cells: 0" in p for p in report.problems)
    assert any(
        line == f"`height` differs from the source: of cell 0 it is {height - 6}, there {height}"
        for line in report.problems
    )
    assert report.n_lost == 0
    with pytest.raises(CorruptionError, match="outside the `height`"):
        zarrmal.adopt(tmp_path / "b")
    with pytest.raises(CorruptionError, match="pixels outside its size"):
        zarrmal.extract(tmp_path / "b", tmp_path / "out")
    found = zarrmal.extract(tmp_path / "b", tmp_path / "out", skip_damaged=True, overwrite=True)
    assert [(cell.position, cell.state) for cell in found.damaged] == [(0, UNSIZED)]
    copied(tmp_path / "a", tmp_path / "c", width=(1, 99))
    assert any("`width` of cell 1 is 99" in p for p in zarrmal.verify(tmp_path / "c").problems)
    with pytest.raises(InputError, match="`width` of cell 1 is 99"):
        zarrmal.adopt(tmp_path / "c")


@pytest.mark.parametrize("kind", ["flipped", "gone"])
@pytest.mark.parametrize("zarr_format", [3, 2])
def test_damage_to_the_sizes(
    kind: str, zarr_format: int, folder: Path, hybrid: Model, tmp_path: Path
) -> None:
    """The pixels are all saved, on the canvas, and listed: where a cell ends is not known."""
    place = tmp_path / "a"
    write(folder, place, hybrid, zarr_format=zarr_format)
    chunk = place / "height" / ("c/0" if zarr_format == 3 else "0")
    if kind == "gone":
        chunk.unlink()
    else:
        chunk.write_bytes(flip(len(chunk.read_bytes()) // 2)(chunk.read_bytes()))
    report = zarrmal.verify(place, folder)
    assert any(line.startswith("`height`: chunk") for line in report.problems)
    assert report.n_lost == 0
    archive = Archive.open(place)
    for reading in (lambda: archive.sizes, lambda: archive.cell(0)):
        with pytest.raises(CorruptionError, match="height"):
            reading()
    assert archive.read([0]).shape == (1, *CANVAS)
    assert zarrmal.info(place).n_pixels == N * CANVAS[0] * CANVAS[1]
    assert zarrmal.show(place).n_lost == 0
    with pytest.raises(InputError, match="height"):
        open_source(place)
    with pytest.raises(CorruptionError, match="--skip-damaged"):
        zarrmal.extract(place, tmp_path / "strict")
    found = zarrmal.extract(place, tmp_path / "out", skip_damaged=True)
    assert (found.n_cells, found.n_lost) == (N, 0)
    assert {cell.state for cell in found.damaged} == {UNSIZED}
    assert len(found.damaged) == N
    saved = pictures(tmp_path / "out")
    assert {shape for shape, _ in saved.values()} == {CANVAS}
    for name, (shape, pixels) in pictures(folder).items():
        whole = np.frombuffer(saved[name][1], np.uint8).reshape(CANVAS)
        assert whole[: shape[0], : shape[1]].tobytes() == pixels
    assert "its size is lost" in (tmp_path / "out" / "damaged-cells.txt").read_text()
