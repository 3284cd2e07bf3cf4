"""The digests of what an archive stores, in an array of their own beside its arrays (ARCHIVE 4).

They grow with the archive, by some 90 bytes a stored object, so they are no part of the group's
attributes, which every reader loads and every notebook prints. Each state of an archive has its own
array, named by the digest of its bytes. It is stored before the commit, and the attribute names it,
so that it changes with the commit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import zarr
from zarr.core.sync import sync

from ..sources.arrays.archive_facts import DIGESTS_GROUP, N_NAME, digests_key, load_digests
from .storage.objects import get_bytes, join_key, put_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests:
    """SHA-256 of stored objects, hexadecimal.

    Parameters
    ----------
    objects
        Array name -> chunk key -> of the chunk, or the shard.
    documents
        Key -> of the metadata documents of every array, the model included.
    problem
        Why they cannot be read; "" where they can.
    """

    objects: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    documents: Mapping[str, str] = field(default_factory=dict, repr=False)
    problem: str = ""

    def with_objects(self, array: str, objects: Mapping[str, str]) -> Self:
        """The same with other digests of an array."""
        return replace(self, objects={**self.objects, array: objects})

    def of(self, array: str) -> Mapping[str, str]:
        """Of an array, by chunk key; empty if there are none."""
        return self.objects.get(array, {})

    def to_bytes(self) -> bytes:
        """As stored."""
        tree = {
            "objects": {name: dict(keys) for name, keys in self.objects.items()},
            "documents": dict(self.documents),
        }
        return json.dumps(tree, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, objects: Any, documents: Any) -> Self:
        """From the members of the stored tree.

        Raises
        ------
        AttributeError, TypeError
            If they are no objects.
        """
        return cls(
            objects={
                str(name): {str(key): str(digest) for key, digest in keys.items()}
                for name, keys in objects.items()
            },
            documents={str(key): str(digest) for key, digest in documents.items()},
        )


def read_digests(group: zarr.Group, sha256: str) -> Digests:
    """The digests that an archive's attribute names; with a problem if they cannot be used."""
    if not sha256:
        return Digests()  # no cells yet
    tree, problem = load_digests(group, sha256)
    if tree is not None:
        try:
            return Digests.from_json(tree["objects"], tree["documents"])
        except (LookupError, AttributeError, TypeError):
            problem = f"{digests_key(sha256, group.metadata.zarr_format)} holds no digests"
    return Digests(problem=f"the archive's digests are lost: {problem}")


def store_digests(group: zarr.Group, digests: Digests) -> str:
    """Store digests beside those that are there; their SHA-256."""
    data = digests.to_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    zarr_format = group.metadata.zarr_format
    for key, document in _documents(sha256, len(data), zarr_format).items():
        put_bytes(group.store, join_key(group.path, key), document)
    put_bytes(group.store, join_key(group.path, digests_key(sha256, zarr_format)), data)
    return sha256


def changed_documents(group: zarr.Group, digests: Digests, sha256: str) -> list[str]:
    """Keys of the metadata documents of the stored digests that are missing or were changed.

    Nothing but these documents depends on them: digests are read by their key.
    """
    documents = _documents(sha256, len(digests.to_bytes()), group.metadata.zarr_format)
    return [
        key
        for key, document in documents.items()
        if get_bytes(group.store, join_key(group.path, key)) != document
    ]


def remove_other_digests(group: zarr.Group, *needed: str) -> None:
    """Remove digests of earlier states and of interrupted runs.

    Parameters
    ----------
    needed
        SHA-256 of those that stay: of this state, and of the one before, which somebody may be
        reading.
    """
    if not group.store.supports_deletes:
        return
    folder = join_key(group.path, DIGESTS_GROUP)
    names = {sha256[:N_NAME] for sha256 in needed}

    async def remove() -> None:
        stored = [name.strip("/") async for name in group.store.list_dir(folder)]
        for name in stored:
            if len(name) == N_NAME and name not in names:
                await group.store.delete_dir(f"{folder}/{name}")

    sync(remove())


def _documents(sha256: str, n_bytes: int, zarr_format: int) -> dict[str, bytes]:
    """The metadata documents of the group of digests, and of an array of one chunk in it."""
    trees = _document_trees(f"{DIGESTS_GROUP}/{sha256[:N_NAME]}", n_bytes, zarr_format)
    return {key: json.dumps(tree, indent=2).encode() for key, tree in trees.items()}


def _document_trees(folder: str, n_bytes: int, zarr_format: int) -> dict[str, Any]:
    if zarr_format == 2:
        array: dict[str, Any] = {
            "zarr_format": 2,
            "shape": [n_bytes],
            "chunks": [n_bytes],
            "dtype": "|u1",
            "compressor": None,
            "fill_value": 0,
            "filters": None,
            "order": "C",
            "dimension_separator": ".",
        }
        return {
            f"{DIGESTS_GROUP}/.zgroup": {"zarr_format": 2},
            f"{folder}/.zarray": array,
            f"{folder}/.zattrs": {"_ARRAY_DIMENSIONS": ["digests_byte"]},
        }
    return {
        f"{DIGESTS_GROUP}/zarr.json": {"zarr_format": 3, "node_type": "group", "attributes": {}},
        f"{folder}/zarr.json": {
            "zarr_format": 3,
            "node_type": "array",
            "shape": [n_bytes],
            "data_type": "uint8",
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [n_bytes]}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": 0,
            "codecs": [{"name": "bytes"}],
            "attributes": {},
            "dimension_names": ["digests_byte"],
            "storage_transformers": [],
        },
    }
