"""What docs/interop.md says of other tools, where no other test shows it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
import xarray as xr
import zarr
from damaged import run
from zarr.storage import MemoryStore

import zarrmal
from zarrmal import InputError, WriteOptions
from zarrmal.models import shipped_model

pytestmark = pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")

N = 40
PIXELS = np.random.default_rng(0).integers(0, 256, (N, 8, 8), np.uint8)
FIRST, OTHER = ["parasitized", "uninfected"] * (N // 2), ["ring", "trophozoite"] * (N // 2)


def write(where: Any, labels: Any = FIRST, pixels: Any = PIXELS, **options: Any) -> Any:
    given = WriteOptions(**({"chunk_cells": 8, "workers": 1} | options))
    zarrmal.write(pixels, where, model=shipped_model(1), labels=labels, options=given)
    return where


@pytest.fixture(params=[3, 2], ids=["zarr3", "zarr2"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write(tmp_path / "a", zarr_format=request.param)


def stored_format(archive: Path) -> Any:
    return zarr.open_group(archive, mode="r").metadata.zarr_format


def in_source_order(dataset: xr.Dataset) -> Any:
    return dataset.cells.values[np.argsort(dataset.source_index.values)]


def test_xarray_writes_onto_what_it_reads(archive: Path) -> None:
    """It removes the archive first, and then reads chunks that are gone as black ones.

    Versions of zarr that refuse to read a missing chunk raise an error, when it is too late.
    """
    with suppress(Exception):
        xr.open_zarr(archive).to_zarr(archive, mode="w", zarr_format=stored_format(archive))
    report = zarrmal.verify(archive)
    assert report.n_lost == N
    assert "rewritten the archive without storing its cells" in report.problems[0]
    assert not any("zarrmal adopt" in line for line in report.problems)
    with pytest.raises(InputError, match="is missing, or holds black cells only"):
        zarrmal.open_source(archive).read(np.arange(N))
    told = run("verify", archive)
    assert (told.exit_code, f"all {N} cells are lost" in told.stdout) == (1, True)


def test_xarray_writes_a_loaded_data_set_beside_it(archive: Path, tmp_path: Path) -> None:
    dataset = xr.open_zarr(archive).load()
    dataset.to_zarr(tmp_path / "b", zarr_format=stored_format(archive))
    zarrmal.adopt(tmp_path / "b")
    for path in (archive, tmp_path / "b"):
        assert zarrmal.verify(path, PIXELS, labels=FIRST).problems == ()


def test_concat_takes_the_label_names_of_the_first(archive: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other", OTHER, zarr_format=stored_format(archive))
    parts = [xr.open_zarr(path) for path in (archive, other)]
    both = xr.concat(parts, "cell")
    assert both.label.attrs["flag_meanings"] == "parasitized uninfected"
    assert both.label.values.max() == 1  # rings are called parasitized
    with pytest.raises(xr.MergeError):
        xr.concat(parts, "cell", combine_attrs="no_conflicts")

    # By name, before they are joined. The archive's own attribute holds names with blanks as well.
    named = []
    for part in parts:
        names = np.array(json.loads(part.attrs["zarrmal"])["label_names"])
        named.append(part.assign(label=("cell", names[part.label.values])))
    joined = xr.concat(named, "cell", combine_attrs="drop_conflicts")
    for label, k in (("parasitized", 0), ("trophozoite", 1)):
        rows = np.flatnonzero(joined.label.values == label)
        np.testing.assert_array_equal(
            np.sort(joined.cells.values[rows], axis=0), np.sort(PIXELS[k::2], axis=0)
        )

    # A copy of what was joined by number is not taken for an archive.
    both.load().to_zarr(tmp_path / "both", zarr_format=stored_format(archive))
    report = zarrmal.verify(tmp_path / "both")
    assert any("may mean another label in each" in line for line in report.problems)
    assert report.n_lost == 0
    with pytest.raises(InputError):
        zarrmal.adopt(tmp_path / "both")

    zarrmal.append(other, archive)
    dataset = zarrmal.open(archive, source_order=True)
    assert dataset.label.attrs["flag_meanings"] == "parasitized uninfected ring trophozoite"
    names = np.array(dataset.label.attrs["flag_meanings"].split())
    order = xr.open_zarr(other).source_index.values
    assert names[dataset.label.values].tolist() == FIRST + np.array(OTHER)[order].tolist()


FORKED = """
import multiprocessing, os, shutil, signal, time
import numpy as np, zarr, zarrmal
from zarr.storage import ZipStore
from zarrmal.models import shipped_model

pixels = np.random.default_rng(0).integers(0, 256, (2000, 8, 8), np.uint8)
options = zarrmal.WriteOptions(chunk_cells=50, workers=1)
zarrmal.write(pixels, "a", model=shipped_model(1), assign="shortest", options=options)
shutil.make_archive("a", "zip", "a")
whole = zarr.open_group("a", mode="r")["cells"][:]

def by_store():
    return zarr.open_group(ZipStore("a.zip", mode="r"), mode="r")["cells"].__getitem__

def by_url():
    return zarr.open_group("zip::a.zip", mode="r")["cells"].__getitem__

def by_zarrmal():
    archive = zarrmal.Archive.open("zip::a.zip")
    return lambda rows: archive.read(range(rows.start, rows.stop))

def child(opens, cells, name, seconds):
    signal.alarm(60)
    cells = cells or opens()
    random, end = np.random.default_rng(os.getpid()), time.monotonic() + seconds
    while time.monotonic() < end and not os.path.exists(name):
        first = 50 * int(random.integers(40))
        try:
            got = cells(slice(first, first + 50))
        except Exception as error:
            open(name, "w").write(type(error).__name__)
        else:
            assert np.array_equal(got, whole[first : first + 50]), "wrong pixels"

fork = multiprocessing.get_context("fork")
for opens in (by_store, by_url, by_zarrmal):
    for how, seconds in (("inherited", 20), ("anew", 0.1)):
        cells = opens()
        cells(slice(0, 50))
        inherited = cells if how == "inherited" else None
        arguments = (opens, inherited, f"{opens.__name__}-{how}", seconds)
        children = [fork.Process(target=child, args=arguments) for _ in range(2)]
        for each in children:
            each.start()
        for each in children:
            each.join()
            assert each.exitcode == 0, each.exitcode
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_zip_that_was_opened_before_a_fork(tmp_path: Path) -> None:
    """Parent and child share the position in the file: they get right pixels or an error."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    errors = {path.name: path.read_text() for path in tmp_path.glob("by_*")}
    assert set(errors) == {"by_store-inherited", "by_url-inherited", "by_zarrmal-inherited"}


def references(archive: Path) -> dict[str, Any]:
    """fsspec's references: documents as text, chunks by their path."""
    paths = sorted(path for path in archive.rglob("*") if path.is_file())
    refs: dict[str, Any] = {}
    for path in paths:
        is_document = path.name == "zarr.json" or path.name.startswith(".z")
        key = path.relative_to(archive).as_posix()
        refs[key] = path.read_text() if is_document else [str(path)]
    return {"version": 1, "refs": refs}


def test_references(archive: Path, tmp_path: Path) -> None:
    """They are read in both formats; what is written to them would stay in memory."""
    (tmp_path / "refs.json").write_text(json.dumps(references(archive)))
    options = {"fo": str(tmp_path / "refs.json"), "remote_protocol": "file"}
    given: dict[str, Any] = {"storage_options": options}
    group = zarr.open_group("reference://", mode="r", zarr_format=stored_format(archive), **given)
    plain = zarr.open_group(archive, mode="r")["cells"]
    np.testing.assert_array_equal(group["cells"][17], plain[17])
    dataset = xr.open_zarr("reference://", zarr_format=stored_format(archive), **given)
    np.testing.assert_array_equal(in_source_order(dataset), PIXELS)
    np.testing.assert_array_equal(zarrmal.open("reference://", **given).cells, plain[:])
    assert zarrmal.verify("reference://", PIXELS, labels=FIRST, **given).problems == ()
    assert zarrmal.verify(f"reference::{tmp_path / 'refs.json'}").problems == ()
    with pytest.raises(InputError, match="cannot be written to"):
        zarrmal.append(PIXELS, "reference://", labels=FIRST, **given)
    with pytest.raises(InputError):
        zarrmal.write(PIXELS, "reference://", labels=FIRST, overwrite=True, **given)
    nothing: dict[str, Any] = {"fo": {"version": 1, "refs": {}}, "remote_protocol": "file"}
    with pytest.raises(InputError, match="cannot be written to"):
        zarrmal.write(PIXELS, "reference://", labels=FIRST, storage_options=nothing)
    assert zarrmal.info(archive).n_cells == N


def test_kerchunk(archive: Path) -> None:
    """Of Zarr it takes format 2 alone."""
    kerchunk = pytest.importorskip("kerchunk.zarr", reason="kerchunk is not installed")
    if stored_format(archive) == 3:
        with pytest.raises(ValueError, match="as V2 zarr"):
            kerchunk.single_zarr(str(archive))
        return
    given: dict[str, Any] = {
        "storage_options": {"fo": kerchunk.single_zarr(str(archive)), "remote_protocol": "file"}
    }
    dataset = xr.open_zarr("reference://", zarr_format=2, **given)
    np.testing.assert_array_equal(in_source_order(dataset), PIXELS)
    assert zarrmal.verify("reference://", PIXELS, labels=FIRST, **given).problems == ()


def virtual_dataset(archive: Path) -> Any:
    """By VirtualiZarr, from Zarr."""
    virtualizarr = pytest.importorskip("virtualizarr", reason="virtualizarr is not installed")
    pytest.importorskip("arro3.core", reason="virtualizarr[zarr] is not installed")
    from obspec_utils.registry import ObjectStoreRegistry
    from obstore.store import LocalStore
    from virtualizarr.parsers import ZarrParser

    # Not of file:// alone: then VirtualiZarr 2.5 calls the chunks file:/tmp/…
    folder = archive.parent
    registry = ObjectStoreRegistry({folder.as_uri(): LocalStore(folder)})
    return virtualizarr.open_virtual_dataset(
        url=archive.as_uri(), registry=registry, parser=ZarrParser()
    )


@pytest.mark.parametrize("options", [{}, {"shard_cells": 16}], ids=["chunks", "shards"])
def test_virtualizarr_in_icechunk(options: dict[str, int], tmp_path: Path) -> None:
    icechunk = pytest.importorskip("icechunk", reason="icechunk is not installed: extra `stores`")
    archive = write(tmp_path / "a", **options)
    dataset = virtual_dataset(archive)
    prefix = f"{tmp_path.as_uri()}/"
    config = icechunk.RepositoryConfig.default()
    config.set_virtual_chunk_container(
        icechunk.VirtualChunkContainer(prefix, icechunk.local_filesystem_store(str(tmp_path)))
    )
    repository = icechunk.Repository.create(
        icechunk.in_memory_storage(), config, authorize_virtual_chunk_access={prefix: None}
    )
    session = repository.writable_session("main")
    dataset.vz.to_icechunk(session.store)
    session.commit("references")

    store = repository.readonly_session("main").store
    np.testing.assert_array_equal(in_source_order(xr.open_zarr(store)), PIXELS)
    plain = zarr.open_group(archive, mode="r")["cells"]
    np.testing.assert_array_equal(zarr.open_group(store, mode="r")["cells"][17], plain[17])
    report = zarrmal.verify(store, PIXELS, labels=FIRST)
    assert [line for line in report.problems if "zarrmal adopt" not in line] == []
    assert report.n_lost == 0

    session = repository.writable_session("main")
    zarrmal.adopt(session.store)
    zarrmal.append(PIXELS, session.store, labels=FIRST)
    session.commit("as many cells again, in Icechunk itself")
    store = repository.readonly_session("main").store
    assert zarrmal.verify(store, [PIXELS, PIXELS], labels=FIRST).problems == ()
    assert zarrmal.verify(archive, PIXELS, labels=FIRST).problems == ()


def test_virtualizarr_as_kerchunk(tmp_path: Path) -> None:
    """kerchunk's references are of format 2: our codec is left out, and reading fails."""
    dataset = virtual_dataset(write(tmp_path / "a"))[["cells", "predicted_class"]]
    tree = dataset.vz.to_kerchunk(format="dict")
    assert json.loads(tree["refs"]["cells/.zarray"])["compressor"] is None
    given: dict[str, Any] = {"storage_options": {"fo": tree, "remote_protocol": "file"}}
    with pytest.raises(ValueError, match="cannot reshape"):
        xr.open_zarr("reference://", zarr_format=2, consolidated=False, **given).cells.load()
    with pytest.raises(ValueError, match="not written with the zarrmal codec"):
        zarrmal.verify("reference://", **given)


def test_virtualizarr_and_format_2(tmp_path: Path) -> None:
    """It translates to format 3, and has no such codec there."""
    archive = write(tmp_path / "a", zarr_format=2)
    with pytest.raises(ValueError, match="codec for zarrmal"):
        virtual_dataset(archive)


def test_virtualizarr_and_concat(tmp_path: Path) -> None:
    """The last chunk of a column is not full."""
    parts = [virtual_dataset(write(tmp_path / name)) for name in "ab"]
    with pytest.raises(ValueError, match="partial chunks"):
        xr.concat(parts, "cell", coords="minimal", compat="override")


@pytest.mark.parametrize("scheduler", ["threads", "processes", "synchronous"])
def test_dask_computes(scheduler: str, tmp_path: Path) -> None:
    arrays, expected = [], []
    for zarr_format in (3, 2):
        archive = write(tmp_path / str(zarr_format), zarr_format=zarr_format)
        plain = zarr.open_group(archive, mode="r")["cells"]
        arrays += [
            xr.open_zarr(archive, chunks={}).cells.data,
            zarrmal.open(archive).cells.data,
            dask.array.from_zarr(str(archive / "cells")),
            dask.array.from_zarr(plain).rechunk((12, 8, 8)),
        ]
        expected += [plain[:]] * 4
    computed = dask.compute(*arrays, scheduler=scheduler, num_workers=1)
    np.testing.assert_array_equal(computed, expected)


def test_dask_stores_an_array_without_our_codec(archive: Path, tmp_path: Path) -> None:
    cells = dask.array.from_zarr(str(archive / "cells"))
    dask.array.to_zarr(cells, str(tmp_path / "b"))
    with pytest.raises(InputError, match="is a Zarr array, not an archive"):
        zarrmal.info(tmp_path / "b")
    np.testing.assert_array_equal(zarrmal.open_source(tmp_path / "b").read(np.arange(N)), cells)


def test_other_chunks(archive: Path, tmp_path: Path) -> None:
    """xarray stores in the chunks of `encoding`, and refuses others that overlap them."""
    dataset = xr.open_zarr(archive).chunk(cell=16)
    zarr_format = stored_format(archive)
    with pytest.raises(ValueError, match="overlap"):
        dataset.to_zarr(tmp_path / "b", zarr_format=zarr_format)
    for variable in dataset.variables.values():
        for name in ("chunks", "preferred_chunks"):
            variable.encoding.pop(name, None)
    dataset.to_zarr(tmp_path / "c", zarr_format=zarr_format)
    assert "another program has copied" in zarrmal.verify(tmp_path / "c").problems[0]
    if zarr_format == 3:  # of a column of zeros zarr stores nothing; format 2 has no fill value
        zarrmal.adopt(tmp_path / "c")
        assert zarrmal.info(tmp_path / "c").chunk_cells == 16
        assert zarrmal.verify(tmp_path / "c", PIXELS, labels=FIRST).problems == ()
    dataset.drop_encoding().to_zarr(tmp_path / "d", zarr_format=zarr_format)
    with pytest.raises(ValueError, match="not written with the zarrmal codec"):
        zarrmal.verify(tmp_path / "d")
    np.testing.assert_array_equal(in_source_order(xr.open_zarr(tmp_path / "d")), PIXELS)


def test_a_notebook_shows_a_large_archive_briefly() -> None:
    """Here of 1,250 objects, with all columns. Styles and drawings of xarray and dask are 36 kB."""
    n = 1_250
    columns = {
        "labels": ["a", "b"] * (n // 2),
        "names": [f"{k}.png" for k in range(n)],
        "groups": ["slide 1"] * n,
        "splits": ["train"] * n,
    }
    store, options = MemoryStore(), WriteOptions(chunk_cells=1, workers=1)
    cells = np.zeros((n, 4, 4), np.uint8)
    zarrmal.write(
        cells, store, model=shipped_model(1), assign="shortest", options=options, **columns
    )
    for dataset in (zarrmal.open(store), xr.open_zarr(store)):
        assert dataset.cells.data.npartitions == n
        with xr.set_options(display_style="html"):
            assert len(dataset._repr_html_()) < 45_000
        assert len(repr(dataset).splitlines()) < 40
