"""What looks at cells of different sizes: classifiers, training, contact sheets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ragged import CANVAS, ORIGINALS, SIZES, N, drawn, save_originals, write
from zarrmal_codecs import Model

import zarrmal
from zarrmal import Archive, InputError, WriteOptions, open_source
from zarrmal.archive import sheet as sheet_module
from zarrmal.classify import ClassifierAssigner


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_originals(tmp_path_factory.mktemp("originals"))


def test_a_classifier_sees_each_cell_at_its_own_size() -> None:
    class Seen:
        class_names = ("a", "b")

        def __init__(self) -> None:
            self.shapes: list[tuple[int, ...]] = []

        def predict(self, cells: np.ndarray) -> np.ndarray:
            self.shapes += [cells.shape[1:]] * len(cells)
            return np.stack([cells.mean((1, 2)) > 60, cells.mean((1, 2)) <= 60], 1).astype(float)

    source, seen = open_source(ORIGINALS), Seen()
    rows = np.arange(N)
    assigned = ClassifierAssigner(seen, ("b", "a"), source)(source.read(rows), rows)
    assert sorted(seen.shapes) == sorted(SIZES)
    expected = [int(pixels.mean() > 60) for pixels in ORIGINALS]
    assert assigned.predicted_class.tolist() == expected


@pytest.mark.training
def test_what_needs_one_size_asks_for_it() -> None:
    from zarrmal.learn import HybridOptions, TrainOptions

    for options, what in (
        (TrainOptions(), "training"),
        (HybridOptions(classes=2), "learning classes"),
    ):
        with pytest.raises(InputError, match=rf"8 to 20 x 8 to 13: {what}.*--size N"):
            zarrmal.train(ORIGINALS, options=options)


@pytest.mark.training
@pytest.mark.parametrize("sae", [0, 1])
def test_a_model_is_trained_on_cells_of_all_sizes(tmp_path: Path, sae: int) -> None:
    """The padding counts for nothing: the rate is that of the codec, over the cells' own pixels."""
    from zarrmal.learn import HybridOptions

    cells = [drawn(9 + k % 7, 12 - k % 5, k) for k in range(60)]
    options = HybridOptions(effort="fast", steps=60, validation=0.0, sae=sae)
    result = zarrmal.train(cells, options=options)
    assert result.report.sae == ("none", "6 latents, 16 hidden")[sae]
    head = 16 * len(cells) / sum(cell.size for cell in cells)  # of each stream
    assert result.report.int8_bits == pytest.approx(result.report.float_bits + head, rel=0.02)
    given = WriteOptions(chunk_cells=len(cells))
    zarrmal.write(cells, tmp_path / "a", model=result.model, options=given)
    info = zarrmal.info(tmp_path / "a")
    n_pixels = sum(cell.size for cell in cells)
    overhead = 8 * 60 * 6  # a stream's length, its last words, its size
    told = result.report.int8_bits * n_pixels
    assert told < 8 * info.payload_bytes < told + overhead
    assert zarrmal.verify(tmp_path / "a", [cells]).problems == ()


@pytest.mark.training
def test_data_sets_give_canvases(folder: Path, hybrid: Model, tmp_path: Path) -> None:
    from zarrmal.torch import CellDataset

    write(folder, tmp_path / "a", hybrid)
    cells = CellDataset(str(tmp_path / "a"))
    archive = Archive.open(tmp_path / "a")
    for position in (0, N - 1):
        pixels = np.asarray(cells[position][0]).reshape(CANVAS)
        np.testing.assert_array_equal(pixels, archive.read([position])[0])


def test_the_contact_sheet_shows_cells_without_padding(hybrid: Model, tmp_path: Path) -> None:
    cells = [np.full((4, 8), 200, np.uint8), np.full((8, 8), 100, np.uint8)]
    zarrmal.write(cells, tmp_path / "a", model=hybrid, assign=lambda _, rows: rows * 0)
    sheet = np.asarray(zarrmal.show(tmp_path / "a").image)[..., 0]
    edge = 80
    assert sheet_module._tile_shape((8, 8)) == (edge, edge)
    assert (sheet == 200).sum() >= 40 * edge
    assert (sheet == 100).sum() >= edge * edge
    assert not (sheet == 0).any()
    assert "4 to 8 x 8" in sheet_module._footer(Archive.open(tmp_path / "a"))[0]
