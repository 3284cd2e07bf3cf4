"""read_cells takes the numbers of cells, and nothing that could be taken for other cells."""

from __future__ import annotations

import numpy as np
import pytest

import zarrmal
from zarrmal.errors import InputError


def test_any_integers_in_any_order(archive):
    whole, good = zarrmal.recover_cells(archive)
    assert good.all()
    for wanted in ([7, 3, 239, 3], np.array([7, 3], np.uint64), np.array([5], np.int8), range(4)):
        pixels, good = zarrmal.recover_cells(archive, wanted)
        assert good.all()
        np.testing.assert_array_equal(pixels, whole[list(map(int, wanted))])


@pytest.mark.parametrize("nothing", [[], (), np.zeros(0), np.zeros(0, np.int32)])
def test_no_cells(archive, nothing):
    pixels, good = zarrmal.recover_cells(archive, nothing)
    assert (pixels.shape, good.shape) == ((0, 24, 24), (0,))


@pytest.mark.parametrize(
    ("wanted", "word"),
    [
        (np.arange(240) > 200, r"np\.flatnonzero"),
        ([True, False], r"np\.flatnonzero"),
        ([1.9], "float64"),
        (["3"], "<U1"),
        ([2**70], "object"),
        ([240], "numbered 0 to 239"),
        ([-1], "numbered 0 to 239"),
        (np.array([2**64 - 1], np.uint64), "numbered 0 to 239"),
        (3, "a list of such numbers"),
        ([[3]], "a list of such numbers"),
    ],
    ids=str,
)
def test_what_is_no_list_of_cells(archive, wanted, word):
    with pytest.raises(InputError, match=word):
        zarrmal.recover_cells(archive, wanted)
