"""The golden archives and what a reader must find in them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

ARCHIVES = Path(__file__).parents[1] / "vectors" / "archives"
INDEX = json.loads((ARCHIVES / "index.json").read_text(encoding="utf-8"))


def meets(found: object, wanted: dict) -> None:
    """Dtype, shape and digest are those of the index; a text's is that of its UTF-8 bytes."""
    values = np.asarray(found)
    assert list(values.shape) == wanted["shape"]
    if wanted["dtype"] == "text":
        data = "\0".join(values.tolist()).encode()
    else:
        assert values.dtype == np.dtype(wanted["dtype"])
        data = values.astype(wanted["dtype"]).tobytes()
    assert hashlib.sha256(data).hexdigest() == wanted["sha256"]
