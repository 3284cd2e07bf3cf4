"""The place of an archive: what may be replaced there, and how that is done without a loss."""

from __future__ import annotations

import glob
import os
import shutil
import uuid

from ..errors import InputError
from .durable import settle
from .target import GROUP_FILES, Target, part_of


def refuse_unwritable(target: Target) -> None:
    """InputError if an archive there could not be written, or removed, by its name alone."""
    if "::" in target.url:  # a cache would show what was there before
        raise InputError(f"{target.url} cannot be written to: write to a folder or a bucket, and "
                         f"copy the archive from there")  # fmt: skip
    if target.is_local and os.path.ismount(target.real_path):
        raise InputError(f"{target.url} is where a disk or a volume is mounted, which cannot be "
                         f"renamed: choose a folder in it")  # fmt: skip
    magic = [c for c in "*?[]" if c in target.url]
    if magic and not target.is_local:
        raise InputError(
            f"{target.url} holds {' '.join(magic)}, which file systems of fsspec take for a "
            f"pattern of names: choose a name without"
        )


def refuse_occupied(target: Target, *, overwrite: bool, source: object = None) -> None:
    """InputError if writing to the target would destroy something it must not.

    In an object store a ``source`` given by its address may not lie in a target.
    """
    if not target.occupied():
        return
    if not overwrite:
        raise InputError(f"{target.url} exists already: choose another place, or --overwrite it")
    if not target.holds_zarr():
        raise InputError(f"{target.url} is not a Zarr archive, so --overwrite will not delete it: "
                         f"remove it yourself, or choose another place")  # fmt: skip
    if target.is_local:
        return
    if part_of(target) is None:
        raise InputError(f"{target.url}: nothing can be written beside it, so it would have to be "
                         f"removed first: choose another place")  # fmt: skip
    if isinstance(source, str) and _lies_in(source, target):
        raise InputError(f"{target.url} is the source itself: choose another place")


def clear_stage(stage: Target, *, beside: bool) -> None:
    """Empty where a new archive is written; if that is its place, of an archive's objects alone."""
    if beside:
        stage.remove()
    else:
        stage.remove_archive()


def take_place(stage: Target, target: Target, *, overwrite: bool) -> None:
    """Put the finished archive where it belongs; done twice, it is the same.

    Raises
    ------
    InputError
        If something has come there meanwhile that must not be replaced.
    """
    if stage == target:
        return
    if target.is_local:
        _rename(stage, target, overwrite=overwrite)
    else:
        _copy(stage, target)


def _rename(stage: Target, target: Target, *, overwrite: bool) -> None:
    place = target.real_path
    if not stage.path.exists():  # an earlier run came so far
        remove_old(target)
        return
    refuse_occupied(target, overwrite=overwrite)
    old = place.with_name(f".{place.name}.zarrmal-old-{uuid.uuid4().hex[:12]}")
    if place.exists():
        place.rename(old)
    try:
        stage.path.rename(place)
    except BaseException:
        if old.exists():
            old.rename(place)
        raise
    settle(place.parent)
    remove_old(target)


def remove_old(target: Target) -> None:
    """Remove what a local archive has replaced."""
    place = target.real_path
    for rest in place.parent.glob(f".{glob.escape(place.name)}.zarrmal-old-*"):
        shutil.rmtree(rest, ignore_errors=True)


def _copy(stage: Target, target: Target) -> None:
    """Within an object store, which cannot rename: all objects, then those that make a group."""
    if not stage.holds_zarr():  # an earlier run came so far
        stage.remove()
        return
    target.remove()
    fs, root = target.filesystem()
    _, part = stage.filesystem()
    sizes = stage.sizes()
    last = [name for name in reversed(GROUP_FILES) if name in sizes]
    first = [key for key in sizes if key not in last]

    def paths(folder: str, keys: list[str]) -> list[str]:
        return [f"{folder.rstrip('/')}/{key}" for key in keys]

    if first:
        fs.copy(paths(part, first), paths(root, first))
    copied = target.sizes()
    if copied != {key: sizes[key] for key in first}:
        raise OSError(f"not all objects of {stage.url} were copied to {target.url}")
    for key in last:
        fs.cp_file(*paths(part, [key]), *paths(root, [key]))
    stage.remove()


def refuse_itself(source: object, target: Target) -> None:
    """InputError if a source given by its address is the archive, or lies in it."""
    if isinstance(source, str | os.PathLike) and _lies_in(os.fspath(source), target):
        raise InputError(f"{target.url} is the source itself: its cells are in it already")


def _lies_in(source: str, target: Target) -> bool:
    """A source's address lies in a target, however both are spelled."""
    if not source or "::" in source:
        return False
    place = Target(source)
    if target.is_local or place.is_local:
        outer, inner = target.real_path, place.real_path
        return target.is_local and place.is_local and inner.is_relative_to(outer)
    fs, root = target.filesystem()
    names = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
    if source.partition("://")[0] not in names:
        return False
    path = str(fs._strip_protocol(source)).rstrip("/")
    return f"{path}/".startswith(f"{root.rstrip('/')}/")
