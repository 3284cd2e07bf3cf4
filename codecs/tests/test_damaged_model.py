"""A damaged model in an array's metadata is an error, whichever models the process has cached."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import models
import numcodecs
import numpy as np
import pytest
import zarr
from zarrmal_codecs import CorruptionError, ModelError, array_arguments
from zarrmal_codecs.chunk.coder import MAX_CACHED_CODERS, coder_for, coder_from_base64
from zarrmal_codecs.plugins.configuration import Configuration

CELLS = models.pixels(91, (6, 6, 5))
MODEL = models.two_classes()
FORMATS = pytest.mark.parametrize("zarr_format", [2, 3])


def swapped(text: str, position: int) -> str:
    """The text with another base64 letter at one position."""
    letter = "B" if text[position] == "A" else "A"
    return text[:position] + letter + text[position + 1 :]


DAMAGED = {
    "first byte": swapped(MODEL.to_base64(), 0),
    "in the middle": swapped(MODEL.to_base64(), len(MODEL.to_base64()) // 2),
    "cut": MODEL.to_base64()[: len(MODEL.to_base64()) // 8 * 4],
    "another model": models.one_layer().to_base64(),
    "not base64": "é" + MODEL.to_base64()[1:],
}


def write(path: Path, zarr_format: int) -> None:
    arguments = array_arguments(MODEL, zarr_format=zarr_format)
    array = zarr.create_array(path, shape=CELLS.shape, dtype="uint8", chunks=(3, 6, 5), **arguments)
    array[:] = CELLS


def damage(path: Path, zarr_format: int, text: str) -> None:
    document = path / (".zarray" if zarr_format == 2 else "zarr.json")
    metadata = json.loads(document.read_text(encoding="utf-8"))
    codec = metadata["compressor"] if zarr_format == 2 else metadata["codecs"][0]["configuration"]
    codec["model"] = text
    document.write_text(json.dumps(metadata), encoding="utf-8")


@FORMATS
@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_model_is_refused_beside_its_cached_coder(name, zarr_format, tmp_path):
    write(tmp_path / "a.zarr", zarr_format)
    damage(tmp_path / "a.zarr", zarr_format, DAMAGED[name])
    coder_for(MODEL)  # its digest is in the cache, as in a process that has just written
    array = zarr.open_array(tmp_path / "a.zarr", mode="r")
    for selection in (np.s_[:], np.s_[2]):
        with pytest.raises((ModelError, CorruptionError), match=r"model|base64"):
            array[selection]
    with pytest.raises((ModelError, CorruptionError), match=r"model|base64"):
        zarr.open_array(tmp_path / "a.zarr")[:] = CELLS


@FORMATS
def test_a_sound_model_is_parsed_once(zarr_format, tmp_path, monkeypatch):
    write(tmp_path / "a.zarr", zarr_format)
    array = zarr.open_array(tmp_path / "a.zarr", mode="r")
    np.testing.assert_array_equal(array[:], CELLS)
    monkeypatch.setattr("zarrmal_codecs.model.model._parse", None)
    np.testing.assert_array_equal(array[:], CELLS)
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "a.zarr", mode="r")[:], CELLS)


def test_more_texts_than_the_cache_holds():
    many = [replace(models.one_layer(), about={"k": k}) for k in range(MAX_CACHED_CODERS + 2)]
    for model in many + many:
        assert coder_from_base64(model.to_base64(), model.digest).model == model
        with pytest.raises(ModelError, match="sha256"):
            coder_from_base64(MODEL.to_base64(), model.digest)


def test_configurations_with_other_bytes_are_unequal():
    sound = Configuration.of(MODEL)
    damaged = Configuration(model=DAMAGED["in the middle"], sha256=MODEL.digest)
    assert sound != damaged
    config = {"id": "zarrmal", **sound.to_json()}
    assert numcodecs.get_codec(config) == numcodecs.get_codec(dict(config))
    assert numcodecs.get_codec(config) != numcodecs.get_codec(config | {"model": damaged.model})
