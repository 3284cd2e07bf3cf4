"""What the distributions in a folder hold: ``python .ci/check_wheels.py dist``.

A wheel has all that runs and nothing else; a source distribution has all that a build needs.
"""

from __future__ import annotations

import re
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
JUNK = re.compile(
    r"(^|/)(tests?|vectors|fuzz|bench|kernel|__pycache__|\.[^/]*)/|\.(pyc|cpp|h|log)$"
)
TAG = re.compile(r"-(cp3\d+-(cp3\d+|abi3)-(linux|macosx|win)\w*|py3-none-any)\.whl$")


def files_of(folder: Path, *below: str) -> set[str]:
    """Files in the tree that a distribution must hold, by their path from ``folder``."""
    found = [p for b in below for p in (folder / b).rglob("*") if p.is_file()]
    return {p.relative_to(folder).as_posix() for p in found if "__pycache__" not in p.parts}


def only(dist: Path, pattern: str) -> Path:
    """The one file of this name."""
    found = sorted(dist.glob(pattern))
    if len(found) != 1:
        sys.exit(f"{dist}: {len(found)} files {pattern}, there must be 1: run make wheels")
    return found[0]


def wheel_names(path: Path) -> set[str]:
    """What a wheel holds, but for its metadata; exits on junk and on a tag that is not one."""
    if not TAG.search(path.name):
        sys.exit(f"{path.name}: no tag of this project")
    names = set(zipfile.ZipFile(path).namelist())
    if junk := sorted(name for name in names if JUNK.search(name)):
        sys.exit(f"{path.name} holds {', '.join(junk[:9])}")
    for wanted in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"):
        if not any(name.endswith(f".dist-info/{wanted}") for name in names):
            sys.exit(f"{path.name} lacks {wanted}")
    return {name for name in names if ".dist-info/" not in name}


def lacks(path: Path, names: set[str], wanted: set[str]) -> None:
    """Exit if something is missing."""
    if missing := sorted(wanted - names):
        sys.exit(f"{path.name} lacks {', '.join(missing[:9])}")


def check_codecs(dist: Path) -> None:
    """The codec: the whole package, and the kernel compiled."""
    wheel = only(dist, "zarrmal_codecs-*.whl")
    names = wheel_names(wheel)
    source = files_of(ROOT / "codecs" / "src", "zarrmal_codecs")
    wanted = {name for name in source if not name.startswith("zarrmal_codecs/kernel/")}
    assert "zarrmal_codecs/py.typed" in wanted
    lacks(wheel, names, wanted)
    rest = names - wanted
    if len(rest) != 1 or not re.fullmatch(r"zarrmal_codecs/_kernel\.[\w.-]*(so|pyd)", *rest):
        sys.exit(f"{wheel.name}: beside the package it must hold the kernel, and holds {rest}")
    sdist = only(dist, "zarrmal_codecs-*.tar.gz")
    given = {"CMakeLists.txt", "FORMAT.md", "LICENSE", "README.md", "pyproject.toml"}
    given |= files_of(ROOT / "codecs", "src", "vectors", "tests")
    lacks(sdist, sdist_names(sdist), given)
    print(f"{wheel.name}: {len(names)} files, {sdist.name}: all that a build needs")


def check_zarrmal(dist: Path) -> None:
    """The package of everything else, with the models and classifiers that ship."""
    wheel = only(dist, "zarrmal-*.whl")
    names, wanted = wheel_names(wheel), files_of(ROOT, "zarrmal")
    lacks(wheel, names, wanted)
    if rest := sorted(names - wanted):
        sys.exit(f"{wheel.name} holds {', '.join(rest[:9])}, which the tree does not")
    shipped = [name for name in wanted if name.endswith((".zmal", ".zcls"))]
    if not shipped:
        sys.exit(f"{wheel.name}: no model ships")
    sdist = only(dist, "zarrmal-*.tar.gz")
    lacks(sdist, sdist_names(sdist), wanted | {"LICENSE", "README.md", "pyproject.toml"})
    print(f"{wheel.name}: {len(names)} files, {len(shipped)} of them models and classifiers")


def sdist_names(path: Path) -> set[str]:
    """Names below the one folder of a source distribution; exits on junk."""
    with tarfile.open(path) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    if junk := sorted(n for n in names if "__pycache__" in n or n.startswith((".venv", ".kernel"))):
        sys.exit(f"{path.name} holds {', '.join(junk[:9])}")
    return names


if __name__ == "__main__":
    dist = Path(sys.argv[1])
    check_codecs(dist)
    check_zarrmal(dist)
