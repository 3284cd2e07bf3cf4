"""One class of a model: networks of integer layers, tensors, and steps (FORMAT 2.3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constants import (
    LATTICE_KINDS,
    MAX_LARGE_TENSOR_USES,
    MAX_LAYERS,
    MAX_PLANES,
    MAX_SMALL_TENSOR,
)
from ..errors import CorruptionError, ModelError
from .layer import Layer, layer_from_json, layer_to_json
from .step import Step, step_from_json, step_to_json
from .strict_json import shown, text_from_json

MAX_NAME_CHARACTERS = 200


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassModel:
    """Networks, tensors and steps of one class.

    Parameters
    ----------
    name
        1 to 200 characters.
    networks
        Name -> layers, in the order in which they run.
    tensors
        Further integer tensors by name, those that the profile defines.
    steps
        The context networks, in the order in which planes are coded (profile "hybrid").
    lattice
        Tensors by name for each of three kinds of planes of JPEG coefficients, or nothing; see
        lattice.stored for checks.
    """

    name: str
    networks: Mapping[str, tuple[Layer, ...]]
    tensors: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    lattice: tuple[Mapping[str, NDArray[Any]], ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= MAX_NAME_CHARACTERS:
            raise ModelError(
                f"a class name must have 1..{MAX_NAME_CHARACTERS} characters: {self.name!r}"
            )
        if not self.name.isascii() and any(0xD800 <= ord(c) < 0xE000 for c in self.name):
            raise ModelError(f"a class name must be valid Unicode: {self.name!r}")
        object.__setattr__(self, "networks", MappingProxyType(dict(self.networks)))
        object.__setattr__(self, "tensors", MappingProxyType(dict(self.tensors)))
        lattice = tuple(MappingProxyType(dict(plane)) for plane in self.lattice)
        object.__setattr__(self, "lattice", lattice)

    def network(self, name: str) -> tuple[Layer, ...]:
        """The layers of one network; ModelError if the class has none of that name."""
        if not self.networks.get(name):
            raise ModelError(f"class {self.name!r} of the model has no network {name!r}")
        return self.networks[name]

    def describe(self) -> str:
        """Widths of each network, as in ``decoder 30-500-1500-2500``."""
        return ", ".join(
            name + " " + "-".join(map(str, [layers[0].n_inputs, *(a.n_outputs for a in layers)]))
            for name, layers in self.networks.items()
            if layers
        )


def class_to_json(
    model: ClassModel, tensors: list[NDArray[Any]], shared: dict[tuple[Any, ...], int]
) -> dict[str, Any]:
    """JSON of one class. Its tensors are appended to ``tensors``, and the JSON has their indices.

    A weight that is the transpose of an earlier one of the class is not stored again, and neither
    is a small tensor that there is already: ``shared`` maps those to their indices (FORMAT 2.3).
    """
    weights: dict[int, int] = {}

    def add(tensor: NDArray[Any]) -> int:
        tensors.append(tensor)
        return len(tensors) - 1

    def index_of(tensor: NDArray[Any]) -> int:
        if tensor.size > MAX_SMALL_TENSOR:
            return add(tensor)
        key = (tensor.dtype.name, tensor.shape, tensor.tobytes())
        if key not in shared:
            shared[key] = add(tensor)
        return shared[key]

    def weight_json(matrix: NDArray[np.int8]) -> dict[str, int]:
        for owner, index in weights.items():
            if tensors[index].shape == matrix.shape[::-1] and (
                owner == id(matrix.base) or np.array_equal(tensors[index], matrix.T)
            ):
                return {"transpose_of": index}
        weights[id(matrix)] = index_of(matrix)
        return {"weight": weights[id(matrix)]}

    networks = {
        name: [layer_to_json(layer, weight_json, index_of) for layer in layers]
        for name, layers in model.networks.items()
    }
    tree: dict[str, Any] = {
        "name": model.name,
        "networks": networks,
        "tensors": {name: index_of(tensor) for name, tensor in model.tensors.items()},
    }
    if model.steps:
        tree["steps"] = [step_to_json(step, weight_json, index_of) for step in model.steps]
    if model.lattice:
        tree["lattice"] = [
            {name: index_of(tensor) for name, tensor in plane.items()} for plane in model.lattice
        ]
    return tree


def class_from_json(
    tree: Mapping[str, Any], tensors: list[NDArray[Any]], uses: Counter[int]
) -> ClassModel:
    """Inverse of class_to_json; ``uses`` counts how often layers refer to each large tensor."""

    def tensor_at(index: Any) -> NDArray[Any]:
        if type(index) is not int or not 0 <= index < len(tensors):
            raise CorruptionError(
                f"the model refers to tensor {shown(index)}, but has {len(tensors)} tensors"
            )
        tensor: NDArray[Any] = tensors[index]
        return tensor

    def of_layer(index: Any) -> NDArray[Any]:
        tensor = tensor_at(index)
        uses[index] += tensor.size > MAX_SMALL_TENSOR
        if uses[index] > MAX_LARGE_TENSOR_USES:
            # Otherwise a small file could ask for the proof of a large tensor many times.
            raise CorruptionError(
                f"the model's layers use tensor {index}, which is large, more than "
                f"{MAX_LARGE_TENSOR_USES} times"
            )
        return tensor

    def network(entries: Any) -> tuple[Layer, ...]:
        if len(entries) > MAX_LAYERS:
            raise CorruptionError(
                f"a network of the model has {len(entries)} layers, {MAX_LAYERS} are allowed"
            )
        return tuple(layer_from_json(entry, of_layer) for entry in entries)

    steps = tree.get("steps", [])
    if not isinstance(steps, list) or len(steps) > MAX_PLANES:
        raise CorruptionError(f"`steps` of a class must be an array of at most {MAX_PLANES} steps")
    lattice = tree.get("lattice", [])
    if not isinstance(lattice, list) or len(lattice) not in (0, LATTICE_KINDS):
        raise CorruptionError(f"`lattice` of a class must be an array of {LATTICE_KINDS} objects")
    return ClassModel(
        name=text_from_json(tree["name"], "name"),
        networks={str(name): network(layers) for name, layers in tree["networks"].items()},
        tensors={str(name): tensor_at(index) for name, index in tree["tensors"].items()},
        steps=tuple(step_from_json(step, of_layer) for step in steps),
        lattice=tuple(
            {str(name): tensor_at(index) for name, index in plane.items()} for plane in lattice
        ),
    )
