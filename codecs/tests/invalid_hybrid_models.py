"""Hostile models of profile `hybrid`, made by hand from FORMAT 2.3, 2.4 and 6."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import hybrid_models
import numpy as np
from hybrid_models import changed, hybrid_class, hybrid_model, with_layer, with_step
from invalid_models import body_of, drop, model_file, put
from zarrmal_codecs import Model
from zarrmal_codecs.constants import MAX_ACCUMULATOR
from zarrmal_codecs.model.class_model import ClassModel
from zarrmal_codecs.model.layer import Layer
from zarrmal_codecs.model.model import _read_body


def one(n_planes: int = 1, **options: object) -> ClassModel:
    return hybrid_class(77, "one", n_planes, widths=(3, 2), n_causal=4, n_flags=1, **options)


def of(model: ClassModel, shape: tuple[int, ...] = (3, 3)) -> bytes:
    return hybrid_model(shape, model).to_bytes()


def edited(model: Model, *changes: Callable[[Any], None], more: bytes = b"") -> bytes:
    """A model's file with changes in its JSON, and more bytes of tensors."""
    raw = _read_body(model.to_bytes())
    n = int.from_bytes(raw[:4], "little")
    tree = json.loads(raw[4 : 4 + n])
    for change in changes:
        change(tree)
    return model_file(body_of(json.dumps(tree).encode(), raw[4 + n :] + more), compressor=1)


def with_tensor(model: ClassModel, k: int, name: str, tensor: np.ndarray) -> bytes:
    """A file with another tensor in layer k of the first step, which no Layer could hold."""

    def change(tree: Any) -> None:
        layer = tree["classes"][0]["steps"][0]["layers"][k]
        layer[name] = len(tree["tensors"])
        tree["tensors"].append([tensor.dtype.name, list(tensor.shape)])

    return edited(hybrid_model((3, 3), model), change, more=tensor.tobytes())


def tensor(name: str, dtype: str, *values: object) -> dict[str, np.ndarray]:
    return {name: np.array(values, dtype)}


def replaced(model: ClassModel, name: str, layers: tuple[Layer, ...]) -> ClassModel:
    return replace(model, networks={**model.networks, name: layers})


def at_the_bound(*, over: int, sign: int, latent: bool = False) -> bytes:
    """A row whose accumulator could reach 2**30 - 1 + over."""
    base = one(n_latents=1) if latent else one()
    step = base.steps[0]
    bias = step.layers[0].bias.copy()
    weights = np.abs(step.layers[0].weight[1].astype(int)).sum() * 255
    if latent:
        weights += 1024 * int(np.abs(step.latent[1].astype(int)).sum())
    bias[1] = sign * (MAX_ACCUMULATOR - weights + over)
    return with_tensor(base, 0, "bias", bias)


STEP = ("classes", 0, "steps", 0)
HUGE = 10**4000
LATENT_SAID = "must be there where the class has a `decoder`"


def steps_json() -> dict[str, tuple[bytes, str, str]]:
    """Wrong members of steps, and of what holds them."""
    corrupt, wrong = "CorruptionError", "ModelError"
    grey, colour = hybrid_model((3, 3), one()), hybrid_model((3, 3, 3), one(3))
    seeing = hybrid_model((3, 3), one(n_latents=2))
    six = hybrid_models.six_planes()
    out = {}
    for name in ("plane", "causal", "flags", "full", "components", "coverage"):
        out[f"no-{name}"] = edited(grey, drop(*STEP, name)), corrupt, name
        for kind, value in {"null": None, "true": True, "float": 4.0, "text": "4", "list": [4],
                            "negative": -1}.items():  # fmt: skip
            out[f"{kind}-{name}"] = edited(grey, put(*STEP, name, value)), corrupt, name
        out[f"huge-{name}"] = edited(grey, put(*STEP, name, HUGE)), wrong, ""
    for name in ("earlier", "follows", "layers"):
        out[f"no-{name}"] = edited(grey, drop(*STEP, name)), corrupt, name
        for kind, value in {"null": None, "number": 0, "text": "", "object": {}, "of-true": [True],
                            "of-text": ["0"], "of-null": [None]}.items():  # fmt: skip
            out[f"{kind}-{name}"] = edited(grey, put(*STEP, name, value)), corrupt, ""
    layer = (*STEP, "layers", 1)
    for name in ("weight", "bias", "shift"):
        out[f"no-{name}-of-step"] = edited(grey, drop(*layer, name)), corrupt, name
        for kind, value in {"true": True, "float": 1.0, "text": "1", "null": None, "negative": -1,
                            "beyond": 99, "huge": HUGE}.items():  # fmt: skip
            out[f"{kind}-{name}-of-step"] = (
                edited(grey, put(*layer, name, value)),
                corrupt,
                "tensor",
            )
    for kind, value in {"null": None, "text": "0", "true": True, "beyond": 99}.items():
        out[f"{kind}-latent"] = edited(seeing, put(*STEP, "latent", value)), corrupt, "tensor"
    three = json_steps(grey)[0]["layers"]
    many = ("classes", 0, "steps")
    return out | {
        "no-latent": (edited(seeing, drop(*STEP, "latent")), wrong, LATENT_SAID),
        "latent-not-expected": (edited(grey, put(*STEP, "latent", 0)), wrong, LATENT_SAID),
        "plane-1": (edited(grey, put(*STEP, "plane", 1)), wrong, "each of 1 planes"),
        "plane-twice": (
            edited(colour, put(*many, 2, "plane", 0)), wrong, "each of 3 planes"),
        "sees-itself": (edited(grey, put(*STEP, "earlier", [0])), wrong, "earlier"),
        "sees-later": (edited(colour, put(*many, 1, "earlier", [2])), wrong, "earlier"),
        "sees-beyond": (edited(colour, put(*many, 2, "earlier", [0, 3])), wrong, "earlier"),
        "sees-huge": (edited(colour, put(*many, 2, "earlier", [0, HUGE])), wrong, "earlier"),
        "sees-negative": (edited(colour, put(*many, 2, "earlier", [0, -1])), corrupt, "earlier"),
        "sees-twice": (edited(colour, put(*many, 2, "earlier", [1, 1])), wrong, "earlier"),
        "sees-four": (edited(six, put(*many, 5, "earlier", [0, 1, 2, 3])), corrupt, "at most 3"),
        "sees-fewer": (edited(colour, put(*many, 2, "earlier", [1])), wrong, "layer 0"),
        "follows-none": (edited(grey, put(*STEP, "follows", True)), wrong, "follows"),
        "follows-0": (edited(grey, put(*STEP, "follows", 0)), corrupt, "follows"),
        "follows-1": (edited(colour, put(*many, 1, "follows", 1)), corrupt, "follows"),
        "layers-2": (edited(grey, put(*STEP, "layers", three[:2])), wrong, "2 layers"),
        "layers-4": (
            edited(grey, put(*STEP, "layers", [*three, three[2]])), corrupt, "at most 3"),
        "layers-null": (edited(grey, put(*STEP, "layers", [None] * 3)), corrupt, ""),
        "steps-missing": (edited(grey, drop(*many)), wrong, "each of 1 planes"),
        "steps-none": (edited(grey, put(*many, [])), wrong, "each of 1 planes"),
        "steps-too-few": (edited(colour, drop(*many, 2)), wrong, "each of 3 planes"),
        "steps-null": (edited(grey, put(*many, None)), corrupt, "steps"),
        "steps-object": (edited(grey, put(*many, {})), corrupt, "steps"),
        "steps-text": (edited(grey, put(*many, "")), corrupt, "steps"),
        "steps-of-null": (edited(grey, put(*many, [None])), corrupt, ""),
        "steps-of-lists": (edited(grey, put(*many, [[]])), corrupt, ""),
        "steps-65": (edited(grey, put(*many, json_steps(grey) * 65)), corrupt, "at most 64"),
        "depth-0": (edited(grey, put("depth", 0)), wrong, "8 or 16"),
        "depth-12": (edited(grey, put("depth", 12)), wrong, "8 or 16"),
        "depth-negative": (edited(grey, put("depth", -8)), corrupt, "size"),
        "depth-true": (edited(grey, put("depth", True)), corrupt, "size"),
        "depth-null": (edited(grey, put("depth", None)), corrupt, "size"),
        "depth-float": (edited(grey, put("depth", 16.0)), corrupt, "size"),
        "depth-text": (edited(grey, put("depth", "16")), corrupt, "size"),
        "depth-huge": (edited(grey, put("depth", HUGE)), corrupt, "size"),
    }  # fmt: skip


def json_steps(model: Model) -> list[dict[str, Any]]:
    """The step objects of a model's first class."""
    raw = _read_body(model.to_bytes())
    n = int.from_bytes(raw[:4], "little")
    steps: list[dict[str, Any]] = json.loads(raw[4 : 4 + n])["classes"][0]["steps"]
    return steps


def models() -> dict[str, tuple[bytes, str, str]]:
    """Name -> bytes, class of the error, part of its message."""
    wrong, good, seeing = "ModelError", one(), one(n_latents=2)
    out = steps_json()
    for k, layer in enumerate(good.steps[0].layers):
        for name in ("weight", "bias", "shift"):
            own = getattr(layer, name)
            for kind, other in {"dtype": own.astype("int16"), "empty": own[:0],
                                "shape": own.reshape(1, -1, 1)}.items():  # fmt: skip
                out[f"{kind}-{name}-{k}"] = with_tensor(good, k, name, other), wrong, name
        for name in ("input", "output"):
            other = {name: "int8"}
            out[f"{name}-of-step-{k}"] = of(with_layer(good, 0, k, **other)), wrong, f"layer {k}"
        ones = np.ones(layer.n_outputs, np.uint16)
        out[f"multiplier-of-step-{k}"] = (
            of(with_layer(good, 0, k, multiplier=ones)), wrong, "without multiplier")  # fmt: skip
    for name in ("grid", "latent_scale"):
        out[f"no-{name}"] = of(changed(seeing, **{name: None})), wrong, name
    for name, numbers in {
        "causal-3": {"n_causal": 3},
        "causal-41": {"n_causal": 41},
        "flags-5": {"n_flags": 5},
        "full-25": {"n_full": 25},
        "components-0": {"n_components": 0},
        "components-5": {"n_components": 5},
        "coverage-26": {"n_coverage": 26},
        "coverage-1": {"n_coverage": 1},
        "components-3": {"n_components": 3},
        "flags-2": {"n_flags": 2},
    }.items():
        said = {"components-3": "7 outputs", "flags-2": "layer 0", "coverage-1": "layer 0"}
        out[f"context-{name}"] = of(with_step(good, 0, **numbers)), wrong, said.get(name, "numbers")
    shift, latent = good.steps[0].layers[1].shift, seeing.steps[0].latent
    out |= {
        "shift-0": (of(with_layer(good, 0, 1, shift=0 * shift)), wrong, "must be 1..24"),
        "shift-25": (of(with_layer(good, 0, 1, shift=0 * shift + 25)), wrong, "must be 1..24"),
        "bound": (at_the_bound(over=1, sign=1), wrong, "1073741824"),
        "bound-negative": (at_the_bound(over=1, sign=-1), wrong, "1073741824"),
        "bound-latent": (at_the_bound(over=1, sign=1, latent=True), wrong, "1073741824"),
        "bound-lowest": (
            with_tensor(good, 0, "bias", np.full(3, -(2**31), np.int32)), wrong, "proven"),
        "steps-of-fewer-planes": (of(good, (3, 3, 2)), wrong, "each of 2 planes"),
        "planes-65": (of(good, (3, 3, 65)), wrong, "hybrid"),
        "cell-rank-1": (of(good, (3,)), wrong, "hybrid"),
        "width-257": (
            of(hybrid_class(79, "wide", 1, widths=(257, 1))), wrong, "257 outputs"),
        "width-257-second": (
            of(hybrid_class(79, "wide", 1, widths=(1, 257))), wrong, "257 outputs"),
        "prediction-not-expected": (
            of(replaced(good, "decoder", seeing.networks["decoder"])), wrong, "grid"),
        "prediction-missing": (of(replaced(seeing, "decoder", ())), wrong, LATENT_SAID),
        "latents-257": (of(one(n_latents=257)), wrong, "257 latents"),
        "latents-other": (
            of(with_step(seeing, 0, latent=latent[:, :1])), wrong, "`latent`"),
        "latent-units": (of(with_step(seeing, 0, latent=latent[:2])), wrong, "`latent`"),
        "latent-dtype": (
            of(with_step(seeing, 0, latent=latent.astype("uint8"))), wrong, "`latent`"),
        "latent-scale-128": (
            of(changed(seeing, **tensor("latent_scale", "uint8", 128, 0))), wrong, "0..127"),
        "latent-scale-short": (
            of(changed(seeing, **tensor("latent_scale", "uint8", 1))), wrong, "latent_scale"),
        "latent-scale-dtype": (
            of(changed(seeing, **tensor("latent_scale", "int8", 1, 1))), wrong, "latent_scale"),
        "grid-0": (of(changed(seeing, **tensor("grid", "uint8", 0, 6))), wrong, "grid"),
        "grid-3": (of(changed(seeing, **tensor("grid", "uint8", 3, 2, 1))), wrong, "grid"),
        "grid-dtype": (of(changed(seeing, **tensor("grid", "uint16", 3, 2))), wrong, "grid"),
        "grid-other": (of(changed(seeing, **tensor("grid", "uint8", 3, 3))), wrong, "decoder"),
        "decoder-turned": (
            of(replaced(seeing, "decoder", seeing.networks["encoder"])), wrong, ""),
        "decoder-chain": (
            of(replaced(seeing, "decoder", seeing.networks["decoder"] * 2)), wrong, ""),
        "encoder-turned": (
            of(replaced(seeing, "encoder", seeing.networks["decoder"])), wrong, "encoder"),
        "silhouette-dtype": (
            of(changed(good, **tensor("silhouette", "uint8", 1, 2))), wrong, "silhouette"),
        "silhouette-length": (
            of(changed(good, **tensor("silhouette", "int8", 1, 2, 3))), wrong, "silhouette"),
        "silhouette-empty": (
            of(changed(good, **tensor("silhouette", "int8"))), wrong, "silhouette"),
        "silhouette-shape": (
            of(changed(good, **tensor("silhouette", "int8", [1], [2]))), wrong, "silhouette"),
        "silhouette-2-17": (
            of(changed(good, silhouette=np.zeros(1 << 17, np.int8))), wrong, "silhouette"),
        "encoder-chain": (
            of(replaced(seeing, "encoder", seeing.networks["encoder"] * 2)), wrong, ""),
    }  # fmt: skip
    return out
