"""What the benchmark says of coefficients: what is found, what it saves, and JPEG files' bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("numba", reason="the search needs the extra lattice")

from zarrmal.benchmark.lattice.drawn import as_jpeg, draw_smear, photographs, pixels_of
from zarrmal.benchmark.lattice.found import found_table, measure_found
from zarrmal.benchmark.lattice.grid import drawn_table
from zarrmal.benchmark.lattice.sample import measure_sample, sample_table
from zarrmal.benchmark.lattice.truth import Score
from zarrmal.benchmark.rivals import measure_jpeg_files
from zarrmal.sources import open_source


@pytest.fixture
def jpeg_files(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    for number in range(3):
        data = as_jpeg(draw_smear(rng, 64, 72), quality=80, sampling="4:2:0")
        (tmp_path / f"{number}.jpg").write_bytes(data)
    return tmp_path


def test_jpeg_files_are_a_row_of_their_own(jpeg_files: Path) -> None:
    row = measure_jpeg_files(open_source(jpeg_files))
    assert row is not None
    n_bytes = sum(path.stat().st_size for path in jpeg_files.glob("*.jpg"))
    assert row.bits_per_pixel == pytest.approx(8 * n_bytes / (3 * 64 * 72))
    assert row.n_cells == 3
    assert row.decode_mb_s is not None
    assert row.decode_mb_s > 0


def test_other_cells_have_no_such_row(jpeg_files: Path) -> None:
    path = jpeg_files / "0.jpg"
    Image.open(path).save(jpeg_files / "0.png")
    path.unlink()
    assert measure_jpeg_files(open_source(jpeg_files)) is None


def test_what_is_found_is_counted_and_coded_both_ways(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    for folder, quality in (("cut", 85), ("never", None)):
        (tmp_path / folder).mkdir()
        for number in range(3):
            pixels = draw_smear(rng, 96, 96)
            if quality is not None:
                pixels = pixels_of(as_jpeg(pixels, quality=quality))
            cell = np.ascontiguousarray(pixels[3:83, 5:85])
            Image.fromarray(cell).save(tmp_path / folder / f"{number}.png")
    cut, never = (
        measure_found(open_source(tmp_path / name), name, None, 2) for name in ("cut", "never")
    )
    assert (cut["cells"], cut["stored_as_coefficients"], cut["cameras"]) == (2, 2, 1)
    assert cut["most_frequent"] == ["4:4:4, luma 85 / chroma 85: 2"]
    assert cut["covered_share"] > 0.9
    assert cut["bits_per_pixel"] < 0.7 * cut["bits_per_pixel_without"]
    assert (never["stored_as_coefficients"], never["covered_share"]) == (0, 0)
    assert never["bits_per_pixel"] == never["bits_per_pixel_without"]
    table = found_table([cut, never]).splitlines()
    assert len(table) == 4
    assert len({line.count("|") for line in table}) == 1


def test_drawn_table_counts_by_quality() -> None:
    def row(quality: int, tables: int) -> dict[str, object]:
        score = Score(n_cells=4, n_found=4, tables=tables, blocks=200, values_equal=199)
        score.wrong = ["cell 1: a step"] * (4 - tables)
        return {"sampling": "4:2:0", "tables": "odd", "quality": quality, **score.to_json()}

    lines = drawn_table([row(60, 4), row(98, 3)]).splitlines()
    assert lines[2] == "| 4:2:0, odd | 4/4 | 3/4 | 7/8 | 99.500% | 0.000% |"
    assert lines[-1] == "4:2:0, odd, 98: cell 1: a step"


def test_photographs_have_the_size() -> None:
    for picture in photographs(np.random.default_rng(0), 256):
        assert (picture.shape, picture.dtype) == ((256, 256, 3), np.uint8)


def test_a_sample_of_pictures_has_a_row_for_each_case() -> None:
    rows = list(measure_sample(3, 3))
    assert [row["compared"] <= 1 and row["whole_blocks"] > 0 for row in rows] == [True] * 3
    again = list(measure_sample(3, 1))
    assert {k: v for k, v in again[0].items() if k != "milliseconds"} == {
        k: v for k, v in rows[0].items() if k != "milliseconds"
    }
    first = sample_table(rows).splitlines()[2]
    assert first.startswith(f"| all | {sum(row['compared'] for row in rows)} |")
