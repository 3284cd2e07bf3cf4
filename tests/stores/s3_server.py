"""S3: moto in a thread of this process, with a log of every request."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from object_store import ObjectStore, free_port

KEY, SECRET = "AKIAZARRMALTESTS0000", "s3-secret-that-nobody-may-read"
BUCKET = "lab"


@dataclass
class RequestLog:
    """Method, path with query, and bytes of the answer's body, of every request in turn."""

    seen: list[tuple[str, str, int]] = field(default_factory=list)

    def wrap(self, app: Any) -> Any:
        """The WSGI application, its requests written down."""

        def logged(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            body = b"".join(app(environ, start_response))
            path, query = environ["PATH_INFO"], environ.get("QUERY_STRING", "")
            self.seen.append((environ["REQUEST_METHOD"], f"{path}?{query}", len(body)))
            return [body]

        return logged

    @property
    def n_bytes(self) -> int:
        """Sent in answers."""
        return sum(n for _, _, n in self.seen)

    def clear(self) -> None:
        """Forget what was asked."""
        self.seen.clear()


@dataclass(frozen=True)
class S3Objects:
    """By boto3."""

    client: Any

    def keys(self, prefix: str) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def get(self, key: str) -> bytes:
        return bytes(self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read())

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=BUCKET, Key=key)


@contextmanager
def s3_server() -> Iterator[tuple[ObjectStore, RequestLog]]:
    """A bucket, and the log of what is asked of it."""
    import boto3
    from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    log = RequestLog()
    apps = {name: create_backend_app(name) for name in ("s3", "moto_api")}

    def dispatch(environ: dict[str, Any], start_response: Any) -> Any:
        """As moto's own dispatcher does, which looks through all its services at each request."""
        is_api = environ["PATH_INFO"].startswith("/moto-api/")
        return apps["moto_api" if is_api else "s3"](environ, start_response)

    app = log.wrap(dispatch)
    server = make_server("127.0.0.1", 0, app, True, request_handler=MotoRequestHandler)
    thread = Thread(target=server.serve_forever, name="moto", daemon=True)
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
    )
    try:
        client.create_bucket(Bucket=BUCKET)
        yield _store(endpoint, S3Objects(client)), log
    finally:
        client.close()
        server.shutdown()
        thread.join()
        server.server_close()


def _store(endpoint: str, objects: S3Objects) -> ObjectStore:
    def options(url: str) -> dict[str, Any]:
        # As fsspec's users give it: nested, so JSON on a command line.
        where = {"endpoint_url": url, "region_name": "us-east-1"}
        return {"key": KEY, "secret": SECRET, "client_kwargs": where}

    return ObjectStore(
        name="s3",
        root=f"s3://{BUCKET}",
        options=options(endpoint),
        environment={
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_DEFAULT_REGION": "us-east-1",
        },
        objects=objects,
        secret=SECRET,
        elsewhere=options(f"http://127.0.0.1:{free_port()}"),
    )
