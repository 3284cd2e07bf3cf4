"""Where an archive lies: a local path or any fsspec URL."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import fsspec
import zarr
from fsspec.implementations.local import LocalFileSystem
from zarr.errors import ContainsArrayError, GroupNotFoundError
from zarrmal_codecs import CorruptionError, ZarrmalError

from ..errors import InputError, without_passwords
from .durable import DurableStore
from .layout import ATTRIBUTE, CELLS, LONG_NAMES, ArchiveFacts
from .reach import first_answer
from .store_options import store_options
from .stored import DAMAGED_CONTAINER

UNREADABLE_METADATA = (ValueError, TypeError, LookupError, AttributeError, *DAMAGED_CONTAINER)
"""What zarr was seen to raise for damaged metadata documents."""
METADATA_FILES = ("zarr.json", ".zgroup", ".zarray")
GROUP_FILES = ("zarr.json", ".zgroup", ".zmetadata", ".zattrs")
"""A group's documents; without the first of its format there is no group."""
LOCAL_PROTOCOLS = ("file", "local")
IN_BUCKET = ".zarrmal-writing"
"""How the names of journals begin that lie in an archive which fills a whole bucket."""


@dataclass(frozen=True, slots=True)
class Target:
    """A place for one archive.

    Parameters
    ----------
    url
        Local path, or URL of any file system that fsspec knows. ``file:`` and ``local:`` are taken
        off, as fsspec does.
    storage_options
        For fsspec: credentials, endpoints. Never printed.
    """

    url: str = field(repr=False)
    storage_options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        protocol, colon, rest = self.url.partition(":")
        local = bool(colon) and protocol in LOCAL_PROTOCOLS and "::" not in self.url
        if not self.url or (local and not rest.removeprefix("//")):
            raise InputError("the path or URL of an archive is empty")
        if local:
            object.__setattr__(self, "url", str(LocalFileSystem._strip_protocol(self.url)))
        elif self.url.startswith("~") and self.is_local:
            object.__setattr__(self, "url", os.path.expanduser(self.url))
        if self.is_local and self.storage_options:
            raise InputError(f"{self.url} is a local path: storage options are for URLs such as "
                             f"s3://…")  # fmt: skip

    @property
    def shown(self) -> str:
        """The URL as it may be printed: without a password or a signature in it."""
        return without_passwords(self.url)

    @property
    def options(self) -> dict[str, Any]:
        """For zarr and xarray: the caller's, and what the file system needs beside them."""
        return {} if self.is_local else store_options(self.url, self.storage_options)

    @property
    def is_local(self) -> bool:
        """A path on this machine's file systems."""
        return "::" not in self.url and "://" not in self.url

    @property
    def path(self) -> Path:
        """The local path."""
        return Path(self.url)

    @property
    def real_path(self) -> Path:
        """The local path to which links lead."""
        return self.path.resolve()

    def sizes(self) -> dict[str, int]:
        """Bytes of every stored object, by its key below the archive; empty if there is none."""
        fs, root = self.filesystem()
        try:
            found = fs.find(root, detail=True)
        except FileNotFoundError:
            return {}
        root = root.rstrip("/") + "/" if root.strip("/") else ""  # a zip file's root is empty
        sizes = {n.removeprefix(root): e["size"] for n, e in found.items() if n.startswith(root)}
        # A web server's folder page tells names only.
        unknown = [key for key, size in sizes.items() if size is None]
        sizes |= zip(unknown, fs.sizes([root + key for key in unknown]), strict=True)
        return {key: int(size or 0) for key, size in sizes.items()}

    def occupied(self) -> bool:
        """Something is there already, however deep."""
        if self.is_local:
            path = self.path
            return path.is_file() or (path.is_dir() and any(path.iterdir()))

        def anything() -> bool:
            fs, root = self.filesystem()
            return any(
                not name.startswith(IN_BUCKET) for _, _, names in fs.walk(root) for name in names
            )

        return first_answer(anything, self.url)

    def holds_zarr(self) -> bool:
        """What is there is a Zarr group or array."""
        fs, root = self.filesystem()
        return any(fs.exists(f"{root.rstrip('/')}/{name}") for name in METADATA_FILES)

    def holds_archive(self) -> bool:
        """What is there is a complete archive of ours."""
        if not self.occupied():
            return False
        try:
            read_facts(self.open(), self.url)
        except (InputError, ZarrmalError):
            return False
        return True

    def remove(self) -> None:
        """Delete all of it, if there is any; first what makes it a Zarr group."""
        fs, root = self.filesystem()
        present = self.sizes()
        for name in GROUP_FILES:
            if name in present:
                fs.rm_file(f"{root.rstrip('/')}/{name}")
        if fs.exists(root):
            fs.rm(root, recursive=True)

    def remove_archive(self) -> None:
        """Delete what makes an archive there; whatever else lies below it stays."""
        fs, root = self.filesystem()
        present = self.sizes()
        arrays = {CELLS, *LONG_NAMES}
        group = [name for name in GROUP_FILES if name in present]
        inner = [key for key in present if key.partition("/")[0] in arrays]
        for name in group:
            fs.rm_file(f"{root.rstrip('/')}/{name}")
        if inner:
            fs.rm([f"{root.rstrip('/')}/{key}" for key in inner])

    def open(
        self,
        mode: Literal["r", "r+", "a"] = "r",
        zarr_format: Literal[2, 3] | None = None,
        *,
        consolidated: bool | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> zarr.Group:
        """The Zarr group; InputError if there is none.

        Format 3 is looked for before format 2: asking for both at once costs eight requests.

        Parameters
        ----------
        consolidated
            None takes consolidated metadata where there are any: one object, and so one state of an
            archive that is being appended to. False leaves them alone.
        attributes
            Of a group that is created: there from the beginning.
        """
        arguments: dict[str, Any] = {"mode": mode, "use_consolidated": consolidated}
        if attributes is not None:
            arguments["attributes"] = dict(attributes)
        if self.is_local:
            return self._open(zarr_format, arguments)
        return first_answer(lambda: self._open(zarr_format, arguments), self.url)

    def _open(self, zarr_format: Literal[2, 3] | None, arguments: dict[str, Any]) -> zarr.Group:
        where = self._store(arguments["mode"])
        formats: tuple[Literal[2, 3] | None, ...] = (3, 2)
        if arguments["mode"] == "a" or zarr_format:
            formats = (zarr_format,)
        try:
            for one in formats:
                try:
                    return zarr.open_group(
                        where,
                        zarr_format=one,
                        storage_options=self.options or None,
                        **arguments,
                    )
                except (GroupNotFoundError, FileNotFoundError):
                    if one == formats[-1]:
                        raise
            raise AssertionError("there is a last format")
        except (GroupNotFoundError, FileNotFoundError):
            if arguments["mode"] == "a":
                raise
            part = part_of(self)
            if part is not None and part.holds_zarr():
                raise InputError(
                    f"the writing of {self.url} was interrupted, or goes on: `zarrmal archive "
                    f"--resume` completes it"
                ) from None
            raise InputError(
                f"no Zarr group at {self.url}: check the path or URL, and that the bucket exists"
            ) from None
        except ContainsArrayError:
            raise InputError(
                f"{self.url} is a Zarr array, not an archive: give the group that holds it"
            ) from None
        except ZarrmalError:
            raise
        except (ImportError, *UNREADABLE_METADATA) as error:
            raise InputError(f"{self.url} cannot be opened as a Zarr group: {error}") from error

    def _store(self, mode: str) -> str | DurableStore:
        """For zarr."""
        if not self.is_local:
            return self.url
        return str(self.path) if mode == "r" else DurableStore(self.path)

    def filesystem(self) -> tuple[Any, str]:
        """fsspec's file system, and the path in it; nothing that it knew of before is believed."""
        if self.is_local:
            return LocalFileSystem(), str(self.path.absolute())
        options = store_options(self.url, self.storage_options, for_zarr=False)
        try:
            fs, root = fsspec.core.url_to_fs(self.url, **options)
        except (ImportError, ValueError, TypeError, *DAMAGED_CONTAINER) as error:
            raise InputError(f"{self.url} cannot be reached: {error}") from error
        fs.invalidate_cache()
        return fs, root


def find_array(group: zarr.Group, name: str) -> zarr.Array[Any] | None:
    """An array of the group, None if there is none.

    One that only the consolidated copy lacks is read by its own document.

    Raises
    ------
    CorruptionError
        If its metadata are damaged.
    """
    try:
        found = group.get(name)
        if found is None and _copy_lacks(group, name):
            found = reopened(group, consolidated=False).get(name)
    except ZarrmalError:
        raise
    except UNREADABLE_METADATA as error:
        raise CorruptionError(f"the metadata of `{name}` are damaged: {error}") from error
    except OSError as error:
        why = error.strerror or error
        raise CorruptionError(f"the metadata of `{name}` cannot be read: {why}") from error
    return found if isinstance(found, zarr.Array) else None


def _copy_lacks(group: zarr.Group, name: str) -> bool:
    """Whether the group goes by consolidated metadata, and its facts tell of such an array."""
    if group.metadata.consolidated_metadata is None:
        return False
    tree = group.attrs.get(ATTRIBUTE)
    digests = tree.get("digests") if isinstance(tree, Mapping) else None
    return isinstance(digests, Mapping) and name in digests


def reopened(group: zarr.Group, *, consolidated: bool) -> zarr.Group:
    """The same group, to be read by consolidated metadata, or by each array's own documents."""
    return zarr.open_group(
        group.store,
        path=group.path,
        mode="r",
        zarr_format=group.metadata.zarr_format,
        use_consolidated=consolidated,
    )


def read_facts(group: zarr.Group, where: str, *, incomplete: bool = False) -> ArchiveFacts:
    """The archive's facts; InputError if the group is none, or (unless allowed) incomplete."""
    tree = group.attrs.get(ATTRIBUTE)
    if not isinstance(tree, Mapping):
        raise InputError(f"{where} is a Zarr group, but not an archive that zarrmal wrote: open it "
                         f"with zarr or xarray")  # fmt: skip
    facts = ArchiveFacts.from_json(tree)
    if not facts.complete and not incomplete:
        raise InputError(
            f"{where} is an incomplete archive: its writing was interrupted. Go on with `zarrmal "
            f"archive --resume`, or write it again with --overwrite"
        )
    return facts


def part_of(target: Target) -> Target | None:
    """Where a new archive is written that takes its place when it is whole; None if there is none.

    It is beside the place, hidden.
    """
    if target.is_local:
        place = target.real_path  # of a link, what it leads to is replaced
        return Target(str(place.with_name(f".{place.name}.zarrmal-part")))
    if "::" in target.url:
        return None
    protocol, _, path = target.url.rstrip("/").partition("://")
    folder, _, name = path.rpartition("/")
    if not folder.strip("/") and protocol != "memory":
        return None  # the archive is a whole bucket
    return Target(f"{protocol}://{folder}/.{name}.zarrmal-part", target.storage_options)


def stage_of(target: Target, *, beside: bool) -> Target:
    """Where a new archive is written: beside its place, or, in an object store, right there."""
    part = part_of(target) if beside else target
    assert part is not None
    return part
