"""Cells found on drawn smears."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from smears import Disc, Smear, draw, stain, write_pyramid

from zarrmal.errors import InputError
from zarrmal.segment import BloodCells, Objects, SegmentOptions, Verdict, find_objects, open_slide
from zarrmal.segment.border import cut_ellipticity, cut_shares
from zarrmal.segment.calibrate import calibrate
from zarrmal.segment.judge import outline_of
from zarrmal.segment.shape import ellipticity, labelled
from zarrmal.segment.slides.slide import CACHE_BYTES, Slide
from zarrmal.segment.split import distances_within
from zarrmal.segment.tiles import tiles


class Drawn(Slide):
    """Pixels in memory as a slide of small blocks."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        super().__init__(pixels.shape, location="slide drawn", name="drawn", block=(100, 130))
        self._pixels = pixels

    def decode(self, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        return self._pixels[y : y + height, x : x + width]


def matched(objects: Objects, discs: tuple[Disc, ...]) -> NDArray[np.int64]:
    """For each disc the object whose box is its own to a tenth of it; -1 without."""
    y, x, height, width = objects.boxes.T
    own = []
    for cy, cx, r in discs:
        far = np.abs([y - (cy - r), x - (cx - r), height - 2 * r, width - 2 * r]).max(axis=0)
        own.append(int(far.argmin()) if far.min() <= 0.2 * r else -1)
    return np.array(own)


def expect_exactly(objects: Objects, smear: Smear) -> None:
    found = matched(objects, smear.cells)
    assert (found >= 0).all()
    assert (objects.verdicts[found] == Verdict.CELL).all()
    assert objects.is_cell.sum() == len(smear.cells) == len(set(found.tolist()))


@pytest.mark.parametrize(
    "how",
    [{}, {"stain": 0.25}, {"shade": 0.5}, {"radius": 45, "height": 640, "width": 700}],
    ids=["plain", "pale", "uneven", "large"],
)
def test_every_drawn_cell_is_found(how: dict[str, float]) -> None:
    smear = draw(**how)  # type: ignore[arg-type]
    expect_exactly(find_objects(Drawn(smear.pixels)), smear)


def test_bright_cells_on_black() -> None:
    smear = draw()
    expect_exactly(find_objects(Drawn(255 - smear.pixels)), smear)


def test_grey_fields() -> None:
    smear = draw()
    expect_exactly(find_objects(Drawn(smear.pixels[..., 1].copy())), smear)


@pytest.mark.parametrize("splitting", ["watershed", "hough"])
def test_touching_cells_are_split(splitting: str) -> None:
    smear = draw(touching=True)
    options = SegmentOptions(splitting=splitting)  # type: ignore[arg-type]
    objects = find_objects(Drawn(smear.pixels), options)
    y, x, r = np.array(smear.cells).T
    top, left, height, width = objects.boxes[objects.is_cell].T
    assert len(top) == len(smear.cells)
    far = np.hypot(y[:, None] - (top + height / 2), x[:, None] - (left + width / 2)).min(axis=1)
    assert (far < 0.35 * r).all()


def test_what_is_no_cell_is_rejected_with_its_reason() -> None:
    smear = draw(others=True)
    objects = find_objects(Drawn(smear.pixels))
    expect_exactly(objects, smear)
    for reason, discs in smear.others.items():
        for y, x, r in discs:
            centre_y = objects.boxes[:, 0] + objects.boxes[:, 2] / 2
            centre_x = objects.boxes[:, 1] + objects.boxes[:, 3] / 2
            nearest = int(np.hypot(centre_y - y, centre_x - x).argmin())
            assert Verdict(int(objects.verdicts[nearest])).text == reason
            assert abs(centre_y[nearest] - y) <= r
    bar = (objects.boxes[:, 0] > 335) & (objects.boxes[:, 3] > 60)
    assert not objects.is_cell[bar].any()
    kept = find_objects(Drawn(smear.pixels), SegmentOptions(keep_border=True))
    assert kept.is_cell.sum() == len(smear.cells) + 2


@pytest.mark.parametrize("true", [0.02, 0.05, 0.1, 0.15, 0.3, 0.7])
@pytest.mark.parametrize("slope", [0.0, 0.6], ids=["upright", "oblique"])
def test_what_the_border_cuts_off_an_ellipse_is_estimated(true: float, slope: float) -> None:
    y, x = np.mgrid[-120:120, -120:120]
    inside = (x - slope * y) ** 2 / 80**2 + y**2 / 60**2 < 1
    rows = inside.sum(axis=1).cumsum() / inside.sum()
    part = inside[rows >= true]
    part = part[:, part.any(axis=0)]
    turned = [np.rot90(part, turns) for turns in range(4)]
    sides = [(k == 0, k == 2, k == 1, k == 3) for k in range(4)]  # above, left, below, right
    shares = cut_shares([part, *turned], [(False,) * 4, *sides])
    assert shares[0] == 0
    # By chords alone no more than a half is told.
    assert shares[1:] == pytest.approx(min(true, (true + 0.5) / 2), abs=0.01)


def ragged(rng: np.random.Generator) -> NDArray[np.bool_]:
    """A cell of some 22 pixels, as they are where slides are segmented: no exact ellipse."""
    y, x = np.mgrid[-20:20, -20:20]
    angle, ratio = rng.uniform(0, np.pi), rng.uniform(1, 1.5)
    u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    around = np.arctan2(v, u)
    waves = sum(rng.normal(0, 0.06 / k) * np.cos(k * around + rng.uniform(0, 7)) for k in (3, 4, 5))
    return np.asarray(np.hypot(u / ratio**0.5, v * ratio**0.5) < 11 * (1 + waves))


def test_what_the_border_cuts_off_ragged_cells_is_estimated_without_bias() -> None:
    rng = np.random.default_rng(0)
    masks, true = [], []
    for _ in range(400):
        cell = ragged(rng)
        shares = cell.sum(axis=1).cumsum() / cell.sum()
        first = int(np.searchsorted(shares, rng.uniform(0.02, 0.35))) + 1
        part = cell[first:]
        masks.append(part[part.any(axis=1)][:, part.any(axis=0)])
        true.append(shares[first - 1])
    errors = cut_shares(masks, [(True, False, False, False)] * len(masks)) - true
    assert abs(errors.mean()) < 0.02
    assert errors.std() < 0.07
    alike = cut_shares(masks[7:8], [(True, False, False, False)])
    assert alike == pytest.approx(errors[7] + true[7], abs=1e-9)


@pytest.mark.parametrize("true", [0.0, 0.1, 0.3, 0.5, 0.7])
def test_cut_ellipses_are_as_good_a_shape_as_whole_ones(true: float) -> None:
    y, x = np.mgrid[-120:120, -120:120]
    inside = (x - 0.5 * y) ** 2 / 50**2 + y**2 / 90**2 < 1
    rows = inside.sum(axis=1).cumsum() / inside.sum()
    first = int(np.searchsorted(rows, true, side="right"))
    _, m = labelled(inside[first:])
    cut = 1 - inside[first:].sum() / inside.sum()
    assert ellipticity(m)[1] == pytest.approx(cut_ellipticity(np.array([cut]))[0], abs=0.002)


def test_no_outline_is_seen_beyond_the_border() -> None:
    labels = np.zeros((40, 60), np.int32)
    labels[10:20, 10:20] = 1
    labels[:10, 30:40] = 2
    labels[20:30, 50:] = 3
    labels[30:, 50:] = 4
    outline = outline_of(labels, 4, (labels > 0).astype(np.float32))
    assert outline.open_share[1:] == pytest.approx([1, 0.75, 0.5, 0.25])


@pytest.mark.parametrize("size", [(1, 7), (50, 40), (150, 200), (400, 90), (400, 500)])
@pytest.mark.parametrize("smooth", [0, 1, 4, 30, None])
def test_distances_are_exact(size: tuple[int, int], smooth: int | None) -> None:
    rng = np.random.default_rng(0)
    mask = np.ones(size, np.bool_)
    if smooth == 0:
        mask = rng.random(size) < 0.9
    elif smooth:
        mask = ndimage.gaussian_filter(rng.normal(size=size), smooth) > 0
    mask[0, 0] = False  # in a large image without others, some are farther than squares are held
    expected = ndimage.distance_transform_edt(mask).astype(np.float32)
    assert np.array_equal(distances_within(mask), expected)


def test_distances_without_an_outside_are_to_the_border() -> None:
    expected = ndimage.distance_transform_edt(np.pad(np.ones((130, 150)), 1))[1:-1, 1:-1]
    assert np.array_equal(distances_within(np.ones((130, 150), np.bool_)), np.float32(expected))


def test_cells_at_the_border_are_kept_if_they_are_nearly_whole() -> None:
    smear = draw(shade=0.3)
    image = smear.pixels.copy()
    r = 18.0
    # Of the first a twelfth is cut off, of the second a third, and half of the third.
    for y, x in ((0.72 * r, 150.0), (180.0, 480 - 0.26 * r), (360.0, 300.0)):
        stain(image, (y, x, r), 1.0)
    expected = {None: 1, True: 3, False: 0}
    for keep, n in expected.items():
        objects = find_objects(Drawn(image), SegmentOptions(keep_border=keep))
        assert objects.is_cell.sum() == len(smear.cells) + n
        assert objects.counts.get("border", 0) == 3 - n
        first, second, third = sorted(objects.cut_shares[objects.cut_shares > 0].tolist())
        assert first == pytest.approx(0.085, abs=0.03)
        assert 0.3 < second < third < 0.55
        assert np.count_nonzero(objects.cells().cut_shares) == n


def test_cells_in_stained_plasma_are_found() -> None:
    smear = draw()
    image = smear.pixels.copy()
    inside = [disc for disc in smear.cells if 60 < disc[0] < 200 and 60 < disc[1] < 260]
    assert len(inside) >= 4
    y, x, _ = np.mean(inside, axis=0)
    patch = np.hypot(*np.ogrid[-y : 360 - y, -x : 480 - x]) < 115
    darker = 0.5 * np.array([40.0, 95.0, 50.0])
    paler = image[..., 1] > 190  # plasma lies between cells
    image[patch & paler] -= darker.astype(np.uint8)
    objects = find_objects(Drawn(image))
    found = matched(objects, tuple(inside))
    assert (found >= 0).all()
    assert (objects.verdicts[found] == Verdict.CELL).all()


def test_one_large_stain_is_no_typical_cell() -> None:
    """Its area is more than that of all cells, which are not debris beside it."""
    smear = draw()
    image = smear.pixels.copy()
    stain(image, (180.0, 240.0, 120.0), 1.0)
    assert calibrate([image]).factor == calibrate([smear.pixels]).factor


def test_tile_by_tile_is_as_the_whole() -> None:
    smear = draw(touching=True, others=True)
    own = BloodCells(calibration=calibrate([smear.pixels]))
    whole = find_objects(Drawn(smear.pixels), SegmentOptions(segmenter=own))
    parts = find_objects(Drawn(smear.pixels), SegmentOptions(segmenter=own, tile=100))
    assert sorted(map(tuple, whole.boxes.tolist())) == sorted(map(tuple, parts.boxes.tolist()))
    assert parts.counts == whole.counts


def test_memory_holds_a_tile_and_its_halo() -> None:
    class Huge(Drawn):
        n_decoded = 0

        def __init__(self) -> None:
            super().__init__(np.zeros((200, 300, 3), np.uint8))
            self.shape, self.block = (50_000, 50_000, 3), (2_000, 2_000)

        def decode(self, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
            Huge.n_decoded += 1
            return np.zeros((height, width, 3), np.uint8)

    slide = Huge()
    for tile, _ in zip(tiles(slide, 1_000, 100), range(120), strict=False):
        assert tile.pixels.nbytes <= 1_200 * 1_200 * 3
    assert slide._bytes <= CACHE_BYTES + 2_000 * 2_000 * 3
    assert Huge.n_decoded < 120


def test_any_callable_segments() -> None:
    smear = draw()

    def dark(tile: NDArray[np.uint8]) -> NDArray[np.int64]:
        labels, _ = ndimage.label(ndimage.binary_fill_holes(tile[..., 1] < 200))
        return np.where(labels > 0, labels * 7, 0)  # numbers need not follow one another

    expect_exactly(find_objects(Drawn(smear.pixels), SegmentOptions(segmenter=dark)), smear)
    options = SegmentOptions(segmenter=lambda tile: tile[::2, ::2, 0])
    with pytest.raises(InputError, match=r"gives integers \(y, x\).* this one gave uint8"):
        find_objects(Drawn(smear.pixels), options)


def test_an_empty_field_has_no_cells() -> None:
    rng = np.random.default_rng(0)
    blank = np.clip(rng.normal(220, 1, (300, 400, 3)), 0, 255).astype(np.uint8)
    assert find_objects(Drawn(blank)).is_cell.sum() == 0
    assert find_objects(Drawn(np.full((40, 50), 200, np.uint8))).is_cell.sum() == 0
    assert len(find_objects(Drawn(np.zeros((1, 1, 3), np.uint8)))) <= 1


def test_a_pyramid_of_jpeg_tiles(tmp_path: Path) -> None:
    smear = draw()
    slide = open_slide(write_pyramid(tmp_path / "s.svs", smear.pixels))
    assert (slide.shape, slide.name) == (smear.pixels.shape, "s")
    whole = slide.read(0, 0, *slide.size)
    assert np.abs(whole.astype(int) - smear.pixels).mean() < 4
    np.testing.assert_array_equal(slide.read(-5, 120, 140, 150), whole[:135, 120:270])
    np.testing.assert_array_equal(slide.read(350, 400, 99, 99), whole[350:, 400:])
    expect_exactly(find_objects(slide), smear)
