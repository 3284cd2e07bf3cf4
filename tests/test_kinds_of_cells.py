"""Cells of 16 bits and more, of many channels, first or last: what comes back is what went in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import xarray as xr
import zarr
from every_moment import killed_at_store
from pictures import noise, save
from typer.testing import CliRunner
from zarrmal_codecs import CorruptionError, Model

import zarrmal
from zarrmal import AppendOptions, Archive, InputError, WriteOptions, open_source
from zarrmal.cli import app
from zarrmal.sources import Source

N = 11


def drawn(*shape: int, dtype: str = "u2") -> np.ndarray:
    """Numbers of 12 bits, some of them not finite where the dtype has such."""
    values = np.random.default_rng(sum(shape)).integers(0, 4096, shape).astype(dtype)
    if values.dtype.kind == "f":
        values.flat[:3] = np.nan, -0.0, np.inf
    return values


KINDS = {
    "uint16": (drawn(N, 9, 7), ("cell", "y", "x")),
    "uint16 rgb": (drawn(N, 9, 7, 3), ("cell", "y", "x", "channel")),
    "uint16 channels first": (drawn(N, 5, 9, 8), ("cell", "channel", "y", "x")),
    "uint8 channels first": (noise(N, 3, 9, 8), ("cell", "channel", "y", "x")),
    "float16 channels first": (drawn(N, 2, 9, 8, dtype="f2"), ("cell", "channel", "y", "x")),
    "big-endian": (drawn(N, 9, 7, dtype=">i4"), ("cell", "y", "x")),
    "bool": (drawn(N, 9, 7) > 2000, ("cell", "y", "x")),
    "complex": (drawn(N, 9, 7, dtype="c8") * 1j, ("cell", "y", "x")),
}
LAYOUTS = {
    "zarr3": {},
    "zarr2": {"zarr_format": 2},
    "shards": {"shard_cells": 8},
}


def write(source: object, place: Path, **options: object) -> None:
    zarrmal.write(source, place, options=WriteOptions(chunk_cells=4, workers=1, **options))


def append(source: object, place: Path, **options: object) -> None:
    zarrmal.append(source, place, options=AppendOptions(workers=1, **options))


def same(stored: np.ndarray, given: np.ndarray) -> None:
    """Equal bit for bit, but for the byte order."""
    assert stored.shape == given.shape
    assert stored.dtype.name == given.dtype.name
    own, other = (np.ascontiguousarray(a, a.dtype.newbyteorder("=")) for a in (stored, given))
    assert own.tobytes() == other.tobytes()


CASES = [(kind, "zarr3") for kind in KINDS]
CASES += [("uint16 channels first", layout) for layout in ("zarr2", "shards")]


@pytest.mark.parametrize(("kind", "layout"), CASES)
def test_what_went_in_comes_back(kind: str, layout: str, tmp_path: Path) -> None:
    cells, dims = KINDS[kind]
    place, first, more = tmp_path / "a", cells[:6], cells[6:]
    write(first, place, **LAYOUTS[layout])
    append(more, place)
    dataset = xr.open_zarr(place)
    assert dataset.cells.dims == dims
    stored = cells[dataset.source_index.values]  # sorted by class
    same(dataset.cells.values, stored)
    assert zarrmal.verify(place, [first, more]).problems == ()
    archive = Archive.open(place)
    same(archive.read([9, 2, 2]), stored[[9, 2, 2]])
    same(archive.cell(3), stored[3])


@pytest.mark.parametrize("kind", ["uint16 channels first", "complex"])
def test_every_verb_takes_it(kind: str, tmp_path: Path) -> None:
    cells, dims = KINDS[kind]
    place, first, more = tmp_path / "a", cells[:6], cells[6:]
    write(first, place)
    append(more, place)
    pixels, good = zarrmal.recover_cells(place, [4, 0])
    assert good.all()
    same(pixels, cells[[4, 0]])
    info = zarrmal.info(place)
    assert (info.dtype, info.channel_first) == (cells.dtype.name, dims[1] == "channel")
    assert info.raw_bytes == cells.nbytes
    assert zarrmal.show(place).n_shown == N
    zarrmal.repack(place)
    write(str(place), tmp_path / "b")
    for name in "ab":
        same(zarr.open(tmp_path / name, mode="r")["cells"][:], cells)


EXTRACTED = ["uint16", "uint16 rgb", "uint16 channels first", "float16 channels first"]


@pytest.mark.parametrize("kind", EXTRACTED)
def test_images_come_back(kind: str, tmp_path: Path) -> None:
    """Each with its own kind of file, and of a size of its own."""
    cells, dims = KINDS[kind]
    first = dims[1] == "channel"
    for k, cell in enumerate(cells):
        own = cell[..., : 4 + k % 3] if first else cell[: 4 + k % 3]
        if dims[-1] == "channel" or (k % 2 and not first and cell.dtype == np.uint16):
            path = tmp_path / f"in/x/{k}.tif"
            save(path, own, photometric="rgb" if own.shape[-1] == 3 else "minisblack")
        elif first:
            save(tmp_path / f"in/x/{k}.TIFF", own, photometric="minisblack")
        else:
            save(tmp_path / f"in/x/{k}.png", own)
    write(tmp_path / "in", tmp_path / "a")
    assert zarrmal.verify(tmp_path / "a", tmp_path / "in").problems == ()
    zarrmal.extract(tmp_path / "a", tmp_path / "out")
    given, back = open_source(tmp_path / "in"), open_source(tmp_path / "out")
    assert back.names.tolist() == given.names.tolist()
    assert back.channel_first == given.channel_first == first
    assert given.sizes is not None
    for k in range(N):
        same(back.original(k), given.original(k))
    if first:
        with tifffile.TiffFile(tmp_path / "out/x/0.TIFF") as file:
            assert len(file.pages) == cells.shape[1]


def test_originals_of_different_sizes_and_channels_first(tmp_path: Path) -> None:
    arrays = [drawn(5, 6 + k % 4, 7 + k % 3) for k in range(N)]
    write(arrays, tmp_path / "a")
    assert zarr.open(tmp_path / "a", mode="r")["cells"].shape == (N, 5, 9, 9)
    archive = Archive.open(tmp_path / "a")
    assert archive.cell_shape == (9, 9, 5)
    for k in range(N):
        same(archive.cell(k), arrays[k])
    assert zarrmal.verify(tmp_path / "a", [arrays]).problems == ()
    last = [np.moveaxis(array, 0, 2) for array in arrays]
    assert not open_source(last).channel_first
    same(open_source(last).read(np.arange(N)), open_source(arrays).read(np.arange(N)))
    wrong = [array.copy() for array in arrays]
    wrong[3][4, 0, 0] ^= 1
    (problem,) = zarrmal.verify(tmp_path / "a", [wrong]).problems
    assert "differs from the source in 1 of its cells, the first is number 3" in problem
    append([drawn(5, 9, 6)], tmp_path / "a")
    same(Archive.open(tmp_path / "a").cell(N), drawn(5, 9, 6))


def test_a_chunk_is_measured_in_bytes() -> None:
    options = WriteOptions()
    assert options.chunk_length((128, 128)) == 1024
    for shape, item_bytes in (((128, 128, 8), 2), ((300, 300), 2), ((64, 300, 300), 4)):
        n_cells = options.chunk_length(shape, item_bytes)
        assert n_cells * np.prod(shape) * item_bytes <= 64 * 2**20 or n_cells == 1
        assert 2 * n_cells * np.prod(shape) * item_bytes > 64 * 2**20


def test_an_interrupted_write_of_16_bits_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = KINDS["uint16 channels first"][0]
    with killed_at_store(9, monkeypatch):
        write(cells, tmp_path / "a")
    with pytest.raises(InputError, match="not those of the interrupted run"):
        write(cells + np.uint16(1), tmp_path / "a", resume=True)
    write(cells, tmp_path / "a", resume=True)
    assert zarrmal.verify(tmp_path / "a", cells).problems == ()


def test_damage_in_an_archive_without_a_model(tmp_path: Path) -> None:
    cells = KINDS["uint16"][0]
    write(cells, tmp_path / "a")
    path = tmp_path / "a/cells/c/1/0/0"
    data = bytearray(path.read_bytes())
    data[-9] ^= 4
    path.write_bytes(data)
    report = zarrmal.verify(tmp_path / "a")
    assert (report.n_lost, len(report.problems)) == (4, 1)
    pixels, good = zarrmal.recover_cells(tmp_path / "a")
    assert good.tolist() == [True] * 4 + [False] * 4 + [True] * 3
    same(pixels[good], cells[good])
    with pytest.raises(CorruptionError):
        Archive.open(tmp_path / "a").read([5])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (drawn(3, 9, 7), "are float32, these are uint16: convert them"),
        (drawn(3, 9, 7, 3, dtype="f4"), "use --channel"),
    ],
)
def test_other_kinds_are_not_appended(given: np.ndarray, told: str, tmp_path: Path) -> None:
    write(drawn(N, 9, 7, dtype="f4"), tmp_path / "a")
    with pytest.raises(InputError, match=told):
        append(given, tmp_path / "a")


def test_a_model_that_does_not_fit_is_refused(hybrid: Model, tmp_path: Path) -> None:
    cells = KINDS["uint16"][0]
    with pytest.raises(InputError, match=r"more than 255 levels of uint16"):
        zarrmal.write(cells, tmp_path / "a", model=hybrid)
    with pytest.raises(InputError, match="stored without a model, so there are no classes"):
        zarrmal.write(cells, tmp_path / "a", assign="shortest")


def test_the_command_line_says_so(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", KINDS["uint16 channels first"][0])
    words = ["archive", str(tmp_path / "a.npy"), str(tmp_path / "a.zarr")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0
    assert "no shipped model is for cells of 9 x 8 of uint16, 5 channels first" in " ".join(
        done.stderr.split()
    )
    assert "uint16, 5 channels before y and x" in done.stdout
    done = CliRunner().invoke(app, [*words, "--overwrite", "--axes", "yxc"])
    assert done.exit_code == 0
    assert zarrmal.info(tmp_path / "a.zarr").sizes_text == "5 x 9 x 8"
    done = CliRunner().invoke(app, [*words, "--overwrite", "--axes", "zyx"])
    assert done.exit_code == 2
    assert "letters y, x and c" in " ".join(done.stderr.split())


def test_names_of_channels_stay(tmp_path: Path) -> None:
    cells = drawn(N, 3, 9, 8)
    names = ["DAPI", "GFP", "RFP"]
    array = xr.DataArray(cells, dims=("cell", "c", "y", "x"), coords={"c": names})
    write(array, tmp_path / "a")
    write(str(tmp_path / "a"), tmp_path / "b")
    zarrmal.repack(tmp_path / "a", tmp_path / "c")
    for name in "abc":
        assert list(zarrmal.info(tmp_path / name).channel_names) == names


def test_a_source_of_ones_own(tmp_path: Path) -> None:
    class Own(Source):
        n_cells, cell_shape, dtype = 5, (4, 3, 6), np.dtype(np.uint16)

        def read(self, indices: np.ndarray) -> np.ndarray:
            return np.multiply.outer(indices, np.ones(self.cell_shape)).astype(np.uint16)

    write(Own(), tmp_path / "a")
    same(zarr.open(tmp_path / "a", mode="r")["cells"][4], np.full((4, 3, 6), 4, np.uint16))


def test_adopting_a_copy(tmp_path: Path) -> None:
    cells = KINDS["uint16 channels first"][0]
    write(cells, tmp_path / "a")
    xr.open_zarr(tmp_path / "a").to_zarr(tmp_path / "b", consolidated=False)
    zarrmal.adopt(tmp_path / "b")
    assert zarrmal.verify(tmp_path / "b", cells).problems == ()


DEEP = np.cumsum(drawn(40, 9, 8, 5) // 40, axis=2).astype("u2") + 300


@pytest.fixture(scope="module")
def deep_model() -> Model:
    pytest.importorskip("torch")
    from zarrmal.learn import HybridOptions, train_hybrid

    options = HybridOptions(effort="fast", sae=1, steps=4, validation=0.0)
    return train_hybrid(open_source(DEEP, axes="yxc"), options).model


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("is_first", [False, True])
def test_models_code_16_bits(
    deep_model: Model, layout: str, is_first: bool, tmp_path: Path
) -> None:
    """Chunks of other offsets and steps, read whole and cell by cell."""
    cells = DEEP + 50 * np.arange(len(DEEP), dtype="u2")[:, None, None, None]
    cells[8:16] *= 3
    axes, given = "yxc", cells
    if is_first:
        axes, given = "cyx", np.ascontiguousarray(cells.transpose(0, 3, 1, 2))
    place = tmp_path / "a"
    source = open_source(given, axes=axes)
    zarrmal.write(
        source,
        place,
        model=deep_model,
        options=WriteOptions(chunk_cells=4, workers=1, **LAYOUTS[layout]),
    )
    assert zarrmal.verify(place, source).problems == ()
    same(zarr.open(place, mode="r")["cells"][:], given)
    archive = Archive.open(place)
    rows = np.array([17, 3, 9, 30, 8])
    same(archive.read(rows), given[rows])
    assert zarrmal.info(place).payload_bytes < 0.6 * given.nbytes
