"""Mutations of codec configurations and archive attributes, as JSON (FORMAT 5, ARCHIVE 2)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from random import Random

import havoc
import json_tree
import model_mutator


def mutate(data: bytes, rng: Random) -> bytes:
    """A mutation of JSON; a changed model mostly gets its new digest."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return havoc.havoc(data, rng)
    if isinstance(tree, dict) and isinstance(tree.get("model"), str) and rng.random() < 0.5:
        try:
            model = base64.b64decode(tree["model"], validate=True)
        except (binascii.Error, ValueError):
            model = b"ZMAM"
        model = model_mutator.mutate(model, rng)
        tree = tree | {"model": base64.b64encode(model).decode()}
        if rng.random() < 0.9:
            tree["sha256"] = hashlib.sha256(model).hexdigest()
    else:
        tree = json_tree.mutate(tree, rng)
    out = json_tree.text(tree, rng)
    return havoc.havoc(out, rng) if rng.random() < 0.05 else out
