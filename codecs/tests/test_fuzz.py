"""The fuzz targets run, find planted mistakes, and report them so that they can be repeated."""

from __future__ import annotations

import argparse
import base64
import contextlib
import subprocess
import sys
from pathlib import Path
from random import Random

import chunk_fields
import fuzz
import laws
import numpy as np
import pytest
import seeds
import worker
from zarrmal_codecs import ZarrmalError
from zarrmal_codecs.chunk.chunk import decode_chunk
from zarrmal_codecs.chunk.header import parse_header

FUZZ = Path(seeds.__file__).with_name("fuzz.py")


@pytest.mark.parametrize("family", worker.LAWS)
def test_laws_hold_for_every_seed_and_some_mutations(family):
    law, rng = worker.check(family), Random(7)
    inputs = worker.SEEDS[family]()
    for data in inputs[::6]:
        law(data)
    for _ in range(60):
        law(worker.mutated(family, rng.choice(inputs), rng))


def test_chunks_are_taken_apart_and_put_together_again():
    for path in sorted(seeds.VECTORS.glob("*/chunk.bin")):
        data = path.read_bytes()
        assert chunk_fields.build(chunk_fields.parse(data)) == data


def test_mutations_get_beyond_the_checksums():
    # Else fuzzing would stop at the header's CRC-32.
    rng, n_headers, n_streams = Random(3), 0, 0
    chunks = [path.read_bytes() for path in sorted(seeds.VECTORS.glob("[chl]*-*/chunk.bin"))]
    for _ in range(200):
        data = worker.mutated("chunk", rng.choice(chunks), rng)
        try:
            header = parse_header(memoryview(data))
            n_headers += 1
            decode_chunk(data, laws.CODERS.get(header.index.digest_prefix if header.index else b""))
        except ZarrmalError as error:
            n_streams += "stream" in str(error) or "pixels that" in str(error)
    assert n_headers > 70
    assert n_streams > 30


def test_mutations_reach_every_dtype():
    rng, dtypes = Random(3), set()
    chunks = [path.read_bytes() for path in sorted(seeds.VECTORS.glob("[ds]t*-*/chunk.bin"))]
    for _ in range(1500):
        data = worker.mutated("chunk", rng.choice(chunks), rng)
        with contextlib.suppress(ZarrmalError):
            is_native = decode_chunk(data, None).dtype.isnative
            dtypes.add((data[6], is_native))
    assert {code for code, _ in dtypes} == set(range(1, 16))
    assert len(dtypes) > 20  # of 26, numbers in either byte order


def test_a_law_that_is_broken_is_seen(monkeypatch):
    good = (seeds.VECTORS / "hybrid-grey" / "chunk.bin").read_bytes()
    laws.chunk(good)

    def one_off(*arguments, **options):
        pixels = decode_chunk(*arguments, **options)
        return pixels + np.uint8(1)

    monkeypatch.setattr(laws, "decode_chunk", one_off)
    with pytest.raises(laws.LawBroken):
        laws.chunk(good)
    monkeypatch.setattr(laws, "decode_chunk", lambda *a, **o: {}["no such key"])
    with pytest.raises(KeyError):
        laws.chunk(good)


def test_a_finding_is_printed_with_what_repeats_it(tmp_path):
    # A process that dies on an input, as at a fault in native code.
    (tmp_path / "sitecustomize.py").write_text(
        "import os, zarrmal_codecs.chunk.chunk as c\nc.decode_chunk = lambda *a, **o: os._exit(7)\n"
    )
    command = [sys.executable, str(FUZZ), "chunk", "--seconds", "5", "--plain"]
    done = subprocess.run(
        command, capture_output=True, text=True, env={"PYTHONPATH": str(tmp_path)}, check=False
    )
    assert done.returncode == 1
    assert "ended with 7" in done.stdout
    lines = done.stdout.splitlines()
    data = base64.b64decode(lines[next(k for k, s in enumerate(lines) if "base64:" in s) + 1])
    assert data == seeds.chunk_seeds()[0]
    assert "--input" in lines[-1]


def test_one_input_can_be_repeated(capsys):
    data = (seeds.VECTORS / "invalid" / "chunk-check.bin").read_bytes()
    assert fuzz.repeat("chunk", base64.b64encode(data).decode()) == 0
    assert "holds" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("alone", [0, 1])
def test_a_process_that_has_grown_is_no_finding_unless_its_input_is(monkeypatch, capsys, alone):
    monkeypatch.setattr(fuzz, "MAX_RESIDENT_BYTES", 1)
    monkeypatch.setattr(fuzz, "_holds_alone", lambda *_: not alone)
    arguments = argparse.Namespace(seconds=2, seed=1, corpus=None, plain=True)
    assert fuzz.watch("config", arguments) == alone
    output = capsys.readouterr().out
    assert ("base64" in output) == bool(alone)
    assert (" 1 processes" in output) == bool(alone)


def test_an_input_is_tried_alone(tmp_path):
    data = (seeds.VECTORS / "invalid" / "chunk-check.bin").read_bytes()
    assert fuzz._holds_alone("chunk", data, tmp_path)
    assert not fuzz._holds_alone("no such family", data, tmp_path)
