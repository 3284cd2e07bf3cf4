"""The golden archives and their expected content."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

ARCHIVES = Path(__file__).parents[1] / "vectors" / "archives"
INDEX = json.loads((ARCHIVES / "index.json").read_text(encoding="utf-8"))


def meets(stored: object, expected: dict) -> None:
    """Assert dtype, shape and digest of the index; that of text is of its UTF-8 bytes."""
    values = np.asarray(stored)
    assert list(values.shape) == expected["shape"]
    if expected["dtype"] == "text":
        data = "\0".join(values.tolist()).encode()
    else:
        assert values.dtype == np.dtype(expected["dtype"])
        data = values.astype(expected["dtype"]).tobytes()
    assert hashlib.sha256(data).hexdigest() == expected["sha256"]
