"""Check the contents of the distributions in a folder: ``python .ci/check_wheels.py dist``.

A wheel contains the installed package and nothing else; a source distribution contains all that a
build needs.
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
    """Files of the tree that a distribution must contain, as paths relative to ``folder``."""
    paths = [p for b in below for p in (folder / b).rglob("*") if p.is_file()]
    return {p.relative_to(folder).as_posix() for p in paths if "__pycache__" not in p.parts}


def only(dist: Path, pattern: str) -> Path:
    """The only file of this name."""
    paths = sorted(dist.glob(pattern))
    if len(paths) != 1:
        sys.exit(f"{dist} has {len(paths)} files {pattern}, must have 1: run make wheels")
    return paths[0]


def wheel_names(path: Path) -> set[str]:
    """Names in a wheel, without its metadata; exits on junk files and on an unexpected tag."""
    if not TAG.search(path.name):
        sys.exit(f"{path.name} has a tag that this project does not build")
    names = set(zipfile.ZipFile(path).namelist())
    if junk := sorted(name for name in names if JUNK.search(name)):
        sys.exit(f"{path.name} must not contain {', '.join(junk[:9])}")
    for required in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"):
        if not any(name.endswith(f".dist-info/{required}") for name in names):
            sys.exit(f"{path.name} lacks {required}")
    return {name for name in names if ".dist-info/" not in name}


def expect(path: Path, names: set[str], required: set[str]) -> None:
    """Exit unless all required names are among the names."""
    if missing := sorted(required - names):
        sys.exit(f"{path.name} lacks {', '.join(missing[:9])}")


def check_codecs(dist: Path) -> None:
    """The codec: the whole package and the compiled kernel."""
    wheel = only(dist, "zarrmal_codecs-*.whl")
    names = wheel_names(wheel)
    source = files_of(ROOT / "codecs" / "src", "zarrmal_codecs")
    required = {name for name in source if not name.startswith("zarrmal_codecs/kernel/")}
    assert "zarrmal_codecs/py.typed" in required
    expect(wheel, names, required)
    rest = names - required
    if len(rest) != 1 or not re.fullmatch(r"zarrmal_codecs/_kernel\.[\w.-]*(so|pyd)", *rest):
        sys.exit(f"{wheel.name} must contain the package and the kernel, and also contains {rest}")
    sdist = only(dist, "zarrmal_codecs-*.tar.gz")
    required = {
        "CMakeLists.txt",
        "FORMAT.md",
        "ARCHIVE.md",
        "LICENSE",
        "README.md",
        "pyproject.toml",
    }
    required |= files_of(ROOT / "codecs", "src", "vectors", "tests")
    expect(sdist, sdist_names(sdist), required)
    print(f"{wheel.name} has {len(names)} files, {sdist.name} has all that a build needs")


def check_zarrmal(dist: Path) -> None:
    """The package zarrmal, with the models and classifiers that it ships."""
    wheel = only(dist, "zarrmal-*.whl")
    names, required = wheel_names(wheel), files_of(ROOT, "zarrmal")
    expect(wheel, names, required)
    if rest := sorted(names - required):
        sys.exit(f"{wheel.name} contains {', '.join(rest[:9])}, which are not in the tree")
    shipped = [name for name in required if name.endswith((".zmal", ".zcls"))]
    if not shipped:
        sys.exit(f"{wheel.name} contains no model")
    sdist = only(dist, "zarrmal-*.tar.gz")
    expect(sdist, sdist_names(sdist), required | {"LICENSE", "README.md", "pyproject.toml"})
    print(f"{wheel.name} has {len(names)} files, {len(shipped)} of them models and classifiers")


def sdist_names(path: Path) -> set[str]:
    """Names in the top folder of a source distribution; exits on junk files."""
    with tarfile.open(path) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    if junk := sorted(n for n in names if "__pycache__" in n or n.startswith((".venv", ".kernel"))):
        sys.exit(f"{path.name} must not contain {', '.join(junk[:9])}")
    return names


if __name__ == "__main__":
    dist = Path(sys.argv[1])
    check_codecs(dist)
    check_zarrmal(dist)
