"""Hostile files: each raises the error in the index, and takes little memory."""

from __future__ import annotations

import json
import tracemalloc

import hybrid_models
import invalid_hybrid_models
import lattice_chunks
import models
import pytest
import reference_decoder
import zarrmal_codecs
from conftest import VECTORS
from zarrmal_codecs import Model, NumcodecsZarrmal, ZarrmalCodec, ZarrmalError
from zarrmal_codecs.chunk.chunk import decode_chunk
from zarrmal_codecs.chunk.coder import Coder, coder_from_base64

INVALID = VECTORS / "invalid"
NEEDS_MODEL = INVALID / "chunk-no-model.bin"  # a good chunk
MAX_BYTES = 64 << 20
ALL = models.SMALL | hybrid_models.HYBRID | lattice_chunks.MODELS


def named(name: str | None) -> Model | None:
    # From bytes: compressing a model takes more memory than a hostile file may.
    return Model.from_bytes(ALL[name]().to_bytes()) if name else None


def read_chunk(path, entry):
    return decode_chunk(path.read_bytes(), entry["coder"])


def read_model(path, _):
    return Coder(Model.from_bytes(path.read_bytes()))


def read_configuration(path, _):
    tree = json.loads(path.read_text(encoding="utf-8"))
    codec = ZarrmalCodec.from_dict({"name": "zarrmal", "configuration": tree})
    return decode_chunk(NEEDS_MODEL.read_bytes(), codec.configuration.coder())


READERS = {"chunk": read_chunk, "model": read_model, "config": read_configuration}


def test_gives_its_error(invalid):
    path, entry = invalid
    read = READERS[path.name.split("-")[0]]
    model = named(entry.get("model"))
    entry["coder"] = Coder(model) if model else None
    tracemalloc.start()
    try:
        with pytest.raises(ZarrmalError) as caught:
            read(path, entry)
        assert tracemalloc.get_traced_memory()[1] < MAX_BYTES
    finally:
        tracemalloc.stop()
    assert type(caught.value) is getattr(zarrmal_codecs, entry["error"])
    assert entry["says"] in str(caught.value)
    assert len(str(caught.value)) < 600


def test_reference_decoder_refuses_it_too(invalid_bytes):
    path, entry = invalid_bytes
    if path.name.startswith("model"):
        with pytest.raises(reference_decoder.FormatError):
            reference_decoder.parse_model(path.read_bytes())
    else:
        model = named(entry["model"])
        parsed = reference_decoder.parse_model(model.to_bytes()) if model else None
        with pytest.raises(reference_decoder.FormatError):
            reference_decoder.decode_chunk(path.read_bytes(), parsed)


def test_numcodecs_configurations_too(invalid_config):
    path, _ = invalid_config
    tree = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(tree, dict):  # numcodecs itself reads the id
        with pytest.raises(ZarrmalError):
            NumcodecsZarrmal.from_config(tree | {"id": "zarrmal"}).decode(NEEDS_MODEL.read_bytes())


def test_files_are_those_of_the_generators():
    index = json.loads((INVALID / "index.json").read_text(encoding="utf-8"))
    assert {path.name for path in INVALID.iterdir()} == {"index.json", *index}


def test_a_good_hybrid_model_and_chunk_pass():
    # Else the errors above could come from something that is wrong in all of them.
    for n_latents in (0, 2):
        one = invalid_hybrid_models.one(n_latents=n_latents)
        Coder(Model.from_bytes(invalid_hybrid_models.of(one)))
        reference_decoder.parse_model(invalid_hybrid_models.of(one))
    for latent in (False, True):
        for sign in (1, -1):
            data = invalid_hybrid_models.at_the_bound(over=0, sign=sign, latent=latent)
            Coder(Model.from_bytes(data))
            reference_decoder.parse_model(data)


def test_a_good_chunk_and_model_pass():
    # Else the errors above could come from something that is wrong in all of them.
    model = models.one_layer()
    assert decode_chunk(NEEDS_MODEL.read_bytes(), Coder(model)).shape == (2, 3, 3)
    assert coder_from_base64(model.to_base64(), model.digest).model == model
