"""Who may import whom (docs/house.md), read from the code itself."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODECS = ROOT / "codecs" / "src" / "zarrmal_codecs"
ZARRMAL = ROOT / "zarrmal"

HOUSE = (ROOT / "docs" / "house.md").read_text()
ROW = re.compile(r"^\| `(\w+)` \|.*\| ([^|]*) \|$", re.MULTILINE)


def table(heading: str) -> dict[str, set[str]]:
    """Name of each room -> what it may import, as docs/house.md says."""
    (section,) = (part for part in HOUSE.split("\n## ") if part.startswith(f"{heading}\n"))
    rows = {name: set(re.findall(r"`(\w+)`", allowed)) for name, allowed in ROW.findall(section)}
    assert len(rows) > 7
    return rows


TABLES = {
    CODECS: table("codecs"),
    ZARRMAL: table("zarrmal"),
    **{ZARRMAL / room: table(f"zarrmal/{room}") for room in ("archive", "cli", "sources")},
}
ROOMS = [(folder, room) for folder, rows in TABLES.items() for room in rows]

OUTSIDE = {
    "torch": {"learn", "torch"},
    "typer": {"cli"},
    "rich": {"cli"},
    "PIL": {"sources", "segment", "archive", "benchmark", "learn"},
    "scipy": {"segment", "benchmark"},
    "skimage": {"segment"},
    "matplotlib": {"benchmark", "study"},
}


@cache
def imports(path: Path, package_root: Path) -> set[str]:
    """Dotted names a file imports, relative ones resolved against the package."""
    inside = (package_root.name, *path.relative_to(package_root).parent.parts)
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(inside[: len(inside) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            if node.module and not (node.level and "." not in module):
                found.add(module)
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def rooms_in(folder: Path) -> set[str]:
    """Modules and sub-packages of a package, without its door."""
    return {
        path.stem
        for path in folder.iterdir()
        if (path.suffix == ".py" and path.stem != "__init__") or (path / "__init__.py").is_file()
    }


def imported_rooms(folder: Path, room: str) -> set[str]:
    """Rooms of the same package that a room imports."""
    top = CODECS if CODECS in (folder, *folder.parents) else ZARRMAL
    package = [top.name, *folder.relative_to(top).parts]
    files = (folder / room).rglob("*.py") if (folder / room).is_dir() else [folder / f"{room}.py"]
    names = [name.split(".") for file in files for name in imports(file, top)]
    inner = {
        parts[len(package)]
        for parts in names
        if parts[: len(package)] == package and len(parts) > len(package)
    }
    return (inner & rooms_in(folder)) - {room}


@pytest.mark.parametrize("folder", TABLES, ids=lambda folder: folder.name)
def test_every_room_has_its_row(folder: Path) -> None:
    assert rooms_in(folder) == set(TABLES[folder])


@pytest.mark.parametrize(("folder", "room"), ROOMS, ids=lambda part: getattr(part, "name", part))
def test_rooms_import_what_their_row_allows(folder: Path, room: str) -> None:
    assert imported_rooms(folder, room) <= TABLES[folder][room]


def expect_no_cycle(rows: dict[str, set[str]]) -> None:
    above: set[str] = set()
    remaining = dict(rows)
    while remaining:
        lowest = {room for room, allowed in remaining.items() if allowed <= above}
        assert lowest, f"{sorted(remaining)} import each other"
        above |= lowest
        for room in lowest:
            del remaining[room]


def test_rooms_have_no_cycle() -> None:
    for rows in TABLES.values():
        expect_no_cycle(rows)


@pytest.mark.parametrize("top", [CODECS, ZARRMAL], ids=lambda top: top.name)
def test_no_modules_of_a_package_import_each_other(top: Path) -> None:
    for door in top.rglob("__init__.py"):
        folder = door.parent
        expect_no_cycle({room: imported_rooms(folder, room) for room in rooms_in(folder)})


@pytest.mark.parametrize("library", sorted(OUTSIDE))
def test_libraries_stay_in_their_rooms(library: str) -> None:
    used = {
        path.relative_to(ZARRMAL).parts[0]
        for path in ZARRMAL.rglob("*.py")
        if any(name.split(".")[0] == library for name in imports(path, ZARRMAL))
    }
    assert used == OUTSIDE[library]


TAKEN = re.compile(r"^\| `([\w.]+)` \| ([^|]*) \|", re.MULTILINE)
NEAR_THE_CODEC = {"learn", "study", "lattice"}
REPEATED = {"model", "silhouette", "paper", "hybrid", "lattice"}


def taken() -> dict[str, set[str]]:
    """Module of the codec -> the names of it that zarrmal may import; none: all."""
    (section,) = (part for part in HOUSE.split("\n## ") if part.startswith("What `zarrmal` takes"))
    rows = {module: set(re.findall(r"`(\w+)`", names)) for module, names in TAKEN.findall(section)}
    return {f"zarrmal_codecs.{m}" if m != "zarrmal_codecs" else m: rows[m] for m in rows}


def from_codec(path: Path) -> list[tuple[str, str]]:
    """(module, name) of what a file imports from the codec; no name where it imports a module."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(a.name, "") for a in node.names if a.name.split(".")[0] == CODECS.name]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == CODECS.name:
            found += [(node.module or "", alias.name) for alias in node.names]
    return found


@pytest.mark.parametrize("path", sorted(rooms_in(ZARRMAL)))
def test_only_public_names_of_the_codec_are_imported(path: str) -> None:
    public = taken()
    files = (
        (ZARRMAL / path).rglob("*.py") if (ZARRMAL / path).is_dir() else [ZARRMAL / f"{path}.py"]
    )
    for file in files:
        for module, name in from_codec(file):
            room = module.split(".")[1] if "." in module else ""
            is_repeated = room in REPEATED or module == "zarrmal_codecs.chunk.reduction"
            if path in NEAR_THE_CODEC and is_repeated:
                continue
            where = f"{file.relative_to(ROOT)}: docs/house.md does not list {name} of {module}"
            assert module in public, where
            assert name in public[module] or not public[module], where


def test_the_public_names_of_the_codec_exist() -> None:
    import importlib

    for module, names in taken().items():
        there = vars(importlib.import_module(module))
        assert names <= set(there), module
        if module == CODECS.name:
            assert names == set(there["__all__"])


def test_the_codec_needs_three_libraries() -> None:
    allowed = {"zarrmal_codecs", "numpy", "numcodecs", "zarr"}

    for path in CODECS.rglob("*.py"):
        for name in imports(path, CODECS):
            top = name.split(".")[0]
            assert top in allowed or top in sys.stdlib_module_names, (path, name)


HEAVY = (
    "torch",
    "numba",
    "xarray",
    "dask",
    "distributed",
    "pandas",
    "scipy",
    "skimage",
    "matplotlib",
)


def test_a_command_starts_without_what_only_some_need() -> None:
    program = f"import sys, zarrmal.cli; print(*set(sys.modules) & set({HEAVY}))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
