"""Small files that declare much get bounded memory (FORMAT 1.6), each in its own process."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from dataclasses import replace

import hybrid_models
import lattice_chunks
import models
import numpy as np
import pytest
from chunk_fields import Chunk, Index, build
from invalid_models import body_of, model_file
from zarrmal_codecs.model.layer import Layer
from zarrmal_codecs.model.model import Model

READ = textwrap.dedent("""
    import resource, sys, time
    from pathlib import Path
    from zarrmal_codecs import Model, NumcodecsZarrmal, ZarrmalError
    from zarrmal_codecs.chunk.coder import coder_for
    model, chunk = (Path(p).read_bytes() if p else b"" for p in sys.argv[1:])
    peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    before, start = peak(), time.process_time()
    try:
        made = Model.from_bytes(model)
        coder_for(made)
        if chunk:
            NumcodecsZarrmal.of(made).decode(chunk)
    except ZarrmalError:
        pass
    print(peak() - before, time.process_time() - start)
""")


def cells_of(model: Model, shape: tuple[int, ...], streams: list[bytes], n_blank: int = 0) -> bytes:
    """A chunk of these streams, followed by blank cells."""
    runs = [[0, len(streams)], [255, n_blank]]
    index = Index(
        bytes.fromhex(model.digest)[:8], b"\0", [run for run in runs if run[1]],
        streams + [b""] * n_blank, [])  # fmt: skip
    flags = 2 if model.profile == "hybrid" else 0
    shape = [len(index.streams), *shape]
    return build(Chunk(version=1, mode=2, dtype=1, flags=flags, crc=0, shape=shape, index=index))


def latents_to(grid: tuple[int, int], shape: tuple[int, int]) -> Model:
    """A decoder from one latent to a grid, for cells of a shape."""
    n = grid[0] * grid[1]
    layer = Layer(
        weight=np.ones((n, 1), np.int8),
        bias=np.zeros(n, np.int32),
        shift=np.zeros(n, np.uint8),
        input="int8",
        output="uint8",
    )
    one = hybrid_models.hybrid_class(7, "x", 1, n_latents=1)
    tensors = {**one.tensors, "grid": np.array(grid, np.uint8)}
    made = replace(one, networks={"decoder": (layer,)}, tensors=tensors)
    return hybrid_models.hybrid_model(shape, made)


def paper_model(n_latents: int, cell_shape: tuple[int, int], weight: bytes = b"") -> bytes:
    """A decoder of one layer, mostly zeros, which takes few bytes for any size."""
    n = cell_shape[0] * cell_shape[1]
    layer = {"weight": 0, "bias": 1, "shift": 2}
    layer |= {"input": "int8", "output": "uint8"}
    tree = {
        "profile": "paper",
        "cell_shape": cell_shape,
        "classes": [{"name": "a", "networks": {"decoder": [layer]}, "tensors": {}}],
        "tensors": [["int8", [n, n_latents]], ["int32", [n]], ["uint8", [n]]],
    }
    tensors = weight.ljust(n * n_latents, b"\0") + bytes(4 * n) + bytes(n)
    return model_file(body_of(json.dumps(tree).encode(), tensors), compressor=1)


def grey_cells(*arguments: object) -> tuple[bytes, bytes]:
    model = hybrid_models.grey()
    return model.to_bytes(), cells_of(model, *arguments)


def one_long_row() -> tuple[bytes, bytes]:
    model = latents_to((255, 1), (1, 4096))
    return model.to_bytes(), cells_of(model, (1, 4096), [b"\xff" * 90] * 64, 0)


def a_grid_finer_than_the_cell() -> tuple[bytes, bytes]:
    model = latents_to((120, 120), (1, 1))
    return model.to_bytes(), cells_of(model, (1, 1), [b"\xff" * 4] * 1024, 0)


def weights_in_a_heap() -> tuple[bytes, bytes]:
    # The largest body; 1,028 neighbouring columns that no even cut into few pieces divides.
    return paper_model(65_000, (10, 100), bytes(65_000 * 3 + 30_000) + b"\x80" * 1028), b""


def more_codewords_than_pixels() -> tuple[bytes, bytes]:
    # A cell of twelve pixels that is a million codewords long.
    model = models.constant()
    return model.to_bytes(), cells_of(model, (3, 4), [bytes(1 << 17)])


def weights_that_steps_share() -> tuple[bytes, bytes]:
    # With other biases each: what is made of the weights must be made once.
    one = hybrid_models.hybrid_class(1, "x", 1, widths=(256, 256), n_causal=40, n_flags=40)
    first, second, last = one.steps[0].layers
    biases = [models.array(k, (256,), -99, 99, "int32") for k in range(64)]
    classes = []
    for k in range(24):
        layers = [
            (replace(first, bias=biases[s]), replace(second, bias=biases[s - k]), last)
            for s in range(64)
        ]
        steps = [replace(one.steps[0], plane=s, layers=own) for s, own in enumerate(layers)]
        classes.append(replace(one, name=str(k), steps=tuple(steps)))
    model = hybrid_models.hybrid_model((1, 1, 64), *classes)
    prefix, streams = bytes.fromhex(model.digest)[:8], [b"\xff" * 200] * len(classes)
    runs = [[k, 1] for k in range(len(classes))]
    index = Index(prefix, bytes(len(classes)), runs, streams, [])
    shape = [len(classes), 1, 1, 64]
    chunk = Chunk(version=1, mode=2, dtype=1, flags=2, crc=0, shape=shape, index=index)
    return model.to_bytes(), build(chunk)


def lattice_cells(
    shape: tuple[int, int], streams: list[bytes], phase: int = 0, n_cameras: int = 1
) -> tuple[bytes, bytes]:
    """Grey cells that are coefficients, with one camera or one each."""
    model, n = lattice_chunks.grey(), len(streams)
    camera = bytes([4, 0x0F, 0, 0, 60, 0, 0]) if phase else bytes([4, 0, 0, 0, 60, 0, 0])
    # The bytes of each part of all cameras lie together (FORMAT-lattice 9.2).
    parts = b"".join(bytes([byte]) * n_cameras for byte in camera)
    names = [1] * n if n_cameras > 1 else [1, *[2] * (n - 1)]
    columns = [names, [phase] * n, [phase] * n, [0] * n]
    index = Index(bytes.fromhex(model.digest)[:8], b"\0\0", [[1, n]], streams, columns)
    index.cameras = parts + bytes(384 * n_cameras)
    chunk = Chunk(version=1, mode=2, dtype=1, flags=66, crc=0, shape=[n, *shape], index=index)
    return model.to_bytes(), build(chunk)


def one_large_picture() -> tuple[bytes, bytes]:
    # Three times the bytes that its pixels need, of blocks that cost nearly nothing.
    return lattice_cells((2048, 2048), [b"\0\0\1\0" + bytes(200)])


def pictures_of_a_pixel() -> tuple[bytes, bytes]:
    # Each with all blocks of the largest group before it.
    return lattice_cells((1, 1), [b"\0\0\1\0"] * 20_000, phase=31)


CASES = {
    "black cells": (lambda: grey_cells((2048, 2048), [], 511), 16),
    "a million black cells": (lambda: grey_cells((1, 1), [], 1_000_000), 64),
    "many cells of a pixel": (lambda: grey_cells((1, 1), [b"\xff" * 4] * 100_000, 0), 64),
    "one long row": (one_long_row, 128),
    "a grid finer than the cell": (a_grid_finer_than_the_cell, 192),
    "weights that steps share": (weights_that_steps_share, 64),
    "weights in a heap": (weights_in_a_heap, 600),
    "as many latents as fit": (lambda: (paper_model(60_000_000, (1, 1)), b""), 160),
    "more codewords than pixels": (more_codewords_than_pixels, 64),
    "one large picture": (one_large_picture, 300),
    "pictures of a pixel": (pictures_of_a_pixel, 64),
    "cameras of pictures": (
        lambda: lattice_cells((1, 1), [b"\0\0\1\0"] * 4096, n_cameras=4096),
        96,
    ),
}
"""Model, chunk, and the MiB allowed."""


@pytest.mark.parametrize("name", CASES)
def test_memory_is_bounded(name, tmp_path):
    make, most = CASES[name]
    model, chunk = make()
    (tmp_path / "model").write_bytes(model)
    (tmp_path / "chunk").write_bytes(chunk)
    paths = [str(tmp_path / "model"), str(tmp_path / "chunk") if chunk else ""]
    done = subprocess.run(
        [sys.executable, "-c", READ, *paths], capture_output=True, text=True, check=True
    )
    mebibytes, seconds = map(float, done.stdout.split())
    assert mebibytes <= most
    assert seconds < 20  # far less, on a machine that has time
