"""Profile `hybrid`: silhouettes that are given with the cells (FORMAT 6)."""

from __future__ import annotations

import models
import numpy as np
import pytest
from hybrid_cells import CODERS, check_against_reference, sized
from law import round_trip
from zarrmal_codecs.chunk.chunk import decode_chunk, encode_chunk
from zarrmal_codecs.chunk.coder import Coder
from zarrmal_codecs.chunk.header import Header
from zarrmal_codecs.silhouette.coverage import RESAMPLINGS
from zarrmal_codecs.silhouette.lattice import expand
from zarrmal_codecs.silhouette.silhouettes import Silhouettes

CUT_OUT = [name for name, coder in CODERS.items() if coder.takes_silhouettes]


def blobs(n: int, rows: int, columns: int, seed: int = 81) -> list[np.ndarray]:
    """Discs that reach beyond the edges here and there, with a hole, bool (rows, columns)."""
    y, x = np.ogrid[:rows, :columns]
    out = []
    for a, b, r in models.array(seed, (n, 3), 0, 99, "int64").tolist():
        distance = (2 * y - a * rows // 50) ** 2 + (2 * x - b * columns // 50) ** 2
        radius = (rows + columns) * (60 + r) // 100
        mask = distance <= radius * radius
        mask[rows // 2, columns // 3 :: 7] = False
        out.append(mask)
    return out


def cut(coder: Coder, silhouettes: Silhouettes, *size: int) -> np.ndarray:
    """Cells of the coder's channels that agree with their silhouettes; some pixels are 0."""
    channels = coder.model.cell_shape[2:]
    cells = models.pixels(82, (len(silhouettes), *size, *channels)).astype(np.int64)
    covered = silhouettes.coverage(size).astype(np.int64)
    return (cells * covered.reshape(*covered.shape, *[1] * len(channels)) // 255).astype(np.uint8)


def has_silhouette(header: Header) -> list[bool]:
    outlines = header.index.outlines
    return [False] * header.shape[0] if outlines is None else (outlines.spacings > 0).tolist()


@pytest.mark.parametrize("name", CUT_OUT)
@pytest.mark.parametrize("resampling", RESAMPLINGS)
def test_given_silhouettes(name, resampling):
    coder = CODERS[name]
    for size, (rows, columns) in (
        (coder.model.cell_shape[:2], (22, 13)),
        ((9, 6), (3, 31)),
        ((4, 11), (4, 11)),
        ((1, 1), (1, 1)),
    ):
        n_rows, n_columns = size if resampling == "same" else (rows, columns)
        masks = [*blobs(4, n_rows, n_columns), np.ones((n_rows, n_columns), bool)]
        silhouettes = Silhouettes(masks=masks, resampling=resampling)
        cells = cut(coder, silhouettes, *size)
        cells[3] = 0
        header = round_trip(cells, coder, silhouettes=silhouettes, keep_cells=True)
        assert has_silhouette(header) == cells.any(axis=tuple(range(1, cells.ndim))).tolist()
        assert header.index.outlines.resampling == resampling
        check_against_reference(cells, coder, silhouettes=silhouettes, keep_cells=True)


@pytest.mark.parametrize("spacing", range(1, 16))
def test_silhouettes_on_lattices(spacing):
    coder = CODERS["cut_out"]
    masks = [expand(points, spacing) for points in blobs(3, 5, 4)]
    silhouettes = Silhouettes(masks=masks, resampling="triangle")
    cells = cut(coder, silhouettes, 7, 5)
    header = round_trip(cells, coder, silhouettes=silhouettes, keep_cells=True)
    np.testing.assert_array_equal(header.index.outlines.spacings, spacing)
    check_against_reference(cells, coder, silhouettes=silhouettes, keep_cells=True)
    same = Silhouettes(masks=masks)
    cells = cut(coder, same, *masks[0].shape)
    header = round_trip(cells, coder, silhouettes=same, keep_cells=True)
    np.testing.assert_array_equal(header.index.outlines.spacings, spacing)
    if spacing < 4:
        check_against_reference(cells, coder, silhouettes=same, keep_cells=True)


@pytest.mark.parametrize("name", CUT_OUT)
def test_cells_without_silhouette_among_others(name):
    coder, size = CODERS[name], CODERS[name].model.cell_shape[:2]
    masks: list = blobs(7, 20, 14)
    silhouettes = Silhouettes(masks=masks, resampling="triangle")
    cells = cut(coder, silhouettes, *size)
    masks[1] = masks[4] = None
    cells[4] = models.pixels(83, (1, *cells.shape[1:]))[0]
    masks[2] = np.zeros((20, 14), bool)  # contradicted by all pixels
    masks[5] = masks[5].copy()
    masks[5][:10] = False  # contradicted by some
    cells[5, :5] |= 1
    given = Silhouettes(masks=masks, resampling="triangle")
    header = round_trip(cells, coder, silhouettes=given, keep_cells=True)
    assert has_silhouette(header) == [True, False, False, True, False, False, True]
    check_against_reference(cells, coder, silhouettes=given, keep_cells=True)
    none = round_trip(
        cells, coder, silhouettes=given.without(np.arange(7) % 3 == 0), keep_cells=True
    )
    assert none.index.outlines is None


@pytest.mark.parametrize("name", CUT_OUT)
def test_silhouettes_of_cells_with_sizes(name):
    coder = CODERS[name]
    cells, sizes = sized(coder, 8, 16, 14)
    masks: list = [cell.any(axis=2) if cell.ndim == 3 else cell > 0 for cell in cells]
    for k, (height, width) in enumerate(sizes.tolist()):
        cells[k, : height // 2, : width // 2] = 0
        masks[k] = masks[k][: height + 2, :width]
        masks[k][: height // 2, : width // 2] = False
    masks[6] = None
    given = Silhouettes(masks=masks)
    header = round_trip(cells, coder, silhouettes=given, keep_cells=True)
    assert header.index.sizes is not None
    assert has_silhouette(header) == [k not in (2, 6) for k in range(8)]
    check_against_reference(cells, coder, silhouettes=given, keep_cells=True)


def test_silhouettes_in_more_than_one_block(monkeypatch):
    from zarrmal_codecs.hybrid import blocks as hybrid

    coder = CODERS["cut_out"]
    silhouettes = Silhouettes(masks=blobs(23, 20, 14), resampling="area")
    cells = cut(coder, silhouettes, 7, 5)
    data = encode_chunk(cells, coder, silhouettes=silhouettes, keep_cells=True)
    for name, value in (("BLOCK_CELLS", 7), ("BLOCK_PIXELS", 700), ("LANES", 3)):
        with monkeypatch.context() as patch:
            patch.setattr(hybrid, name, value)
            assert encode_chunk(cells, coder, silhouettes=silhouettes, keep_cells=True) == data
            np.testing.assert_array_equal(decode_chunk(data, coder), cells)
