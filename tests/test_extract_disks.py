"""Disks that ignore case, or take composed and decomposed letters for one another."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from zarrmal_codecs import Model

import zarrmal
from zarrmal import WriteOptions
from zarrmal.sources import Source, open_source

PAIRS = [
    ("CELL.png", "cell.png"),
    ("caf\u00e9.png", "cafe\u0301.png"),
    ("Caf\u00c9.png", "cafe\u0301.png"),
    ("stra\u00dfe.png", "STRASSE.png"),
    ("\u212b.png", "\u00e5.png"),  # the unit of length, and the letter
    ("Slide/1.png", "slide/1.PNG"),
    ("day./1.png", "day/1.png"),  # Windows drops the point
    ("A.jpg", "a.bmp"),
]


def as_some_disk_sees(name: str) -> set[str]:
    """The name on disks that fold case and normalise, each in its own way."""
    forms = [unicodedata.normalize(form, name) for form in ("NFC", "NFD")]
    seen = {change(form) for form in forms for change in (str.lower, str.upper, str.casefold)}
    seen |= {unicodedata.normalize(form, n) for form in ("NFC", "NFD") for n in seen}
    return seen | {"/".join(part.rstrip(". ") for part in n.split("/")) for n in seen}


def extracted(cells: Source, names: list[str], model: Model, folder: Path) -> dict[str, np.ndarray]:
    pixels = cells.read(np.arange(len(names)))
    source = open_source(pixels, names=names)
    zarrmal.write(source, folder / "a", model=model, options=WriteOptions(chunk_cells=16))
    report = zarrmal.extract(folder / "a", folder / "out")
    files = [path for path in (folder / "out").rglob("*") if path.is_file()]
    assert report.n_cells == len(files) == len(names)
    assert report.listing is None
    read = {path.relative_to(folder / "out").as_posix(): Image.open(path) for path in files}
    images = {name: np.asarray(image) for name, image in read.items()}
    assert {i.tobytes() for i in images.values()} == {p.tobytes() for p in pixels}
    return images


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_no_file_can_replace_another(
    pair: tuple[str, str], cells: Source, model: Model, tmp_path: Path
) -> None:
    first, second = extracted(cells, list(pair), model, tmp_path)
    assert not as_some_disk_sees(first) & as_some_disk_sees(second)


def test_a_suffix_makes_no_new_pair(cells: Source, model: Model, tmp_path: Path) -> None:
    names = ["a.png", "A.png", "A-0.png", "B.png/c.png", "b.png", "\u00e9.png", "E\u0301.png"]
    files = list(extracted(cells, names, model, tmp_path))
    for i, file in enumerate(files):
        for other in files[:i]:
            assert not as_some_disk_sees(file) & as_some_disk_sees(other)
    folders = {os.path.dirname(file).casefold() for file in files}
    assert not folders & {file.casefold() for file in files}


def test_folders_that_differ_in_case_keep_their_files_names(
    cells: Source, model: Model, tmp_path: Path
) -> None:
    names = ["Train/1.png", "train/2.png", "TRAIN/3.png"]
    assert sorted(extracted(cells, names, model, tmp_path)) == sorted(names)
