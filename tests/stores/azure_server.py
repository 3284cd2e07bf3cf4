"""Azure: azurite, which `make azurite` installs where there is npm."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from object_store import ObjectStore, free_port, served

PROGRAM = Path(__file__).parents[2] / ".node" / "node_modules" / ".bin" / "azurite-blob"
ACCOUNT = "zarrmaltests"
KEY = base64.b64encode(b"azure-secret-that-nobody-may-read").decode()
CONTAINER = "lab"


@dataclass(frozen=True)
class AzureObjects:
    """By azure-storage-blob."""

    client: Any

    def keys(self, prefix: str) -> list[str]:
        return list(self.client.list_blob_names(name_starts_with=prefix))

    def get(self, key: str) -> bytes:
        return bytes(self.client.download_blob(key).readall())

    def delete(self, key: str) -> None:
        self.client.delete_blob(key)


def connection_string(port: int, key: str = KEY) -> str:
    """Where the server is and who asks."""
    return (
        f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={key};"
        f"BlobEndpoint=http://127.0.0.1:{port}/{ACCOUNT};"
    )


@contextmanager
def azure_server(folder: Path, monkeypatch: Any) -> Iterator[ObjectStore]:
    """A container; unlike the two other servers, this one checks signatures."""
    from azure.storage.blob import BlobServiceClient

    port = free_port()
    monkeypatch.setenv("AZURITE_ACCOUNTS", f"{ACCOUNT}:{KEY}")
    words = ["--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    where = ["--blobHost", "127.0.0.1", "--blobPort", str(port)]
    login = connection_string(port)
    with (
        served([str(PROGRAM), *where, *words], port, folder),
        BlobServiceClient.from_connection_string(login) as service,
    ):
        yield ObjectStore(
            name="azure",
            root=f"az://{CONTAINER}",
            options={"connection_string": login},
            environment={"AZURE_STORAGE_CONNECTION_STRING": login},
            objects=AzureObjects(service.create_container(CONTAINER)),
            secret=KEY,
            elsewhere={"connection_string": connection_string(free_port())},
        )
