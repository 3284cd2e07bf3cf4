"""Benchmarks without measuring: fixed speeds, and a rival that stores pixels as they are."""

import numpy as np
from typer.testing import CliRunner

from zarrmal.benchmark import (
    Rival,
    all_rivals,
    models,
)
from zarrmal.benchmark.speed.codec import Speed
from zarrmal.benchmark.speed.reading import Reading
from zarrmal.cli import app

RIVALS = all_rivals()
PLAIN = Rival(
    name="plain",
    encode=lambda image: image.tobytes(),
    decode=lambda data, shape: np.frombuffer(data, np.uint8).reshape(shape),
)

SPEED = Speed(engine="numpy", n_cells=80, encode_mb_s=3.0, encode_shortest_mb_s=2.0,
              decode_mb_s=5.0, reference_decode_mb_s=1.0)  # fmt: skip
READ = {"n_used": 1, "seconds": 1.0, "mb_s": 1.0, "cores": 1.0}
READING = Reading(chunk_cells=80, n_chunks=1, n_single_cells=1, cell_ms=1.0, zarr_json_bytes=1,
                  n_cells_read=80, threads={"1": READ, "2": READ},
                  two_threads_over_one=None)  # fmt: skip


def fixed_speeds(monkeypatch):
    """Fixed speeds instead of measured ones."""
    monkeypatch.setattr(models, "codec_speed", lambda *_: SPEED)
    monkeypatch.setattr(models, "measure_reading", lambda _: READING)


def command(*words):
    return CliRunner().invoke(app, ["benchmark", *map(str, words)])
