"""Figures of a study: all there, readable as files, the same again, and matplotlib only then."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from made_study import Wish, made_study
from PIL import Image

from zarrmal.errors import InputError
from zarrmal.study.figures import FIGURES, draw_all, drawing
from zarrmal.study.figures.look import spread
from zarrmal.study.results import UNSEEN

pytest.importorskip("matplotlib", reason="the extra plot is not installed")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return draw_all(made_study(), tmp_path_factory.mktemp("study"))


def test_each_figure_is_written_twice(drawn: list[Path]) -> None:
    wanted = {f"figures/{name}.{kind}" for name in FIGURES for kind in ("png", "svg")}
    assert {f"{place.parent.name}/{place.name}" for place in drawn} == wanted


def test_pictures_show_something_at_print_resolution(drawn: list[Path]) -> None:
    for place in drawn:
        if place.suffix == ".png":
            with Image.open(place) as picture:
                pixels = np.asarray(picture.convert("L"))
                assert picture.info["dpi"][0] >= 150
                assert picture.width >= 1_500
            dark = pixels < 200
            assert 0.005 < dark.mean() < 0.9
            # Something stands in each quarter, and nothing runs over the edge of the paper.
            middle = [n // 2 for n in dark.shape]
            quarters = [half for rows in np.split(dark, [middle[0]])
                        for half in np.split(rows, [middle[1]], axis=1)]  # fmt: skip
            assert all(quarter.any() for quarter in quarters), place.name
            edge = np.concatenate([dark[0], dark[-1], dark[:, 0], dark[:, -1]])
            assert not edge.any(), place.name


def test_vector_files_are_xml_without_date_or_reference(drawn: list[Path]) -> None:
    for place in drawn:
        if place.suffix == ".svg":
            tree = ElementTree.fromstring(place.read_text(encoding="utf-8"))
            assert tree.tag == "{http://www.w3.org/2000/svg}svg"
            assert not list(tree.iter("{http://purl.org/dc/elements/1.1/}date"))
            for one in tree.iter("{http://www.w3.org/2000/svg}image"):
                assert one.attrib["{http://www.w3.org/1999/xlink}href"].startswith("data:")


@pytest.mark.parametrize("name", ["bit-rates", "joint-entropy"])
def test_the_same_results_give_the_same_bytes(drawn: list[Path], name: str) -> None:
    (place,) = [one for one in drawn if one.name == f"{name}.svg"]
    assert drawing(made_study(), name) == place.read_bytes()


def test_other_numbers_give_other_bytes(drawn: list[Path]) -> None:
    (place,) = [one for one in drawn if one.name == "amortisation.svg"]
    assert drawing(made_study(Wish(hybrid=2.5)), "amortisation") != place.read_bytes()


def test_a_figure_without_numbers_is_left_out() -> None:
    results = made_study(Wish(profiles=("hybrid",)))
    assert drawing(results, "codeword-length") is None
    assert drawing(made_study(Wish(profiles=())), "bit-rates") is None


@pytest.mark.parametrize(
    "wish",
    [
        Wish(profiles=("hybrid",), rivals=(), classifier=False, sets=(UNSEEN,)),
        Wish(worse=0.0, classes=("a" * 30, "$x_1$ <b>"), profiles=("paper",)),
    ],
    ids=["nothing beside it", "flat, strange names"],
)
def test_poor_results_are_drawn_too(wish: Wish) -> None:
    results = made_study(wish)
    for name in ("conditional-entropy", "joint-entropy", "bit-rates"):
        picture = drawing(results, name, "png")
        if picture is not None:
            with Image.open(BytesIO(picture)) as image:
                image.load()


def test_labels_keep_their_distance_and_order() -> None:
    heights = [0.5, 0.1, 0.51, 0.52, 0.9]
    places = spread(heights, 0.1)
    assert np.diff(np.sort(places)).min() >= 0.1 - 1e-12
    assert np.argsort(places).tolist() == np.argsort(heights).tolist()
    assert places[1] == pytest.approx(0.1)
    assert places[4] == pytest.approx(0.9)
    assert np.mean([places[0], places[2], places[3]]) == pytest.approx(0.51)


def test_matplotlib_stays_away_until_a_figure_is_drawn() -> None:
    code = (
        "import sys, zarrmal, zarrmal.study, zarrmal.study.figures, zarrmal.study.page\n"
        "sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_matplotlib_one_line_tells(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"zarrmal\[plot\]"):
        draw_all(made_study(), tmp_path)
