"""Archives of many appends, repacked: one segment, the bytes of a single write, everything kept."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from damaged import flip
from every_moment import crossed, filled, killed_at_store, moments
from killed import CONTEXT
from test_every_moment import check_alone, n_stores
from test_killed import bytes_of
from zarr.storage import MemoryStore
from zarrmal_codecs import CorruptionError, Model, ZarrmalError

import zarrmal
from zarrmal import AppendOptions, Archive, ExistsError, InputError, LockedError, WriteOptions
from zarrmal.archive import Location
from zarrmal.archive.lock.journal import Journal, read_journal
from zarrmal.archive.lock.writer_lock import writer_lock
from zarrmal.archive.write.encode import objects
from zarrmal.classify import Assignment
from zarrmal.sources import Source, Subset

pytestmark = pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")

LAYOUTS = {
    "zarr3": {},
    "zarr2": {"zarr_format": 2},
    "shards": {"chunk_cells": 8, "shard_cells": 24},
}
EDGES = (0, 30, 37, 100)


def part(cells: Source, first: int, last: int) -> Source:
    return Subset(cells, np.arange(first, last))


def write(source: Source, place: object, model: Model, **options: object) -> None:
    given = WriteOptions(**({"chunk_cells": 16, "workers": 1} | options))
    zarrmal.write(source, place, model=model, assign="labels", options=given)


def write_in_parts(cells: Source, place: object, model: Model, **options: object) -> None:
    """100 cells in three segments."""
    write(part(cells, *EDGES[:2]), place, model, **options)
    for first, last in zip(EDGES[1:], EDGES[2:], strict=False):
        source = part(cells, first, last)
        zarrmal.append(source, place, assign="labels", options=AppendOptions(workers=1))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("scheme", ["", "memory://"])
def test_it_is_as_if_written_in_one_go(
    layout: str, scheme: str, cells: Source, model: Model, tmp_path: Path
) -> None:
    place = f"{scheme}{tmp_path}/parts/a"
    write_in_parts(cells, place, model, **LAYOUTS[layout])
    write(part(cells, 0, 100), tmp_path / "whole", model, **LAYOUTS[layout])
    before = zarrmal.info(place)
    after = zarrmal.repack(place)
    assert bytes_of(place) == bytes_of(tmp_path / "whole")
    assert after.stored_bytes < before.stored_bytes
    assert len(Archive.open(place).facts.segments) == 1
    assert zarrmal.verify(place, part(cells, 0, 100)).problems == ()
    check_alone(place)


def test_an_archive_of_one_segment_stays(cells: Source, model: Model, tmp_path: Path) -> None:
    write(part(cells, 0, 40), tmp_path / "a", model)
    before = bytes_of(tmp_path / "a")
    inode = (tmp_path / "a").stat().st_ino
    assert zarrmal.repack(tmp_path / "a").n_cells == 40
    assert (bytes_of(tmp_path / "a"), (tmp_path / "a").stat().st_ino) == (before, inode)


def test_classes_probabilities_and_attributes_stay(
    cells: Source, model: Model, tmp_path: Path
) -> None:
    place = tmp_path / "a"
    rng = np.random.default_rng(1)
    classes = rng.integers(0, len(model.classes), 100).astype(np.uint8)

    def assign(first: int) -> object:
        def assigner(pixels: object, rows: np.ndarray) -> Assignment:
            chosen = classes[first + rows]
            return Assignment(predicted_class=chosen, probability=(chosen + rows) / 200)

        return assigner

    given = WriteOptions(chunk_cells=16)
    zarrmal.write(part(cells, 0, 60), place, model=model, assign=assign(0), options=given)
    zarrmal.append(part(cells, 60, 100), place, assign=assign(60))
    group = zarr.open_group(place, mode="r+", use_consolidated=False)
    group.attrs["microscope"] = {"lens": [100, 1.4]}
    group["cells"].attrs["pixel_size"] = 0.11
    group["source_name"].attrs["note"] = "by hand"
    zarr.consolidate_metadata(group.store)
    before = xr.open_zarr(place).load().sortby("source_index")
    zarrmal.repack(place)
    after = xr.open_zarr(place).load()
    assert (np.diff(after.predicted_class.values.astype(int)) >= 0).all()
    after = after.sortby("source_index")
    for name in before.variables:
        np.testing.assert_array_equal(before[name], after[name])
        assert before[name].attrs == after[name].attrs
    assert {k: v for k, v in after.attrs.items() if k != "zarrmal"} == {
        k: v for k, v in before.attrs.items() if k != "zarrmal"
    }
    np.testing.assert_array_equal(after.predicted_class, classes)
    assert zarrmal.verify(place).problems == ()


def test_an_archive_that_records_no_preprocessing(
    cells: Source, model: Model, tmp_path: Path
) -> None:
    """Earlier drafts do not say whether pixels were resampled; nor does the repacked archive."""
    place = tmp_path / "a"
    write_in_parts(cells, place, model)
    group = zarr.open_group(place, mode="r+", use_consolidated=False)
    facts = json.loads(group.attrs["zarrmal"]) | {"preprocessing": None}
    group.attrs["zarrmal"] = json.dumps(facts)
    zarr.consolidate_metadata(group.store)
    (place / "cells" / "zarrmal.json").write_text(json.dumps(facts))
    assert zarrmal.repack(place).preprocessing is None


def test_to_another_place(cells: Source, model: Model, tmp_path: Path) -> None:
    """A store whose owner commits cannot be replaced; nothing may be at the other place."""
    store = MemoryStore()
    write_in_parts(cells, store, model)
    with pytest.raises(InputError, match="repack it to another place"):
        zarrmal.repack(store)
    write(part(cells, 0, 100), tmp_path / "whole", model)
    assert zarrmal.repack(store, tmp_path / "b").n_cells == 100
    assert bytes_of(tmp_path / "b") == bytes_of(tmp_path / "whole")
    with pytest.raises(ExistsError):
        zarrmal.repack(store, tmp_path / "b")
    assert zarrmal.repack(tmp_path / "b", MemoryStore()).n_cells == 100


@pytest.mark.parametrize(("layout", "scheme"), crossed([*LAYOUTS], ["", "memory://"]))
def test_ended_at_any_store(
    layout: str,
    scheme: str,
    cells: Source,
    model: Model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The old archive is read until then; the next run completes it, and no other verb writes."""
    whole = f"{scheme}{tmp_path}/whole/a"
    write_in_parts(cells, whole, model, **LAYOUTS[layout])
    before = bytes_of(whole)
    n = n_stores(monkeypatch, lambda: zarrmal.repack(whole, workers=1))
    expected = bytes_of(whole)
    assert n >= len(expected)
    for moment in moments(n, 3):
        place = filled(f"{scheme}{tmp_path}/{moment}/a", before)
        with killed_at_store(moment, monkeypatch) as keys:
            zarrmal.repack(place, workers=1)
        assert len(keys) > moment
        assert bytes_of(place) == before
        assert read_journal(Location(place)) is not None
        for verb in (zarrmal.undo, zarrmal.adopt):
            with pytest.raises(InputError, match="zarrmal repack` again"):
                verb(place)
        with pytest.raises(InputError, match="zarrmal repack` again"):
            zarrmal.append(part(cells, 100, 110), place, assign="labels")
        with pytest.raises(InputError, match="zarrmal repack` again"):
            write(part(cells, 0, 9), place, model, overwrite=True)
        assert any("zarrmal repack` again" in line for line in zarrmal.verify(place).problems)
        assert zarrmal.recover_cells(place)[1].all()
        zarrmal.repack(place, workers=1)
        assert bytes_of(place) == expected
        check_alone(place)


def test_killed_while_the_folder_is_renamed(cells: Source, model: Model, tmp_path: Path) -> None:
    place = tmp_path / "a"
    write_in_parts(cells, place, model)
    process = CONTEXT.Process(target=_killed_between_renames, args=(place,))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert not place.exists()
    with pytest.raises(InputError, match="zarrmal repack` again"):
        zarrmal.open(place)
    assert zarrmal.repack(place).n_cells == 100
    assert zarrmal.verify(place, part(cells, 0, 100)).problems == ()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def _killed_between_renames(place: Path) -> None:
    inner, n = Path.rename, 0

    def dying(self: Path, target: Path) -> Path:
        nonlocal n
        n += 1
        if n == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return inner(self, target)

    Path.rename = dying  # type: ignore[method-assign]
    zarrmal.repack(place)


@pytest.mark.parametrize("array", ["cells", "source_name", "predicted_class"])
def test_damage_ends_it_and_the_archive_stays(
    array: str, cells: Source, model: Model, tmp_path: Path
) -> None:
    place = tmp_path / "a"
    write_in_parts(cells, place, model)
    chunk = next(path for path in sorted((place / array).rglob("*")) if path.name == "0")
    while chunk.is_dir():
        chunk = sorted(chunk.iterdir())[0]
    data = chunk.read_bytes()
    chunk.write_bytes(flip(len(data) // 2)(data))
    before = bytes_of(place)
    with pytest.raises(ZarrmalError, match="zarrmal verify"):
        zarrmal.repack(place)
    with pytest.raises(ZarrmalError, match="zarrmal verify"):
        zarrmal.repack(place, tmp_path / "other" / "b")
    assert not (tmp_path / "other" / "b").exists()
    assert bytes_of(place) == before
    check_alone(str(place))


def test_what_is_not_equal_is_not_taken(
    cells: Source, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of the writer, or of memory, shows before the old archive goes."""
    place = tmp_path / "a"
    write_in_parts(cells, place, model)
    before = bytes_of(place)
    inner = objects.encode_chunk

    def faulty(pixels: np.ndarray, *arguments: object, **more: object) -> bytes:
        return inner(pixels ^ (np.arange(len(pixels)) == 3)[:, None, None], *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(objects, "encode_chunk", faulty)
        with pytest.raises(CorruptionError, match="not equal to the old one, which stays"):
            zarrmal.repack(place)
    assert bytes_of(place) == before
    check_alone(str(place))


def test_what_others_have_stored_stays(cells: Source, model: Model, tmp_path: Path) -> None:
    place = tmp_path / "a"
    write_in_parts(cells, place, model)
    zarr.open_group(place)["raw"] = np.arange(6)
    before = bytes_of(place)
    with pytest.raises(ExistsError, match=r"`raw`, which zarrmal did not write"):
        zarrmal.repack(place)
    assert bytes_of(place) == before
    shutil.rmtree(place / "raw")
    zarr.open_group(place, mode="r+", use_consolidated=False)["cells"].append(
        np.zeros((2, 24, 24), np.uint8)
    )
    with pytest.raises(InputError, match="another program has"):
        zarrmal.repack(place)
    assert zarrmal.info(place).n_cells == 100


def test_not_while_another_writes(cells: Source, model: Model, tmp_path: Path) -> None:
    place = tmp_path / "a"
    write_in_parts(cells, place, model)
    journal = Journal(operation="append", n_stored=100, n_new=3, source="")
    with writer_lock(Location(str(place)), journal, None):
        with pytest.raises(LockedError):
            zarrmal.repack(place)
        with pytest.raises(LockedError):
            zarrmal.repack(place, tmp_path / "b")
    assert not (tmp_path / "b").exists()
