"""Mutations of JSON trees, and of their text for what only text can get wrong."""

from __future__ import annotations

import copy
import json
from random import Random
from typing import Any

import havoc

ODD = ("", "a", "\ud800", "int8", "uint8", "int64", "paper", "hybrid", "x" * 300, "é" * 9)


def value(rng: Random) -> Any:
    """A random JSON value."""
    kind = rng.randrange(9)
    if kind < 3:
        return rng.choice((havoc.size(rng), -1, -(1 << 31), rng.randrange(64), 10**30))
    if kind == 3:
        return rng.choice((True, False, None, 1.0, 0.5, 1e308, -0.0))
    if kind == 4:
        return rng.choice(ODD)
    if kind == 5:
        return [value(rng) for _ in range(rng.randrange(4))]
    if kind == 6:
        return {rng.choice(ODD): value(rng) for _ in range(rng.randrange(3))}
    if kind == 7:
        return [rng.choice((0, 1, "a", []))] * rng.choice((1, 65, 5000))
    deep: Any = 0
    for _ in range(rng.choice((2, 50, 400))):
        deep = [deep] if rng.randrange(2) else {"a": deep}
    return deep


def nodes(tree: Any) -> list[tuple[Any, Any]]:
    """(container, key or index) of every node of a tree but its root."""
    positions: list[tuple[Any, Any]] = []
    todo = [tree]
    while todo:
        node = todo.pop()
        inner = list(node.items() if isinstance(node, dict) else enumerate(node))
        for key, child in inner[:200]:
            positions.append((node, key))
            if isinstance(child, (dict, list)):
                todo.append(child)
    return positions


def mutate(tree: Any, rng: Random) -> Any:
    """A copy with one to three edits."""
    try:
        tree = copy.deepcopy(tree)
        for _ in range(rng.randint(1, 3)):
            positions = nodes(tree) if isinstance(tree, (dict, list)) else []
            if not positions:
                return value(rng)
            _edit(*rng.choice(positions), positions, rng)
    except RecursionError:  # deeper than Python copies
        return value(rng)
    return tree


def _edit(node: Any, key: Any, positions: list[tuple[Any, Any]], rng: Random) -> None:
    member = node[key]
    other, other_key = rng.choice(positions)
    kind = rng.randrange(8)
    if kind == 0:
        del node[key]
    elif kind == 1:
        node[key] = copy.deepcopy(other[other_key]) if other is not node else value(rng)
    elif kind == 2 and isinstance(node, list):
        node.insert(key, copy.deepcopy(member))
    elif kind == 3 and isinstance(node, dict):
        node[rng.choice((*ODD, *node, "weight", "transpose_of", "grid", "context_1"))] = member
    elif kind in (4, 5) and type(member) is int:
        node[key] = member + rng.choice((-1, 1, 1, 2, -member, member, 255 - member))
    else:
        node[key] = value(rng)


def text(tree: Any, rng: Random) -> bytes:
    """UTF-8 of a tree; every twentieth is not what json.dumps would write."""
    try:
        data = json.dumps(tree, separators=(",", ":"), ensure_ascii=rng.random() < 0.5)
    except RecursionError:
        return b"[" * rng.choice((900, 5000))
    out = data.encode("utf-8", "surrogatepass")
    if rng.random() > 0.05:
        return out
    kind = rng.randrange(6)
    digits = b"9" * rng.choice((400, 4300, 4301))
    deep = rng.choice((b"[", b'{"a":')) * rng.choice((100, 5000))
    insert = (b"NaN", b"Infinity", digits, deep, b"\xff\xfe", b'{"a":1,"a":1}')[kind]
    offset = out.find(b":", rng.randrange(len(out) + 1)) + 1
    return out[:offset] + insert + (b"," if kind < 3 else b"") + out[offset:]
