"""--overwrite replaces archives of zarrmal, and nothing that others have stored."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zarr
from damaged import run
from zarr.storage import MemoryStore, StorePath
from zarrmal_codecs import Model

import zarrmal
from zarrmal import ExistsError, WriteOptions
from zarrmal.archive import Location
from zarrmal.sources import Source, Subset

RAW = np.arange(64, dtype=np.uint16)
Where = str | MemoryStore | StorePath


@pytest.fixture(params=["local", "memory://", "store", "path in a store"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Where]:
    if request.param == "local":
        yield str(tmp_path / "plate.zarr")
    elif request.param == "store":
        yield MemoryStore()
    elif request.param == "path in a store":
        yield StorePath(MemoryStore(), "plates/first")
    else:
        url = f"memory://{uuid.uuid4().hex}/plate.zarr"
        yield url
        Location(url).remove()


def write(source: Source, where: Where, model: Model, **options: object) -> None:
    zarrmal.write(source, where, model=model, options=WriteOptions(chunk_cells=16, **options))


def part(cells: Source, n_cells: int) -> Source:
    return Subset(cells, np.arange(n_cells))


@pytest.mark.parametrize("zarr_format", [3, 2])
def test_a_group_of_others(where: Where, cells: Source, hybrid: Model, zarr_format: int) -> None:
    group = zarr.open_group(where, mode="w", zarr_format=zarr_format)
    group.create_array("raw_fluorescence", data=RAW)
    group.create_array("cells", data=cells.read(np.arange(20)))
    with pytest.raises(ExistsError, match="not an archive that zarrmal wrote"):
        write(part(cells, 20), where, hybrid, overwrite=True)
    group = zarr.open_group(where, mode="r")
    np.testing.assert_array_equal(group["raw_fluorescence"][:], RAW)
    np.testing.assert_array_equal(group["cells"][:], cells.read(np.arange(20)))


def test_the_source_within(cells: Source, tmp_path: Path) -> None:
    plate = tmp_path / "plate.zarr"
    group = zarr.open_group(plate, mode="w")
    group.create_array("raw_fluorescence", data=RAW)
    group.create_array("cells", data=cells.read(np.arange(20)))
    refused = run("archive", plate / "cells", plate, "--overwrite")
    assert refused.exit_code == 2
    assert "not an archive that zarrmal wrote" in refused.stderr
    np.testing.assert_array_equal(zarr.open_group(plate)["raw_fluorescence"][:], RAW)


@pytest.mark.parametrize("zarr_format", [3, 2])
def test_an_array_or_group_of_others_within_an_archive(
    where: Where, cells: Source, hybrid: Model, zarr_format: int
) -> None:
    write(part(cells, 20), where, hybrid, zarr_format=zarr_format)
    group = zarr.open_group(where, mode="r+", zarr_format=zarr_format)
    group.create_array("raw_fluorescence", data=RAW)
    group.create_group("masks").create_array("first", data=RAW)
    with pytest.raises(ExistsError, match=r"holds `masks`, `raw_fluorescence`, which zarrmal did"):
        write(part(cells, 30), where, hybrid, overwrite=True)
    assert zarrmal.open(where).sizes["cell"] == 20
    group = zarr.open_group(where, mode="r", use_consolidated=False)
    np.testing.assert_array_equal(group["raw_fluorescence"][:], RAW)
    np.testing.assert_array_equal(group["masks/first"][:], RAW)


def test_a_column_of_others_that_has_a_name_of_ours(
    where: Where, cells: Source, hybrid: Model
) -> None:
    source = zarrmal.open_source(cells.read(np.arange(20)))
    zarrmal.write(source, where, model=hybrid, assign="shortest")
    zarr.open_group(where, mode="r+").create_array("label", data=np.arange(20, dtype=np.uint8))
    with pytest.raises(ExistsError, match="holds `label`"):
        write(part(cells, 30), where, hybrid, overwrite=True)


@pytest.mark.parametrize("name", ["notes.txt", "cells/notes.txt", "cells/c/thesis.tif"])
def test_a_file_of_others_within_an_archive(
    cells: Source, hybrid: Model, tmp_path: Path, name: str
) -> None:
    plate = tmp_path / "plate.zarr"
    write(part(cells, 20), str(plate), hybrid)
    (plate / name).write_text("years of work")
    with pytest.raises(ExistsError, match=f"holds `{name}`"):
        write(part(cells, 30), str(plate), hybrid, overwrite=True)
    assert (plate / name).read_text() == "years of work"
    assert [path.name for path in tmp_path.iterdir()] == ["plate.zarr"]


def test_what_comes_while_the_new_archive_is_written(
    cells: Source, hybrid: Model, tmp_path: Path
) -> None:
    plate = tmp_path / "plate.zarr"
    write(part(cells, 20), str(plate), hybrid)

    class Changing(Subset):
        def read(self, indices: np.ndarray) -> np.ndarray:
            (plate / "notes.txt").write_text("years of work")
            return super().read(indices)

    with pytest.raises(ExistsError, match=r"notes\.txt"):
        write(Changing(cells, np.arange(30)), str(plate), hybrid, overwrite=True)
    assert (plate / "notes.txt").read_text() == "years of work"
    assert zarrmal.open(plate).sizes["cell"] == 20


def test_files_of_others_in_a_stage(cells: Source, hybrid: Model, tmp_path: Path) -> None:
    stage = tmp_path / ".plate.zarr.zarrmal-part"
    stage.mkdir()
    (stage / "thesis.doc").write_text("years of work")
    with pytest.raises(ExistsError, match=r"holds `thesis.doc`"):
        write(part(cells, 20), str(tmp_path / "plate.zarr"), hybrid)
    assert (stage / "thesis.doc").read_text() == "years of work"


def test_a_damaged_attribute(cells: Source, hybrid: Model, tmp_path: Path) -> None:
    """It may be somebody else's: nothing says what the group is."""
    plate = tmp_path / "plate.zarr"
    write(part(cells, 20), str(plate), hybrid)
    zarr.open_group(plate, mode="r+").attrs["zarrmal"] = {"format": 1}
    with pytest.raises(ExistsError, match="may not be an archive"):
        write(part(cells, 30), str(plate), hybrid, overwrite=True)
    assert (plate / "cells").is_dir()
