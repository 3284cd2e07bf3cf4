"""What a source did to the pixels is data, for archives to store and to compare."""

from __future__ import annotations

import json

import numpy as np
import pytest
import zarr
from pictures import noise, read_all, save

from zarrmal.errors import InputError
from zarrmal.sources import ConcatSource, Subset, open_source
from zarrmal.sources.preprocessing import Preprocessing

RED_50 = Preprocessing(
    channel="red",
    size=50,
    resampling="bilinear",
    native_heights=(40, 90),
    native_widths=(30, 80),
)


@pytest.fixture
def folder(tmp_path):
    for index, shape in enumerate([(6, 5, 3), (5, 8, 3), (9, 9, 3)]):
        save(tmp_path / "images" / f"{index}.png", noise(*shape))
    return tmp_path / "images"


def test_a_folder_records_channel_size_and_native_sizes(folder):
    record = open_source(folder, size=4, channel="green").preprocessing
    assert record == Preprocessing(
        channel="green",
        size=4,
        resampling="bilinear",
        native_heights=(5, 9),
        native_widths=(5, 9),
    )
    assert record.changes_pixels
    assert record.summary == (
        "resampled (bilinear) to 4 x 4 pixels from heights of 5 to 9 and widths of 5 to 9, "
        "only the green channel taken"
    )


def test_nothing_is_recorded_where_nothing_is_done():
    cells = noise(3, 6, 5, 3)
    for channel in ("auto", "all"):
        record = open_source(cells, channel=channel).preprocessing
        assert record == Preprocessing(native_heights=(6, 6), native_widths=(5, 5))
        assert not record.changes_pixels
        assert record.summary == ""
    square = noise(3, 6, 6)
    source = open_source(square, size=6)
    np.testing.assert_array_equal(read_all(source), square)
    assert not source.preprocessing.changes_pixels


def test_the_record_follows_the_cells(folder):
    source = open_source(folder, size=4)
    assert Subset(source, [1]).preprocessing == source.preprocessing
    red = open_source(source, channel="red")
    assert red.preprocessing.channel == "red"
    assert red.preprocessing.size == 4
    assert red.preprocessing.native_heights == (5, 9)  # of the images, not of the cells
    assert open_source(red, size=7).preprocessing.size == 7
    grey = open_source(noise(2, 4, 4))
    both = ConcatSource([red, grey]).preprocessing
    assert (both.channel, both.size, both.native_heights) == ("red", 4, (4, 9))


@pytest.mark.parametrize("options", [{"channel": "blue", "size": 4}])
def test_cells_preprocessed_in_different_ways_are_not_concatenated(folder, options):
    red, blue = open_source(folder, channel="red", size=4), open_source(folder, **options)
    with pytest.raises(InputError, match=r"only the red channel.* and .*only the blue channel"):
        ConcatSource([red, blue])
    with pytest.raises(InputError, match="preprocessed alike"):
        Preprocessing.merged([RED_50, Preprocessing(size=40, resampling="bilinear")])


@pytest.mark.parametrize("record", [Preprocessing(), RED_50])
def test_to_json_and_back(record):
    assert Preprocessing.from_json(json.loads(json.dumps(record.to_json()))) == record


@pytest.mark.parametrize(
    "change",
    [
        {"channel": "purple"},
        {"size": 0},
        {"size": True},
        {"size": "50"},
        {"size": None},
        {"resampling": None},
        {"resampling": "nearest"},
        {"native_heights": [9, 5]},
        {"native_heights": [5]},
        {"native_heights": 5},
        {"native_widths": ["5", "9"]},
    ],
    ids=str,
)
def test_records_that_are_none(change):
    with pytest.raises(InputError, match="no record of preprocessing"):
        Preprocessing.from_json(RED_50.to_json() | change)
    tree = RED_50.to_json()
    del tree["channel"]
    with pytest.raises(InputError, match="no record of preprocessing"):
        Preprocessing.from_json(tree)


def test_the_record_of_an_archive_is_taken_over(tmp_path):
    group = zarr.create_group(tmp_path / "a.zarr")
    group["cells"] = noise(3, 50, 50)
    group.attrs["zarrmal"] = {"preprocessing": RED_50.to_json()}
    assert open_source(tmp_path / "a.zarr").preprocessing == RED_50
    again = open_source(tmp_path / "a.zarr", size=20).preprocessing
    assert (again.size, again.channel, again.native_widths) == (20, "red", (30, 80))
