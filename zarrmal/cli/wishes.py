"""From options to what the library takes."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from zarrmal_codecs import Model

from ..archive import Runner
from ..classify import CellClassifier
from ..errors import InputError
from ..sources import Source
from . import options as o
from .console import pairs, say


def refuse_model_place(path: Path) -> None:
    """Before a long training, not after it."""
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(f"{path} cannot be written: its folder must exist, and it be a file")


def source_arguments(
    channel: o.ChannelName,
    size: int | None,
    group_pattern: str | None,
    skip_unreadable: bool,
    source_option: list[str] | None,
) -> dict[str, Any]:
    """Keyword arguments of open_source."""
    return {
        "channel": channel.value,
        "size": size,
        "group_pattern": group_pattern,
        "skip_unreadable": skip_unreadable,
        "storage_options": pairs(source_option, "--source-option"),
    }


def widths(hidden: str) -> tuple[int, ...]:
    """Widths of the hidden layers from ``1500,500,30``."""
    try:
        return tuple(int(n) for n in hidden.split(","))
    except ValueError:
        raise InputError(f"--hidden wants widths like 1500,500,30, not {hidden!r}") from None


def cluster(address: str | None) -> Runner | None:
    """A dask cluster, if one is wished for."""
    if address is None:
        return None
    if find_spec("distributed") is None:
        raise InputError("--dask needs dask.distributed: pip install 'zarrmal[dask]'")
    from ..archive.cluster import ClusterRunner

    return ClusterRunner.at(address)


def say_source(cells: Source) -> None:
    """What was found, and what was left out."""
    say(cells.description)
    if cells.unreadable:
        say(f"left out {len(cells.unreadable)} unreadable files:")
        for name in cells.unreadable:
            say(f"  {name}")


def say_shipped(model: Model, cells: Source) -> None:
    """Which model is used where none was given, and how to get a better one."""
    say(f"no --model: using the one that ships, {model!r}")
    if cells.cell_shape != model.cell_shape:
        say("these cells have another size than those it was trained on: its context network works "
            "without the autoencoder")  # fmt: skip
    say("a model of your own cells is smaller on them: `zarrmal train SOURCE -o MODEL`")


def say_classifier(classifier: CellClassifier) -> None:
    """Which classifier is used where none was given, and when not to believe it."""
    say(f"using the classifier that ships, trained on {classifier.trained_on} of the NIH malaria "
        f"images; on those very cells it is better than on unseen ones (--cross-fit learns from "
        f"your own labels)")  # fmt: skip
