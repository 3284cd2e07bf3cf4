"""``Weights`` ↔ the member ``lattice`` of a model's classes (FORMAT-lattice 7.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..errors import ModelError
from ..model.class_model import ClassModel
from ..model.model import Model
from .weights import SHAPES, PlaneWeights, Weights


def with_lattice(model: Model, weights: Weights | Sequence[Weights]) -> Model:
    """The same model, able to code cells as the coefficients of JPEG pictures.

    Parameters
    ----------
    model
        Of profile "hybrid".
    weights
        Of all classes, or of each. Tensors that are equal are stored once, whatever their class.

    Raises
    ------
    ValueError
        There are not as many weights as classes, or the model is of another profile.
    """
    if model.profile != "hybrid":
        raise ValueError(f"only models of profile 'hybrid' code a lattice, not {model.profile!r}")
    each = [weights] * len(model.classes) if isinstance(weights, Weights) else list(weights)
    if len(each) != len(model.classes):
        raise ValueError(f"there are {len(each)} weights for {len(model.classes)} classes")
    classes = []
    for own, of_class in zip(model.classes, each, strict=True):
        planes = tuple({name: getattr(p, name) for name in SHAPES} for p in of_class.planes)
        classes.append(replace(own, lattice=planes))
    return replace(model, classes=tuple(classes))


def lattice_of(model: ClassModel) -> Weights | None:
    """The weights of a class, proven; None if it has none.

    Raises
    ------
    ModelError
        A tensor is missing, or ``PlaneWeights`` refuses one.
    """
    if not model.lattice:
        return None
    planes = []
    for k, tensors in enumerate(model.lattice):
        missing = SHAPES.keys() - tensors.keys()
        if missing:
            raise ModelError(
                f"class {model.name!r}: plane {k} of `lattice` has no tensor {min(missing)!r}"
            )
        planes.append(PlaneWeights(**{name: tensors[name] for name in SHAPES}))
    return Weights(tuple(planes))
