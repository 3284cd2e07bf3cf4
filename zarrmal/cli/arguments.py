"""From options to the arguments of the library."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path

from ..archive import Runner
from ..errors import InputError


def refuse_output(path: Path) -> None:
    """InputError if the file cannot be written: before a long training, not after it."""
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(f"{path} cannot be written: its folder must exist, and it be a file")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise InputError(f"{path} cannot be written: change the permissions of its folder, or "
                         f"choose another one")  # fmt: skip


def widths(text: str, option: str = "--hidden", example: str = "1500,500,30") -> tuple[int, ...]:
    """Widths of the hidden layers from ``1500,500,30``."""
    try:
        return tuple(int(n) for n in text.split(","))
    except ValueError:
        raise InputError(f"{option} wants widths like {example}, not {text!r}") from None


def canvas_size(canvas: str | None) -> tuple[int, int] | None:
    """Height and width from ``400x300``, or ``400`` for both."""
    if canvas is None:
        return None
    match = re.fullmatch(r"(\d+)(?:[x×](\d+))?", canvas)
    if match is None:
        raise InputError(f"--canvas wants a height and a width like 400x300, or one number for "
                         f"both, not {canvas!r}")  # fmt: skip
    return int(match[1]), int(match[2] or match[1])


def cluster_runner(address: str | None) -> Runner | None:
    """The runner of a dask cluster, if its address is given."""
    if address is None:
        return None
    if find_spec("distributed") is None:
        raise InputError("--dask needs dask.distributed: pip install 'zarrmal[dask]'")
    from ..archive.write.cluster import ClusterRunner

    return ClusterRunner.connect(address)
