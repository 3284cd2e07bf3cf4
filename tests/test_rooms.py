"""Who may import whom (docs/house.md), read from the code itself."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODECS = ROOT / "codecs" / "src" / "zarrmal_codecs"
ZARRMAL = ROOT / "zarrmal"

# Each module of the codec, and what it may import of its own package.
CODEC_ROOMS: dict[str, set[str]] = {
    "constants": set(),
    "errors": set(),
    "wire": {"errors"},
    "layer": {"constants", "errors"},
    "strict_json": {"constants", "errors"},
    "class_model": {"constants", "errors", "layer", "strict_json"},
    "model": {"class_model", "constants", "errors", "strict_json", "wire"},
    "network": {"constants", "errors", "layer"},
    "autoencoder": {"class_model", "errors", "network"},
    "golomb_rice": {"constants", "errors", "wire"},
    "paper": {"autoencoder", "constants", "errors", "golomb_rice", "model", "wire"},
    "tables": {"constants"},
    "rans": {"constants"},
    "mixture": {"constants", "tables"},
    "context": {"class_model", "constants", "errors", "tables"},
    "pixel_coder": {"constants", "context", "mixture", "rans", "tables"},
    "engine": {"constants", "context", "pixel_coder", "rans"},
    "prediction": {"class_model", "constants", "errors", "network", "tables"},
    "hybrid": {
        "constants",
        "context",
        "engine",
        "errors",
        "golomb_rice",
        "mixture",
        "model",
        "prediction",
        "rans",
    },
    "cells": {"constants", "errors", "golomb_rice", "hybrid", "model", "paper"},
    "coder": {"cells", "model"},
    "header": {"constants", "errors", "wire"},
    "fallback": {"constants", "errors", "header"},
    "chunk": {"coder", "constants", "errors", "fallback", "golomb_rice", "header"},
    "configuration": {"coder", "constants", "errors", "golomb_rice", "model", "strict_json"},
    "zarr_plugin": {
        "chunk",
        "configuration",
        "constants",
        "errors",
        "golomb_rice",
        "header",
        "model",
    },
    "numcodecs_plugin": {"chunk", "configuration", "constants", "golomb_rice", "model"},
    "arguments": {"golomb_rice", "model", "numcodecs_plugin", "zarr_plugin"},
    "__init__": {"arguments", "errors", "model", "numcodecs_plugin", "zarr_plugin"},
}

# Each room of the archiver, and what it may import of its own package.
COMMON = {"errors", "progress", "split", "version"}
ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "progress": set(),
    "split": set(),
    "version": set(),
    "sources": COMMON,
    "classify": COMMON | {"sources"},
    "models": {"classify"},
    "learn": COMMON | {"classify", "sources"},
    "archive": COMMON | {"classify", "sources"},
    "torch": COMMON | {"archive"},
    "benchmark": COMMON | {"archive", "classify", "sources", "torch"},
    "study": COMMON | {"archive", "benchmark", "classify", "learn", "models", "sources"},
    "api": COMMON | {"archive", "classify", "learn", "models", "sources"},
    "cli": COMMON
    | {"api", "archive", "benchmark", "classify", "learn", "sources", "study", "torch"},
    "__init__": {"api", "archive", "errors", "sources"},
}

OUTSIDE = {
    "torch": {"learn", "torch"},
    "typer": {"cli"},
    "rich": {"cli"},
    "PIL": {"sources", "archive", "benchmark"},
    "matplotlib": {"benchmark", "study"},
}


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


def neighbours(path: Path, package_root: Path, rooms: dict[str, set[str]]) -> set[str]:
    own = [name.split(".") for name in imports(path, package_root)]
    return {
        parts[1]
        for parts in own
        if parts[0] == package_root.name and parts[1:2] and parts[1] in rooms
    }


def test_every_module_has_its_room() -> None:
    assert {p.stem for p in CODECS.glob("*.py")} == set(CODEC_ROOMS)
    rooms = {
        p.stem if p.is_file() else p.name
        for p in ZARRMAL.iterdir()
        if p.suffix == ".py" or (p / "__init__.py").is_file()
    }
    assert rooms == set(ROOMS)


@pytest.mark.parametrize("name", sorted(CODEC_ROOMS))
def test_codec_modules_import_only_downwards(name: str) -> None:
    used = neighbours(CODECS / f"{name}.py", CODECS, CODEC_ROOMS) - {name}
    assert used <= CODEC_ROOMS[name]


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_rooms_import_only_downwards(room: str) -> None:
    place = ZARRMAL / room
    for path in place.rglob("*.py") if place.is_dir() else [ZARRMAL / f"{room}.py"]:
        used = neighbours(path, ZARRMAL, ROOMS) - {room}
        assert used <= ROOMS[room], path


@pytest.mark.parametrize("library", sorted(OUTSIDE))
def test_libraries_stay_in_their_rooms(library: str) -> None:
    used = {
        path.relative_to(ZARRMAL).parts[0]
        for path in ZARRMAL.rglob("*.py")
        if any(name.split(".")[0] == library for name in imports(path, ZARRMAL))
    }
    assert used == OUTSIDE[library]


def test_the_codec_needs_three_libraries() -> None:
    allowed = {"zarrmal_codecs", "numpy", "numcodecs", "zarr"}
    import sys

    for path in CODECS.glob("*.py"):
        for name in imports(path, CODECS):
            top = name.split(".")[0]
            assert top in allowed or top in sys.stdlib_module_names, (path, name)


def test_room_table_of_the_docs_is_the_one_held_here() -> None:
    text = (ROOT / "docs" / "house.md").read_text()
    for name in [*CODEC_ROOMS, *ROOMS]:
        if name != "__init__":
            assert f"`{name}`" in text, name
