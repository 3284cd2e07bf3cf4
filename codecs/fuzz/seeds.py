"""The seeds of fuzzing: the golden vectors and the hostile files."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from zarrmal_codecs import Model

HERE = Path(__file__).parent
VECTORS = HERE.parent / "vectors"
FACTS = {
    "format": 1,
    "complete": True,
    "n_cells": 5,
    "classes": ["a", "b"],
    "segments": [[0, 2, 3], [3, 3, 5]],
    "profile": "hybrid",
    "sha256": "0" * 64,
    "label_names": ["a"],
    "arrays": ["cells"],
    "digests": "0" * 64,
    "preprocessing": None,
    "software": "zarrmal 0.1.0",
}
"""The attribute of an archive (ARCHIVE 2)."""


def models() -> list[bytes]:
    """The distinct models of the golden vectors."""
    return list(dict.fromkeys(path.read_bytes() for path in sorted(VECTORS.glob("*/model.zmal"))))


def model_seeds() -> list[bytes]:
    """Valid and hostile model files."""
    hostile = sorted((VECTORS / "invalid").glob("model-*"))
    return models() + [path.read_bytes() for path in hostile]


def chunk_seeds() -> list[bytes]:
    """Valid and hostile chunks."""
    paths = sorted(VECTORS.glob("*/chunk.bin")) + sorted((VECTORS / "invalid").glob("chunk-*"))
    return [path.read_bytes() for path in paths]


def config_seeds() -> list[bytes]:
    """Valid and hostile configurations, and an archive's attribute."""
    good = [
        {
            "version": 1,
            "model": base64.b64encode(model).decode(),
            "sha256": Model.from_bytes(model).digest,
        }
        for model in models()
    ]
    hostile = [path.read_bytes() for path in sorted((VECTORS / "invalid").glob("config-*"))]
    return [json.dumps(tree).encode() for tree in [*good, {}, FACTS]] + hostile
