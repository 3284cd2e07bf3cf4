"""Frozen dataclasses <-> JSON trees, by their type hints: from_tree(to_tree(x)) == x."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from ...errors import InputError

T = TypeVar("T")


def to_tree(value: Any) -> Any:
    """Turn dataclasses into objects and tuples into lists; other values must be JSON already."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_tree(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, (tuple, list)):
        return [to_tree(item) for item in value]
    if isinstance(value, dict):
        return {name: to_tree(item) for name, item in value.items()}
    return value


def from_tree(kind: type[T], tree: Any) -> T:
    """Inverse of to_tree for a dataclass.

    Raises
    ------
    InputError
        If the tree does not match the dataclass.
    """
    value: T = _parse(kind, tree, kind.__name__)
    return value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _parse(kind: Any, tree: Any, path: str) -> Any:
    origin = get_origin(kind)
    if kind is Any:
        return tree
    if is_dataclass(kind):
        hints = _hints(kind)  # type: ignore[arg-type]
        if not isinstance(tree, dict) or set(tree) != set(hints):
            raise _mismatch(path)
        return kind(**{k: _parse(hints[k], tree[k], f"{path}.{k}") for k in hints})  # type: ignore[operator]
    if origin in (Union, UnionType):
        inner = next(hint for hint in get_args(kind) if hint is not NoneType)
        return None if tree is None else _parse(inner, tree, path)
    if origin is tuple and isinstance(tree, list):
        item = get_args(kind)[0]
        if item in (int, float, str):  # long lists, parsed at once
            return tuple(map(item, tree))
        return tuple(_parse(item, value, f"{path}[{k}]") for k, value in enumerate(tree))
    if origin is dict and isinstance(tree, dict):
        item = get_args(kind)[1]
        return {k: _parse(item, value, f"{path}.{k}") for k, value in tree.items()}
    if kind is float and isinstance(tree, (int, float)) and not isinstance(tree, bool):
        return float(tree)
    if kind in (int, str, bool) and type(tree) is kind:
        return tree
    raise _mismatch(path)


def _mismatch(path: str) -> InputError:
    return InputError(f"{path} is not what this version of the study writes: run it again")
