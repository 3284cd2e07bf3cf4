"""Every verb of the library raises an InputError for a server that is gone, and wrong options."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from object_store import free_port, write
from s3_server import s3_server

import zarrmal
from zarrmal import Archive, InputError, UnreachableError
from zarrmal.choose import ShortestAssigner
from zarrmal.models import shipped_model
from zarrmal.sources import Source, open_source

Verb = Callable[[str, Any, Source, Path], object]


def model() -> Any:
    return shipped_model(1)


def assigner() -> Any:
    return ShortestAssigner(model())


VERBS: dict[str, Verb] = {
    "open_source": lambda url, o, cells, tmp: open_source(url, storage_options=o),
    "open_source npz": lambda url, o, cells, tmp: open_source(f"{url}/a.npz", storage_options=o),
    "write": lambda url, o, cells, tmp: zarrmal.write(cells, url, model=model(), storage_options=o),
    "write, source": lambda url, o, cells, tmp: zarrmal.write(
        url, tmp / "a", model=model(), source_options=o
    ),
    "write, labelled": lambda url, o, cells, tmp: zarrmal.write(
        cells, tmp / "a", model=model(), assign="classifier", labelled=url, source_options=o
    ),
    "append": lambda url, o, cells, tmp: zarrmal.append(cells, url, storage_options=o),
    "open": lambda url, o, cells, tmp: zarrmal.open(url, storage_options=o),
    "info": lambda url, o, cells, tmp: zarrmal.info(url, storage_options=o),
    "verify": lambda url, o, cells, tmp: zarrmal.verify(url, storage_options=o),
    "extract": lambda url, o, cells, tmp: zarrmal.extract(url, tmp / "b", storage_options=o),
    "recover_cells": lambda url, o, cells, tmp: zarrmal.recover_cells(url, storage_options=o),
    "undo": lambda url, o, cells, tmp: zarrmal.undo(url, storage_options=o),
    "Archive.open": lambda url, o, cells, tmp: Archive.open(url, storage_options=o),
    "Archive.write": lambda url, o, cells, tmp: Archive.write(
        cells, url, model=model(), assigner=assigner(), storage_options=o
    ),
}
OPENED: dict[str, Callable[[Archive, Source, Path], object]] = {
    "read": lambda archive, cells, tmp: archive.read([1, 2]),
    "recover": lambda archive, cells, tmp: archive.recover(),
    "dataset": lambda archive, cells, tmp: archive.dataset(),
    "info": lambda archive, cells, tmp: archive.info(),
    "verify": lambda archive, cells, tmp: archive.verify(),
    "extract": lambda archive, cells, tmp: archive.extract(tmp / "b"),
    "append": lambda archive, cells, tmp: archive.append(cells, assigner=assigner()),
    "undo": lambda archive, cells, tmp: archive.undo(),
}


@pytest.fixture(autouse=True, scope="module")
def brief() -> Iterator[None]:
    """Libraries ask once, also those clients that were made while the server was there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_MAX_ATTEMPTS", "1")
        yield


def refused(kind: type[InputError], call: Callable[[], object]) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert isinstance(caught.value, kind), repr(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.fixture(scope="module")
def server_that_went(drawn: Source, nobody: None) -> tuple[str, Mapping[str, Any], Archive]:
    for package in ("s3fs", "moto", "flask", "boto3"):
        pytest.importorskip(package, reason=f"{package} is not installed: the extra `stores`")
    with s3_server() as (store, _):
        url = f"{store.root}/cells.zarr"
        write(drawn, url, store)
        return url, store.options, Archive.open(url, storage_options=store.options)


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS.keys())
def test_the_server_is_gone(
    verb: Verb,
    server_that_went: tuple[str, Mapping[str, Any], Archive],
    drawn: Source,
    tmp_path: Path,
) -> None:
    url, options, _ = server_that_went
    refused(UnreachableError, lambda: verb(url, options, drawn, tmp_path))


@pytest.mark.parametrize("verb", OPENED.values(), ids=OPENED.keys())
def test_the_server_has_gone_since(
    verb: Callable[[Archive, Source, Path], object],
    server_that_went: tuple[str, Mapping[str, Any], Archive],
    drawn: Source,
    tmp_path: Path,
) -> None:
    refused(UnreachableError, lambda: verb(server_that_went[2], drawn, tmp_path))


WRONG: dict[str, tuple[str, Any]] = {
    "unknown name": ("s3", {"nosuch": 1}),
    "unknown name within": ("s3", {"client_kwargs": {"nosuch": 1}}),
    "no mapping within": ("s3", {"client_kwargs": "text"}),
    "no mapping": ("s3", 3),
    "of http": ("http", {"client_kwargs": {"nosuch": 1}}),
    "unknown protocol": ("nosuch", {}),
}


@pytest.mark.parametrize(("protocol", "wrong"), WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS.keys())
def test_wrong_storage_options(
    verb: Verb, protocol: str, wrong: Any, drawn: Source, tmp_path: Path
) -> None:
    pytest.importorskip("s3fs", reason="s3fs is not installed: the extra `stores`")
    options = {"anon": True, **wrong} if isinstance(wrong, dict) and protocol == "s3" else wrong
    url = f"{protocol}://127.0.0.1:{free_port()}/cells.zarr"
    refused(InputError, lambda: verb(url, options, drawn, tmp_path))


def test_an_error_of_ours_stays_what_it_is(drawn: Source, tmp_path: Path) -> None:
    def broken(cells: Source, rows: object) -> np.ndarray:
        raise TypeError("a mistake in the caller's own function")

    with pytest.raises(TypeError, match="caller's own"):
        zarrmal.write(drawn, "memory://lab/broken", model=model(), assign=broken)
