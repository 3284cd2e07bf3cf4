"""Both codecs as Python objects: copied, pickled, compared, printed; loaded without an import."""

from __future__ import annotations

import copy
import hashlib
import pickle
import subprocess
import sys

import models
import numpy as np
import pytest
import zarr
import zarrmal_codecs
from golden_archives import ARCHIVES
from zarrmal_codecs import Model, NumcodecsZarrmal, ZarrmalCodec, array_arguments
from zarrmal_codecs.chunk.coder import coder_for, coder_from_base64
from zarrmal_codecs.plugins.configuration import Configuration

KINDS = [ZarrmalCodec, NumcodecsZarrmal]
CELLS = models.pixels(51, (5, 6, 5))


@pytest.mark.parametrize("kind", KINDS)
def test_copies_are_equal(kind):
    codec = kind.of(models.two_classes(), rice="best")
    for again in (copy.copy(codec), copy.deepcopy(codec), pickle.loads(pickle.dumps(codec))):
        assert again == codec
        assert hash(again) == hash(codec)
        assert repr(again) == repr(codec)
    others = [kind.of(models.one_class(), rice="best"), kind.of(None, rice="best")]
    assert codec not in [*others, "zarrmal", None]
    assert len({codec, *others}) == 3
    assert codec == kind.of(models.two_classes())  # of what is stored


@pytest.mark.parametrize("kind", KINDS)
def test_repr_is_short_and_without_weights(kind):
    for model in (models.wide(), None):
        text = repr(kind.of(model))
        assert len(text) < 200
        assert text.startswith(kind.__name__)
    assert models.wide().digest[:12] in repr(kind.of(models.wide()))
    assert len(repr(models.wide())) < 200


def test_configuration_round_trip():
    for model in (models.one_class(), None):
        configuration = Configuration.of(model)
        assert Configuration.from_json(configuration.to_json()) == configuration
        codec = ZarrmalCodec(configuration, rice="best")
        assert ZarrmalCodec.from_dict(codec.to_dict()) == codec
        assert codec.to_dict()["configuration"] == configuration.to_json()


def test_models_are_named_by_their_bytes():
    model = models.two_classes()
    again = Model.from_bytes(model.to_bytes())
    assert again == model
    assert hash(again) == hash(model)
    assert again != models.one_class()
    assert again.to_bytes() == model.to_bytes()
    assert pickle.loads(pickle.dumps(again)) == model
    assert again.class_names == ("a", "b")
    assert again.about == {"for": "tests"}
    assert coder_for(again) is coder_for(model)
    assert coder_from_base64(model.to_base64(), model.digest) is coder_for(model)


def test_tied_weights_cost_no_bytes():
    model = Model.from_bytes(models.one_class().to_bytes())
    layers = model.classes[0].networks
    for down, up in zip(layers["decoder"], reversed(layers["encoder"]), strict=True):
        assert np.shares_memory(down.weight, up.weight)
        np.testing.assert_array_equal(down.weight, up.weight.T)


def test_models_are_saved_and_loaded(tmp_path):
    path = tmp_path / "small.zmal"
    models.one_layer().save(path)
    models.one_class().save(path)
    assert Model.load(path) == models.one_class()
    assert [p.name for p in tmp_path.iterdir()] == ["small.zmal"]


def test_a_wrong_rice_choice_is_refused():
    for kind in KINDS:
        with pytest.raises(ValueError, match="mean, best, best-per-cell"):
            kind.of(None, rice="median")


@pytest.mark.parametrize(
    "make", [ZarrmalCodec.of, NumcodecsZarrmal.of, array_arguments], ids=lambda make: make.__name__
)
@pytest.mark.parametrize("wrong", ["cells.zmal", b"zmal", 3])
def test_what_is_no_model_is_refused(make, wrong):
    with pytest.raises(TypeError, match=r"wants a Model or None.*Model\.load"):
        make(wrong)


def test_a_model_is_no_configuration():
    with pytest.raises(TypeError, match=r"make the codec of a model with ZarrmalCodec\.of"):
        ZarrmalCodec(models.two_classes())


def test_public_names():
    assert zarrmal_codecs.__all__ == [
        "CompatibilityError",
        "CorruptionError",
        "JpegCell",
        "Model",
        "ModelError",
        "NumcodecsZarrmal",
        "TruncatedError",
        "ZarrmalCodec",
        "ZarrmalError",
        "array_arguments",
    ]
    for name in zarrmal_codecs.__all__:
        assert getattr(zarrmal_codecs, name).__doc__


def in_a_fresh_process(code: str) -> str:
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_plain_zarr_reads_it_without_an_import(tmp_path, zarr_format):
    arguments = array_arguments(models.two_classes(), zarr_format=zarr_format)
    path = tmp_path / "cells.zarr"
    array = zarr.create_array(
        store=path, shape=CELLS.shape, dtype="uint8", chunks=(2, 6, 5), **arguments
    )
    array[:] = CELLS
    code = (
        f"import zarr, hashlib; a = zarr.open({str(path)!r}, mode='r'); "
        "print(hashlib.sha256(a[:].tobytes()).hexdigest(), int(a[3].sum()))"
    )
    expected = f"{hashlib.sha256(CELLS.tobytes()).hexdigest()} {int(CELLS[3].sum())}"
    assert in_a_fresh_process(code) == expected


HEAVY = ("torch", "scipy", "xarray", "pandas", "dask", "numba", "matplotlib", "PIL", "zarrmal")
LOADED = f"import sys; print([m for m in {HEAVY} if m in sys.modules])"


def test_import_is_light():
    assert in_a_fresh_process(f"import zarrmal_codecs; {LOADED}") == "[]"


@pytest.mark.parametrize("name", ["paper-2", "hybrid-3"])
def test_reading_an_archive_is_light(name):
    archive = str(ARCHIVES / f"{name}.zarr")
    code = f"import zarr; zarr.open({archive!r}, mode='r')['cells'][:]; {LOADED}"
    assert in_a_fresh_process(code) == "[]"
