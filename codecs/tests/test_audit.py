"""Decoding uses nothing but memory: no file, network, process, code or import (house, law 6)."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import seeds
from zarrmal_codecs.hybrid.engine import levels

# An audit hook cannot be taken away again: in a process of its own.
WATCHED = """
import json, os, sys
import seeds
from zarrmal_codecs import Model, NumcodecsZarrmal, ZarrmalCodec, ZarrmalError
from zarrmal_codecs.chunk.chunk import decode_chunk
from zarrmal_codecs.chunk.coder import Coder

chunks, models, configs = seeds.chunk_seeds(), seeds.model_seeds(), seeds.config_seeds()
trees = [json.loads(text) for text in configs]
needs_model = (seeds.VECTORS / "invalid" / "chunk-no-model.bin").read_bytes()
seen = []
NAMES = ("open", "os.", "socket.", "subprocess.", "exec", "compile", "import", "marshal.",
         "pickle.", "ctypes.", "shutil.", "urllib.", "mmap.", "code.__new__", "cpython.run_")

def hook(name, arguments):
    if watching and name.startswith(NAMES):
        seen.append((name, repr(arguments)[:200]))

def attempt(call):
    try:
        return call()
    except ZarrmalError:
        return None

watching = False
sys.addaudithook(hook)
watching = True
coders = {}
for data in models:
    made = attempt(lambda: Coder(Model.from_bytes(data)))
    if made is not None:
        coders[bytes.fromhex(made.model.digest)[:8]] = made
n_arrays = 0
for data in chunks:
    rank = data[24] if len(data) > 24 else 0
    prefix = data[25 + 4 * rank : 33 + 4 * rank]
    for coder in (coders.get(prefix), None):
        n_arrays += attempt(lambda: decode_chunk(data, coder)) is not None
for tree in trees:
    codec = attempt(lambda: ZarrmalCodec.from_dict({"name": "zarrmal", "configuration": tree}))
    if codec is not None:
        attempt(lambda: decode_chunk(needs_model, codec.configuration.coder()))
    if isinstance(tree, dict):
        attempt(lambda: NumcodecsZarrmal.from_config(tree).decode(needs_model))
watching = False
print(json.dumps([len(coders), n_arrays, seen]))
"""


@pytest.mark.parametrize("level", [levels()[0], levels()[-1]])
def test_nothing_is_opened_imported_or_run(level):
    environment = os.environ | {"ZARRMAL_KERNEL": level, "PYTHONPATH": str(seeds.HERE)}
    done = subprocess.run(
        [sys.executable, "-c", WATCHED], env=environment, capture_output=True, text=True, check=True
    )
    n_coders, n_arrays, events = json.loads(done.stdout)
    assert events == []
    assert n_coders >= 15  # or nothing was read at all
    assert n_arrays >= 50
