"""Cells found on real smears, where they lie beside the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from zarrmal.benchmark.segment import measure
from zarrmal.segment import BloodCells, SegmentOptions, find_objects, open_slide
from zarrmal.segment.calibrate import calibrate
from zarrmal.segment.tiles import samples


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


def test_tiles_of_a_scanned_slide_are_seamless(shared: Path) -> None:
    slide = open_slide(shared / "smears" / "slide-tiles")
    assert slide.shape == (2048, 2048, 3)
    own = BloodCells(calibration=calibrate(samples(slide)))
    whole, *parts = (
        find_objects(slide, SegmentOptions(segmenter=own, tile=side)) for side in (2048, 512, 1000)
    )
    assert whole.is_cell.sum() > 1300
    for part in parts:
        assert sorted(part.cells().boxes.tolist()) == sorted(whole.cells().boxes.tolist())
        assert part.counts == whole.counts
