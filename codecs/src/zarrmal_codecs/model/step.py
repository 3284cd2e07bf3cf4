"""One step of a class: the context network that codes one plane (FORMAT 2.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptionError
from .layer import IndexOf, Layer, TensorAt, layer_from_json, layer_to_json
from .strict_json import shown

MAX_ENTRIES = 3
"""Of `earlier` and `layers`."""

NUMBERS = ("plane", "causal", "flags", "full", "components", "coverage")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """The network that codes one plane, as the model file has it; see hybrid.context for checks.

    Parameters
    ----------
    plane
        Index of the plane.
    earlier
        Indices of the earlier steps whose planes are inputs, at most three.
    follows
        Whether the base moves as the plane of the last of ``earlier`` does.
    n_causal, n_flags, n_full, n_components, n_coverage
        See FORMAT 6.5.
    layers
        The three layers. Several steps may share them.
    latent
        int8 (output of the first layer, latent), or None.
    """

    plane: int
    earlier: tuple[int, ...]
    follows: bool
    n_causal: int
    n_flags: int
    n_full: int
    n_components: int
    n_coverage: int
    layers: tuple[Layer, ...]
    latent: NDArray[np.int8] | None

    @property
    def numbers(self) -> tuple[int, ...]:
        """Plane and counts, in the order of NUMBERS."""
        counts = (self.n_causal, self.n_flags, self.n_full, self.n_components, self.n_coverage)
        return (self.plane, *counts)


def step_to_json(
    step: Step, weight_json: Callable[[NDArray[np.int8]], dict[str, int]], index_of: IndexOf
) -> dict[str, Any]:
    """The step object of FORMAT 2.4; step_from_json is the inverse. See layer_to_json."""
    tree: dict[str, Any] = dict(zip(NUMBERS, step.numbers, strict=True))
    tree |= {"earlier": list(step.earlier), "follows": step.follows}
    tree["layers"] = [layer_to_json(layer, weight_json, index_of) for layer in step.layers]
    if step.latent is not None:
        tree["latent"] = index_of(step.latent)
    return tree


def step_from_json(tree: Mapping[str, Any], tensor_at: TensorAt) -> Step:
    """Parse a step object.

    Raises
    ------
    CorruptionError
        If a member has another type. KeyError or TypeError where one is missing.
    ModelError
        See Layer.
    """
    plane, n_causal, n_flags, n_full, n_components, n_coverage = (
        _count(tree[name], name) for name in NUMBERS
    )
    follows = tree["follows"]
    if not isinstance(follows, bool):
        raise CorruptionError(f"`follows` of a step must be true or false, not {shown(follows)}")
    earlier, layers = (_array(tree[name], name) for name in ("earlier", "layers"))
    return Step(
        plane=plane,
        earlier=tuple(_count(s, "earlier") for s in earlier),
        follows=follows,
        n_causal=n_causal,
        n_flags=n_flags,
        n_full=n_full,
        n_components=n_components,
        n_coverage=n_coverage,
        layers=tuple(layer_from_json(layer, tensor_at) for layer in layers),
        latent=tensor_at(tree["latent"]) if "latent" in tree else None,
    )


def _array(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list) or len(value) > MAX_ENTRIES:
        raise CorruptionError(
            f"`{name}` of a step must be an array of at most {MAX_ENTRIES}, not {shown(value)}"
        )
    return value


def _count(value: Any, name: str) -> int:
    if type(value) is not int or value < 0:
        raise CorruptionError(f"`{name}` of a step must be an integer >= 0, not {shown(value)}")
    return value
