"""What --overwrite may replace: an archive that zarrmal wrote, and nothing beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...errors import ExistsError, MissingError
from ...sources.arrays.archive_facts import DIGESTS_GROUP, parse_archive_attribute
from ..format import ARRAY_NAMES, ATTRIBUTE, ArchiveFacts
from .location import BUCKET_JOURNAL, GROUP_FILES, Location

PARTIAL_FILE = r"(\.[0-9a-f]{32}\.partial)?"
"""What a killed run leaves of a local file, see put_file."""
ARRAY_KEY = re.compile(
    rf"(zarr\.json|zarrmal\.json|\.zarray|\.zattrs|(c[./])?\d+([./]\d+)*){PARTIAL_FILE}$"
)
DIGESTS_KEY = re.compile(
    rf"(zarr\.json|\.zgroup|\.zattrs|[0-9a-f]{{16}}/(zarr\.json|\.zarray|\.zattrs|c/0|0)){PARTIAL_FILE}$"
)
MAX_NAMES = 3


def expect_replaceable(location: Location) -> None:
    """ExistsError unless all that is stored there is an archive of zarrmal, complete or not.

    A group without attributes and without any array is empty, and may be replaced too: in format 2
    a run that was killed right at its start leaves one.
    """
    if not location.holds_zarr():
        raise _refusal(location, "is not a Zarr archive")
    stored = location.sizes()
    try:
        attributes = dict(location.open_group(consolidated=False).attrs)
        tree = parse_archive_attribute(attributes.get(ATTRIBUTE))
        facts = None if tree is None else ArchiveFacts.from_json(tree)
    except MissingError:
        raise _refusal(location, "is not a Zarr group") from None
    except ValueError as error:  # InputError and ZarrmalError among them
        raise _refusal(location, f"may not be an archive of zarrmal ({error})") from error
    is_empty = not attributes and set(stored) <= set(GROUP_FILES)
    if facts is None and not is_empty:
        raise _refusal(location, "is a Zarr group, but not an archive that zarrmal wrote")
    names = ARRAY_NAMES
    if facts is not None and facts.complete:
        names = frozenset(facts.arrays)
    expect_no_foreign_objects(location, stored, names)


def expect_no_foreign_objects(
    location: Location,
    stored: Iterable[str] | None = None,
    names: frozenset[str] = ARRAY_NAMES,
) -> None:
    """ExistsError if an object is stored there that no archive consists of.

    Parameters
    ----------
    stored
        Keys of all that is stored; None lists them.
    names
        The archive's arrays.
    """
    stored = location.sizes() if stored is None else stored
    foreign = sorted({foreign_node(key) for key in stored if not _is_ours(key, names)})
    if not foreign:
        return
    shown = ", ".join(f"`{name}`" for name in foreign[:MAX_NAMES])
    more = f" and {len(foreign) - MAX_NAMES} more" if len(foreign) > MAX_NAMES else ""
    raise _refusal(location, f"holds {shown}{more}, which zarrmal did not write there")


def foreign_node(key: str) -> str:
    """What a foreign object belongs to: an array or group beside ours, or the object itself."""
    node, _, _ = key.partition("/")
    return key if node in ARRAY_NAMES and not ARRAY_KEY.match(key[len(node) + 1 :]) else node


def _is_ours(key: str, names: frozenset[str]) -> bool:
    node, slash, rest = key.partition("/")
    if node == DIGESTS_GROUP and slash:
        return DIGESTS_KEY.match(rest) is not None
    if slash:
        return node in names and ARRAY_KEY.match(rest) is not None
    is_partial = re.sub(f"{PARTIAL_FILE}$", "", key) in GROUP_FILES
    return is_partial or key.startswith(BUCKET_JOURNAL)


def _refusal(location: Location, why: str) -> ExistsError:
    return ExistsError(f"{location.url} {why}, so zarrmal will not delete it: remove it yourself, "
                       f"or choose another name")  # fmt: skip
