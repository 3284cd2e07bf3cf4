"""Zip and tar files: no folder is called so, and messages name the URL that reads them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from damaged import run
from zarrmal_codecs import Model

import zarrmal
from zarrmal import InputError, MissingError
from zarrmal.sources import Source, open_source
from zarrmal.sources.open import absolute_address
from zarrmal.sources.places.packed import packed_url


@pytest.mark.parametrize("name", ["a.zip", "A.ZIP", "a.tar", "a.tar.gz", "a.tgz"])
def test_a_folder_is_not_called_a_packed_file(
    name: str, cells: Source, hybrid: Model, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"then pack that .* zip::cells\.zip"):
        zarrmal.write(cells, tmp_path / name, model=hybrid)
    with pytest.raises(InputError, match="then pack that"):
        zarrmal.Archive.write(
            cells, tmp_path / name, model=hybrid, assigner=zarrmal.choose.ShortestAssigner(hybrid)
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["zip", "tar", "gztar"])
@pytest.mark.parametrize("inside", ["", "cells.zarr"])
def test_the_message_names_the_url_that_reads(
    kind: str, inside: str, written: Path, cells: Source, tmp_path: Path
) -> None:
    base = str(tmp_path / "ok")
    path = (
        shutil.make_archive(base, kind, written.parent, "cells.zarr")
        if inside
        else shutil.make_archive(base, kind, written)
    )
    url = packed_url(Path(path))
    assert url is not None
    assert zarrmal.verify(url, cells).problems == ()
    for verb in (zarrmal.info, zarrmal.open, zarrmal.verify, open_source):
        with pytest.raises(InputError) as caught:
            verb(path)
        assert f"read as {url}" in str(caught.value)
    done = run("info", path)
    assert done.exit_code == 2
    assert f"read as {url}" in done.stderr


def test_other_files(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK is not enough")
    (tmp_path / "b").mkdir()
    for name in ("a.zip", "b", "nothing.zip"):
        assert packed_url(tmp_path / name) is None
    with pytest.raises(MissingError, match="no Zarr group"):
        zarrmal.info(tmp_path / "a.zip")
    with pytest.raises(MissingError, match=r"read as zip::memory://lab/x\.zip"):
        zarrmal.info("memory://lab/x.zip")


def test_a_packed_source_is_found_from_any_folder(
    written: Path, cells: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.make_archive(str(tmp_path / "ok"), "zip", written)
    monkeypatch.chdir(tmp_path)
    address = absolute_address("zip::ok.zip")
    monkeypatch.chdir(tmp_path.parent)
    pixels = open_source(address).read(np.arange(cells.n_cells))
    assert pixels.shape == (240, 24, 24)
