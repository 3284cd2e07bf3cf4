"""Names and groups of millions of cells: held compactly, and the same strings as before."""

from __future__ import annotations

import gc
import os
import time
import tracemalloc

import numpy as np
import pytest
from pictures import noise

from zarrmal.errors import InputError
from zarrmal.sources import ConcatSource, Subset, open_source
from zarrmal.sources.columns import strings as module
from zarrmal.sources.columns.strings import (
    STRINGS,
    checked_strings,
    fixed_width_bytes,
    iterate_strings,
    unique_strings,
)
from zarrmal.sources.images.folder import image_names
from zarrmal.sources.images.image_file import DecodedImage

N_CELLS = 20_000
NAME = f"parasitized/{50 * 's'}/{40 * 'c'}-%06d.png"  # 113 characters, as in real data sets
TEXTS = ["b", "", "a" * 40, "é", "b", "ab", "日本", "a"]


@pytest.fixture(params=[3, 1 << 12], ids=["small blocks", "one block"])
def blocks(request, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_CELLS", request.param)


def test_a_folder_of_many_files_is_listed_in_linear_time(tmp_path, monkeypatch):
    """Names were looked up in a list: minutes for 50,000 images in one folder."""
    files = [f"{k}.png" for k in range(100_000)]
    monkeypatch.setattr(os, "walk", lambda top, **_: [(top, [], files)])
    start = time.perf_counter()
    assert image_names(tmp_path)[0] == sorted(files)
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize("kind", ["npz", "list", "folder"])
def test_memory_of_long_names(kind, tmp_path, monkeypatch):
    """'<U' took 490 to 690 bytes per cell, and 1,400 to 1,840 while the source was opened."""
    names = [NAME % k for k in range(N_CELLS)]
    cells = np.zeros((N_CELLS, 1, 1), np.uint8)
    if kind == "npz":
        np.savez_compressed(tmp_path / "a.npz", cells=cells, path=names)
        monkeypatch.setattr("zarrmal.sources.arrays.array_file.SMALL_BYTES", 1 << 20)
    if kind == "folder":
        folder, _, _ = NAME.rpartition("/")
        image = DecodedImage(pixels=cells[0])
        files = [name.rpartition("/")[2] for name in names]
        monkeypatch.setattr(os, "walk", lambda top, **_: [(f"{top}/{folder}", [], files)])
        monkeypatch.setattr("zarrmal.sources.images.folder.read_image", lambda *_, **__: image)
        del names
    open_source(cells[:1])
    gc.collect()
    tracemalloc.start()
    try:
        if kind == "list":
            source = open_source(cells, names=names)
        else:
            source = open_source(tmp_path / ("a.npz" if kind == "npz" else ""))
        gc.collect()
        held, peak = (n / N_CELLS for n in tracemalloc.get_traced_memory())
    finally:
        tracemalloc.stop()
    assert source.names[N_CELLS - 1] == NAME % (N_CELLS - 1)
    assert held < 250
    assert peak < 500


@pytest.mark.parametrize(
    "column",
    [
        TEXTS,
        tuple(TEXTS),
        np.array(TEXTS),
        np.array(TEXTS, object),
        np.array(TEXTS, STRINGS),
        np.array(TEXTS, np.dtypes.StringDType(na_object=None)),
        np.char.encode(np.array(TEXTS), "utf-8"),
    ],
    ids=lambda column: str(getattr(column, "dtype", type(column).__name__)),
)
def test_columns_of_every_type(column, blocks):
    strings = checked_strings(column, len(TEXTS), "texts")
    assert strings.dtype == STRINGS
    assert strings.tolist() == TEXTS == list(iterate_strings(strings))


def test_integers_and_what_is_no_string(blocks):
    assert checked_strings(np.arange(9), 9, "texts").tolist() == list("012345678")
    assert checked_strings([1, "a"], 2, "texts").tolist() == ["1", "a"]
    for column, message in [
        ([*TEXTS, None], "hold None"),
        (np.array([*TEXTS, None], np.dtypes.StringDType(na_object=None)), "hold None"),
        (np.array([*TEXTS, 1.5], object), "hold 1.5"),
        ([*TEXTS, "\udc80"], "cannot be stored as UTF-8"),
        (np.array([*TEXTS, "\udc80"]), "cannot be stored as UTF-8"),
        (np.array([*map(str.encode, TEXTS), b"\xff"]), "not UTF-8"),
        (np.zeros(9), "are float64"),
        (np.zeros(9, bool), "are bool"),
        (TEXTS, r"have shape \(8,\), there are 9 cells"),
        ([list("ab")] * 9, r"have shape \(9, 2\)"),
    ]:
        with pytest.raises(InputError, match=message):
            checked_strings(column, 9, "texts")


def test_unique_strings_are_those_of_numpy(blocks):
    names, inverse = unique_strings(np.array(TEXTS, STRINGS))
    expected, expected_inverse = np.unique(np.array(TEXTS), return_inverse=True)
    assert names == expected.tolist()
    np.testing.assert_array_equal(inverse, expected_inverse)
    assert unique_strings(np.array([], STRINGS))[0] == []


@pytest.mark.parametrize("texts", [TEXTS, ["", ""], []], ids=len)
def test_bytes_for_digests_are_those_of_fixed_width(texts, blocks):
    """Journals of runs that were interrupted hold digests of them."""
    strings = np.array(texts, STRINGS)
    assert b"".join(fixed_width_bytes(strings)) == np.array(texts, "U").tobytes()
    assert b"".join(fixed_width_bytes(np.array(texts, "U"))) == np.array(texts, "U").tobytes()


def test_strings_follow_the_cells():
    source = open_source(noise(3, 2, 2), names=["a" * 30, "b", "c"], groups=[7, 7, 9])
    both = ConcatSource([Subset(source, [2, 0]), source])
    assert both.names.dtype == both.groups.dtype == STRINGS
    assert both.names.tolist() == ["c", "a" * 30, "a" * 30, "b", "c"]
    assert open_source(both, size=1).groups.tolist() == ["9", "7", "7", "7", "9"]
