"""Where cells come from: what is read, what is refused and how it is told."""

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from pictures import noise, read_all, refusal, save
from PIL import Image
from zarrmal_codecs.chunk.coder import coder_for

import zarrmal.sources
from zarrmal.errors import InputError
from zarrmal.models import shipped_model
from zarrmal.sources import ConcatSource, Source, Subset, open_source
from zarrmal.sources.limits import MAX_LABELS, check_cell_shape

DATA = Path(__file__).parents[1].parent / "shared" / "data"
NIH_ARRAYS, NIH_FOLDER = DATA / "nih50-rgb.npz", DATA / "nih-native"
needs_nih = pytest.mark.skipif(
    not (NIH_ARRAYS.exists() and NIH_FOLDER.exists()),
    reason="needs the NIH cells in ../shared/data",
)


@pytest.fixture
def two_classes(tmp_path):
    """Six RGB images in two classes, and the pixels in the order of their paths."""
    folder, cells = tmp_path / "cells", noise(6, 9, 7, 3)
    for index, cell in enumerate(cells):
        name = ("Ill", "well")[index // 3]
        save(folder / name / f"{index}_P{index % 2}.png", cell)
    return folder, cells


def test_public_names():
    assert zarrmal.sources.__all__ == ["Channel", "ConcatSource", "Source", "Subset", "open_source"]


# Folders


def test_folder_with_classes(two_classes):
    folder, cells = two_classes
    source = open_source(folder)
    assert source.n_cells == 6
    assert source.cell_shape == (9, 7, 3)
    assert source.class_names == ("Ill", "well")
    assert source.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert source.labels.dtype == np.uint8
    assert source.names[4] == "well/4_P0.png"
    assert source.groups is None
    assert source.unreadable == ()
    assert source.description == f"folder {folder}/: 6 images, 2 classes (Ill 3, well 3)"
    np.testing.assert_array_equal(read_all(source), cells)


@pytest.mark.parametrize("kind", ["folder", "npy", "npz", "zarr", "numpy", "dataarray"])
def test_reading_by_index(kind, two_classes, tmp_path):
    folder, cells = two_classes
    np.save(tmp_path / "c.npy", np.asfortranarray(cells))
    np.savez_compressed(tmp_path / "c.npz", cells=cells)
    zarr.save_array(tmp_path / "c.zarr", cells)
    where = {
        "folder": folder,
        "npy": tmp_path / "c.npy",
        "npz": tmp_path / "c.npz",
        "zarr": str(tmp_path / "c.zarr"),
        "numpy": cells,
        "dataarray": xr.DataArray(cells),
    }[kind]
    source = open_source(where)
    for indices in ([5, 0, 0, 3], [1, 2, 3], [3, 2, 1], [4], []):
        part = source.read(np.array(indices, np.int64))
        assert part.flags.c_contiguous
        np.testing.assert_array_equal(part, cells[np.array(indices, int)])
    for wrong in ([6], [-1]):
        with pytest.raises(IndexError, match="0 to 5"):
            source.read(np.array(wrong))
    with pytest.raises(TypeError, match="mask"):
        source.read(np.ones(6, bool))
    part = source.read(np.array([0]))
    part[:] = 7  # the caller's own
    np.testing.assert_array_equal(source.read(np.array([0])), cells[:1])


def test_flat_and_deeper_folders(tmp_path):
    save(tmp_path / "flat" / "b.PNG", noise(4, 4))
    save(tmp_path / "flat" / "a.Jpeg", noise(4, 4))
    flat = open_source(tmp_path / "flat")
    assert (flat.class_names, flat.labels) == ((), None)
    assert flat.names.tolist() == ["a.Jpeg", "b.PNG"]
    assert flat.description.endswith("2 images, no labels")
    save(tmp_path / "deep" / "x" / "slide 1" / "a.bmp", noise(4, 4))
    save(tmp_path / "deep" / "y" / "slide 2" / "more" / "a.tif", noise(4, 4))
    deep = open_source(str(tmp_path / "deep"), group_pattern=r"slide \d")
    assert deep.class_names == ("x", "y")
    assert deep.names.tolist() == ["x/slide 1/a.bmp", "y/slide 2/more/a.tif"]
    assert deep.groups.tolist() == ["slide 1", "slide 2"]


def test_split_folders_are_no_classes(tmp_path):
    for name in ("Train/ill/1", "Train/well/2", "test/well/3", "VALID/ill/s/4"):
        save(tmp_path / f"{name}.png", noise(4, 4))
    source = open_source(tmp_path)
    assert source.class_names == ("ill", "well")
    assert source.labels.tolist() == [0, 1, 0, 1]
    assert source.splits.tolist() == ["Train", "Train", "VALID", "test"]
    assert source.names[2] == "VALID/ill/s/4.png"
    assert source.description.endswith(
        "4 images, 2 classes (ill 2, well 2), 3 splits (Train 2, VALID 1, test 1)"
    )
    assert Subset(source, [2, 0]).splits.tolist() == ["VALID", "Train"]
    assert ConcatSource([source, Subset(source, [3])]).splits[-1] == "test"
    assert ConcatSource([source, open_source(noise(1, 4, 4))]).splits is None
    assert open_source(source, size=2).splits.tolist() == source.splits.tolist()
    assert open_source(tmp_path, splits=list("abcd")).splits.tolist() == list("abcd")
    save(tmp_path / "test" / "5.png", noise(4, 4))
    assert "1 images lie beside the class folders" in refusal(tmp_path)


def test_splits_of_images_without_a_class(tmp_path):
    save(tmp_path / "train" / "a.png", noise(4, 4))
    save(tmp_path / "test" / "b.png", noise(4, 4))
    source = open_source(tmp_path)
    assert (source.class_names, source.labels) == ((), None)
    assert source.splits.tolist() == ["test", "train"]
    assert source.description.endswith("2 images, no labels, 2 splits (test 1, train 1)")


def test_a_class_called_like_a_split(tmp_path):
    save(tmp_path / "control" / "a.png", noise(4, 4))
    save(tmp_path / "test" / "b.png", noise(4, 4))
    source = open_source(tmp_path)
    assert (source.class_names, source.splits) == (("control", "test"), None)
    assert source.description.endswith("2 classes (control 1, test 1)")


def test_labels_are_told_on_one_line_of_bounded_length():
    labels = [f"a very long label\nof {k} lines and many many words" for k in range(7)]
    (line,) = open_source(noise(7, 2, 2), labels=labels).description.splitlines()
    assert "7 classes (a very long label of 0 lines and many m… 1, " in line
    assert line.endswith(" and 2 more)")
    assert f"({39 * 'x'}… 1)" in open_source(noise(1, 2, 2), labels=[99 * "x"]).description


def test_files_that_are_no_images_are_skipped(two_classes):
    folder, _ = two_classes
    for name in ("Thumbs.db", "MANIFEST.csv", "notes.txt", "Ill/.hidden.png", ".git/a.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"text")
    source = open_source(folder)
    assert source.n_cells == 6
    assert source.description.endswith(
        "6 images, 2 classes (Ill 3, well 3) (skipped 1 .csv, 1 .db, 1 .txt)"
    )


def test_images_of_other_formats_are_told(two_classes):
    folder, _ = two_classes
    for k in range(1200):
        (folder / "Ill" / f"{k}.WebP").touch()
    for name in ("a.gif", "b.jfif", "c.heic", "d.svg", "e.avif", "README", "f.no suffix"):
        (folder / "well" / name).touch()
    assert open_source(folder).description.endswith(
        " (skipped 1,200 .webp, 2 others, 1 .avif, 1 .gif, 1 .heic and 2 more)"
    )
    for name in sorted(folder.rglob("*.png")):
        name.unlink()
    assert "BMP images (skipped 1,200 .webp," in refusal(folder)


def test_images_beside_class_folders(two_classes):
    folder, cells = two_classes
    save(folder / "stray.png", cells[0])
    assert "1 images lie beside the class folders" in refusal(folder)


def test_a_folder_linked_twice(two_classes):
    folder, _ = two_classes
    (folder / "zz").symlink_to(folder / "Ill")
    assert "the same folder" in refusal(folder)
    (folder / "zz").unlink()
    (folder / "Ill" / "loop").symlink_to(folder)
    assert "the same folder" in refusal(folder)


def test_progress(two_classes):
    calls = []
    open_source(two_classes[0], progress=lambda done, total: calls.append((done, total)))
    assert calls == [(done, 6) for done in range(1, 7)]


def test_no_pixels_are_kept_and_a_changed_image_is_told(two_classes):
    folder, cells = two_classes
    source = open_source(folder)
    path = folder / "Ill" / "0_P0.png"
    save(path, cells[5])
    np.testing.assert_array_equal(source.read(np.array([0]))[0], cells[5])
    save(path, noise(3, 3, 3))
    with pytest.raises(InputError, match="has changed"):
        source.read(np.array([0]))
    path.unlink()
    with pytest.raises(InputError, match="has changed"):
        source.read(np.array([0]))


GREY, RGB = noise(6, 5), noise(6, 5, 3)


# Channel and size


def test_channels_of_a_folder(two_classes):
    folder, cells = two_classes
    for index, channel in enumerate(("red", "green", "blue")):
        source = open_source(folder, channel=channel)
        assert source.cell_shape == (9, 7)
        np.testing.assert_array_equal(read_all(source), cells[..., index])
    np.testing.assert_array_equal(read_all(open_source(folder, channel="all")), cells)
    assert "red, green, blue" in refusal(folder, channel="purple")


def test_grey_images_have_no_red(tmp_path):
    save(tmp_path / "a.png", GREY)
    assert "grey cells, so there is no red" in refusal(tmp_path, channel="red")
    assert open_source(tmp_path, channel="all").cell_shape == (6, 5)


@pytest.mark.parametrize("channel", ["auto", "all", "red"])
def test_grey_and_rgb_mixed(channel, tmp_path):
    save(tmp_path / "a.png", GREY)
    save(tmp_path / "b.png", RGB)
    save(tmp_path / "c.png", RGB)
    message = refusal(tmp_path, channel=channel, size=4)
    assert "1 images are grey of uint8 (such as a.png) and 2 are RGB of uint8 (such as b" in message


def test_images_of_different_sizes(tmp_path):
    for index, (height, width) in enumerate([(6, 5), (5, 6), (9, 9), (6, 5)]):
        save(tmp_path / f"{index}.png", noise(height, width, 3))
    source = open_source(tmp_path)
    assert source.cell_shape == (9, 9, 3)
    assert source.sizes.tolist() == [[6, 5], [5, 6], [9, 9], [6, 5]]
    assert source.description.endswith("4 images, no labels, cells of 5 to 9 x 5 to 9")
    source = open_source(tmp_path, size=4, channel="green")
    assert source.cell_shape == (4, 4)
    image = Image.fromarray(noise(9, 9, 3)).resize((4, 4), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(source.read(np.array([2]))[0], np.asarray(image)[..., 1])


@pytest.mark.parametrize("size", [0, -3, 2.5, True, "50"])
def test_sizes_that_are_none(size):
    assert "at least 1" in refusal(noise(2, 3, 3), size=size)


@pytest.mark.parametrize("shape", [(6, 9), (6, 9, 1), (6, 9, 2), (6, 9, 3), (6, 9, 4)])
def test_size_of_arrays_is_plane_by_plane(shape):
    cells = noise(2, *shape)
    resized = read_all(open_source(cells, size=5))
    planes = cells.reshape(2, 6, 9, -1)
    for index in np.ndindex(2, planes.shape[3]):
        image = Image.fromarray(np.ascontiguousarray(planes[index[0], ..., index[1]]))
        expected = np.asarray(image.resize((5, 5), Image.Resampling.BILINEAR))
        np.testing.assert_array_equal(
            resized.reshape(2, 5, 5, -1)[index[0], ..., index[1]], expected
        )


def test_channels_of_arrays():
    cells = noise(4, 3, 3, 3)
    np.testing.assert_array_equal(read_all(open_source(cells, channel="blue")), cells[..., 2])
    assert "2 channels" in refusal(noise(4, 3, 3, 2), channel="red")
    assert "grey cells" in refusal(noise(4, 3, 3), channel="red")


# Limits


@pytest.mark.parametrize("shape", [(2049, 2048), (1400, 1000, 3)])
def test_cells_that_no_codec_can_code_are_refused_on_opening(shape, tmp_path):
    n_values = np.prod(shape)
    text = " x ".join(map(str, shape))
    expected = f"cells of {text} have {n_values:,} values each, the codec takes at most 4,194,304"
    assert expected in refusal(np.zeros((1, *shape), np.uint8))
    save(tmp_path / "a.png", np.zeros(shape, np.uint8))
    assert expected in refusal(tmp_path)
    assert open_source(tmp_path, size=50).n_cells == 1


def test_the_limit_of_each_profile():
    for shape, profile, fits in [
        ((2048, 2048), "hybrid", True),
        ((2048, 2049), "hybrid", False),
        ((4096, 2), "hybrid", True),
        ((4097, 2), "hybrid", False),
        ((4097, 2), "paper", True),
        ((4097, 2), None, True),
        ((1024, 1024), "paper", True),
        ((1024, 1024, 3), "paper", False),
        ((1024, 1024, 3), None, True),
    ]:
        with nullcontext() if fits else pytest.raises(InputError, match="takes at most"):
            check_cell_shape(shape, "here", profile)
    model = shipped_model(1)
    assert coder_for(model).fits((2048, 2048))
    assert not coder_for(model).fits((2048, 2049))
    assert coder_for(model).fits((4096, 2))
    assert not coder_for(model).fits((4097, 2))


# Groups


def test_group_pattern(two_classes):
    folder, _ = two_classes
    assert open_source(folder, group_pattern=r"P\d").groups.tolist() == ["P0", "P1"] * 3
    captured = open_source(folder, group_pattern=r"_P(\d)\.")
    assert captured.groups.tolist() == ["0", "1", "0", "1", "0", "1"]
    assert "'Ill/0_P0.png'" in refusal(folder, group_pattern="P[1-9]")
    assert "no group" in refusal(folder, group_pattern=r"(Q\d)?P")
    assert "not a regular expression" in refusal(folder, group_pattern="(")
    assert "leave one out" in refusal(folder, group_pattern="P", groups=["a"] * 6)


# What the caller gives


def test_given_columns_go_before_those_found(two_classes):
    folder, _ = two_classes
    source = open_source(
        folder, labels=list("xyxyxy"), names=np.array(list("fedcba")), groups=list("ggghhh")
    )
    assert source.class_names == ("x", "y")
    assert source.names.tolist() == list("fedcba")
    assert source.groups.tolist() == list("ggghhh")
    assert "labels have shape (2,), there are 6 cells" in refusal(folder, labels=["a", "b"])
    assert "groups have shape (0,)" in refusal(folder, groups=[])
    assert "names are float64" in refusal(folder, names=np.zeros(6))


def test_labels_of_any_kind_of_string():
    cells = noise(3, 2, 2)
    for labels in (
        ["é", "b", "é"],
        np.array(["é", "b", "é"], np.dtypes.StringDType()),
        np.array(["é", "b", "é"], object),
        np.char.encode(np.array(["é", "b", "é"]), "utf-8"),
    ):
        source = open_source(cells, labels=labels)
        assert source.class_names == ("b", "é")
        assert source.labels.tolist() == [1, 0, 1]
    assert "hold None" in refusal(cells, labels=np.array(["a", None, "b"], object))
    assert "not UTF-8" in refusal(cells, labels=np.array([b"\xff", b"a", b"b"]))
    assert "empty for 1 of 3" in refusal(cells, labels=["a", "", "b"])
    for kind in ("labels", "groups", "names"):
        half = {kind: ["a", "b\udc80", "c"]}
        assert f"{kind} hold 'b\\udc80', which cannot be stored" in refusal(cells, **half)


def test_at_most_as_many_labels_as_an_archive_holds():
    cells = noise(256, 1, 1)
    whole = open_source(cells[:255], labels=np.arange(255))
    assert len(whole.class_names) == MAX_LABELS == 255
    message = refusal(cells, labels=np.arange(256))
    assert "256 different labels found (0, 1, ...), an archive holds at most 255" in message
    other = open_source(cells[:2], labels=["a", "b"])
    with pytest.raises(InputError, match="257 different labels together"):
        ConcatSource([whole, other])


# Sources of sources


def test_subset(two_classes):
    folder, cells = two_classes
    source = open_source(folder, group_pattern=r"P\d")
    part = Subset(source, np.array([5, 3, 3]))
    assert isinstance(part, Source)
    assert part.n_cells == 3
    assert part.class_names == ("Ill", "well")  # labels keep their meaning
    assert part.labels.tolist() == [1, 1, 1]
    assert part.groups.tolist() == ["P1", "P1", "P1"]
    assert part.names[0] == "well/5_P1.png"
    assert part.description == f"3 of {source.description}"
    np.testing.assert_array_equal(read_all(part), cells[[5, 3, 3]])
    np.testing.assert_array_equal(read_all(Subset(part, [2, 0])), cells[[3, 5]])
    assert read_all(Subset(source, [])).shape == (0, 9, 7, 3)
    with pytest.raises(InputError, match="0 cells, at least 1"):
        Subset(source, []).read(np.array([0]))
    with pytest.raises(IndexError):
        Subset(source, [6])
    with pytest.raises(IndexError):
        part.read(np.array([3]))


def test_opening_a_source(two_classes):
    folder, cells = two_classes
    part = Subset(open_source(folder), [4, 5])
    assert open_source(part) is part
    again = open_source(part, channel="red", size=7)
    assert again.cell_shape == (7, 7)
    assert (again.class_names, again.labels.tolist()) == (("Ill", "well"), [1, 1])
    assert again.names.tolist() == part.names.tolist()
    image = Image.fromarray(cells[4]).resize((7, 7), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(read_all(again)[0], np.asarray(image)[..., 0])
    assert again.description == f"2 of folder {folder}/: 2 cells, 2 classes (Ill 0, well 2)"
    assert open_source(part, labels=["p", "q"]).class_names == ("p", "q")


# Real cells


@pytest.fixture(scope="module")
def nih():
    return open_source(NIH_ARRAYS)


@needs_nih
def test_nih_array_file(nih):
    assert nih.n_cells == 22_604
    assert nih.cell_shape == (50, 50, 3)
    assert nih.class_names == ("parasitized", "uninfected")
    assert len(np.unique(nih.groups)) == 160


@needs_nih
def test_nih_crops_resized_are_those_of_the_array_file(nih, tmp_path):
    paths = sorted(path for path in NIH_FOLDER.glob("*/*.png"))[::25]
    for path in paths:
        link = tmp_path / path.relative_to(NIH_FOLDER)
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(path)
    source = open_source(tmp_path, size=50, group_pattern=r"/(C\d+(P\d+)?)")
    row_of = {name: row for row, name in enumerate(nih.names.tolist())}
    rows = np.array([row_of[name] for name in source.names.tolist()])
    np.testing.assert_array_equal(read_all(source), nih.read(rows))
    np.testing.assert_array_equal(source.groups, nih.groups[rows])
    red = open_source(tmp_path, size=50, channel="red")
    np.testing.assert_array_equal(read_all(red), nih.read(rows)[..., 0])
    assert open_source(tmp_path).sizes.shape == (len(paths), 2)
