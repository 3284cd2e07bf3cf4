"""Models of profile `hybrid`: what is stored once, and what names them (FORMAT 4)."""

from __future__ import annotations

import hashlib
import lzma

import hybrid_models
import models
import numpy as np
import pytest
from zarrmal_codecs import Model, ModelError, ZarrmalCodec
from zarrmal_codecs.chunk.coder import Coder


def test_shared_tensors_are_stored_once():
    model = hybrid_models.shared()
    alone = [hybrid_models.hybrid_model((6, 6), one) for one in model.classes]
    n_networks = sum(
        layer.weight.nbytes for layers in model.classes[0].networks.values() for layer in layers
    )
    assert model.n_bytes < alone[0].n_bytes + 2 * (n_networks + 700)
    again = Model.from_bytes(model.to_bytes())
    assert again.to_bytes() == model.to_bytes()
    for one, other in zip(model.classes, again.classes, strict=True):
        assert sorted(one.tensors) == sorted(other.tensors)
        for key, tensor in one.tensors.items():
            np.testing.assert_array_equal(other.tensors[key], tensor)
        for layer, twin in zip(one.steps[0].layers, other.steps[0].layers, strict=True):
            np.testing.assert_array_equal(twin.weight, layer.weight)
            np.testing.assert_array_equal(twin.bias, layer.bias)
            np.testing.assert_array_equal(twin.shift, layer.shift)
    a, b = (each.steps[0].layers[0] for each in again.classes[:2])
    assert a.weight is b.weight


def test_steps_share_networks_and_weights():
    model = hybrid_models.six_planes()
    again = Model.from_bytes(model.to_bytes())
    assert again.to_bytes() == model.to_bytes()
    steps = again.classes[0].steps
    for k in range(3):
        assert steps[3].layers[k].weight is steps[2].layers[k].weight
        assert steps[4].layers[k].weight is steps[2].layers[k].weight
    assert steps[3].layers[2].bias is steps[2].layers[2].bias
    assert steps[4].layers[2].bias is not steps[2].layers[2].bias
    assert [(step.plane, step.earlier, step.follows) for step in steps] == [
        (3, (), False), (0, (0,), True), (5, (1, 0), False),
        (1, (0, 2), True), (4, (3, 1), False), (2, (4, 0, 2), True),
    ]  # fmt: skip


def test_the_digest_is_that_of_the_body():
    # So a model has one name, however it is compressed.
    model = hybrid_models.deep()
    body = lzma.decompress(model.to_bytes()[12:])
    plain = model.to_bytes()[:5] + b"\0" + model.to_bytes()[6:12] + body
    again = Model.from_bytes(plain)
    assert again.digest == model.digest == hashlib.sha256(body).hexdigest()
    assert again.to_bytes() == plain
    assert again.depth == 16
    assert Model.from_base64(again.to_base64(), model.digest) == model


def test_a_codec_of_a_hybrid_model_says_what_it_is():
    codec = ZarrmalCodec.of(hybrid_models.grey())
    assert codec.configuration.coder().model.profile == "hybrid"
    with pytest.raises(ModelError, match="grid"):
        Coder(hybrid_models.hybrid_model((7, 5), models.one_class().classes[0]))
