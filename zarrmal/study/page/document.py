"""Assemble the page of a study."""

from __future__ import annotations

import shlex
from html import escape
from importlib.resources import files
from pathlib import Path

from ..figures import drawing
from ..results.lookup import (
    best_rivals,
    find_model,
    find_point,
    find_set,
    main_set,
    set_names,
)
from ..results.study_results import RESULTS_NAME, StudyResults
from .captions import (
    amortisation_caption,
    cells_caption,
    codeword_caption,
    conditional_caption,
    joint_caption,
    lead,
    rates_caption,
)
from .markup import figure, items, numbers, paragraphs, render_table, terms
from .tables import (
    break_even_table,
    claims_table,
    missing_families,
    points_table,
    rates_table,
)
from .wording import listed, percent

PAGE_NAME = "index.html"
PAPER = "https://doi.org/10.3390/e21111062"
TITLE = "What misclassification costs"
FAMILIES = ("JPEG2000", "JPEG-LS", "CALIC", "WebP", "JPEG XL")

SHARED_WEIGHTS = (
    "Both classes of profile hybrid share every weight of the context network. Only the biases, "
    "and the small autoencoder where the model has one, are each class's own. So the low cost of a "
    "wrong class is partly built into the model; models with separate weights are not measured."
)
"""Limit of the study's main result."""

FIGURES = (
    ("bit-rates", "Bit rates beside other coders (the paper's figure 10)", rates_caption),
    ("conditional-entropy", "Conditional entropies (the paper's figure 7)", conditional_caption),
    ("joint-entropy", "Joint entropy over both rates (the paper's figure 8)", joint_caption),
    ("codeword-length", "Codeword lengths, predicted and written (the paper's figure 9)",
     codeword_caption),
    ("amortisation", "Cost of the model, over the number of cells", amortisation_caption),
    ("cells", "One cell of each class, bit by bit", cells_caption),
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
    """Write the page into a folder, as one file that needs no other file and no network.

    Returns
    -------
    Path
        Path of the page.

    Raises
    ------
    InputError
        If matplotlib is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / PAGE_NAME
    partial = path.with_name(PAGE_NAME + ".partial")
    partial.write_text(page(results), encoding="utf-8")
    partial.replace(path)
    return path


def page(results: StudyResults) -> str:
    """HTML of the page."""
    style = files(__package__).joinpath("style.css").read_text(encoding="utf-8")
    parts = [
        _banner(results),
        f"<h1>{TITLE}</h1>\n",
        "".join(f'<p class="lead">{escape(sentence)}</p>\n' for sentence in lead(results)),
        _contents(),
        _key_numbers(results),
        '<h2 id="done">What was done</h2>\n',
        _done(results),
        '<h2 id="claims">The paper\'s claims</h2>\n',
        render_table(claims_table(results)) if results.claims
        else paragraphs(["No claim was judged."]),
        '<h2 id="figures">Figures</h2>\n',
        *(_figure(results, k) for k in range(len(FIGURES))),
        '<h2 id="tables">Tables</h2>\n',
        *(render_table(build(results)) for build in (rates_table, points_table, break_even_table)
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
        "It shows that the study runs; its numbers say nothing about the method.</p>\n"
    )


def _contents() -> str:
    names = ("done", "claims", "figures", "tables", "notes", "versions")
    links = " ".join(f'<a href="#{name}">{name}</a>' for name in names)
    return f'<nav aria-label="Contents">{links}</nav>\n'


def _key_numbers(results: StudyResults) -> str:
    if not set_names(results):
        return ""
    cells = main_set(results)
    pairs = []
    for profile in ("hybrid", "paper"):
        model = find_model(results, profile)
        set_ = None if model is None else find_set(model, cells)
        point = None if set_ is None else find_point(set_, "labels")
        if point is not None:
            text = f"profile {profile}, {cells}, model not counted"
            pairs.append((f"{point.bits_per_pixel:.2f}", "bits/pixel", text))
    for rival in best_rivals(results, cells)[:1]:
        text = f"{rival.family} ({rival.name}), the smallest other coder"
        pairs.append((f"{rival.bits_per_pixel:.2f}", "bits/pixel", text))
    classifier = results.classifier
    if classifier is not None:
        text = f"of {classifier.n_cells:,} cells on unseen slides classified correctly"
        pairs.append((percent(classifier.accuracy), "", text))
    return numbers(pairs)


def _done(results: StudyResults) -> str:
    sets = [
        f"{s.name}: {listed([f'{n:,} {name}' for n, name in zip(s.n_cells, results.class_names)])} "
        f"cells of {len(s.slides)} slides, SHA-256 {s.sha256[:16]}…"
        for s in results.cell_sets
    ]
    models = [
        f"{m.name}: profile {m.profile}, {m.side.model_bytes:,} bytes, "
        f"{'given; ' if m.given else ''}{m.training}, SHA-256 {m.sha256[:16]}…"
        for m in results.models
    ]
    shape = " × ".join(map(str, results.cell_shape))
    split = ", ".join(f"{n:,} {name} cells on {results.n_slides.get(name, 0)} slides"
                      for name, n in results.n_source_cells.items())  # fmt: skip
    return (
        '<p>The experiment of Dong, Pan and Wu (<a href="'
        f'{PAPER}">Entropy 2019, 21(11), 1062</a>) on real coders: every cell is coded with the '
        "model of its own class and with that of the other class, and a share of the cells gets "
        "the wrong one. Profile <em>paper</em> is their method; profile <em>hybrid</em> adds a "
        "context network, which sees the neighbouring pixels.</p>\n"
        + paragraphs([f"Cells: {results.source}, {shape}. Split by slide: {split}."])
        + items(sets + models)
        + paragraphs(["The command that repeats this study:"])
        + f"<pre><code>{escape(command(results))}</code></pre>\n"
        + paragraphs([f"{RESULTS_NAME}, beside this page, holds all numbers."])
    )


def command(results: StudyResults) -> str:
    """Command line that repeats the study with its settings."""
    arguments = ["zarrmal", "study", "SOURCE", "-o", "FOLDER"]
    for name, option in OPTIONS.items():
        value = results.settings.get(name)
        if value is None or value is False:
            continue
        if name == "models":
            for model in value:
                arguments += [option, shlex.quote(str(model))]
        elif value is True:
            arguments.append(option)
        else:
            text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
            arguments += [option, shlex.quote(text)]
    return " ".join(arguments)


def _figure(results: StudyResults, k: int) -> str:
    name, title, build_caption = FIGURES[k]
    picture = drawing(results, name)
    if picture is None:
        return ""
    caption = build_caption(results)
    alt = " ".join([f"{title}.", *caption[:2]])
    return figure(f"figure-{name}", title, picture, alt, caption)


def _notes(results: StudyResults) -> list[str]:
    notes = [
        "Lines show the channel's arithmetic: each of the four sources is measured on all its "
        "cells, so the lines are straight in the rates. Marks show sets of cells drawn to be "
        "misclassified.",
        "The study measures the pixels that the source holds. Where crops were decoded from JPEG, "
        "cut out with hard masks or resized, the rates are those of such crops, not of camera "
        "pixels.",
    ]
    if results.settings.get("size") is not None:
        notes.append("This study resized the cells (--size).")
    if find_model(results, "hybrid") is not None:
        notes += [
            "Profile hybrid codes no residues: its code length takes the place of the entropy.",
            SHARED_WEIGHTS,
        ]
    missing = missing_families(results, FAMILIES) if set_names(results) else []
    if missing:
        notes.append(f"Not measured here: {listed(missing)}.")
    if results.classifier is None:
        notes.append("No real classifier was measured.")
    return notes + list(results.notes)
