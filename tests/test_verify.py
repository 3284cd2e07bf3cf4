"""verify: silent on what is sound, and every fault is named."""

import hashlib
import json
import shutil

import numpy as np
import pytest
import zarr
from every_moment import EXHAUSTIVE
from facts import change_facts, facts_of
from frozen_models import untrained
from typer.testing import CliRunner
from zarrmal_codecs import CorruptionError, ZarrmalError
from zarrmal_codecs.chunk.chunk import decode_chunk, encode_chunk
from zarrmal_codecs.chunk.coder import Coder

import zarrmal
from zarrmal.archive import Archive, Location, WriteOptions
from zarrmal.archive.digests import read_digests, store_digests
from zarrmal.classify import LabelAssigner
from zarrmal.cli import app
from zarrmal.errors import InputError
from zarrmal.sources import Subset, open_source

FORMATS = pytest.mark.parametrize("zarr_format", [3, 2])


def write(source, place, model, zarr_format=3):
    assigner = LabelAssigner(source, model.class_names)
    options = WriteOptions(chunk_cells=50, zarr_format=zarr_format)
    Archive.write(source, str(place), model=model, assigner=assigner, options=options)


def problems(place, source=None):
    return zarrmal.verify(Location(str(place)), source).problems


def told(place, source=None):
    """The problems as one text; what stops verify counts too."""
    try:
        return "\n".join(problems(place, source))
    except (ZarrmalError, InputError) as error:
        return str(error)


def is_v3(archive):
    return (archive / "zarr.json").exists()


def chunk(archive, number, name="cells"):
    if name == "cells":
        return archive / name / (f"c/{number}/0/0" if is_v3(archive) else f"{number}.0.0")
    return archive / name / (f"c/{number}" if is_v3(archive) else f"{number}")


def edit_json(path, edit):
    tree = json.loads(path.read_text())
    edit(tree)
    path.write_text(json.dumps(tree))


def edit_facts(archive, edit):
    if is_v3(archive):
        edit_json(archive / "zarr.json", lambda tree: change_facts(tree["attributes"], edit))
    else:
        edit_json(archive / ".zattrs", lambda tree: change_facts(tree, edit))
    edit_json(archive / "cells/zarrmal.json", edit)


def flip_middle(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_a_sound_archive(archive, cells):
    for source in (None, cells):
        report = zarrmal.verify(Location(str(archive)), source)
        assert report.problems == ()
        assert (report.n_cells, report.n_chunks) == (240, 10)
        assert report.compared is (source is not None)


# A byte in the middle of each stored object


def stored_name(place, pattern):
    """The only file of such a name."""
    (path,) = place.glob(pattern)
    return path.relative_to(place).as_posix()


INDEX = ("label", "predicted_class", "source_group", "source_index", "source_name")
V3_FILES = ["zarr.json", "cells/zarr.json", "cells/zarrmal.json", "cells/c/0/0/0"]
V3_FILES += [f"{name}/{file}" for name in INDEX for file in ("zarr.json", "c/0")]
V2_FILES = [".zgroup", ".zattrs", ".zmetadata", "cells/.zarray", "cells/.zattrs", "cells/0.0.0"]
V2_FILES += ["cells/zarrmal.json"]
V2_FILES += [f"{name}/{file}" for name in INDEX for file in (".zarray", ".zattrs", "0")]
V3_FILES += [f"zarrmal_digests/{name}" for name in ("zarr.json", "*/zarr.json", "*/c/0")]
V2_FILES += [f"zarrmal_digests/{name}" for name in (".zgroup", "*/.zarray", "*/.zattrs", "*/0")]
FLIPS = [(3, name) for name in V3_FILES] + [(2, name) for name in V2_FILES]


@pytest.fixture(scope="module")
def small(tmp_path_factory, cells, model):
    """A small archive in each format, and its source."""
    folder, source = tmp_path_factory.mktemp("small"), Subset(cells, np.arange(30))
    for zarr_format in (3, 2):
        write(source, folder / f"v{zarr_format}", model, zarr_format)
    return folder, source


def test_the_list_of_stored_objects_is_complete(small):
    folder, _ = small
    for place, names in [(folder / "v3", V3_FILES), (folder / "v2", V2_FILES)]:
        found = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
        assert found == {stored_name(place, name) for name in names}


@pytest.mark.parametrize(("zarr_format", "name"), FLIPS)
def test_a_flipped_byte(small, tmp_path, zarr_format, name):
    folder, source = small
    place = shutil.copytree(folder / f"v{zarr_format}", tmp_path / "a")
    name = stored_name(place, name)
    rng = np.random.default_rng(1)
    data = (place / name).read_bytes()
    for k, at in enumerate([len(data) // 2, *rng.integers(0, len(data), 3)]):
        damaged = bytearray(data)
        damaged[at] ^= 1
        if damaged[at : at + 1].isspace() and data[at : at + 1].isspace():
            continue
        (place / name).write_bytes(damaged)
        for given in (None, source) if EXHAUSTIVE or k == 0 else (None,):
            assert told(place, given), f"byte {at} of {len(data)}"


# Chunks


@pytest.mark.parametrize("name", ["cells", *INDEX])
def test_a_missing_chunk(archive, name):
    chunk(archive, 0, name).unlink()
    key = chunk(archive, 0, name).relative_to(archive / name).as_posix()
    (problem,) = problems(archive)
    last = 49 if name == "cells" else 239
    assert problem.startswith(f"`{name}`: chunk {key} (cells 0 to {last}) is missing")


def promise(archive, number, name, data):
    """Store other bytes for a chunk, and their digest, as a writer with a mistake would."""
    path = chunk(archive, number, name)
    path.write_bytes(data)
    key = path.relative_to(archive / name).as_posix()
    digest = hashlib.sha256(data).hexdigest()
    group = zarr.open_group(archive, mode="r+", use_consolidated=False)
    digests = read_digests(group, facts_of(group)["digests"])
    sha256 = store_digests(group, digests.with_objects(name, {**digests.of(name), key: digest}))
    edit_facts(archive, lambda facts: facts.update(digests=sha256))


def test_padding_that_is_not_blank(archive, model):
    """Cells that are appended later would lie on it."""
    coder = Coder(model)
    pixels = decode_chunk(chunk(archive, 4).read_bytes(), coder).copy()
    assert not pixels[40:].any()
    pixels[45] = 7
    promise(archive, 4, "cells", encode_chunk(pixels, coder))
    words = "(cells 200 to 239) is padded with something else than zeros"
    assert any(words in problem for problem in problems(archive))


def test_an_order_that_names_a_cell_twice(archive):
    group = zarr.open_group(archive, mode="r+", use_consolidated=False)
    order = group["source_index"]
    order[3] = order[4]
    promise(archive, 0, "source_index", chunk(archive, 0, "source_index").read_bytes())
    assert "`source_index` does not name every cell of the source once" in problems(archive)


def test_a_missing_array(archive):
    shutil.rmtree(archive / "source_name")
    assert "`source_name` is missing" in told(archive)


@pytest.mark.parametrize("kept", [0, 3, 30, 0.5, -1])
def test_a_truncated_chunk(archive, kept):
    path = chunk(archive, 2)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data)) if kept == 0.5 else kept])
    (problem,) = problems(archive)
    assert "(cells 100 to 149) was changed and cannot be decoded" in problem


def test_two_chunks_swapped(archive, cells):
    first, second = chunk(archive, 0), chunk(archive, 1)
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    assert sum("sha256" in line for line in problems(archive)) == 2
    text = "\n".join(problems(archive, cells))
    assert "(cells 0 to 49) differs from the source in 50 of its cells" in text
    assert "(cells 50 to 99) differs from the source in 50 of its cells" in text


@FORMATS
def test_a_chunk_of_another_archive(cells, model, zarr_format, tmp_path):
    for name, rows in [("mine", np.arange(100)), ("other", np.arange(100, 200))]:
        write(Subset(cells, rows), tmp_path / name, model, zarr_format)
    shutil.copy(chunk(tmp_path / "other", 0), chunk(tmp_path / "mine", 0))
    (problem,) = problems(tmp_path / "mine")  # sound in itself, but not the one promised
    assert "was changed: its sha256" in problem


def test_an_index_array_of_another_archive(cells, model, tmp_path):
    mixed = Subset(cells, np.random.default_rng(0).permutation(240))
    for place, source in [("mine", cells), ("other", mixed)]:
        write(source, tmp_path / place, model)
    name = "source_index"
    shutil.copy(chunk(tmp_path / "other", 0, name), chunk(tmp_path / "mine", 0, name))
    (problem,) = problems(tmp_path / "mine")
    assert "`source_index`: chunk c/0 (cells 0 to 239) was changed" in problem


# Metadata


def test_incomplete(archive):
    edit_facts(archive, lambda facts: facts.update(complete=False))
    assert "marked as incomplete" in told(archive)


@pytest.mark.parametrize(
    ("edit", "word"),
    [
        ({"n_cells": 239}, "239"),
        ({"classes": ["uninfected", "parasitized"]}, "other classes"),
        ({"segments": [[0, 119, 240]]}, "not sorted as the archive promises"),
        ({"sha256": "0" * 64}, "sha256"),
        ({"profile": "other"}, "profile"),
        ({"label_names": ["a", "b"]}, "flags"),
        ({"digests": ""}, "no digest"),
        ({"digests": {}, "metadata_digests": {}}, "no digest"),
        ({"digests": "0" * 64}, "the archive's digests are lost: zarrmal_digests/0000000000000000"),
        ({"format": 2}, "upgrade zarrmal"),
        ({"n_cells": "many"}, "damaged"),
        ({"digests": []}, "damaged"),
    ],
)
def test_false_promises(archive, edit, word):
    edit_facts(archive, lambda facts: facts.update(edit))
    assert word in told(archive)


@FORMATS
def test_the_model_of_another_archive(cells, model, zarr_format, tmp_path):
    other = untrained(cells.cell_shape, cells.class_names)
    write(cells, tmp_path / "mine", model, zarr_format)
    write(cells, tmp_path / "other", other, zarr_format)
    name = "cells/zarr.json" if zarr_format == 3 else "cells/.zarray"
    shutil.copy(tmp_path / "other" / name, tmp_path / "mine" / name)
    text = told(tmp_path / "mine")
    assert f"the model has sha256 {other.digest}, the archive promises {model.digest}" in text
    assert "(cells 0 to 49) cannot be decoded" in text


def test_a_stale_consolidated_copy(archive, cells):
    """Plain zarr.open would take the model from the copy."""
    name = "zarr.json" if is_v3(archive) else ".zmetadata"
    text = (archive / name).read_text()
    at = text.index('"model"') + 2_000
    other = "A" if text[at] != "A" else "B"
    (archive / name).write_text(text[:at] + other + text[at + 1 :])
    (problem,) = problems(archive, cells)
    assert "consolidated metadata differ from cells/" in problem


def test_dimension_names_and_flags(archive):
    key = "zarr.json" if is_v3(archive) else ".zattrs"
    (archive / (".zmetadata" if not is_v3(archive) else "absent")).unlink(missing_ok=True)

    def rename(tree):
        names = "dimension_names" if is_v3(archive) else "_ARRAY_DIMENSIONS"
        tree[names] = ["cell", "x", "y"]

    def swap(tree):
        attributes = tree["attributes"] if is_v3(archive) else tree
        attributes["flag_meanings"] = "uninfected parasitized"

    edit_json(archive / "cells" / key, rename)
    edit_json(archive / "predicted_class" / key, swap)
    text = told(archive)
    assert "`cells`: its dimensions are named" in text
    assert "`predicted_class`: its flags" in text


# The source


def test_one_pixel_is_different(archive, cells):
    pixels = cells.read(np.arange(240))
    pixels[123, 11, 7] ^= 1
    (problem,) = problems(archive, open_source(pixels))
    assert "differs from the source in 1 of its cells, the first is number 123 there" in problem


@pytest.mark.parametrize("column", ["names", "groups", "labels"])
def test_another_column(archive, cells, column):
    columns = {
        "names": cells.names,
        "groups": cells.groups,
        "labels": np.array(cells.class_names)[cells.labels],
    }
    other = columns[column].copy()
    other[[0, 1]] = other[[0, 1]][::-1]
    if column == "names":
        other[0] = "other.png"
    source = open_source(cells.read(np.arange(240)), **(columns | {column: other}))
    array = {"names": "source_name", "groups": "source_group", "labels": "label"}[column]
    assert problems(archive, source) == (f"`{array}` differs from the source",)


@pytest.mark.parametrize("shape", [(240, 24, 25), (240, 24, 24, 3)])
def test_a_source_of_another_shape(archive, shape):
    with pytest.raises(InputError, match="--size and --channel"):
        problems(archive, open_source(np.zeros(shape, np.uint8)))


# The command


def run(*words):
    return CliRunner().invoke(app, ["verify", *map(str, words)])


def test_the_command(archive, cells, tmp_path):
    np.savez(tmp_path / "cells.npz", cells=cells.read(np.arange(240)))
    good = run(archive, "--source", tmp_path / "cells.npz")
    assert (good.exit_code, good.stderr) == (0, "")
    assert "240 cells and 10 chunks are sound, equal to the source" in good.stdout
    assert json.loads(run(archive, "--json").stdout) == {
        "ok": True, "problems": [], "n_cells": 240, "n_chunks": 10, "compared": False,
        "n_lost": 0, "findings": [], "comparison": "not compared with a source",
        "pixels_notice": "", "preprocessing": {
            "channel": None, "size": None, "resampling": None,
            "native_heights": [24, 24], "native_widths": [24, 24],
        },
    }  # fmt: skip
    flip_middle(chunk(archive, 3))
    bad = run(archive)
    assert bad.exit_code == 1
    assert "(cells 150 to 199)" in bad.stdout
    report = run(archive, "--json")
    assert report.exit_code == 1
    tree = json.loads(report.stdout)
    assert tree["ok"] is False
    assert any("(cells 150 to 199)" in line for line in tree["problems"])


def test_more_cells_than_there_can_be_are_refused(archive):
    """A stranger's archive asks for terabytes in a few bytes."""
    edit_facts(archive, lambda facts: facts.update(n_cells=10**13, segments=[[0, 10**12, 10**13]]))
    for name in ("cells", "source_index", "label", "predicted_class"):
        place = next(
            p for p in (archive / name / "zarr.json", archive / name / ".zarray") if p.exists()
        )
        tree = json.loads(place.read_text())
        tree["shape"][0] = 10**13
        place.write_text(json.dumps(tree))
    with pytest.raises(CorruptionError, match="declares 10,000,000,000,000 cells"):
        zarrmal.verify(Location(str(archive)))
    with pytest.raises(CorruptionError, match="declares"):
        zarrmal.extract(Location(str(archive)), archive.parent / "out", skip_damaged=True)
