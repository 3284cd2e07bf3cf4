"""benchmark-segment scores what is known of drawn fields."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from smears import draw
from typer.testing import CliRunner

from zarrmal.benchmark.segment import measure
from zarrmal.cli import app
from zarrmal.errors import InputError

SMEAR = draw(others=True)
N = len(SMEAR.cells)


@pytest.fixture
def fields(tmp_path: Path) -> Path:
    folder = tmp_path / "fields"
    folder.mkdir()
    Image.fromarray(SMEAR.pixels).save(folder / "a.png")
    return folder


def box(y: float, x: float, r: float) -> dict[str, object]:
    return {"type": "red", "x": x - r, "y": y - r, "w": 2 * r, "h": 2 * r}


def test_boxes(fields: Path, tmp_path: Path) -> None:
    boxes = [box(*disc) for disc in SMEAR.cells]
    boxes[0]["type"] = "difficult"  # neither right nor missed, nor wrong
    del boxes[1]  # wrong
    boxes.append(box(352, 15, 7) | {"type": "red"})  # cut by the border: ignored
    boxes.append(box(300, 20, 9))  # missed
    truth = tmp_path / "boxes.json"
    truth.write_text(json.dumps({"a.png": boxes}))
    (score,) = measure(fields, truth).fields
    assert (score.n_right, score.n_wrong, score.n_missed) == (N - 2, 1, 1)
    y, x, r = SMEAR.cells[1]
    region = (int(y - r), int(x - r), int(2 * r), int(2 * r))
    assert measure(fields, truth, ignore_region=region).fields[0].n_wrong == 0
    done = CliRunner().invoke(app, ["benchmark-segment", str(fields), str(truth), "--json"])
    found = json.loads(done.stdout)
    assert found["recall"] == pytest.approx((N - 2) / (N - 1))
    assert found["mpx_per_second"] > found["mpx_per_second_calibrating"] > 0
    truth.write_text("{}")
    with pytest.raises(InputError, match=r"tells nothing of a\.png"):
        measure(fields, truth)


def test_masks_and_centres(fields: Path, tmp_path: Path) -> None:
    rows, columns = np.ogrid[: SMEAR.pixels.shape[0], : SMEAR.pixels.shape[1]]
    mask = np.zeros(SMEAR.pixels.shape[:2], np.uint8)
    for y, x, r in SMEAR.cells[1:]:
        mask[np.hypot(rows - y, columns - x) < r] = 255
    (tmp_path / "masks").mkdir()
    Image.fromarray(mask).save(tmp_path / "masks" / "a.png")
    (score,) = measure(fields, tmp_path / "masks").fields
    assert (score.n_right, score.n_wrong, score.n_missed) == (N - 1, 1, 0)

    centres = tmp_path / "centres"
    centres.mkdir()
    lines = [f"{x:.0f} {y:.0f} 3" for y, x, _ in SMEAR.cells[2:]]
    y, x, _ = SMEAR.cells[2]
    (centres / "a.txt").write_text("\n".join([*lines, f"{x + 4:.0f} {y:.0f} 3", "2 2 0"]))
    (score,) = measure(fields, centres).fields
    # Two centres in one cell are both missed, and so is that on the background.
    assert (score.n_right, score.n_wrong, score.n_missed) == (N - 3, 2, 3)
    assert measure(fields, centres, least_known=99).fields[0].n_right is None


def test_cells_that_are_not_known_are_compared(fields: Path, tmp_path: Path) -> None:
    """Half of the cells are marked: the others look like them, what is no cell does not."""
    truth = tmp_path / "centres"
    truth.mkdir()
    lines = [f"{x:.0f} {y:.0f}" for y, x, _ in SMEAR.cells[::2]]
    (truth / "a.txt").write_text("\n".join(lines))
    score = measure(fields, truth, with_unknown=True)
    unknown = score.unknown
    assert unknown is not None
    assert (unknown.known.n, unknown.unknown.n) == (len(lines), N - len(lines))
    assert score.precision == pytest.approx(len(lines) / N)
    assert unknown.known.agreed == unknown.unknown.agreed == 1
    assert unknown.unknown.alike > 0.7
    assert unknown.confirmed_precision == pytest.approx(
        (len(lines) + unknown.unknown.alike * unknown.unknown.n) / N
    )
    # Platelets, debris and a white cell are dark, too.
    assert unknown.others.n >= 3
    assert unknown.others.alike == 0
    assert unknown.others.agreed is None
    done = CliRunner().invoke(app, ["benchmark-segment", str(fields), str(truth), "--unknown"])
    assert "not known" in done.stdout
    refused = CliRunner().invoke(app, ["benchmark-segment", str(fields), "--unknown"])
    assert refused.exit_code == 2
    assert "--unknown compares" in refused.output
