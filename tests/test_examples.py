"""The examples and the README's commands run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*arguments: object, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        env=None,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    run(ROOT / "examples/make_cells.py", "cells", "--n-cells", "80", cwd=folder)
    out = run(ROOT / "examples/write_from_folder.py", "cells", "cells.zarr", cwd=folder)
    assert "80 cells" in out
    return folder / "cells.zarr"


def test_read_with_zarr(archive: Path) -> None:
    assert "(80, 50, 50) uint8" in run(
        ROOT / "examples/read_with_zarr.py", archive, cwd=archive.parent
    )


def test_read_with_xarray(archive: Path) -> None:
    out = run(ROOT / "examples/read_with_xarray.py", archive, "mean", cwd=archive.parent)
    assert "parasitized" in out
    assert (archive.parent / "mean-uninfected.png").stat().st_size > 100


def test_codec_on_your_own_array(archive: Path) -> None:
    out = run(ROOT / "examples/codec_on_your_own_array.py", cwd=archive.parent)
    assert "bit for bit" in out


@pytest.mark.parametrize(
    ("example", "package", "target"),
    [
        ("examples/write_to_a_zip.py", "zarr", "cells.zip"),
        ("examples/write_to_icechunk.py", "icechunk", "repository"),
        ("examples/write_with_obstore.py", "obstore", "objects"),
    ],
)
def test_other_stores(archive: Path, example: str, package: str, target: str) -> None:
    pytest.importorskip(package, reason=f"{package} is not installed: the extra `stores`")
    out = run(ROOT / example, "cells", target, cwd=archive.parent)
    assert "sound\n(80, 50, 50" in out


def test_every_example_is_tried() -> None:
    text = Path(__file__).read_text()
    for path in (ROOT / "examples").glob("*.py"):
        assert f"examples/{path.name}" in text


def test_python_blocks_of_the_readme_run(archive: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks
    each_alone = f"for block in {blocks!r}: exec(block, {{'__name__': '__main__'}})"
    run("-c", each_alone, cwd=archive.parent)
