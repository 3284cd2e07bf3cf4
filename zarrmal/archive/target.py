"""Where an archive lies: a local path or any fsspec URL."""

from __future__ import annotations

import glob
import shutil
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import fsspec
import zarr
from zarr.errors import ContainsArrayError, GroupNotFoundError
from zarrmal_codecs import CorruptionError, ZarrmalError

from ..errors import InputError, without_passwords
from .layout import ATTRIBUTE, ArchiveFacts
from .reach import first_answer
from .store_options import store_options

UNREADABLE_METADATA = (ValueError, TypeError, LookupError, AttributeError)
"""What zarr was seen to raise for damaged metadata documents."""
METADATA_FILES = ("zarr.json", ".zgroup", ".zarray")


@dataclass(frozen=True, slots=True)
class Target:
    """A place for one archive.

    Parameters
    ----------
    url
        Local path, or URL of any file system that fsspec knows.
    storage_options
        For fsspec: credentials, endpoints. Never printed.
    """

    url: str = field(repr=False)
    storage_options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
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
        return "::" not in self.url and ("://" not in self.url or self.url.startswith("file://"))

    @property
    def path(self) -> Path:
        """The local path."""
        return Path(self.url.removeprefix("file://"))

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
        """Something is there already."""
        if self.is_local:
            path = self.path
            return path.is_file() or (path.is_dir() and any(path.iterdir()))

        def anything() -> bool:
            fs, root = self.filesystem()
            return bool(fs.exists(root)) and bool(fs.find(root, maxdepth=2))

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
        """Delete all of it, if there is any."""
        fs, root = self.filesystem()
        if fs.exists(root):
            fs.rm(root, recursive=True)

    def open(
        self,
        mode: Literal["r", "r+", "w"] = "r",
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
        where = str(self.path) if self.is_local else self.url
        formats: tuple[Literal[2, 3] | None, ...] = (3, 2)
        if arguments["mode"] == "w" or zarr_format:
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
            if arguments["mode"] == "w":
                raise
            if self.is_local and stage_of(self).path.exists():
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
        except (ImportError, zipfile.BadZipFile, *UNREADABLE_METADATA) as error:
            raise InputError(f"{self.url} cannot be opened as a Zarr group: {error}") from error

    def filesystem(self) -> tuple[Any, str]:
        """fsspec's file system, and the path in it; nothing that it knew of before is believed."""
        options = store_options(self.url, self.storage_options, for_zarr=False)
        try:
            fs, root = fsspec.core.url_to_fs(self.url, **options)
        except (ImportError, ValueError, TypeError, zipfile.BadZipFile) as error:
            raise InputError(f"{self.url} cannot be reached: {error}") from error
        fs.invalidate_cache()
        return fs, root


def find_array(group: zarr.Group, name: str) -> zarr.Array[Any] | None:
    """An array of the group, None if there is none; CorruptionError if its metadata are damaged."""
    try:
        found = group.get(name)
    except ZarrmalError:
        raise
    except UNREADABLE_METADATA as error:
        raise CorruptionError(f"the metadata of `{name}` are damaged: {error}") from error
    return found if isinstance(found, zarr.Array) else None


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


def refuse_occupied(target: Target, *, overwrite: bool, source: object = None) -> None:
    """InputError if writing to the target would destroy something it must not.

    A ``source`` given by its address may not lie in a target that is removed before it is read.
    """
    if not target.occupied():
        return
    if isinstance(source, str) and not target.is_local:
        within = f"{source.rstrip('/')}/".startswith(f"{target.url.rstrip('/')}/")
        if within:
            raise InputError(f"{target.url} is the source itself, which --overwrite would remove "
                             f"first: choose another place")  # fmt: skip
    if not overwrite:
        raise InputError(f"{target.url} exists already: choose another place, or --overwrite it")
    if not target.holds_zarr():
        raise InputError(f"{target.url} is not a Zarr archive, so --overwrite will not delete it: "
                         f"remove it yourself, or choose another place")  # fmt: skip


def stage_of(target: Target) -> Target:
    """Where a new archive is written.

    A local one beside its place, to be renamed at the end, so that the place holds the old archive
    or the whole new one. Object stores cannot rename: there it is the place itself, and what is
    unfinished says so.
    """
    if not target.is_local:
        return target
    place = target.path.resolve()  # of a link, what it leads to is replaced
    return Target(str(place.with_name(f".{place.name}.zarrmal-part")))


def take_place(stage: Target, target: Target, *, overwrite: bool) -> None:
    """Put the finished archive where it belongs.

    Raises
    ------
    InputError
        If something has come there meanwhile that must not be replaced.
    """
    if not target.is_local:
        return
    refuse_occupied(target, overwrite=overwrite)
    place = target.path.resolve()
    old = place.with_name(f".{place.name}.zarrmal-old-{uuid.uuid4().hex[:12]}")
    if place.exists():
        place.rename(old)
    try:
        stage.path.rename(place)
    except BaseException:
        if old.exists():
            old.rename(place)
        raise
    for rest in place.parent.glob(f".{glob.escape(place.name)}.zarrmal-old-*"):
        shutil.rmtree(rest, ignore_errors=True)
