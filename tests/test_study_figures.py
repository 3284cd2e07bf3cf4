"""Figures of a study: complete, readable, reproducible; matplotlib is imported late."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from fake_study import FakeOptions, fake_study
from PIL import Image

from zarrmal.errors import InputError
from zarrmal.study.figures import FIGURES, draw_all, drawing
from zarrmal.study.figures.style import separate_labels
from zarrmal.study.results import UNSEEN

pytest.importorskip("matplotlib", reason="the extra plot is not installed")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return draw_all(fake_study(), tmp_path_factory.mktemp("study"))


def test_each_figure_is_written_twice(drawn: list[Path]) -> None:
    expected = {f"figures/{name}.{kind}" for name in FIGURES for kind in ("png", "svg")}
    assert {f"{path.parent.name}/{path.name}" for path in drawn} == expected


def test_images_show_something_at_print_resolution(drawn: list[Path]) -> None:
    for path in drawn:
        if path.suffix == ".png":
            with Image.open(path) as picture:
                pixels = np.asarray(picture.convert("L"))
                assert picture.info["dpi"][0] >= 150
                assert picture.width >= 1_500
            dark = pixels < 200
            assert 0.005 < dark.mean() < 0.9
            # Each quarter shows something, and nothing is cut off at the edge.
            middle = [n // 2 for n in dark.shape]
            quarters = [half for rows in np.split(dark, [middle[0]])
                        for half in np.split(rows, [middle[1]], axis=1)]  # fmt: skip
            assert all(quarter.any() for quarter in quarters), path.name
            edge = np.concatenate([dark[0], dark[-1], dark[:, 0], dark[:, -1]])
            assert not edge.any(), path.name


def test_vector_files_are_xml_without_date_or_reference(drawn: list[Path]) -> None:
    for path in drawn:
        if path.suffix == ".svg":
            tree = ElementTree.fromstring(path.read_text(encoding="utf-8"))
            assert tree.tag == "{http://www.w3.org/2000/svg}svg"
            assert not list(tree.iter("{http://purl.org/dc/elements/1.1/}date"))
            for image in tree.iter("{http://www.w3.org/2000/svg}image"):
                assert image.attrib["{http://www.w3.org/1999/xlink}href"].startswith("data:")


@pytest.mark.parametrize("name", ["bit-rates", "joint-entropy"])
def test_the_same_results_give_the_same_bytes(drawn: list[Path], name: str) -> None:
    (path,) = [p for p in drawn if p.name == f"{name}.svg"]
    assert drawing(fake_study(), name) == path.read_bytes()


def test_other_numbers_give_other_bytes(drawn: list[Path]) -> None:
    (path,) = [p for p in drawn if p.name == "amortisation.svg"]
    assert drawing(fake_study(FakeOptions(hybrid=2.5)), "amortisation") != path.read_bytes()


def test_a_figure_without_numbers_is_left_out() -> None:
    results = fake_study(FakeOptions(profiles=("hybrid",)))
    assert drawing(results, "codeword-length") is None
    assert drawing(fake_study(FakeOptions(profiles=())), "bit-rates") is None


@pytest.mark.parametrize(
    "options",
    [
        FakeOptions(profiles=("hybrid",), rivals=(), classifier=False, sets=(UNSEEN,)),
        FakeOptions(worse=0.0, classes=("a" * 30, "$x_1$ <b>"), profiles=("paper",)),
    ],
    ids=["one model alone", "flat, strange names"],
)
def test_sparse_results_are_drawn(options: FakeOptions) -> None:
    results = fake_study(options)
    for name in ("conditional-entropy", "joint-entropy", "bit-rates"):
        picture = drawing(results, name, "png")
        if picture is not None:
            with Image.open(BytesIO(picture)) as image:
                image.load()


def test_labels_keep_their_distance_and_order() -> None:
    heights = [0.5, 0.1, 0.51, 0.52, 0.9]
    positions = separate_labels(heights, 0.1)
    assert np.diff(np.sort(positions)).min() >= 0.1 - 1e-12
    assert np.argsort(positions).tolist() == np.argsort(heights).tolist()
    assert positions[1] == pytest.approx(0.1)
    assert positions[4] == pytest.approx(0.9)
    assert np.mean([positions[0], positions[2], positions[3]]) == pytest.approx(0.51)


def test_matplotlib_is_imported_only_to_draw() -> None:
    code = (
        "import sys, zarrmal, zarrmal.study, zarrmal.study.figures, zarrmal.study.page\n"
        "sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_matplotlib_the_error_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"zarrmal\[plot\]"):
        draw_all(fake_study(), tmp_path)
