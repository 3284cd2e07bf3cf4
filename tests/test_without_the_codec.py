"""What a reader sees who has zarr, but not the codec: the group names the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import zarr

import zarrmal
from zarrmal.sources import Source, Subset

READ = """
import importlib.metadata, sys

def without_codec(**options):
    points = (p for d in importlib.metadata.distributions() for p in d.entry_points)
    others = (p for p in points if not p.value.startswith("zarrmal"))
    return importlib.metadata.EntryPoints(others).select(**options)

importlib.metadata.entry_points = without_codec
import zarr
group = zarr.open_group(sys.argv[1], mode="r", use_consolidated=False)
print(dict(group.attrs)["needs"])
print(group["predicted_class"][:3].shape)
try:
    group["cells"][0]
except Exception as error:
    print("refused:", type(error).__name__, error)
"""


def test_the_group_opens_and_names_the_package(archive: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READ, str(archive)], capture_output=True, text=True, check=True
    )
    assert "pip install zarrmal-codecs" in done.stdout
    assert "(3,)" in done.stdout
    assert "refused:" in done.stdout
    assert "zarrmal" in done.stdout.splitlines()[-1]


def test_an_append_leaves_the_attribute(archive: Path, cells: Source) -> None:
    zarrmal.append(Subset(cells, range(3)), archive)
    assert "zarrmal-codecs" in zarr.open_group(archive, mode="r").attrs["needs"]
