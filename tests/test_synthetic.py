import runpy
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from zarrmal.sources.synthetic import SyntheticCells, synthetic_cells

EXAMPLE = Path(__file__).parent.parent / "examples" / "make_cells.py"
REAL_JPEGLS_BITS_PER_PIXEL = 3.55  # red channel of the NIH cells at 50 x 50, cell by cell


@pytest.fixture(scope="module")
def drawn() -> SyntheticCells:
    return synthetic_cells(480, seed=7)


def red_jpegls_bits_per_pixel(cells):
    coded = [len(imagecodecs.jpegls_encode(np.ascontiguousarray(cell[..., 0]))) for cell in cells]
    return 8 * np.mean(coded) / cells[0, ..., 0].size


def test_same_seed_same_cells(drawn):
    again = synthetic_cells(480, seed=7)
    np.testing.assert_array_equal(again.cells, drawn.cells)
    np.testing.assert_array_equal(again.label, drawn.label)
    np.testing.assert_array_equal(again.slide, drawn.slide)
    assert not np.array_equal(synthetic_cells(480, seed=8).cells, drawn.cells)


def test_shapes_and_types(drawn):
    assert drawn.cells.shape == (480, 50, 50, 3)
    assert drawn.cells.dtype == np.uint8
    assert drawn.label.shape == drawn.slide.shape == (480,)
    assert drawn.label.dtype.kind == drawn.slide.dtype.kind == "U"


@pytest.mark.parametrize("n_slides", [1, 5, 12])
@pytest.mark.parametrize("n_cells", [24, 101])
def test_classes_are_equal_and_on_every_slide(n_cells, n_slides):
    drawn = synthetic_cells(n_cells, n_slides=n_slides, size=16)
    assert set(drawn.slide) == {f"slide-{number:02d}" for number in range(1, n_slides + 1)}
    for slide in set(drawn.slide):
        assert set(drawn.label[drawn.slide == slide]) == {"parasitized", "uninfected"}
    assert abs(np.count_nonzero(drawn.label == "parasitized") - n_cells / 2) <= 0.5


def test_background_is_exactly_zero_and_of_a_real_share(drawn):
    black = (drawn.cells == 0).all(axis=-1)
    assert 0.15 < black.mean() < 0.45
    assert black.mean(axis=(1, 2)).min() > 0.05
    assert black.mean(axis=(1, 2)).max() < 0.7
    # A deep bite may reach the middle: in 0.4 % of the NIH cells it does.
    assert black[:, 20:30, 20:30].any(axis=(1, 2)).mean() < 0.02


def test_no_two_cells_are_alike(drawn):
    assert len({cell.tobytes() for cell in drawn.cells}) == len(drawn.cells)


def test_slides_differ_in_stain(drawn):
    clean = drawn.label == "uninfected"  # a parasite darkens more than a stain does
    middle, slide_of = drawn.cells[clean, 15:35, 15:35].mean(axis=(1, 2)), drawn.slide[clean]
    slides = [middle[slide_of == slide] for slide in sorted(set(slide_of))]
    between = np.std([slide.mean(axis=0) for slide in slides], axis=0)
    within = np.mean([slide.std(axis=0) for slide in slides], axis=0)
    assert (between > within).all()


def test_parasites_show_as_dark_spots_but_not_in_every_cell(drawn):
    green = drawn.cells[:, 10:40, 10:40, 1].astype(int)
    spot = np.median(green, axis=(1, 2)) - np.percentile(green, 1, axis=(1, 2))
    infected = drawn.label == "parasitized"
    pairs = spot[infected][:, None] - spot[~infected]
    area_under_curve = (pairs > 0).mean() + (pairs == 0).mean() / 2
    assert 0.7 < area_under_curve < 0.95  # NIH: 0.77


@pytest.mark.parametrize("size", [24, 33, 50, 64])
def test_sizes(size):
    cells = synthetic_cells(48, size=size).cells
    assert cells.shape == (48, size, size, 3)
    assert 0.1 < (cells == 0).all(axis=-1).mean() < 0.45


def test_one_channel_is_the_red_of_three(drawn):
    red = synthetic_cells(480, seed=7, channels=1).cells
    assert red.flags.c_contiguous
    np.testing.assert_array_equal(red, drawn.cells[..., 0])


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_as_hard_to_compress_as_real_cells(seed):
    rate = red_jpegls_bits_per_pixel(synthetic_cells(240, seed=seed).cells)
    assert 0.85 * REAL_JPEGLS_BITS_PER_PIXEL < rate < 1.15 * REAL_JPEGLS_BITS_PER_PIXEL


@pytest.mark.parametrize(
    "wrong", [{"n_cells": 0}, {"n_slides": 0}, {"size": 15}, {"seed": -1}, {"channels": 2}]
)
def test_arguments_out_of_range(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        synthetic_cells(**{"n_cells": 4, **wrong})


def test_example_writes_one_folder_per_class(tmp_path):
    make_cells = runpy.run_path(str(EXAMPLE))["make_cells"]
    make_cells(tmp_path / "cells", n_cells=8, n_slides=3, size=24, seed=2)
    drawn = synthetic_cells(8, n_slides=3, size=24, seed=2)
    names = [
        f"{label}/{slide}_cell-{number:05d}.png"
        for number, (label, slide) in enumerate(zip(drawn.label, drawn.slide))
    ]
    files = (tmp_path / "cells").rglob("*.png")
    assert {str(f.relative_to(tmp_path / "cells")) for f in files} == set(names)
    for name, cell in zip(names, drawn.cells):
        with Image.open(tmp_path / "cells" / name) as image:
            np.testing.assert_array_equal(np.asarray(image), cell)
