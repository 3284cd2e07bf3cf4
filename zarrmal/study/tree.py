"""Frozen dataclasses <-> plain JSON trees, by their type hints: from_tree(to_tree(x)) == x."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from ..errors import InputError

T = TypeVar("T")


def to_tree(value: Any) -> Any:
    """Dataclasses as objects, tuples as lists; everything else must be JSON already."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_tree(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, (tuple, list)):
        return [to_tree(one) for one in value]
    if isinstance(value, dict):
        return {name: to_tree(one) for name, one in value.items()}
    return value


def from_tree(kind: type[T], tree: Any) -> T:
    """Inverse of to_tree for a dataclass of that kind.

    Raises
    ------
    InputError
        If the tree is not one of that kind.
    """
    made: T = _made(kind, tree, kind.__name__)
    return made


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _made(kind: Any, tree: Any, where: str) -> Any:
    origin = get_origin(kind)
    if kind is Any:
        return tree
    if is_dataclass(kind):
        hints = _hints(kind)  # type: ignore[arg-type]
        if not isinstance(tree, dict) or set(tree) != set(hints):
            raise InputError(f"{where} is not what this version of the study writes: run it again")
        return kind(**{k: _made(hints[k], tree[k], f"{where}.{k}") for k in hints})  # type: ignore[operator]
    if origin in (Union, UnionType):
        inner = [one for one in get_args(kind) if one is not NoneType]
        return None if tree is None else _made(inner[0], tree, where)
    if origin is tuple and isinstance(tree, list):
        one = get_args(kind)[0]
        if one in (int, float, str):  # the long ones
            return tuple(map(one, tree))
        return tuple(_made(one, value, f"{where}[{k}]") for k, value in enumerate(tree))
    if origin is dict and isinstance(tree, dict):
        one = get_args(kind)[1]
        return {k: _made(one, value, f"{where}.{k}") for k, value in tree.items()}
    if kind is float and isinstance(tree, (int, float)) and not isinstance(tree, bool):
        return float(tree)
    if kind in (int, str, bool) and type(tree) is kind:
        return tree
    raise InputError(f"{where} is not what this version of the study writes: run it again")
