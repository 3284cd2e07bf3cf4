"""The page of a study: one file, escaped, whose sentences follow its numbers."""

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
from fake_study import RIVALS, FakeOptions, fake_study
from PIL import Image

from zarrmal.study.page import write_page
from zarrmal.study.page.captions import (
    amortisation_caption,
    codeword_caption,
    conditional_caption,
    joint_caption,
    lead,
    rates_caption,
)
from zarrmal.study.page.document import SHARED_WEIGHTS, command
from zarrmal.study.results import StudyResults

pytest.importorskip("matplotlib", reason="the extra plot is not installed")

VOID = {"meta", "img", "br", "link", "hr", "input"}


class Page(HTMLParser):
    """Parsed page; raises if tags do not balance."""

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
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(fake_study(), tmp_path_factory.mktemp("page") / "study")


@pytest.fixture(scope="module")
def page(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages without drawn figures, for tests of the text."""
    monkeypatch.setattr("zarrmal.study.page.document.drawing", lambda *_: b"<svg/>")


def test_tags_balance_and_ids_are_unique(path: Path, page: Page) -> None:
    assert path.name == "index.html"
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


def test_alternative_texts_hold_the_numbers_of_the_figures(page: Page) -> None:
    (root,) = page.all("html")
    assert root["lang"] == "en"
    images = page.all("img")
    assert len(images) == 6
    for image in images:
        assert any(digit.isdigit() for digit in image["alt"] or "")
    assert all(th.get("scope") in {"row", "col"} for th in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table")) == 4


def test_the_page_holds_all_coders_and_claims(page: Page) -> None:
    results = fake_study()
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
def test_a_quick_run_says_so(without_figures: None, tmp_path: Path, quick: bool) -> None:
    page = Page(
        write_page(fake_study(FakeOptions(quick=quick)), tmp_path).read_text(encoding="utf-8")
    )
    assert ("A quick run" in page.text) is quick
    assert any(a.get("class") == "banner" for a in page.all("p")) is quick


@pytest.mark.parametrize("profile", ["paper", "hybrid"])
def test_shared_weights_of_the_hybrid_are_stated(
    without_figures: None, tmp_path: Path, profile: str
) -> None:
    path = write_page(fake_study(FakeOptions(profiles=(profile,))), tmp_path)
    page = Page(path.read_text(encoding="utf-8"))
    assert (SHARED_WEIGHTS in page.text) is (profile == "hybrid")
    assert "decoded from JPEG, cut out with hard masks or resized" in page.text


def test_names_from_the_data_are_escaped(without_figures: None, tmp_path: Path) -> None:
    evil = '<script>alert("1")</script>'
    results = fake_study(FakeOptions(classes=(evil, "b"), source=evil))
    results = replace(results, notes=(evil,), versions={evil: evil}, settings={"models": [evil]})
    text = write_page(results, tmp_path).read_text(encoding="utf-8")
    assert "<script" not in text
    assert Page(text).text.count(evil) > 5


def test_results_read_back_make_the_same_page(without_figures: None, tmp_path: Path) -> None:
    results = fake_study()
    results.save(tmp_path)
    first = write_page(results, tmp_path / "a").read_bytes()
    assert write_page(StudyResults.load(tmp_path), tmp_path / "b").read_bytes() == first


def sentence(caption: list[str], start: str) -> str:
    (text,) = [text for text in caption if text.startswith(start)]
    return text


def test_the_rates_caption_names_who_is_smaller() -> None:
    losing = rates_caption(fake_study(FakeOptions(paper=6.2)))
    winning = rates_caption(fake_study(FakeOptions(paper=2.0)))
    between = rates_caption(fake_study(FakeOptions(paper=2.765, worse=0.45)))
    others = "JPEG XL, CALIC, JPEG-LS, WebP and JPEG2000 at every rate"
    assert f"larger than {others}" in sentence(losing, "paper, unseen slides")
    assert f"smaller than {others}" in sentence(winning, "paper, unseen slides")
    text = sentence(between, "paper, unseen slides")
    assert "smaller than WebP and JPEG2000 at every rate" in text
    assert "larger than JPEG XL and CALIC at every rate" in text
    # 2.765 + 0.45 r = 2.81
    assert "smaller than JPEG-LS up to a rate of 10\u00a0%" in text


def test_the_lead_follows_the_numbers() -> None:
    good, bad = (
        lead(fake_study(FakeOptions(hybrid=2.1))),
        lead(fake_study(FakeOptions(hybrid=2.7))),
    )
    assert "5.8\u00a0% smaller than JPEG XL" in sentence(good, "Profile hybrid")
    assert "smaller than that are JPEG XL (2.230) and CALIC" in sentence(bad, "Profile hybrid")
    assert "mistakes cost 0.016 bits/pixel" in sentence(good, "Profile hybrid")
    saving = lead(fake_study(FakeOptions(worse=-0.4)))
    assert "mistakes save 0.0" in sentence(saving, "Profile hybrid")


def test_captions_follow_the_slope() -> None:
    rising = sentence(conditional_caption(fake_study()), "hybrid, unseen")
    flat = sentence(conditional_caption(fake_study(FakeOptions(worse=0.0))), "hybrid, unseen")
    falling = sentence(conditional_caption(fake_study(FakeOptions(worse=-0.4))), "hybrid, unseen")
    assert "parasitized cells it rises from 2.194 to 2.270 (+3.5 %)" in rising
    assert "it stays at" in flat
    assert "it falls from" in falling
    joint = sentence(joint_caption(fake_study()), "hybrid, unseen")
    assert "from 2.094 to 2.170 bits/pixel" in joint


def test_the_codeword_caption_follows_the_error() -> None:
    text = sentence(codeword_caption(fake_study()), "unseen slides")
    assert "the prediction is 0.7 % too short" in text


def test_the_amortisation_caption_states_break_even() -> None:
    caption = amortisation_caption(fake_study())
    assert "never becomes smaller than JPEG XL, CALIC" in sentence(caption, "paper")
    assert "It is smaller than JPEG XL from 673 cells" in sentence(caption, "hybrid")


def test_the_command_is_that_of_the_settings() -> None:
    settings = {"seed": 3, "hidden": [1500, 30], "models": ["a b.zmal"], "steps": None,
                "all_cells": True, "quick": False, "classifier": None}  # fmt: skip
    assert command(replace(fake_study(), settings=settings)) == (
        "zarrmal study SOURCE -o FOLDER --seed 3 --hidden 1500,30 --model 'a b.zmal' --all-cells"
    )


def test_a_browser_shows_it(path: Path, tmp_path: Path) -> None:
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("chromium is not installed")
    picture = tmp_path / "page.png"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1000,1600"]  # fmt: skip

    def browse(*more: str) -> str:
        done = subprocess.run(
            [browser, *flags, *more, path.as_uri()],
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
