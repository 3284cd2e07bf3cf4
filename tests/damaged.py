"""Archives to be damaged, and what verify, extract and read_cells must then agree on."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner
from zarrmal_codecs import CorruptionError
from zarrmal_codecs.chunk.header import header_bytes, parse_header

import zarrmal
from zarrmal.archive import Location, WriteOptions
from zarrmal.archive.extract.report import LISTING, LOST, RECOVERED
from zarrmal.cli import app
from zarrmal.sources import open_source

N, PER_CHUNK = 40, 16  # chunks of cells 0 to 15, 16 to 31, 32 to 39
BLANK = 2


class Archive:
    """An archive, its source, and what was done to it."""

    def __init__(self, place, source):
        self.place, self.source = place, source
        self.v3 = (place / "zarr.json").exists()
        order = zarrmal.open(place).source_index.values
        self.pixels = source.read(order)
        self.names = order if source.names is None else source.names[order]

    def copy(self, place):
        other = object.__new__(Archive)
        other.__dict__ = self.__dict__ | {"place": shutil.copytree(self.place, place)}
        return other

    def key(self, number, name="cells"):
        inner = "/0/0" if name == "cells" else ""
        return f"c/{number}{inner}" if self.v3 else f"{number}{inner}".replace("/", ".")

    def path(self, number, name="cells"):
        return self.place / name / self.key(number, name)

    def edit(self, number, change, name="cells"):
        path = self.path(number, name)
        path.write_bytes(change(path.read_bytes()))

    def ends(self, number):
        """Where the header of a chunk ends, and each stream."""
        data = memoryview(self.path(number).read_bytes())
        return [*(header_bytes(data) + np.cumsum([0, *parse_header(data).index.lengths]))]

    def check(self, tmp_path, lost, recovered=(), chunks=()):
        """verify, extract and read_cells agree on exactly this."""
        lost, recovered = set(lost), set(recovered)
        for source in (None, self.source):
            report = zarrmal.verify(Location(str(self.place)), source)
            findings = [f for f in report.findings if f.kind != "differs"]
            assert [f.chunk for f in findings] == [self.key(k) for k in chunks]
            assert told_lost(findings) == sorted(lost)
            assert report.n_lost == len(lost)
            for finding in findings:
                assert list(finding.names) == [self.names[k] for k in told_lost([finding])]
                assert finding.line in report.problems
        with pytest.raises(CorruptionError, match="--skip-damaged"):
            zarrmal.extract(Location(str(self.place)), tmp_path / "strict")
        assert not list((tmp_path / "strict").rglob("*.partial"))
        found = zarrmal.extract(Location(str(self.place)), tmp_path / "out", skip_damaged=True)
        assert positions(found, LOST) == lost
        assert positions(found, RECOVERED) == recovered
        assert found.n_cells == N - len(lost)
        self.check_files(tmp_path / "out", {self.names[k]: k for k in set(range(N)) - lost})
        rows = [line.split("\t") for line in listing(tmp_path / "out")]
        assert [(int(r[0]), r[2]) for r in rows] == [
            (k, self.names[k]) for k in sorted(lost | recovered)
        ]
        pixels, good = zarrmal.recover_cells(self.place)
        assert set(np.flatnonzero(~good).tolist()) == lost
        np.testing.assert_array_equal(pixels[good], self.pixels[good])
        assert not pixels[~good].any()

    def check_files(self, folder, expected):
        found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
        assert found - {LISTING} == set(expected)
        for name, position in expected.items():
            with Image.open(folder / name) as image:
                np.testing.assert_array_equal(np.asarray(image), self.pixels[position])


def told_lost(findings):
    return [k for f in findings for first, last in f.lost for k in range(first, last + 1)]


def positions(report, state):
    return {cell.position for cell in report.damaged if cell.state == state}


def listing(folder):
    text = (folder / LISTING).read_text()
    return [line for line in text.splitlines() if not line.startswith("#")][1:]


def some_cells(cells):
    """Some of the drawn cells, with all that can be known of them; one of them is black."""
    pixels = cells.read(np.arange(N))
    pixels[BLANK] = 0
    labels = np.array(cells.class_names)[cells.labels[:N]]
    return open_source(pixels, labels=labels, names=cells.names[:N], groups=cells.groups[:N])


def write(source, place, model, zarr_format):
    options = WriteOptions(chunk_cells=PER_CHUNK, zarr_format=zarr_format)
    zarrmal.write(source, place, model=model, assign="labels", options=options)
    return Archive(place, source)


def flip(at):
    return lambda data: data[:at] + bytes([data[at] ^ 0x20]) + data[at + 1 :]


def remove_copies(archive):
    if not archive.v3:
        (archive.place / ".zmetadata").unlink()
        return
    tree = json.loads((archive.place / "zarr.json").read_text())
    del tree["consolidated_metadata"]
    (archive.place / "zarr.json").write_text(json.dumps(tree))


def documents(archive):
    names = ("zarr.json",) if archive.v3 else (".zgroup", ".zarray", ".zattrs", ".zmetadata")
    return [path for path in sorted(archive.place.rglob("*")) if path.name in names]


def run(*words):
    return CliRunner().invoke(app, [*map(str, words)])
