"""Every line of docs/trust.md and docs/interop.md names a test that is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
NAMED = re.compile(r"`((?:stores/)?test_\w+\.py)(?:::(test_\w+))?`")


def test_every_promise_has_its_test():
    page = (ROOT / "docs/trust.md").read_text()
    named = NAMED.findall(page)
    assert len(named) > 30
    for file, test in named:
        places = [p for p in (ROOT / "tests" / file, ROOT / "codecs/tests" / file) if p.exists()]
        assert places, f"there is no {file}"
        assert not test or any(f"def {test}(" in p.read_text() for p in places), f"{file}::{test}"
    rows = [line for line in page.splitlines() if line.startswith("| ") and "---" not in line]
    headed = page.split("## What is checked when")[0] + page.split("## Runs that end early")[1]
    for row in rows:
        assert row not in headed or row.endswith("| test |") or "test_" in row, row


def test_every_tool_has_its_test():
    page = (ROOT / "docs/interop.md").read_text()
    named = re.findall(r"`((?:tests|codecs/tests|examples)/[\w/.]+)(?:::(test_\w+))?`", page)
    assert len(named) > 20
    for file, test in named:
        assert (ROOT / file).exists(), f"there is no {file}"
        assert not test or f"def {test}(" in (ROOT / file).read_text(), f"{file}::{test}"
    rows = [line for line in page.splitlines() if line.startswith("| ") and "---" not in line]
    for row in rows:
        assert row.endswith("| test |") or "test_" in row.rsplit("|", 2)[1], row
