"""A new archive is written in a staging location first, and moved when it is complete."""

from __future__ import annotations

import glob
import os
import shutil
import uuid

from ...errors import ExistsError, InputError
from ...sources.places.packed import has_packed_suffix
from ..storage.local import sync_folder
from ..storage.location import GROUP_FILES, Location
from ..storage.replaceable import expect_no_foreign_objects, expect_replaceable

IS_WINDOWS = os.name == "nt"


def staging_location(location: Location) -> Location | None:
    """Hidden, beside the archive; None where nothing can be written beside it."""
    if location.is_local:
        real = location.real_path  # a link's target is replaced
        return Location(str(real.with_name(f".{real.name}.zarrmal-part")))
    if location.owner_commits or "::" in location.url:
        return None
    protocol, _, path = location.url.rstrip("/").partition("://")
    folder, _, name = path.rpartition("/")
    if not folder.strip("/") and protocol != "memory":
        return None  # the archive is a whole bucket
    return Location(f"{protocol}://{folder}/.{name}.zarrmal-part", location.storage_options)


def stage_of(location: Location, *, beside: bool) -> Location:
    """Where a new archive is written: beside its location or, in an object store, right there."""
    stage = staging_location(location) if beside else location
    assert stage is not None
    return stage


def refuse_unwritable(location: Location) -> None:
    """InputError if the name alone says that an archive there could not be written or removed.

    Nor can one on Windows, unless its store's owner is in charge of transactions.
    """
    if IS_WINDOWS and not location.owner_commits:
        raise InputError(
            f"{location.url} cannot be written on Windows, where an archive can be read only: the "
            f"lock and the commit rely on paths with slashes, on folders that are synced and "
            f"renamed while others read them, and on looking up a writer's process. Write it in "
            f"WSL, on Linux or on macOS"
        )
    if "::" in location.url:  # a cache would go on showing the old objects
        raise InputError(f"{location.url} cannot be written to: write to a folder or a bucket, and "
                         f"copy the archive from there")  # fmt: skip
    if location.is_local and os.path.ismount(location.real_path):
        raise InputError(f"{location.url} is a mount point, which cannot be renamed: choose a "
                         f"folder in it")  # fmt: skip
    magic = [c for c in "*?[]" if c in location.url]
    if magic and not location.is_local and not location.owner_commits:
        raise InputError(
            f"{location.url} holds {' '.join(magic)}, which file systems of fsspec take for a "
            f"pattern of names: choose a name without"
        )


def refuse_packed_name(location: Location) -> None:
    """InputError if a new local archive, which is a folder, would be called a zip or tar file."""
    if location.is_local and has_packed_suffix(location.url):
        raise InputError(
            f"{location.url} would be a folder, not a zip or tar file: archive to a folder such as "
            f"cells.zarr, then pack that (`cd cells.zarr && zip -0 -r ../cells.zip .`) and read it "
            f"as zip::cells.zip"
        )


def refuse_occupied(location: Location, *, overwrite: bool, source: object = None) -> None:
    """InputError if writing there would destroy something that must stay.

    In an object store a ``source`` given by its URL may not lie in the archive to be replaced.
    """
    if not location.occupied():
        return
    if not overwrite:
        raise ExistsError(f"{location.url} exists already: choose another name, or --overwrite it")
    expect_replaceable(location)
    if location.is_local:
        return
    if location.owner_commits:
        if not location.replaces_objects:
            raise ExistsError(f"{location.url} cannot replace what it holds: write a new one")
        return
    if staging_location(location) is None:
        raise InputError(f"{location.url}: nothing can be written beside it, so it would have to "
                         f"be removed first: choose another name")  # fmt: skip
    if isinstance(source, str) and _lies_in(source, location):
        raise InputError(f"{location.url} is the source itself: choose another name")


def refuse_source_inside(source: object, location: Location) -> None:
    """InputError if a source given by its path or URL is the archive, or lies in it."""
    if isinstance(source, str | os.PathLike) and _lies_in(os.fspath(source), location):
        raise InputError(f"{location.url} is the source itself: its cells are in it already")


def clear_stage(stage: Location, *, beside: bool) -> None:
    """Empty a staging location; in the archive's own location only objects of an archive go.

    Raises
    ------
    ExistsError
        If somebody has put something else into the stage.
    """
    if beside:
        expect_no_foreign_objects(stage)
        stage.remove()
    else:
        stage.remove_archive()


def publish(stage: Location, location: Location, *, overwrite: bool) -> None:
    """Move the complete archive to its location; running it twice is the same as once.

    Raises
    ------
    InputError
        If something that must not be replaced has appeared there.
    """
    if stage == location:
        return
    if location.is_local:
        _rename(stage, location, overwrite=overwrite)
    else:
        _copy(stage, location)


def _rename(stage: Location, location: Location, *, overwrite: bool) -> None:
    path = location.real_path
    if not stage.path.exists():  # an earlier run has renamed it
        remove_replaced(location)
        return
    refuse_occupied(location, overwrite=overwrite)
    old = path.with_name(f".{path.name}.zarrmal-old-{uuid.uuid4().hex[:12]}")
    if path.exists():
        path.rename(old)
    try:
        if old.is_dir():  # what came between the check and the renaming is not deleted either
            expect_no_foreign_objects(Location(str(old)))
        stage.path.rename(path)
    except BaseException:  # an interruption, too: an archive must be there
        if old.exists():
            old.rename(path)
        raise
    sync_folder(path.parent)
    remove_replaced(location)


def remove_replaced(location: Location) -> None:
    """Delete the archive that a new local one has replaced."""
    path = location.real_path
    for old in path.parent.glob(f".{glob.escape(path.name)}.zarrmal-old-*"):
        shutil.rmtree(old, ignore_errors=True)


def _copy(stage: Location, location: Location) -> None:
    """An object store cannot rename: copy all objects, last those that make a group."""
    if not stage.holds_zarr():  # an earlier run has copied it
        stage.remove()
        return
    expect_no_foreign_objects(location)
    location.remove()
    fs, root = location.filesystem()
    _, stage_root = stage.filesystem()
    sizes = stage.sizes()
    last = [name for name in reversed(GROUP_FILES) if name in sizes]
    first = [key for key in sizes if key not in last]

    def paths(folder: str, keys: list[str]) -> list[str]:
        return [f"{folder.rstrip('/')}/{key}" for key in keys]

    if first:
        fs.copy(paths(stage_root, first), paths(root, first))
    if location.sizes() != {key: sizes[key] for key in first}:
        raise OSError(f"not all objects of {stage.url} were copied to {location.url}")
    for key in last:
        fs.cp_file(*paths(stage_root, [key]), *paths(root, [key]))
    stage.remove()


def _lies_in(source: str, location: Location) -> bool:
    """A source's path or URL lies in an archive, however both are spelled."""
    if not source or "::" in source or location.owner_commits:
        return False
    inner = Location(source)
    if location.is_local or inner.is_local:
        both = location.is_local and inner.is_local
        return both and inner.real_path.is_relative_to(location.real_path)
    fs, root = location.filesystem()
    protocols = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
    if source.partition("://")[0] not in protocols:
        return False
    path = str(fs._strip_protocol(source)).rstrip("/")
    return f"{path}/".startswith(f"{root.rstrip('/')}/")
