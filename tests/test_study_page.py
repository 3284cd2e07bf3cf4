"""The page of a study: whole in one file, safe against its data, saying what its numbers say."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from made_study import RIVALS, Wish, made_study
from PIL import Image

from zarrmal.study.page import write_page
from zarrmal.study.page.document import command
from zarrmal.study.page.rate_words import amortisation_words, lead, rates_words
from zarrmal.study.page.words import codeword_words, conditional_words, joint_words
from zarrmal.study.results import StudyResults

pytest.importorskip("matplotlib", reason="the extra plot is not installed")

VOID = {"meta", "img", "br", "link", "hr", "input"}


class Page(HTMLParser):
    """A page, read strictly."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(made_study(), tmp_path_factory.mktemp("page") / "study")


@pytest.fixture(scope="module")
def page(place: Path) -> Page:
    return Page(place.read_text(encoding="utf-8"))


@pytest.fixture
def unpictured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages whose figures are not drawn: their words are what matters."""
    monkeypatch.setattr("zarrmal.study.page.document.drawing", lambda *_: b"<svg/>")


def test_tags_balance_and_ids_are_unique(place: Path, page: Page) -> None:
    assert place.name == "index.html"
    assert page.open == []
    ids = Counter(a["id"] for _, a in page.tags if "id" in a)
    assert ids.most_common(1)[0][1] == 1
    links = [(a["href"] or "") for a in page.all("a")]
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)


def test_nothing_is_fetched(page: Page) -> None:
    for tag, attributes in page.tags:
        for name in ("src", "srcset", "data", "poster", "background"):
            assert (attributes.get(name) or "data:").startswith("data:"), tag
        assert tag not in {"script", "link", "iframe", "object", "embed"}
        assert not any(name.startswith("on") for name in attributes)
    (policy,) = [a["content"] for a in page.all("meta") if "http-equiv" in a]
    assert "default-src 'none'" in (policy or "")


def test_a_reader_who_cannot_see_the_figures_gets_their_numbers(page: Page) -> None:
    (root,) = page.all("html")
    assert root["lang"] == "en"
    pictures = page.all("img")
    assert len(pictures) == 6
    for one in pictures:
        assert any(digit.isdigit() for digit in one["alt"] or "")
    assert all(one.get("scope") in {"row", "col"} for one in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table")) == 4


def test_all_coders_and_claims_stand_on_the_page(page: Page) -> None:
    results = made_study()
    for family, bits in RIVALS.items():
        assert family in page.text
        assert f"{bits:.3f}" in page.text
    for claim in results.claims:
        assert claim.paper in page.text
        assert claim.verdict in page.text
        assert claim.evidence in page.text
    assert results.notes[0] in page.text
    assert "zarrmal study SOURCE -o FOLDER --channel red --cells-per-class 400" in page.text


@pytest.mark.parametrize("quick", [False, True])
def test_a_quick_run_says_so(unpictured: None, tmp_path: Path, quick: bool) -> None:
    page = Page(write_page(made_study(Wish(quick=quick)), tmp_path).read_text(encoding="utf-8"))
    assert ("A quick run" in page.text) is quick
    assert any(a.get("class") == "banner" for a in page.all("p")) is quick


def test_names_from_outside_are_text(unpictured: None, tmp_path: Path) -> None:
    evil = '<script>alert("1")</script>'
    results = made_study(Wish(classes=(evil, "b"), source=evil))
    results = replace(results, notes=(evil,), versions={evil: evil}, settings={"models": [evil]})
    text = write_page(results, tmp_path).read_text(encoding="utf-8")
    assert "<script" not in text
    assert Page(text).text.count(evil) > 5


def test_results_read_back_make_the_same_page(unpictured: None, tmp_path: Path) -> None:
    results = made_study()
    results.save(tmp_path)
    first = write_page(results, tmp_path / "a").read_bytes()
    assert write_page(StudyResults.load(tmp_path), tmp_path / "b").read_bytes() == first


def said(words: list[str], begin: str) -> str:
    (one,) = [text for text in words if text.startswith(begin)]
    return one


def test_words_follow_who_is_smaller() -> None:
    losing = rates_words(made_study(Wish(paper=6.2)))
    winning = rates_words(made_study(Wish(paper=2.0)))
    between = rates_words(made_study(Wish(paper=2.765, worse=0.45)))
    others = "JPEG XL, CALIC, JPEG-LS, WebP and JPEG2000 at every rate"
    assert f"larger than {others}" in said(losing, "paper, unseen slides")
    assert f"smaller than {others}" in said(winning, "paper, unseen slides")
    text = said(between, "paper, unseen slides")
    assert "smaller than WebP and JPEG2000 at every rate" in text
    assert "larger than JPEG XL and CALIC at every rate" in text
    # 2.765 + 0.45 r = 2.81
    assert "smaller than JPEG-LS up to a rate of 10\u00a0%" in text


def test_the_lead_follows_the_numbers() -> None:
    good, bad = lead(made_study(Wish(hybrid=2.1))), lead(made_study(Wish(hybrid=2.7)))
    assert "5.8\u00a0% smaller than JPEG XL" in said(good, "Profile hybrid")
    assert "smaller than that are JPEG XL (2.230) and CALIC" in said(bad, "Profile hybrid")
    assert "mistakes cost 0.016 bits/pixel" in said(good, "Profile hybrid")
    saving = lead(made_study(Wish(worse=-0.4)))
    assert "mistakes save 0.0" in said(saving, "Profile hybrid")


def test_words_follow_the_slope() -> None:
    rising = said(conditional_words(made_study()), "hybrid, unseen")
    flat = said(conditional_words(made_study(Wish(worse=0.0))), "hybrid, unseen")
    falling = said(conditional_words(made_study(Wish(worse=-0.4))), "hybrid, unseen")
    assert "parasitized cells it rises from 2.194 to 2.270 (+3.5 %)" in rising
    assert "it stays at" in flat
    assert "it falls from" in falling
    joint = said(joint_words(made_study()), "hybrid, unseen")
    assert "from 2.094 to 2.170 bits/pixel" in joint


def test_words_of_the_prediction_follow_its_error() -> None:
    text = said(codeword_words(made_study()), "unseen slides")
    assert "the prediction is 0.7 % too short" in text


def test_break_even_is_told_or_denied() -> None:
    words = amortisation_words(made_study())
    assert "never becomes smaller than JPEG XL, CALIC" in said(words, "paper")
    assert "It is smaller than JPEG XL from 673 cells" in said(words, "hybrid")


def test_the_command_is_that_of_the_settings() -> None:
    settings = {"seed": 3, "hidden": [1500, 30], "models": ["a b.zmal"], "steps": None,
                "all_cells": True, "quick": False, "classifier": None}  # fmt: skip
    assert command(replace(made_study(), settings=settings)) == (
        "zarrmal study SOURCE -o FOLDER --seed 3 --hidden 1500,30 --model 'a b.zmal' --all-cells"
    )


def test_a_browser_shows_it(place: Path, tmp_path: Path) -> None:
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("chromium is not installed")
    picture = tmp_path / "page.png"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1000,1600"]  # fmt: skip

    def browse(*more: str) -> str:
        done = subprocess.run(
            [browser, *flags, *more, place.as_uri()],
            capture_output=True,
            timeout=120,
            check=True,
            env={**os.environ, "HOME": str(tmp_path)},
        )
        return done.stdout.decode()

    dom = Page(browse("--dump-dom"))
    for heading in ("What misclassification costs", "The paper's claims", "Figures", "Tables"):
        assert heading in dom.text
    browse(f"--screenshot={picture}")
    with Image.open(picture) as image:
        pixels = np.asarray(image.convert("L"))
    assert pixels.std() > 10
    assert len(np.unique(pixels)) > 20
