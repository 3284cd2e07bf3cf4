"""The whole page, put together."""

from __future__ import annotations

import shlex
from html import escape
from importlib.resources import files
from pathlib import Path

from ..figures import drawing
from ..results import RESULTS_NAME, StudyResults
from ..select import best_rivals, found_point, found_set, of_profile, set_names
from .markup import figure, items, numbers, paragraphs, table, terms
from .rate_words import amortisation_words, lead, measured_on, rates_words
from .tables import (
    break_even_table,
    claims_table,
    points_table,
    rates_table,
    rivals_missing,
)
from .words import cells_words, codeword_words, conditional_words, joint_words, listed, percent

PAGE_NAME = "index.html"
PAPER = "https://doi.org/10.3390/e21111062"
TITLE = "What misclassification costs"
FAMILIES = ("JPEG2000", "JPEG-LS", "CALIC", "WebP", "JPEG XL")

FIGURES = (
    ("bit-rates", "Bit rates beside other coders (the paper's figure 10)", rates_words),
    ("conditional-entropy", "Conditional entropies (the paper's figure 7)", conditional_words),
    ("joint-entropy", "Joint entropy over both rates (the paper's figure 8)", joint_words),
    ("codeword-length", "Codeword lengths, predicted and written (the paper's figure 9)",
     codeword_words),
    ("amortisation", "What the model costs, over the number of cells", amortisation_words),
    ("cells", "One cell of each class, bit by bit", cells_words),
)  # fmt: skip

OPTIONS = {
    "channel": "--channel",
    "size": "--size",
    "group_pattern": "--group-pattern",
    "cells_per_class": "--cells-per-class",
    "prior": "--prior",
    "unseen": "--unseen",
    "seed": "--seed",
    "effort": "--effort",
    "minutes": "--minutes",
    "steps": "--steps",
    "hidden": "--hidden",
    "epochs": "--epochs",
    "models": "--model",
    "classifier": "--classifier",
    "all_cells": "--all-cells",
    "quick": "--quick",
}


def write_page(results: StudyResults, folder: Path) -> Path:
    """Write the page into a folder: one file that needs no other, and no network.

    Returns
    -------
    Its place.

    Raises
    ------
    InputError
        If matplotlib is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / PAGE_NAME
    partial = place.with_name(PAGE_NAME + ".partial")
    partial.write_text(page(results), encoding="utf-8")
    partial.replace(place)
    return place


def page(results: StudyResults) -> str:
    """The page's text."""
    style = files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    parts = [
        _banner(results),
        f"<h1>{TITLE}</h1>\n",
        "".join(f'<p class="lead">{escape(one)}</p>\n' for one in lead(results)),
        _contents(),
        _key_numbers(results),
        '<h2 id="done">What was done</h2>\n',
        _done(results),
        '<h2 id="claims">The paper\'s claims</h2>\n',
        table(claims_table(results)) if results.claims else paragraphs(["None was judged."]),
        '<h2 id="figures">Figures</h2>\n',
        *(_figure(results, k) for k in range(len(FIGURES))),
        '<h2 id="tables">Tables</h2>\n',
        *(table(one(results)) for one in (rates_table, points_table, break_even_table)
          if set_names(results)),
        '<h2 id="notes">Notes and limits</h2>\n',
        items(_notes(results)),
        '<h2 id="versions">Versions</h2>\n',
        terms(list(results.versions.items())),
    ]  # fmt: skip
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'\">\n"
        f"<title>{TITLE}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        + "".join(parts)
        + "</main>\n</body>\n</html>\n"
    )


def _banner(results: StudyResults) -> str:
    if not results.quick:
        return ""
    return (
        '<p class="banner" role="note">A quick run: few cells, short training, few other coders. '
        "It shows that the study runs. Its numbers say nothing about the method.</p>\n"
    )


def _contents() -> str:
    names = ("done", "claims", "figures", "tables", "notes", "versions")
    links = " ".join(f'<a href="#{name}">{name}</a>' for name in names)
    return f'<nav aria-label="Contents">{links}</nav>\n'


def _key_numbers(results: StudyResults) -> str:
    if not set_names(results):
        return ""
    cells = measured_on(results)
    pairs = []
    for profile in ("hybrid", "paper"):
        model = of_profile(results, profile)
        one = None if model is None else found_set(model, cells)
        point = None if one is None else found_point(one, "labels")
        if point is not None:
            what = f"profile {profile}, {cells}, model not counted"
            pairs.append((f"{point.bits_per_pixel:.2f}", "bits/pixel", what))
    for rival in best_rivals(results, cells)[:1]:
        what = f"{rival.family} ({rival.name}), the smallest other coder"
        pairs.append((f"{rival.bits_per_pixel:.2f}", "bits/pixel", what))
    if results.classifier is not None:
        found = results.classifier
        what = f"of {found.n_cells:,} cells the classifier gets right, on unseen slides"
        pairs.append((percent(found.accuracy), "", what))
    return numbers(pairs)


def _done(results: StudyResults) -> str:
    sets = [
        f"{one.name}: {listed([f'{n:,} {c}' for n, c in zip(one.n_cells, results.class_names)])} "
        f"cells of {len(one.slides)} slides, pixels SHA-256 {one.sha256[:16]}…"
        for one in results.cell_sets
    ]
    models = [
        f"{one.name}: profile {one.profile}, {one.side.model_bytes:,} bytes, "
        f"{'given; ' if one.given else ''}{one.training}, SHA-256 {one.sha256[:16]}…"
        for one in results.models
    ]
    shape = " × ".join(map(str, results.cell_shape))
    many, slides = results.n_source_cells, results.n_slides
    split = ", ".join(f"{n:,} {name} cells on {slides.get(name, 0)} slides"
                      for name, n in many.items())  # fmt: skip
    return (
        '<p>The experiment of Dong, Pan and Wu (<a href="'
        f'{PAPER}">Entropy 2019, 21(11), 1062</a>) on real coders: every cell is written with the '
        "model of its own class and with that of the other, and a share of the cells is given the "
        "wrong one. The profile <em>paper</em> is their method, <em>hybrid</em> adds the pixels "
        "around.</p>\n"
        + paragraphs([f"Cells: {results.source}, {shape}. Split by slide: {split}."])
        + items(sets + models)
        + paragraphs(["The same again:"])
        + f"<pre><code>{escape(command(results))}</code></pre>\n"
        + paragraphs([f"All numbers stand in {RESULTS_NAME} beside this page."])
    )


def command(results: StudyResults) -> str:
    """The command line that makes the study again, of the settings it was run with."""
    words = ["zarrmal", "study", "SOURCE", "-o", "FOLDER"]
    for name, option in OPTIONS.items():
        value = results.settings.get(name)
        if value is None or value is False:
            continue
        if name == "models":
            for one in value:
                words += [option, shlex.quote(str(one))]
        elif value is True:
            words.append(option)
        else:
            text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
            words += [option, shlex.quote(text)]
    return " ".join(words)


def _figure(results: StudyResults, k: int) -> str:
    name, title, words = FIGURES[k]
    picture = drawing(results, name)
    if picture is None:
        return ""
    said = words(results)
    return figure(f"figure-{name}", title, picture, " ".join([f"{title}.", *said[:2]]), said)


def _notes(results: StudyResults) -> list[str]:
    notes = [
        "Lines are the channel's arithmetic: each of the four sources is measured on all its "
        "cells, so they are straight in the rates. Marks are sets of cells drawn to go wrong.",
        "Profile hybrid codes no residues: its code length stands where the paper has an entropy.",
    ]
    missing = rivals_missing(results, FAMILIES) if set_names(results) else []
    if missing:
        notes.append(f"Not measured here: {listed(missing)}.")
    if results.classifier is None:
        notes.append("No real classifier was measured.")
    return notes + list(results.notes)
