"""Ways of giving a cell its class."""

from __future__ import annotations

import numpy as np
import pytest
from zarrmal_codecs import Model
from zarrmal_codecs.chunk.coder import coder_for

from zarrmal import InputError
from zarrmal.classify import (
    Assignment,
    ClassifierReport,
    LabelAssigner,
    ShortestAssigner,
    checked_assignment,
)
from zarrmal.classify.calibration import calibration_error
from zarrmal.sources import Source, open_source

ROWS = np.arange(6)


def test_labels_follow_the_model_by_name(cells: Source, model: Model) -> None:
    swapped = LabelAssigner(cells, model.class_names[::-1])
    straight = LabelAssigner(cells, model.class_names)
    nothing = np.empty(0, np.uint8)
    rows = np.arange(cells.n_cells)
    a = straight(nothing, rows).predicted_class
    b = swapped(nothing, rows).predicted_class
    np.testing.assert_array_equal(a, 1 - b)
    np.testing.assert_array_equal(a, cells.labels)


def test_labels_unknown_to_the_model_are_refused(cells: Source) -> None:
    with pytest.raises(InputError, match="'parasitized'"):
        LabelAssigner(cells, ("uninfected", "other"))
    bare = open_source(cells.read(ROWS))
    with pytest.raises(InputError, match="no labels"):
        LabelAssigner(bare, ("a", "b"))
    assert LabelAssigner(bare, ("only",))(cells.read(ROWS), ROWS).predicted_class.sum() == 0


def test_shortest_is_the_shortest(cells: Source, model: Model) -> None:
    pixels = cells.read(np.arange(60))
    chosen = ShortestAssigner(model)(pixels, np.arange(60)).predicted_class
    coder = coder_for(model)
    flat = pixels.reshape(60, -1)
    bits = np.stack(
        [
            [8 * len(stream) for stream in coder.cells(k).encode(flat, "best-per-cell")[1]]
            for k in range(2)
        ],
        axis=1,
    )
    # Streams end on whole bytes, costs are exact bits: allow that much.
    taken = bits[np.arange(60), chosen]
    assert (taken <= bits.min(axis=1) + 16).all()
    assert len(set(chosen.tolist())) == 2


def test_report_in_the_papers_symbols() -> None:
    true = np.array([0, 0, 0, 0, 1, 1], np.uint8)
    predicted = np.array([0, 0, 0, 1, 1, 0], np.uint8)
    tree = ClassifierReport.of(("normal", "infected"), true, predicted, "slides").to_json()
    assert tree["confusion"] == [[3, 1], [1, 1]]
    assert tree["misclassification"] == {"P(C1|S0)": 0.25, "P(C0|S1)": 0.5}
    assert tree["accuracy"] == pytest.approx(4 / 6)
    assert tree["calibration_error"] is None


def test_callables_from_outside_are_checked_assignment() -> None:
    good = checked_assignment(np.array([0, 1, 1]), 3, 2)
    assert good.predicted_class.dtype == np.uint8
    for wrong in (
        np.array([0, 1]),
        np.array([0, 1, 2]),
        np.array([0.0, 1.0, 1.0]),
        np.array([-1, 0, 0]),
    ):
        with pytest.raises(InputError):
            checked_assignment(wrong, 3, 2)
    with pytest.raises(InputError, match="1 of 3 values are masked"):
        checked_assignment(np.ma.MaskedArray([0, 1, 1], mask=[0, 0, 1]), 3, 2)
    with pytest.raises(InputError, match="probabilities"):
        checked_assignment(
            Assignment(predicted_class=np.zeros(3, np.uint8), probability=np.zeros(2, np.float32)),
            3,
            2,
        )


def test_a_label_that_two_classes_are_called_by_is_refused() -> None:
    source = open_source(np.ones((6, 4, 4), np.uint8), labels=["red"] * 6)
    with pytest.raises(InputError, match="'red'"):
        LabelAssigner(source, ("Red", "RED"))
    found = LabelAssigner(source, ("white", "RED"))(np.empty(0, np.uint8), ROWS)
    assert found.predicted_class.tolist() == [1] * 6


def test_a_confusion_matrix_has_true_classes_in_its_rows() -> None:
    true, predicted = np.array([0, 0, 0, 1], np.uint8), np.array([1, 1, 0, 1], np.uint8)
    report = ClassifierReport.of(("a", "b"), true, predicted, "slides")
    assert report.confusion.tolist() == [[1, 2], [0, 1]]
    assert report.accuracy == 0.5
    assert report.to_json()["misclassification"] == {"P(C1|S0)": 2 / 3, "P(C0|S1)": 0.0}


def test_bins_of_confidence_hold_their_upper_edge() -> None:
    """As in Guo et al. 2017: 0.5 is in the first of two bins, 0.9 in the second."""
    probabilities = np.array([[0.5, 0.5], [0.9, 0.1]], np.float32)
    error = calibration_error(probabilities, np.array([0, 1], np.uint8), n_bins=2)
    assert error == pytest.approx((0.5 + 0.9) / 2)
