"""The examples and the README's commands run as they stand.

Those that write and read an archive do so in processes of their own, the others in this one.
"""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run_alone(*arguments: object, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        env=None,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """As `run_alone`, of a file, in this process, whose imports need not be done again."""

    def run_here(path: Path, *arguments: object, cwd: Path) -> str:
        monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, "argv", [str(path), *map(str, arguments)])
        runpy.run_path(str(path), run_name="__main__")
        return capsys.readouterr().out

    return run_here


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    run_alone(ROOT / "examples/make_cells.py", "cells", "--n-cells", "80", cwd=folder)
    out = run_alone(ROOT / "examples/write_from_folder.py", "cells", "cells.zarr", cwd=folder)
    assert "80 cells" in out
    return folder / "cells.zarr"


def test_read_with_zarr(archive: Path) -> None:
    assert "(80, 50, 50) uint8" in run_alone(
        ROOT / "examples/read_with_zarr.py", archive, cwd=archive.parent
    )


def test_read_with_xarray(archive: Path, run: Callable[..., str]) -> None:
    out = run(ROOT / "examples/read_with_xarray.py", archive, "mean", cwd=archive.parent)
    assert "parasitized" in out
    assert (archive.parent / "mean-uninfected.png").stat().st_size > 100


def test_codec_on_your_own_array(archive: Path, run: Callable[..., str]) -> None:
    out = run(ROOT / "examples/codec_on_your_own_array.py", cwd=archive.parent)
    assert "bit for bit" in out


def test_save_as_netcdf(archive: Path, run: Callable[..., str]) -> None:
    for package in ("h5netcdf", "h5py"):
        pytest.importorskip(package, reason=f"{package} is not installed: the extra `test`")
    out = run(ROOT / "examples/save_as_netcdf.py", archive, "cells.nc", cwd=archive.parent)
    assert "64 cells in cells.nc" in out


def test_notebook(archive: Path) -> None:
    """Its code cells, one after the other; the value of a cell's last line is printed."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: the extra `plot`")
    cells = json.loads((ROOT / "examples/explore.ipynb").read_text())["cells"]
    codes = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert len(codes) > 3
    assert all(cell.get("outputs", []) == [] for cell in cells)
    run_alone("-c", AS_NOTEBOOK.format(codes=codes), cwd=archive.parent)


AS_NOTEBOOK = """
import ast, warnings
import matplotlib

matplotlib.use("agg")
warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive")
names = dict()
for code in {codes!r}:
    tree = ast.parse(code)
    last = tree.body[-1]
    exec(compile(ast.Module(tree.body[:-1], []), "cell", "exec"), names)
    if not isinstance(last, ast.Expr):
        exec(compile(ast.Module([last], []), "cell", "exec"), names)
        continue
    value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    if value is not None:
        assert len(repr(value).splitlines()) < 40
        assert len(getattr(value, "_repr_html_", lambda: "")()) < 45_000
assert names["means"].shape[0] == len(names["info"].classes)
"""


@pytest.mark.parametrize(
    ("example", "package", "target"),
    [
        ("examples/write_to_a_zip.py", "zarr", "cells.zip"),
        ("examples/write_to_icechunk.py", "icechunk", "repository"),
        ("examples/write_with_obstore.py", "obstore", "objects"),
    ],
)
def test_other_stores(
    archive: Path, run: Callable[..., str], example: str, package: str, target: str
) -> None:
    pytest.importorskip(package, reason=f"{package} is not installed: the extra `stores`")
    out = run(ROOT / example, "cells", target, cwd=archive.parent)
    assert "sound\n(80, 50, 50" in out


def test_slides(tmp_path: Path, run: Callable[..., str]) -> None:
    run(ROOT / "examples/make_slide.py", "slide.svs", cwd=tmp_path)
    out = run(
        *(ROOT / "examples/slide_to_archive.py", "slide.svs", "cells.zarr", "region.png"),
        cwd=tmp_path,
    )
    assert "64 cells, " in out
    assert "in the rectangle\nmean diameter 3" in out
    assert (tmp_path / "region.png").stat().st_size > 1000
    own = run(ROOT / "examples/your_own_segmenter.py", "slide.svs", "own.zarr", cwd=tmp_path)
    assert own == "64 cells\n"


def test_every_example_is_tried() -> None:
    text = Path(__file__).read_text()
    for path in (ROOT / "examples").iterdir():
        assert f"examples/{path.name}" in text


def test_python_blocks_of_the_readme_run(archive: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks
    each_alone = f"for block in {blocks!r}: exec(block, {{'__name__': '__main__'}})"
    run_alone("-c", each_alone, cwd=archive.parent)
