"""The attribute of an archive, read and changed as a stranger might."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

ATTRIBUTE = "zarrmal"


def facts_of(node: Any) -> dict[str, Any]:
    """Of a group, a dataset, or a document's attributes."""
    attributes = node if isinstance(node, dict) else node.attrs
    return dict(json.loads(attributes[ATTRIBUTE]))


def change_facts(attributes: Any, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the facts in a document's attributes, or in those of a group."""
    facts = json.loads(attributes[ATTRIBUTE])
    change(facts)
    attributes[ATTRIBUTE] = json.dumps(facts)


def stored_digests(archive: Path) -> dict[str, Any]:
    """The digests that a local archive names."""
    is_v3 = (archive / "zarr.json").is_file()
    tree = json.loads((archive / ("zarr.json" if is_v3 else ".zattrs")).read_text())
    sha256 = facts_of(tree["attributes"] if is_v3 else tree)["digests"]
    folder = archive / "zarrmal_digests" / sha256[:16]
    return dict(json.loads((folder / ("c/0" if is_v3 else "0")).read_text()))
