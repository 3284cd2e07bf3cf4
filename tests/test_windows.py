"""On Windows archives are read; writing is refused at the first call."""

from __future__ import annotations

from pathlib import Path

import pytest
from zarr.storage import MemoryStore
from zarrmal_codecs import Model

import zarrmal
from zarrmal import InputError
from zarrmal.sources import Source


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zarrmal.archive.lock.staging.IS_WINDOWS", True)


@pytest.mark.usefixtures("windows")
@pytest.mark.parametrize("url", ["new.zarr", "memory://windows/new.zarr"])
def test_nothing_is_written(
    url: str, cells: Source, hybrid: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for call in (
        lambda: zarrmal.write(cells, url, model=hybrid),
        lambda: zarrmal.write("no such source", url),
        lambda: zarrmal.append(cells, url),
    ):
        with pytest.raises(InputError, match="cannot be written on Windows"):
            call()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("windows")
def test_undo_is_refused_and_reading_goes_on(archive: Path, cells: Source) -> None:
    before = sorted(archive.rglob("*"))
    for call in (lambda: zarrmal.undo(archive), lambda: zarrmal.append(cells, archive)):
        with pytest.raises(InputError, match="cannot be written on Windows"):
            call()
    assert sorted(archive.rglob("*")) == before
    assert zarrmal.verify(archive, cells).problems == ()


@pytest.mark.usefixtures("windows")
def test_a_store_of_the_callers_is_written(cells: Source, hybrid: Model) -> None:
    """Its owner is in charge of transactions: no lock, no renaming."""
    assert zarrmal.write(cells, MemoryStore(), model=hybrid).n_cells == cells.n_cells
