"""Cells found on real smears, where they lie beside the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from zarrmal.benchmark.segment import measure
from zarrmal.segment import SegmentOptions, find_objects, open_slide


@pytest.mark.parametrize(
    ("field", "truth", "precision", "recall"),
    [
        ("smears/fields/PA171957.JPG", "smears/fields/boxes.json", 0.90, 0.85),
        (
            "more/bbbc041seg/fields/2c03b3c9-7786-4e1b-ac2b-c98e9f8358f2.jpg",
            "more/bbbc041seg/masks",
            0.85,
            0.85,
        ),
        # Nearly every cell of this one is marked.
        ("more/chula-rbc12/fields/331.jpg", "more/chula-rbc12/labels", 0.85, 0.85),
    ],
)
def test_known_fields(
    shared: Path, field: str, truth: str, precision: float, recall: float
) -> None:
    region = (835, 1130, 70, 110) if truth.endswith("boxes.json") else None  # the scale bar
    score = measure(shared / field, shared / truth, ignore_region=region)
    assert score.precision >= precision
    assert score.recall >= recall


def test_tiles_of_a_scanned_slide_are_seamless(shared: Path, tmp_path: Path) -> None:
    for name in ("2_4", "3_4", "2_5", "3_5"):
        (tmp_path / f"{name}.png").symlink_to(shared / "smears" / "slide-tiles" / f"{name}.png")
    slide = open_slide(tmp_path)
    assert slide.shape == (1024, 1024, 3)
    whole = find_objects(slide)
    parts = find_objects(slide, SegmentOptions(tile=512))
    own = [{tuple(box) for box in o.cells().boxes.tolist()} for o in (whole, parts)]
    assert len(own[0] & own[1]) >= 0.99 * max(map(len, own))
    assert len(own[0]) > 300
    assert whole.counts == parts.counts
