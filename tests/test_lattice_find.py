"""From pixels alone to the coefficients of the JPEG that they were cut out of."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from zarrmal_codecs.lattice.jpeg.colour import rgb
from zarrmal_codecs.lattice.jpeg.picture import Camera, decode
from zarrmal_codecs.lattice.jpeg.transform import inverse_dct as exact_inverse_dct
from zarrmal_codecs.lattice.jpeg.upsampling import upsampled

pytest.importorskip("numba", reason="the search needs the extra lattice")

from zarrmal.benchmark.lattice.drawn import (
    as_jpeg,
    draw_smear,
    odd_table,
    pixels_of,
    random_cell,
    turned,
)
from zarrmal.benchmark.lattice.truth import Score
from zarrmal.lattice.find import find_cell
from zarrmal.lattice.found import FoundCell, covered_pixels
from zarrmal.lattice.jpeg_file import JpegFile, read_jpeg
from zarrmal.lattice.preimage import with_chroma, ycbcr_planes
from zarrmal.lattice.series import STANDARD_CHROMA, STANDARD_LUMA, scaled_table, series_name
from zarrmal.lattice.solve.dct import inverse_dct
from zarrmal.lattice.solve.intervals import sample_bounds
from zarrmal.lattice.solve.taps import RINGED, taps_of
from zarrmal.lattice.survey import Finding, survey


def smear(seed: int) -> NDArray[np.uint8]:
    return draw_smear(np.random.default_rng(seed), 256, 256)


def cut(
    pixels: NDArray[np.uint8], seed: int
) -> tuple[tuple[int, int], NDArray[np.bool_], NDArray[np.uint8]]:
    corner, mask = random_cell(np.random.default_rng(seed), *pixels.shape[:2])
    rows, columns = (slice(c, c + n) for c, n in zip(corner, mask.shape, strict=True))
    part = pixels[rows, columns] * (mask if pixels.ndim == 2 else mask[..., None])
    return corner, mask, part


def check(
    found: FoundCell | None,
    file: JpegFile,
    corner: tuple[int, int],
    mask: NDArray[np.bool_],
    cell: NDArray[np.uint8],
) -> FoundCell:
    """Everything is the file's, and the pixels come back."""
    assert found is not None
    score = Score()
    score.add("cell", found, file, corner, mask)
    assert (score.n_cells, score.phase, score.sampling, score.tables) == (1, 1, 1, 1), score.wrong
    assert score.values_equal + score.ambiguous >= 0.99 * score.blocks
    pixels = decode(found.camera, found.coefficients, found.shape, found.phase, found.is_known)
    pixels.reshape(-1, *pixels.shape[2:])[found.correction_positions] = found.correction_values
    covered = mask & covered_pixels(found.camera, found.is_known, found.shape, found.phase)
    np.testing.assert_array_equal(pixels[covered], cell[covered])
    assert found.n_covered == covered.sum() > 0.7 * mask.sum()
    assert len(found.correction_positions) <= 0.005 * mask.sum()
    return found


def test_compiled_transform_is_the_codec_s() -> None:
    rng = np.random.default_rng(0)
    values = rng.laplace(0, 60, (300, 64)).astype(np.int64)
    values[:20] = rng.integers(-1024, 1024, (20, 64))
    samples = np.empty(64, np.int64)
    for row, expected in zip(values, exact_inverse_dct(values.reshape(-1, 8, 8)), strict=True):
        inverse_dct(row, samples)
        np.testing.assert_array_equal(samples.reshape(8, 8), expected)


@pytest.mark.parametrize("fancy", [True, False])
@pytest.mark.parametrize("ratio", [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_taps_are_the_codec_s_upsampling(ratio: tuple[int, int], fancy: bool) -> None:
    plane = np.random.default_rng(1).integers(0, 256, (24, 24), np.uint8)
    taps = taps_of(ratio, fancy=fancy)
    ring = plane[7 : 7 + RINGED, 7 : 7 + RINGED].reshape(-1).astype(np.int64)
    pixels = ((ring[taps.index] * taps.weight).sum(axis=1) + taps.offset) >> taps.shift
    height, width = 8 * ratio[0], 8 * ratio[1]
    expected = upsampled(plane, ratio, fancy=fancy)[height : 2 * height, width : 2 * width]
    np.testing.assert_array_equal(pixels.reshape(height, width), expected)


@pytest.mark.parametrize("ratio", [(1, 2), (2, 1), (2, 2)])
def test_samples_behind_interpolated_pixels_are_known(ratio: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:32, 0:32]
    samples = (128 + 40 * np.sin(x / 7) * np.cos(y / 5) + rng.normal(0, 4, (32, 32))).astype(
        np.uint8
    )
    pixels = upsampled(samples, ratio, fancy=True)
    known = np.ones(pixels.shape, np.bool_)
    known[: pixels.shape[0] // 4, : pixels.shape[1] // 2] = False
    low, high, is_wrong = sample_bounds(pixels, pixels, known, ratio, fancy=True)
    assert not is_wrong.any()
    assert ((low <= samples) & (samples <= high)).all()
    assert (low == high)[9:-1, 1:-1].mean() > 0.9
    # Another upsampling cannot have made these pixels.
    other = (2, 1) if ratio == (1, 2) else (1, 2)
    assert sample_bounds(pixels, pixels, known, other, fancy=True)[2].mean() > 0.1


def test_preimage_holds_what_the_colours_came_from() -> None:
    rng = np.random.default_rng(2)
    planes = [rng.integers(90, 166, (40, 40), np.uint8) for _ in range(3)]
    planes[0][:4] = rng.integers(0, 256, (4, 40))  # some are clamped
    everywhere = np.ones((40, 40), np.bool_)
    found = ycbcr_planes(rgb(*planes), everywhere)
    assert found.has_preimage.all()
    assert found.is_exact.mean() > 0.8
    for low, high, plane in zip(found.low, found.high, planes, strict=True):
        assert ((low <= plane) & (plane <= high)).all()
        np.testing.assert_array_equal(low[found.is_exact], plane[found.is_exact])
    noise = ycbcr_planes(rng.integers(1, 255, (40, 40, 3), np.uint8), everywhere)
    assert 0.1 < noise.share_explained < 0.5


@pytest.mark.parametrize(
    ("sampling", "quality"), [("4:4:4", 75), ("4:2:2", 96), ("4:2:0", 60), ("4:2:0", 90)]
)
def test_cells_of_pillow_s_files(sampling: str, quality: int) -> None:
    jpeg = as_jpeg(smear(3), quality=quality, sampling=sampling)
    corner, mask, cell = cut(pixels_of(jpeg), 4)
    check(find_cell(cell, mask), read_jpeg(jpeg), corner, mask, cell)


def test_own_tables() -> None:
    rng = np.random.default_rng(5)
    tables = [
        odd_table(rng, scaled_table(base, 80)).tolist() for base in (STANDARD_LUMA, STANDARD_CHROMA)
    ]
    jpeg = as_jpeg(smear(6), tables=tables)
    corner, mask, cell = cut(pixels_of(jpeg), 7)
    check(find_cell(cell, mask), read_jpeg(jpeg), corner, mask, cell)


def test_grey() -> None:
    jpeg = io.BytesIO()
    Image.fromarray(smear(8)[..., 1]).save(jpeg, "JPEG", quality=85)
    corner, mask, cell = cut(pixels_of(jpeg.getvalue()), 9)
    found = find_cell(cell, mask)
    assert check(found, read_jpeg(jpeg.getvalue()), corner, mask, cell).camera.colour == "grey"


@pytest.mark.parametrize("fancy", [True, False])
def test_samplings_that_pillow_does_not_write(fancy: bool) -> None:
    file = turned(read_jpeg(as_jpeg(smear(10), quality=88, sampling="4:2:2")), fancy=fancy)
    corner, mask, cell = cut(decode(file.camera, file.coefficients, file.shape), 11)
    found = check(find_cell(cell, mask), file, corner, mask, cell)
    assert found.camera.fancy == fancy


def test_colours_stored_as_they_are() -> None:
    file = read_jpeg(as_jpeg(smear(12), quality=82))
    camera = Camera(tables=file.camera.tables[[0, 0, 0]], ratios=((1, 1),) * 3, colour="rgb")
    planes = [read_jpeg(as_jpeg(smear(12)[..., [k] * 3], quality=82)).blocks[0] for k in range(3)]
    file = replace(file, camera=camera, blocks=tuple(planes))
    corner, mask, cell = cut(decode(camera, file.coefficients, file.shape), 13)
    check(find_cell(cell, mask), file, corner, mask, cell)


def test_saturated_white_around_a_cell() -> None:
    """Clamped pixels tell next to nothing of chroma, and must not stop the search."""
    white = smear(17).astype(np.int64)
    y, x = np.mgrid[0:256, 0:256]
    white = np.where((np.hypot(y - 100, x - 100) > 40)[..., None], 255, white).astype(np.uint8)
    pixels = pixels_of(as_jpeg(white, quality=94, sampling="4:2:0"))[40:160, 44:164]
    found = find_cell(np.ascontiguousarray(pixels), np.ones((120, 120), np.bool_))
    assert found is not None
    assert found.n_clear_found == found.n_clear > 90
    assert found.n_exact > 0.7 * found.n_visible


@pytest.mark.parametrize(
    ("sampling", "seed", "is_odd"),
    [("grey", 21, False), ("grey", 24, True), ("4:2:0", 23, False)],
)
def test_blocks_with_clamped_pixels(sampling: str, seed: int, is_odd: bool) -> None:
    """Of a sample at 0 or 255 only one side is told: the block comes out all the same."""
    rng = np.random.default_rng(seed)
    tables = [odd_table(rng, scaled_table(STANDARD_LUMA, 80)).tolist()] if is_odd else None
    drawn = smear(seed).astype(np.int64)
    if sampling == "grey":
        drawn = np.repeat(drawn.mean(axis=2, keepdims=True), 3, axis=2)
    drawn = drawn - np.percentile(drawn[9:119, 21:141], 8)
    jpeg = as_jpeg(
        np.clip(drawn, 0, 255).astype(np.uint8), quality=80, tables=tables, sampling=sampling
    )
    corner, mask = (9, 21), np.ones((110, 120), np.bool_)
    cell = np.ascontiguousarray(pixels_of(jpeg)[9:119, 21:141])
    is_clamped = cell == 0
    assert is_clamped.mean() > 0.02
    found = check(find_cell(cell, mask), read_jpeg(jpeg), corner, mask, cell)
    assert found.n_exact > (0.99 if sampling == "grey" else 0.96) * found.n_visible


def test_chroma_bounds_luma_where_colours_are_clamped() -> None:
    rng = np.random.default_rng(2)
    luma, cb, cr = (rng.integers(0, 256, (40, 40), np.uint8) for _ in range(3))
    pixels = rgb(luma, cb, cr)
    everywhere = np.ones((40, 40), np.bool_)
    planes = ycbcr_planes(pixels, everywhere)
    narrowed = with_chroma(planes, pixels, cb, cr, everywhere)
    assert ((narrowed.low[0] <= luma) & (luma <= narrowed.high[0])).all()
    clamped = ~planes.is_exact
    widths = (narrowed.high[0].astype(int) - narrowed.low[0])[clamped].mean()
    assert widths < 0.5 * (planes.high[0].astype(int) - planes.low[0])[clamped].mean()
    nowhere = with_chroma(planes, pixels, cb, cr, ~everywhere)
    np.testing.assert_array_equal(nowhere.low, planes.low)


def test_what_never_was_a_jpeg_is_refused() -> None:
    rng = np.random.default_rng(14)
    y, x = np.mgrid[0:96, 0:96]
    wave = (128 + 60 * np.sin(x / 9) * np.cos(y / 7)).astype(np.uint8)
    decoded = pixels_of(as_jpeg(smear(15), quality=80))
    everywhere = np.ones((96, 96), np.bool_)
    for pixels in (
        rng.integers(0, 256, (96, 96, 3), np.uint8),
        smear(16)[:96, :96],
        wave,
        np.stack([wave] * 3, axis=-1),
        np.full((96, 96), 144, np.uint8),
        (np.hypot(y - 48, x - 48) < 30).astype(np.uint8) * np.uint8(200),
        np.kron(rng.integers(0, 256, (12, 12)), np.ones((8, 8))).astype(np.uint8),
        np.asarray(Image.fromarray(decoded).resize((200, 200)))[:96, :96],
        decoded[:96, :96] ^ (rng.random((96, 96, 1)) < 0.1).astype(np.uint8),
    ):
        assert find_cell(np.ascontiguousarray(pixels), everywhere) is None
    assert find_cell(decoded[:7, :7].copy()) is None
    assert find_cell(decoded[:0, :0].copy()) is None


def test_cells_of_a_few_cameras_are_told_apart_and_counted() -> None:
    cells = []
    for seed, quality in enumerate((70, 90, 70, 90)):
        pixels = pixels_of(as_jpeg(smear(20 + seed), quality=quality))
        _, mask, cell = cut(pixels, 30 + seed)
        cells.append((cell, mask))
    cells.append((smear(40)[:80, :80], None))
    cameras = survey(cells)
    assert {series_name(camera.tables[0].reshape(-1)) for camera in cameras} == {
        "standard luma 70",
        "standard luma 90",
    }
    again = [find_cell(*cell, cameras) for cell in cells]
    for cell in again[:4]:
        assert cell is not None
        told = cell.jpeg_cell
        blocks = told.camera.n_blocks(cell.shape, told.phase)
        assert [known.shape for known in told.coded] == blocks
        assert [levels.shape[:2] for levels in told.coefficients] == blocks
    finding = Finding.of(again)
    assert (finding.n_cells, finding.n_found) == (5, 4)
    assert [count for _, count in finding.cameras] == [2, 2]
    assert finding.n_whole_found[0] >= 0.99 * finding.n_whole[0]
    # The same cells give the same coefficients.
    once, twice = again[0], find_cell(*cells[0], cameras)
    assert once is not None
    assert twice is not None
    assert all(map(np.array_equal, once.coefficients, twice.coefficients))


@pytest.mark.parametrize(
    ("pixels", "mask"),
    [
        (np.zeros((8, 8), np.uint16), None),
        (np.zeros((8, 8, 4), np.uint8), None),
        (np.zeros((8, 8), np.uint8), np.ones((8, 9), np.bool_)),
    ],
)
def test_other_arrays_are_refused(pixels: NDArray[np.uint8], mask: NDArray[np.bool_]) -> None:
    with pytest.raises(ValueError, match=r"uint8 \(y, x\)|bool \(8, 8\)"):
        find_cell(pixels, mask)


def test_crops_whose_jpeg_is_known(shared: Path) -> None:
    folder = shared / "more" / "bccd-native-crops"
    with (folder / "crops.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if int(row["w"]) * int(row["h"]) < 19000][:3]
    for row in rows:
        cell = np.asarray(Image.open(folder / "crops" / row["crop"]).convert("RGB"))
        jpeg = read_jpeg((folder / "fields" / row["parent"]).read_bytes())
        mask = np.ones(cell.shape[:2], np.bool_)
        check(find_cell(cell, mask), jpeg, (int(row["y"]), int(row["x"])), mask, cell)
