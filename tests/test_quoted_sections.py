"""Sections of the normative texts that code, tests and documents quote exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXTS = {
    "FORMAT": ROOT / "codecs/FORMAT.md",
    "FORMAT-lattice": ROOT / "codecs/FORMAT-lattice.md",
    "ARCHIVE": ROOT / "codecs/ARCHIVE.md",
}
NUMBER = r"\d+(?:\.\d+)*"
QUOTE = re.compile(rf"(?<![\w-])(FORMAT-lattice|FORMAT|ARCHIVE)(?:\.md)?,? (?:section )?"
                   rf"({NUMBER}(?:(?:, | and | to ){NUMBER})*)")  # fmt: skip
SUFFIXES = {".py", ".pyi", ".h", ".cpp", ".md"}


def sections(text: str) -> set[str]:
    """Numbers of the headings of a text."""
    return set(re.findall(rf"^#+ ({NUMBER})\.? ", text, re.MULTILINE))


def tracked() -> list[Path]:
    """Files that can quote a section."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout, which lists the files")
    paths = [ROOT / line for line in listed.stdout.splitlines()]
    return [p for p in paths if p.suffix in SUFFIXES and p.is_file()]


def test_every_quoted_section_exists():
    known = {name: sections(path.read_text("utf-8")) for name, path in TEXTS.items()}
    quoted = [
        (path.relative_to(ROOT).as_posix(), name, number)
        for path in tracked()
        for name, numbers in QUOTE.findall(path.read_text("utf-8"))
        for number in re.findall(NUMBER, numbers)
    ]
    assert len(quoted) > 100
    assert [q for q in quoted if q[2] not in known[q[1]]] == []


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_refers_to_its_own_sections(name):
    """Numbers in parentheses such as (4.3, 6.1), and the order of headings."""
    text = TEXTS[name].read_text("utf-8")
    headings = re.findall(rf"^#+ ({NUMBER})\.? ", text, re.MULTILINE)
    assert headings == sorted(headings, key=lambda n: [int(k) for k in n.split(".")])
    references = re.findall(r"\((\d\.\d(?:\.\d)?(?:, \d\.\d(?:\.\d)?)*)[):;]", text)
    numbers = {number for group in references for number in group.split(", ")}
    assert numbers <= set(headings)


def test_the_reference_decoder_names_sections():
    """Each refusal of the independent decoder says which section it comes from."""
    for path in sorted((ROOT / "codecs/tests").glob("reference_*.py")):
        name = "FORMAT-lattice" if path.name.startswith("reference_lattice") else "FORMAT"
        known = sections(TEXTS[name].read_text("utf-8"))
        labels = re.findall(rf"[\"f]({NUMBER})(?:\"\)|: )", path.read_text("utf-8"))
        assert set(labels) <= known, path.name
