"""An archive as a source of another one: what is known of its cells comes along as it was."""

from __future__ import annotations

import numpy as np
import pytest
import zarr
from facts import change_facts

import zarrmal
from zarrmal.archive import Location, WriteOptions
from zarrmal.archive.lock.journal import read_journal
from zarrmal.archive.opened import read_facts
from zarrmal.errors import InputError
from zarrmal.models import shipped_model
from zarrmal.sources import Source, Subset, open_source

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 8, 8), np.uint8)


def write(source, place, zarr_format=3, **columns):
    options = WriteOptions(zarr_format=zarr_format, workers=1)
    zarrmal.write(
        source, place, model=shipped_model(1), assign="shortest", options=options, **columns
    )
    return Location(str(place))


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("labels", [["ring stage", "ring_stage", "ring  stage", "x"],
                                    [" ", "\t", "b", "c"]])  # fmt: skip
def test_labels_that_differ_in_blanks_alone(tmp_path, labels, zarr_format):
    target = write(PIXELS, tmp_path / "a", zarr_format, labels=labels)
    source = open_source(tmp_path / "a")
    assert source.class_names == tuple(sorted(labels))
    order = zarr.open_group(tmp_path / "a", mode="r")["source_index"][:]
    named = np.array(source.class_names)[source.labels].tolist()
    assert named == [labels[k] for k in order]
    assert zarrmal.verify(target, open_source(PIXELS, labels=labels)).problems == ()
    copy = write(tmp_path / "a", tmp_path / "b", zarr_format)
    assert zarrmal.verify(copy, source).problems == ()
    assert read_facts(copy.open_group(), copy.url).label_names == tuple(sorted(labels))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_each_label_has_a_meaning_for_others(tmp_path, zarr_format):
    write(PIXELS, tmp_path / "a", zarr_format, labels=[" ", "b c", "d", "e"])
    attributes = zarr.open_group(tmp_path / "a", mode="r")["label"].attrs
    assert attributes["flag_meanings"].split(" ") == ["_", "b_c", "d", "e"]
    assert attributes["flag_values"] == [0, 1, 2, 3]


def test_a_label_that_the_archive_does_not_name(tmp_path):
    """In one that promises nothing of its labels' bytes."""
    write(PIXELS, tmp_path / "a", labels=list("aabb"))
    group = zarr.open_group(tmp_path / "a", mode="r+")
    group["label"][2] = 7
    with pytest.raises(InputError, match="is missing, was changed"):
        open_source(tmp_path / "a")
    change_facts(group.attrs, lambda facts: facts.update(digests=""))
    with pytest.raises(InputError, match=r"`label` holds 7, the archive names \[0, 1\]"):
        open_source(tmp_path / "a")


def test_no_cells_are_no_source(tmp_path):
    with pytest.raises(InputError, match="0 cells, at least 1 is needed"):
        write(Subset(open_source(PIXELS), []), tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
    target = write(PIXELS, tmp_path / "a")
    with pytest.raises(InputError, match="0 cells, at least 1 is needed"):
        zarrmal.append(Subset(open_source(PIXELS), []), tmp_path / "a")
    assert zarrmal.verify(target).problems == ()


class Own(Source):
    """Of the caller's making, with texts that nobody has checked."""

    def __init__(self, **columns):
        self.n_cells, self.cell_shape = PIXELS.shape[0], PIXELS.shape[1:]
        for name, values in columns.items():
            setattr(self, name, np.array(values))

    def read(self, indices):
        return PIXELS[indices]


@pytest.mark.parametrize("kind", ["names", "groups"])
def test_texts_that_cannot_be_stored_are_refused_before_anything_is_written(tmp_path, kind):
    half = {kind: ["a", "b", "c\udc80", "d"]}
    with pytest.raises(InputError, match=r"'c\\udc80', which cannot be stored"):
        write(Own(**half), tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
    target = write(Own(**{kind: list("abcd")}), tmp_path / "a")
    with pytest.raises(InputError, match=r"'c\\udc80', which cannot be stored"):
        zarrmal.append(Own(**half), tmp_path / "a", assign="shortest")
    assert read_journal(target) is None
    assert zarrmal.verify(target).problems == ()
